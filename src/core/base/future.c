/* future.c: futures that need nothing else, and waiting for one. */
#include "core/base/future.h"

#include <stdlib.h>

caw_reactor *
caw_context_reactor(const caw_context *cx, int *error)
{
    if (!cx->host || !cx->host->reactor) {
        *error = CAW_ENOREACTOR;
        return NULL;
    }
    return cx->host->reactor(cx, error);
}

int
caw__future_wait(caw_future **owned, caw_context *cx)
{
    caw_future *f = *owned;
    if (!f) {
        return 0;
    }
    if (caw_future_poll(f, cx) == CAW_PENDING) {
        return 1;
    }
    int status = f->status;
    *owned = NULL;
    caw_future_destroy(f);
    return status;
}

static caw_poll
ready_poll(caw_future *f, caw_context *cx)
{
    (void)cx; /* the status has been there since caw_ready */
    (void)f;
    return CAW_READY;
}

static void
ready_destroy(caw_future *f)
{
    free(f);
}

static const caw_future_ops ready_ops = {"ready", ready_poll, NULL, ready_destroy};

caw_future *
caw_ready(int status)
{
    caw_future *f = malloc(sizeof *f);
    if (f) {
        caw_future_init(f, &ready_ops);
        f->status = status;
    }
    return f;
}
