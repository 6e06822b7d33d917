/* posted.c: an async iterator that runs on its loop for a consumer elsewhere.
 *
 * The consumer has the channel's stream, and the future of a call (await/posted.h) that makes a coroutine on the loop
 * and awaits it there as a task. That coroutine, the `runner`, iterates in place and sends the items. It begins an item
 * only while there is room for it, so the iterator is never ahead by more than the capacity.
 *
 * Words and who may touch them; the struct is counted, one reference for the consumer, one for the call's arg:
 *
 *   lock       guards `full`, `stopped`, `dropped`, `room`
 *   full       there is no room: set and cleared by the channel's pause and resume
 *   stopped    the consumer takes no more items: set by it
 *   dropped    the consumer is gone, so that the end is reported elsewhere: set by it
 *   room       the runner's waker: filled while it waits for room, and for nothing else
 *   raised, raised_status
 *              written by the runner before it closes the channel or ends, read by the consumer after that
 *   the others never change
 *
 *   runner     touched by the loop's thread with the GIL only
 *
 * How it stops. If the runner waits for the iterator's next item, its task is cancelled: the cancellation reaches the
 * iterator where it waits, as in a task of Python. Otherwise the task is not cancelled: the runner finds `stopped` and
 * awaits the iterator's aclose() in the same task. Which of the two it is can only be seen in the loop's thread, so it
 * is decided there (await/posted.h).
 */
#include "python/iterate/posted.h"

#include "python/await/posted.h"
#include "python/coroutine/poll.h"
#include "python/iterate/in_place.h"
#include "python/loop/hub.h"
#include "python/loop/ref.h"

#include "core/os/mutex.h"

#include <errno.h>
#include <stdlib.h>

/* After so many items in a row the loop turns, even if the iterator never suspends and the consumer keeps up. */
#define POSTED_ITERATION_RUN_LENGTH 1024

typedef struct runner runner;

struct caw__posted_iteration {
    _Atomic uint32_t refs;
    caw__mutex lock;
    bool full, stopped, dropped;
    caw_waker room;
    caw_channel *channel; /* a producer's reference, counted */
    size_t capacity;      /* of it */
    caw_py_locals *locals;
    caw_py_ref *iterator;
    caw_py_iterable_spec spec;
    caw_py_ref *raised;
    int raised_status;
    runner *runner;    /* borrowed; NULL before it was made and once it is destroyed */
    caw_stream *items; /* the channel's stream; this and the rest belong to the consumer */
    caw_future *call;  /* NULL before the first poll */
    bool cancelled;
};

