/* serial.c: a pool with one thread of its own.
 *
 * Promise. Calls run one after another, on one thread, in the order of their first polls; `at_end` runs on it after the
 * last of them, once; each future of caw_serial_close is ready when that has returned.
 *
 * Nearly all of it is the pool's: the thread and its life are in workers.c, the bound in queue.c, the interrupt in
 * running.c. This file has its beginning and its end. Words, all guarded by the lock of the pool:
 *
 *   closers                  futures of a close that has begun. Linked by any thread, in their first poll. Taken out by
 *                            the thread of the serial alone, which is also the only one that resolves them
 *   ended, status, detail    at_end has returned, and this is its value. Set once, by the thread
 *
 * The thread ends when the pool is closing, nothing is queued, and no task is left. `closing` stops what comes, so then
 * nothing comes any more, and at_end is the last thing. A close that only closes leaves the queue to the thread; one
 * that stops takes what is queued out, and may come after it.
 *
 * The race that looks bad: a close begins while the thread ends, because another one did before. It looks at `ended`
 * under the lock, in which the thread sets it and takes all closers. So it is either among them or sees the status.
 *
 * A closer keeps a handle of the pool until both sides of its promise are through. Where the thread itself drops the
 * last handle, by resolving a future that was destroyed, the pool lets go of the thread, which ends by itself.
 */
#include "cawait/serial.h"

#include "core/base/promise.h"
#include "core/os/fork.h"
#include "core/run/pool_exit.h"

#include <stdlib.h>

#define SERIAL_CAPACITY 1024u

typedef struct serial_closer serial_closer;
struct serial_closer {
    caw_promise promise;
    caw_serial *serial; /* a handle */
    serial_closer *next, *previous;
};

typedef struct serial_pool {
    caw_pool pool;
    int (*at_end)(void *user); /* unchanged; NULL: there is none */
    void *user;                /* unchanged */
    serial_closer *closers;
    bool ended;
    int status;
    caw__detail *detail;
} serial_pool;

static serial_pool *
serial_of(caw_pool *pool)
{
    return CAW_CONTAINER_OF(pool, serial_pool, pool);
}

/* --- its end --- */

static int
serial_call_at_end(const serial_pool *s, caw__detail **detail)
{
    caw__notes notes = {.detail = NULL};
    caw__notes_enter(&notes);
    int status = s->at_end ? s->at_end(s->user) : 0;
    caw__notes_leave(&notes);
    *detail = caw__notes_take(&notes, status);
    return status;
}

/* On its thread. */
static void
serial_end(caw_pool *pool)
{
    serial_pool *s = serial_of(pool);
    caw__detail *detail;
    int status = serial_call_at_end(s, &detail);
    caw__mutex_lock(&pool->lock);
    s->ended = true;
    s->status = status;
    s->detail = detail;
    serial_closer *closers = s->closers;
    s->closers = NULL;
    caw__mutex_unlock(&pool->lock);
    while (closers) {
        serial_closer *c = closers;
        closers = c->next;
        caw__promise_resolve_with(&c->promise, status, caw__detail_retain(detail));
    }
}

static void
serial_free(caw_pool *pool)
{
    serial_pool *s = serial_of(pool);
    caw__detail_release(s->detail);
    free(s);
}

static const caw__serial_ops serial_ops = {serial_end, serial_free};

/* --- the future of a close --- */

static serial_closer *
closer_of(caw_promise *p)
{
    return CAW_CONTAINER_OF(p, serial_closer, promise);
}

static void
closer_link(serial_pool *s, serial_closer *c)
{
    c->previous = NULL;
    c->next = s->closers;
    if (c->next) {
        c->next->previous = c;
    }
    s->closers = c;
}

