/* blocking.c: a call on a worker. A caw_work is a promise whose producer is the pool. */
#include "core/run/blocking.h"

#include "core/run/pool_exit.h"

#include <stdlib.h>
#include <string.h>

static caw_work *
work_of(caw_promise *p)
{
    return CAW_CONTAINER_OF(p, caw_work, promise);
}

static int
work_start(caw_promise *p)
{
    caw_work *w = work_of(p);
    caw_pool *pool = w->pool;
    if (!pool) {
        return CAW_ENOMEM; /* there was no memory for the default pool */
    }
    int error = caw__pool_watch_exit(pool);
    bool finishes = !error && w->finishes && !caw__pool_forked(pool);
    if (finishes) {
        caw__exit_begin_call(pool->exit.list); /* first: it may end before the next line */
    }
    error = error ? error : caw__pool_submit(pool, w);
    if (error && finishes) {
        caw__exit_end_call(pool->exit.list);
    }
    return error;
}

/* Still queued: nobody else will resolve it, unless it is to be finished. Running: `run` sees the request by itself, or
 * is interrupted. */
static void
work_on_cancel(caw_promise *p)
{
    caw_work *w = work_of(p);
    if (!w->finishes && caw__pool_withdraw(w->pool, w)) {
        caw_promise_resolve(p, CAW_ECANCELED);
    }
    else {
        caw__pool_interrupt(w->pool, w);
    }
}

static void
work_free(caw_promise *p)
{
    caw_work *w = work_of(p);
    caw_pool *pool = w->pool;
    if (w->free) {
        w->free(w);
    }
    else {
        free(w);
    }
    if (pool) {
        caw__pool_drop(pool);
    }
}

/* This thread, which sleeps, would have to run the call. Queued: it never will be. Running: it waits for its own end.
 * Else another thread ends it just now. */
static caw_poll
work_end_vain(caw_work *w, caw_context *cx)
{
    caw_future *f = &w->promise.future;
    if (caw__pool_withdraw(w->pool, w)) {
        caw__pool_refuse(w->pool, w, CAW_EDEADLOCK);
        return caw_promise_poll(f, cx);
    }
    return w->pool->running.call == w ? caw_future_finish(f, CAW_EDEADLOCK) : CAW_PENDING; /* written by this thread */
}

/* In a forked child nobody will resolve what is pending. What `run` returned is looked at here, by the awaiting thread,
 * which says what was wrong with it. */
static caw_poll
work_poll(caw_future *f, caw_context *cx)
{
    caw_work *w = work_of(CAW_CONTAINER_OF(f, caw_promise, future));
    caw_poll result = caw_promise_poll(f, cx);
    if (result == CAW_PENDING && caw__pool_forked(w->pool)) {
        return caw_future_finish(f, CAW_EFORKED);
    }
    if (result == CAW_PENDING && caw__pool_is_vain(w->pool)) {
        return work_end_vain(w, cx);
    }
    if (result == CAW_READY && f->status > 0) {
        f->status = caw_error_from_return(f->ops->name, "run", f->status);
    }
    return result;
}

/* What still waits for room goes with its future. */
static void
work_destroy(caw_future *f)
{
    caw_work *w = work_of(CAW_CONTAINER_OF(f, caw_promise, future));
    bool goes = w->pool && w->pool->serial && !w->finishes && caw__pool_withdraw_waiting(w->pool, w);
    caw_promise_destroy(f);
    if (goes) {
        caw_promise_resolve(&w->promise, CAW_ECANCELED); /* nobody is woken: this is the other side's end, and frees */
    }
}

static const caw_promise_ops work_ops = {
    .future = {"blocking", work_poll, caw_promise_cancel, work_destroy},
    .start = work_start,
    .on_cancel = work_on_cancel,
    .free = work_free,
};

void
caw_work_init(caw_work *w, caw_pool *pool, int (*run)(caw_work *w), void (*free_)(caw_work *w))
{
    caw_promise_init(&w->promise, &work_ops);
    w->run = run;
    w->free = free_;
    w->next = w->previous = NULL;
    w->finishes = false;
    w->place = CAW__QUEUE_UNCOUNTED;
    w->pool = pool ? pool : caw_pool_default();
    if (w->pool) {
        caw__pool_hold(w->pool);
    }
}

bool
caw__is_call(const caw_future *f)
{
    return f->ops == &work_ops.future;
}

caw_future *
caw_finish_at_exit(caw_future *f)
{
    if (f && caw__is_call(f)) {
        work_of(CAW_CONTAINER_OF(f, caw_promise, future))->finishes = true;
    }
    return f;
}

bool
caw_work_cancelled(const caw_work *w)
{
    return caw_promise_abandoned(&w->promise) || caw__pool_stopped(w->pool);
}

/* The short forms. */

typedef struct blocking_call {
    caw_work work;
    int (*fn)(void *arg);
    void *arg;
    void (*free_arg)(void *arg);
    _Alignas(max_align_t) unsigned char copy[]; /* of caw_blocking_copy: `arg` points there */
} blocking_call;

static int
blocking_run(caw_work *w)
{
    blocking_call *call = CAW_CONTAINER_OF(w, blocking_call, work);
    return call->fn(call->arg);
}

static void
blocking_free(caw_work *w)
{
    blocking_call *call = CAW_CONTAINER_OF(w, blocking_call, work);
    if (call->free_arg) {
        call->free_arg(call->arg);
    }
    free(call);
}

/* With so many bytes for a copy. NULL when out of memory. */
static blocking_call *
blocking_new(caw_pool *pool, int (*fn)(void *arg), size_t size)
{
    blocking_call *call = size <= SIZE_MAX - sizeof *call ? malloc(sizeof *call + size) : NULL;
    if (call) {
        caw_work_init(&call->work, pool, blocking_run, blocking_free);
        call->fn = fn;
        call->arg = call->copy;
        call->free_arg = NULL;
    }
    return call;
}

caw_future *
caw_blocking(caw_pool *pool, int (*fn)(void *arg), void *arg, void (*free_arg)(void *arg))
{
    blocking_call *call = blocking_new(pool, fn, 0);
    if (!call) {
        if (free_arg) {
            free_arg(arg);
        }
        return NULL;
    }
    call->arg = arg;
    call->free_arg = free_arg;
    return &call->work.promise.future;
}

caw_future *
caw_blocking_copy(caw_pool *pool, int (*fn)(void *arg), const void *arg, size_t size)
{
    blocking_call *call = blocking_new(pool, fn, size);
    if (!call) {
        return NULL;
    }
    if (arg && size > 0) {
        memcpy(call->copy, arg, size);
    }
    else {
        memset(call->copy, 0, size);
    }
    return &call->work.promise.future;
}

void *
caw_blocking_arg(const caw_future *f)
{
    const caw_promise *p = CAW_CONTAINER_OF(f, const caw_promise, future);
    return CAW_CONTAINER_OF(p, const blocking_call, work.promise)->arg;
}