static void
posted_iteration_release(caw__posted_iteration *p)
{
    /* acq_rel, pairs with itself on the other side: all uses before its release happen before the free. */
    if (atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    caw_channel_release(p->channel);
    if (p->spec.free) {
        p->spec.free(p->spec.user);
    }
    caw_py_ref_release(p->raised);
    caw_py_ref_release(p->iterator);
    caw_py_locals_release(p->locals);
    caw__mutex_fini(&p->lock);
    free(p);
}

/* Take the runner's waker, under the lock. It is woken after the lock is released. */
static caw_waker
posted_iteration_take_room(caw__posted_iteration *p)
{
    caw_waker room = p->room;
    p->room = CAW_WAKER_NONE;
    return room;
}

static void
posted_iteration_set_full(caw__posted_iteration *p, bool full)
{
    caw__mutex_lock(&p->lock);
    p->full = full;
    caw_waker room = full ? CAW_WAKER_NONE : posted_iteration_take_room(p);
    caw__mutex_unlock(&p->lock);
    caw_waker_wake(room);
}

static void
posted_iteration_pause(void *user)
{
    posted_iteration_set_full(user, true);
}

static void
posted_iteration_resume(void *user)
{
    posted_iteration_set_full(user, false);
}

/* --- the runner, in the loop's thread with the GIL --- */

struct runner {
    caw_future future;
    caw__posted_iteration *posted; /* a reference */
    caw_stream *inner;             /* owned */
    caw_item *kept;                /* the item that found the channel full, owned; or NULL */
    bool cancelled;                /* the inner stream was cancelled */
    bool awaiting;                 /* it waits for the iterator's next item or its end */
};

/* Whether the task must not be cancelled now: the `shields` of caw__posted. */
static bool
runner_shields_task(const void *posted)
{
    const runner *r = ((const caw__posted_iteration *)posted)->runner;
    return r && (!r->awaiting || caw__iteration_is_closing(r->inner));
}

static void
runner_cancel(caw_future *f)
{
    runner *r = CAW_CONTAINER_OF(f, runner, future);
    if (!r->cancelled) {
        r->cancelled = true;
        caw_stream_cancel(r->inner);
        caw__mutex_lock(&r->posted->lock);
        caw_waker room = posted_iteration_take_room(r->posted);
        caw__mutex_unlock(&r->posted->lock);
        caw_waker_wake(room); /* when the loop ends there may never be room again */
    }
}

/* Whether it has to wait until there is room. The waker is stored only for that wait: while the inner stream is polled
 * the coroutine must hold the only one. */
static bool
runner_waits(runner *r, caw_waker waker)
{
    caw__posted_iteration *p = r->posted;
    caw__mutex_lock(&p->lock);
    caw_waker old = posted_iteration_take_room(p);
    bool stopped = p->stopped, waits = p->full && !stopped && !r->cancelled;
    if (waits) {
        p->room = caw_waker_clone(waker);
    }
    caw__mutex_unlock(&p->lock);
    caw_waker_drop(old);
    if (stopped) {
        runner_cancel(&r->future);
    }
    return waits;
}

/* The iterator has ended: close the channel, and leave the exception for the consumer. If the consumer is gone the
 * exception is reported as unraisable. */
static caw_poll
runner_finish(runner *r, const caw_context *cx)
{
    caw__posted_iteration *p = r->posted;
    int status = r->inner->status;
    const caw__coroutine *c = ((caw__poll_place *)cx->place)->coroutine;
    PyObject *raised = caw__take_raised();
    if (!raised && status != 0) {
        raised = Py_XNewRef(caw__poll_noted(c, status));
    }
    if (raised &&
        PyErr_GivenExceptionMatches(raised, PyExc_GeneratorExit)) { /* the runner was dropped, not the iterator */
        Py_CLEAR(raised);
        status = CAW_EBROKEN;
    }
    caw__mutex_lock(&p->lock);
    bool dropped = p->dropped;
    caw__mutex_unlock(&p->lock);
    if (raised && dropped && status == CAW_EPYTHON) {
        caw__raise(Py_NewRef(raised));
        PyErr_WriteUnraisable(NULL);
    }
    if (raised && !(p->raised = caw__ref_new(p->locals->inbox, raised))) {
        Py_DECREF(raised);
    }
    p->raised_status = status;
    (void)caw_channel_close(p->channel, status);
    return caw_future_finish(&r->future, 0);
}

/* Send an item of the iterator. False if the channel is full although `full` is not set: its `pause` is about to be
 * called, by the consumer's thread. */
static bool
runner_send(runner *r, caw_item *item)
{
    int sent = caw_channel_try_send(r->posted->channel, item);
    r->kept = sent == -EAGAIN ? item : NULL;
    if (sent < 0 && !r->kept) { /* the consumer takes no more */
        caw_item_destroy(item);
        runner_cancel(&r->future);
    }
    return !r->kept;
}

static caw_poll
runner_poll(caw_future *f, caw_context *cx)
{
    runner *r = CAW_CONTAINER_OF(f, runner, future);
    r->awaiting = false;
    for (int n = 0; n < POSTED_ITERATION_RUN_LENGTH; n++) {
        if (runner_waits(r, cx->waker)) {
            return CAW_PENDING;
        }
        caw_item *item = r->kept;
        if (item && r->cancelled) { /* the loop ends: there may never be room again */
            r->kept = NULL;
            caw_item_destroy(item);
            item = NULL;
        }
        if (!item && !r->cancelled && caw_channel_length(r->posted->channel) >= r->posted->capacity) {
            break; /* full, but `pause` was not called yet: see runner_send */
        }
        if (!item && caw_stream_poll_next(r->inner, cx, &item) == CAW_PENDING) {
            r->awaiting = true;
            return CAW_PENDING;
        }
        if (!item) {
            return runner_finish(r, cx);
        }
        if (!runner_send(r, item)) {
            break; /* until the next turn */
        }
    }
    caw_waker_wake_by_ref(cx->waker);
    return CAW_PENDING;
}

static void
runner_destroy(caw_future *f)
{
    runner *r = CAW_CONTAINER_OF(f, runner, future);
    r->posted->runner = NULL;
    caw_item_destroy(r->kept);
    caw_stream_destroy(r->inner);
    (void)caw_channel_close(r->posted->channel, CAW_EBROKEN); /* no effect if runner_finish has closed it */
    posted_iteration_release(r->posted);
    free(r);
}

static const caw_future_ops runner_ops = {"python.iterate", runner_poll, runner_cancel, runner_destroy};

/* --- the call that makes it --- */

static PyObject *
posted_iteration_call(void *arg)
{
    static const caw_py_spec spec = {.name = "iterate"};
    caw__posted_iteration *p = arg;
    PyObject *iterator = Py_NewRef(caw_py_ref_get(p->iterator));
    const caw_py_iterable_spec convert = {.convert = p->spec.convert, .user = p->spec.user};
    runner *r = calloc(1, sizeof *r);
    caw_stream *inner = r ? caw__iteration_new(p->locals, iterator, &convert) : NULL;
    if (!inner) {
        free(r);
        Py_DECREF(iterator);
        return PyErr_NoMemory();
    }
    caw_future_init(&r->future, &runner_ops);
    r->inner = inner;
    r->posted = p;
    p->runner = r;
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);       /* relaxed: the call has one */
    return caw__coroutine_on(p->locals->inbox->hub, &r->future, &spec); /* the hub is alive: it calls this function */
}

