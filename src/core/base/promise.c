/* promise.c: an operation that somebody else completes.
 *
 * Promise (what this type guarantees). The first resolve decides; a poll that starts after it returns CAW_READY; a
 * consumer that was pending is woken after the result is visible; the struct is freed exactly once, after the last
 * access of either side.
 *
 * One word of flags, `future.word`, is all that the two sides share at the same time:
 *
 *   STARTED        set by the consumer before it calls start; cleared again by it when start fails
 *   ARMED          the waker is filled. Set by the consumer; taken away by whoever takes the waker out:
 *                  the producer (resolve) or the consumer (to replace or drop it)
 *   CLAIMED        somebody resolves. Set once: who finds it set came second
 *   RESOLVED       the status is there. Set once, by the producer that set CLAIMED
 *   CANCELLED      nobody takes the result. Set by the consumer
 *   PRODUCER_DONE  the producer will not touch the struct again. True before start and after a failed one
 *   CONSUMER_DONE  the consumer will not touch the struct again. Set by destroy
 *   DETAILED       the status has a detail (detail.h). Set with RESOLVED
 *
 * Access. `waker` is written by the consumer while not ARMED, and read by whoever took ARMED away. `future.status`
 * is written by the consumer before STARTED (or when start failed), by the producer between CLAIMED and RESOLVED, and
 * read by the consumer after RESOLVED; so is `detail`. Whoever sets the second of the two DONE flags frees.
 *
 * Paths. resolve claims, stores the status, and then, on a promise that is not armed, sets RESOLVED and PRODUCER_DONE
 * with one exchange, and it is over. On an armed one an exchange takes the waker (RESOLVED, not ARMED), then comes
 * PRODUCER_DONE, then the wake: last, because it needs nothing of the struct.
 *
 * The race that looks bad: between the producer's RESOLVED and its reading of the waker, the consumer may poll (for
 * another reason), see READY, and destroy. Destroy sets CONSUMER_DONE but does not free, since PRODUCER_DONE is not
 * there yet; the producer finds CONSUMER_DONE when it sets its own flag, and frees.
 */
#include "core/base/promise.h"

#include <stdio.h>
#include <stdlib.h>

#define PROMISE_STARTED       1u
#define PROMISE_ARMED         2u
#define PROMISE_CLAIMED       4u
#define PROMISE_RESOLVED      8u
#define PROMISE_CANCELLED     16u
#define PROMISE_PRODUCER_DONE 32u
#define PROMISE_CONSUMER_DONE 64u
#define PROMISE_DETAILED      128u

static inline const caw_promise_ops *
promise_ops(const caw_promise *p)
{
    return CAW_CONTAINER_OF(p->future.ops, const caw_promise_ops, future);
}

static void
promise_free(caw_promise *p, uint32_t state)
{
    if (state & PROMISE_DETAILED) {
        caw__detail_release(p->detail);
    }
    if (promise_ops(p)->free) {
        promise_ops(p)->free(p);
    }
    else {
        free(p);
    }
}

void
caw_promise_init(caw_promise *p, const caw_promise_ops *ops)
{
    p->future.ops = &ops->future;
    p->future.status = 0;
    p->waker = CAW_WAKER_NONE;
    atomic_init(&p->future.word, PROMISE_PRODUCER_DONE);
}

/* The first poll: start the operation. False when there is no operation after all, and f->status says why. */
static bool
promise_start(caw_promise *p, uint32_t state)
{
    if (state & PROMISE_CANCELLED) {
        p->future.status = CAW_ECANCELED;
        return false;
    }
    /* Relaxed: nobody else has the promise yet; whatever start() uses to hand it over publishes this too. */
    atomic_store_explicit(&p->future.word, PROMISE_STARTED, memory_order_relaxed);
    int error = promise_ops(p)->start(p);
    if (error == 0) {
        return true;
    }
    atomic_store_explicit(&p->future.word, PROMISE_PRODUCER_DONE,
                          memory_order_relaxed); /* relaxed: there is no producer */
    p->future.status = caw_error_from_return(p->future.ops->name, "start", error);
    return false;
}

