/* late_call.c: a call of Python that is posted by its first poll. */
#include "python/await/late_call.h"

#include "python/coroutine/poll.h"
#include "python/framework/detect.h"

#include <stdlib.h>

typedef struct caw__call {
    caw_future future;
    caw_py_call_spec spec;
    void *arg;           /* owned, until it is posted */
    caw__posted *posted; /* owned; NULL before the first poll */
    bool cancelled;      /* before that */
} caw__call;

/* The locals of the poller: a new reference, or NULL with the status that says why. */
static caw_py_locals *
call_locals(const caw_context *cx, int *status)
{
    caw_py_locals *locals = caw_py_locals_retain(caw_py_locals_current());
    *status = CAW_ENOREACTOR;
    if (locals || cx->host != &caw__poll_host) {
        return locals;
    }
    caw__poll_place *place = cx->place;
    caw__gil_take(place->released);
    locals = caw__locals_capture(place->state, &place->coroutine->waiter, status);
    if (!locals) {
        caw__poll_failed(place);
    }
    caw__gil_give(place->released);
    return locals;
}

/* 0, or the status that the call ends with. */
static int
call_begin(caw__call *c, const caw_context *cx)
{
    if (c->cancelled) {
        return CAW_ECANCELED;
    }
    int status;
    caw_py_locals *locals = call_locals(cx, &status);
    if (!locals) {
        return status;
    }
    c->posted = caw__posted_new(locals, NULL, &c->spec, c->arg);
    caw_py_locals_release(locals);
    return c->posted ? 0 : CAW_ENOMEM;
}

static caw_poll
call_poll(caw_future *f, caw_context *cx)
{
    caw__call *c = CAW_CONTAINER_OF(f, caw__call, future);
    int status = c->posted ? 0 : call_begin(c, cx);
    if (status < 0) {
        return caw_future_finish(f, status);
    }
    caw_future *posted = &c->posted->promise.future;
    return caw_future_poll(posted, cx) == CAW_READY ? caw_future_finish(f, posted->status) : CAW_PENDING;
}

static void
call_cancel(caw_future *f)
{
    caw__call *c = CAW_CONTAINER_OF(f, caw__call, future);
    if (c->posted) {
        caw_future_cancel(&c->posted->promise.future);
    }
    else {
        c->cancelled = true;
    }
}

static void
call_destroy(caw_future *f)
{
    caw__call *c = CAW_CONTAINER_OF(f, caw__call, future);
    if (c->posted) {
        caw_future_destroy(&c->posted->promise.future);
    }
    else if (c->spec.free) {
        c->spec.free(c->arg);
    }
    free(c);
}

static const caw_future_ops call_ops = {"python.call", call_poll, call_cancel, call_destroy};

caw_future *
caw__call_new(const caw_py_call_spec *spec, void *arg)
{
    caw__call *c = malloc(sizeof *c);
    if (!c) {
        return NULL;
    }
    *c = (caw__call){.spec = *spec, .arg = arg};
    caw_future_init(&c->future, &call_ops);
    return &c->future;
}

caw__posted *
caw__call_posted(const caw_future *f)
{
    return f->ops == &call_ops ? CAW_CONTAINER_OF(f, const caw__call, future)->posted : NULL;
}