static int
closer_start(caw_promise *p)
{
    serial_closer *c = closer_of(p);
    caw_pool *pool = c->serial;
    if (!pool->serial || caw__pool_forked(pool)) {
        return pool->serial ? CAW_EFORKED : CAW_EINVAL;
    }
    if (caw__pool_is_vain(pool)) {
        return CAW_EDEADLOCK;
    }
    serial_pool *s = serial_of(pool);
    caw_work *refused = NULL;
    caw__mutex_lock(&pool->lock);
    bool ended = s->ended;
    if (!ended) {
        closer_link(s, c);
        refused = caw__pool_closing(pool) ? NULL : caw__pool_shut(pool, false);
    }
    caw__mutex_unlock(&pool->lock);
    if (ended) {
        caw__promise_resolve_with(p, s->status, caw__detail_retain(s->detail));
    }
    caw__pool_cancel(pool, refused);
    return 0;
}

static void
closer_on_cancel(caw_promise *p)
{
    caw_pool *pool = closer_of(p)->serial;
    if (caw__pool_forked(pool)) {
        return;
    }
    caw__mutex_lock(&pool->lock);
    caw_work *calls = caw__pool_stopped(pool) ? NULL : caw__pool_shut(pool, true);
    caw__mutex_unlock(&pool->lock);
    caw__pool_cancel(pool, calls);
}

/* On the thread of the serial, which sleeps: it would wait for itself. So nobody resolves the promise meanwhile. */
static void
closer_end_vain(serial_closer *c)
{
    serial_pool *s = serial_of(c->serial);
    caw__mutex_lock(&s->pool.lock);
    *(c->previous ? &c->previous->next : &s->closers) = c->next;
    if (c->next) {
        c->next->previous = c->previous;
    }
    caw__mutex_unlock(&s->pool.lock);
    caw_promise_resolve(&c->promise, CAW_EDEADLOCK);
}

static caw_poll
closer_poll(caw_future *f, caw_context *cx)
{
    serial_closer *c = closer_of(CAW_CONTAINER_OF(f, caw_promise, future));
    caw_poll result = caw_promise_poll(f, cx);
    if (result == CAW_PENDING && caw__pool_forked(c->serial)) {
        return caw_future_finish(f, CAW_EFORKED);
    }
    if (result == CAW_PENDING && caw__pool_is_vain(c->serial)) {
        closer_end_vain(c);
        result = caw_promise_poll(f, cx);
    }
    if (result == CAW_READY && f->status > 0) {
        f->status = caw_error_from_return(f->ops->name, "at_end", f->status);
    }
    return result;
}

static void
closer_free(caw_promise *p)
{
    serial_closer *c = closer_of(p);
    caw_serial *serial = c->serial;
    free(c);
    caw_pool_release(serial);
}

static const caw_promise_ops closer_ops = {
    .future = {"serial.close", closer_poll, caw_promise_cancel, caw_promise_destroy},
    .start = closer_start,
    .on_cancel = closer_on_cancel,
    .free = closer_free,
};

caw_future *
caw_serial_close(caw_serial *serial)
{
    serial_closer *c = malloc(sizeof *c);
    if (!c) {
        return NULL;
    }
    caw_promise_init(&c->promise, &closer_ops);
    c->serial = caw_pool_retain(serial);
    return &c->promise.future;
}

/* --- its beginning --- */

static int
serial_start(serial_pool *s, const caw_serial_spec *spec)
{
    int error = caw__pool_init(&s->pool, 1);
    if (error) {
        free(s);
        return error;
    }
    s->pool.serial = &serial_ops;
    s->pool.queue.bounded = true;
    s->pool.queue.room = spec->capacity > 0 ? spec->capacity : SERIAL_CAPACITY;
    s->pool.queue.refuses = spec->refuses;
    s->pool.running.interrupt = spec->interrupt;
    s->pool.running.user = spec->user;
    s->at_end = spec->at_end;
    s->user = spec->user;
    error = caw__pool_watch_exit(&s->pool);
    error = error ? error : caw__pool_start_serial(&s->pool);
    if (error) {
        caw__pool_drop(&s->pool);
    }
    return error;
}

int
caw_serial_new(const caw_serial_spec *spec, caw_serial **out)
{
    *out = NULL;
    int error = caw__fork_watch();
    serial_pool *s = error ? NULL : calloc(1, sizeof *s);
    if (!s) {
        return error ? error : CAW_ENOMEM;
    }
    error = serial_start(s, spec);
    *out = error ? NULL : &s->pool;
    return error;
}

#undef SERIAL_CAPACITY
