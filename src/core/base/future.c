/* future.c: futures that need nothing else. */
#include "cawait/future.h"

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