static void
posted_iteration_call_free(void *arg)
{
    posted_iteration_release(arg);
}

static const caw_py_call_spec posted_iteration_call_spec = {posted_iteration_call, NULL, posted_iteration_call_free};

/* --- the consumer --- */

caw__posted_iteration *
caw__posted_iteration_new(caw_py_locals *locals, PyObject *iterator, const caw_py_iterable_spec *spec)
{
    caw__posted_iteration *p = calloc(1, sizeof *p);
    if (!p || caw__mutex_init(&p->lock) != 0) {
        free(p);
        return NULL;
    }
    size_t capacity = spec->capacity ? spec->capacity : 1;
    caw_channel_spec channel = {.capacity = capacity, .high = capacity, .low = capacity - 1};
    channel.pause = posted_iteration_pause;
    channel.resume = posted_iteration_resume;
    channel.user = p;
    if (caw_channel_new(&channel, &p->channel) < 0 || !(p->iterator = caw__ref_new(locals->inbox, iterator))) {
        caw_channel_release(p->channel);
        caw__mutex_fini(&p->lock);
        free(p);
        return NULL;
    }
    p->capacity = capacity;
    p->items = caw_channel_stream(p->channel);
    p->locals = caw_py_locals_retain(locals);
    p->spec = *spec;
    atomic_init(&p->refs, 1);
    return p;
}

/* Post the call. False when out of memory. */
static bool
posted_iteration_begin(caw__posted_iteration *p)
{
    if (!p->call) {
        atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed); /* relaxed: the consumer has one */
        p->call = caw_py_call(p->locals, &posted_iteration_call_spec, p);
        if (p->call) {
            caw__posted_of(p->call)->shields = runner_shields_task;
        }
    }
    return p->call != NULL;
}

/* The end. The exception is noted for the coroutine or scope that polls. */
static caw_poll
posted_iteration_end(caw__posted_iteration *p, const caw_context *cx, int ended, int *status)
{
    *status = ended;
    if (p->raised && p->raised_status == ended) {
        caw__note(cx, caw__ref_detail(p->raised), ended);
    }
    return CAW_READY;
}

/* The task has ended, and the channel was empty before that: find out whether items or an end came in between. */
static caw_poll
posted_iteration_end_of_call(caw__posted_iteration *p, caw_context *cx, caw_item **out, int *status)
{
    if (!p->cancelled) {
        caw_poll poll = caw_stream_poll_next(p->items, cx, out);
        if (poll == CAW_READY) {
            return *out ? poll : posted_iteration_end(p, cx, p->items->status, status);
        }
        return posted_iteration_end(p, cx, p->call->status < 0 ? p->call->status : CAW_EBROKEN, status);
    }
    return posted_iteration_end(p, cx, p->raised_status < 0 ? p->raised_status : CAW_ECANCELED, status);
}

caw_poll
caw__posted_iteration_poll_next(caw__posted_iteration *p, caw_context *cx, caw_item **out, int *status)
{
    *out = NULL;
    if (!posted_iteration_begin(p)) {
        return posted_iteration_end(p, cx, CAW_ENOMEM, status);
    }
    if (!p->cancelled && caw_stream_poll_next(p->items, cx, out) == CAW_READY) {
        return *out ? CAW_READY : posted_iteration_end(p, cx, p->items->status, status);
    }
    if (caw_future_poll(p->call, cx) == CAW_PENDING) {
        return CAW_PENDING;
    }
    return posted_iteration_end_of_call(p, cx, out, status);
}

/* Make the runner close the iterator: it is woken if it waits for room. */
static void
posted_iteration_stop(caw__posted_iteration *p, bool drops)
{
    caw__mutex_lock(&p->lock);
    p->stopped = true;
    p->dropped = drops;
    caw_waker room = posted_iteration_take_room(p);
    caw__mutex_unlock(&p->lock);
    caw_waker_wake(room);
}

void
caw__posted_iteration_cancel(caw__posted_iteration *p)
{
    p->cancelled = true;
    posted_iteration_stop(p, false);
    if (p->call) {
        caw_future_cancel(p->call);
    }
    caw_stream_cancel(p->items);
}

void
caw__posted_iteration_destroy(caw__posted_iteration *p)
{
    caw_future *call = p->call;
    posted_iteration_stop(p, true);
    p->call = NULL;
    caw_stream_destroy(p->items);
    caw_future_destroy(call); /* and so it is cancelled */
    posted_iteration_release(p);
}