/* Change the flags, from a state that is not RESOLVED. False when the promise is RESOLVED instead. A CLAIMED that comes
 * in between is no obstacle: the status is not there yet. */
static bool
promise_change(caw_promise *p, uint32_t *state, uint32_t clear, uint32_t set, memory_order order)
{
    /* Acquire on failure: pairs with resolve, whose results the caller will read. */
    while (!atomic_compare_exchange_weak_explicit(&p->future.word, state, (*state & ~clear) | set, order,
                                                  memory_order_acquire)) {
        if (*state & PROMISE_RESOLVED) {
            return false;
        }
    }
    *state = (*state & ~clear) | set;
    return true;
}

/* Store the poller's waker. False when the promise was resolved meanwhile. `state` is not RESOLVED. */
static bool
promise_arm(caw_promise *p, uint32_t state, caw_waker waker)
{
    if (state & PROMISE_ARMED) {
        caw_waker old = p->waker; /* ours to read: only this side fills it */
        if (caw_waker_same(old, waker)) {
            return true;
        }
        if (!promise_change(p, &state, PROMISE_ARMED, 0, memory_order_acquire)) {
            return false; /* the producer took the old waker and wakes it: spurious, but allowed */
        }
        caw_waker_drop(old);
    }
    p->waker = caw_waker_clone(waker);
    /* acq_rel: the producer that takes ARMED away reads the waker. */
    if (!promise_change(p, &state, 0, PROMISE_ARMED, memory_order_acq_rel)) {
        caw_waker_drop(p->waker);
        return false;
    }
    return true;
}

caw_poll
caw_promise_poll(caw_future *f, caw_context *cx)
{
    caw_promise *p = CAW_CONTAINER_OF(f, caw_promise, future);
    /* Acquire: pairs with resolve; the results are visible once RESOLVED is seen. */
    uint32_t state = atomic_load_explicit(&p->future.word, memory_order_acquire);
    if (!(state & PROMISE_STARTED)) {
        if (!promise_start(p, state)) {
            return CAW_READY;
        }
        state = atomic_load_explicit(&p->future.word, memory_order_acquire); /* start may have resolved already */
    }
    if (!(state & PROMISE_RESOLVED)) {
        if (promise_arm(p, state, cx->waker)) {
            return CAW_PENDING;
        }
    }
    if (atomic_load_explicit(&p->future.word, memory_order_relaxed) & PROMISE_DETAILED) {
        caw__note(cx, p->detail, f->status);
    }
    return CAW_READY; /* the producer has stored the status */
}

void
caw_promise_cancel(caw_future *f)
{
    caw_promise *p = CAW_CONTAINER_OF(f, caw_promise, future);
    /* Relaxed: a flag for hints (caw_promise_abandoned) and for the consumer itself; it publishes nothing. */
    uint32_t state = atomic_fetch_or_explicit(&p->future.word, PROMISE_CANCELLED, memory_order_relaxed);
    if ((state & PROMISE_STARTED) && !(state & (PROMISE_RESOLVED | PROMISE_CANCELLED)) && promise_ops(p)->on_cancel) {
        promise_ops(p)->on_cancel(p);
    }
}

void
caw_promise_destroy(caw_future *f)
{
    caw_promise *p = CAW_CONTAINER_OF(f, caw_promise, future);
    caw_waker waker = p->waker; /* copied before CONSUMER_DONE: from then on the producer may free the struct */
    uint32_t state = atomic_load_explicit(&p->future.word, memory_order_relaxed);
    /* Release: what the consumer did is visible to the side that frees. Acquire: if we free, so is what it did. */
    while (!atomic_compare_exchange_weak_explicit(&p->future.word, &state,
                                                  (state & ~PROMISE_ARMED) | PROMISE_CONSUMER_DONE,
                                                  memory_order_acq_rel, memory_order_relaxed)) {
    }
    if (state & PROMISE_ARMED) {
        caw_waker_drop(waker);
    }
    if (state & PROMISE_PRODUCER_DONE) {
        promise_free(p, state);
    }
}

/* A resolve with nothing to resolve: ignored, but a mistake worth stopping at while it is being made. */
static void
promise_misused(const caw_promise *p, uint32_t state)
{
#ifndef NDEBUG
    fprintf(stderr, "cawait: caw_promise_resolve(\"%s\") on a promise that %s\n", p->future.ops->name,
            state & PROMISE_CLAIMED ? "is resolved already" : "was never started");
    abort();
#else
    (void)p;
    (void)state;
#endif
}

/* Become the one who resolves. */
static bool
promise_claim(caw_promise *p)
{
    /* Relaxed, both: the flag only decides who goes on; the status is published by RESOLVED. */
    uint32_t state = atomic_load_explicit(&p->future.word, memory_order_relaxed);
    if (state & PROMISE_STARTED) {
        state = atomic_fetch_or_explicit(&p->future.word, PROMISE_CLAIMED, memory_order_relaxed);
        if (!(state & PROMISE_CLAIMED)) {
            return true;
        }
    }
    promise_misused(p, state);
    return false;
}

/* The state after a resolve. An armed promise still has a waker to be taken out, so the producer is not done. */
static inline uint32_t
promise_resolved(uint32_t state, const caw__detail *detail)
{
    uint32_t done = state & PROMISE_ARMED ? 0 : PROMISE_PRODUCER_DONE, detailed = detail ? PROMISE_DETAILED : 0;
    return (state & ~PROMISE_ARMED) | PROMISE_RESOLVED | done | detailed;
}

/* By the one who has claimed it. */
static inline void
promise_resolve(caw_promise *p, int status, caw__detail *detail)
{
    p->future.status = status;
    p->detail = detail;
    uint32_t state = atomic_load_explicit(&p->future.word, memory_order_relaxed);
    /* Release: publishes the results and the status, to the acquire in poll. Acquire: pairs with promise_arm's release
     * (the waker) and, when we free, with destroy. */
    while (!atomic_compare_exchange_weak_explicit(&p->future.word, &state, promise_resolved(state, detail),
                                                  memory_order_acq_rel, memory_order_relaxed)) {
    }
    caw_waker waker = CAW_WAKER_NONE;
    if (state & PROMISE_ARMED) {
        waker = p->waker;
        state = atomic_fetch_or_explicit(&p->future.word, PROMISE_PRODUCER_DONE, memory_order_acq_rel); /* as above */
    }
    if (state & PROMISE_CONSUMER_DONE) {
        promise_free(p, state | (detail ? PROMISE_DETAILED : 0));
    }
    caw_waker_wake(waker);
}

void
caw_promise_resolve(caw_promise *p, int status)
{
    if (p && promise_claim(p)) {
        promise_resolve(p, status, status == CAW_EPYTHON ? caw__noted(status) : NULL);
    }
}

void
caw__promise_resolve_with(caw_promise *p, int status, caw__detail *detail)
{
    if (promise_claim(p)) {
        promise_resolve(p, status, detail);
    }
    else {
        caw__detail_release(detail);
    }
}

caw__detail *
caw__promise_detail(const caw_promise *p)
{
    /* Acquire: pairs with promise_resolve. */
    uint32_t state = atomic_load_explicit(&p->future.word, memory_order_acquire);
    return state & PROMISE_DETAILED ? p->detail : NULL;
}

void
caw__promise_note(const caw_promise *p, const caw_context *cx)
{
    caw__detail *detail = caw__promise_detail(p);
    if (detail) {
        caw__note(cx, detail, p->future.status);
    }
}

bool
caw_promise_abandoned(const caw_promise *p)
{
    uint32_t gone = PROMISE_CANCELLED | PROMISE_CONSUMER_DONE;
    return (atomic_load_explicit(&p->future.word, memory_order_relaxed) & gone) != 0; /* relaxed: a hint */
}
