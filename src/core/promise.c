/* promise.c: an operation that somebody else completes.
 *
 * Promise (what this type guarantees). The first resolve decides; a poll that starts after it returns CAW_READY; a
 * consumer that was pending is woken after the result is visible; the struct is freed exactly once, after the last
 * access of either side.
 *
 * One word holds everything the two sides share: flags in the low half, the status in the high half.
 *
 *   STARTED        set by the consumer before it calls start; cleared again by it when start fails
 *   ARMED          the waker is filled. Set by the consumer; taken away by whoever takes the waker out:
 *                  the producer (resolve) or the consumer (to replace or drop it)
 *   RESOLVED       the status is there. Set once, by the producer
 *   CANCELLED      the consumer asked to stop. Set by the consumer
 *   PRODUCER_DONE  the producer will not touch the struct again. True before start and after a failed one
 *   CONSUMER_DONE  the consumer will not touch the struct again. Set by destroy
 *
 * Access. `waker` is written by the consumer while not ARMED, and read by whoever took ARMED away. `future.status`
 * is the consumer's alone: it copies the status out of the word. Whoever sets the second of the two DONE flags frees.
 *
 * Paths. resolve on a promise that is not armed: one exchange sets RESOLVED and PRODUCER_DONE, and it is over. On an
 * armed one: an exchange takes the waker (RESOLVED, not ARMED), then PRODUCER_DONE, then the wake. The wake comes last
 * because it needs nothing of the struct.
 *
 * The race that looks bad: between the producer's RESOLVED and its reading of the waker, the consumer may poll (for
 * another reason), see READY, and destroy. Destroy sets CONSUMER_DONE but does not free, since PRODUCER_DONE is not
 * there yet; the producer finds CONSUMER_DONE when it sets its own flag, and frees.
 */
#include "cawait/promise.h"

#include <stdio.h>
#include <stdlib.h>

#define PROMISE_STARTED       UINT64_C(1)
#define PROMISE_ARMED         UINT64_C(2)
#define PROMISE_RESOLVED      UINT64_C(4)
#define PROMISE_CANCELLED     UINT64_C(8)
#define PROMISE_PRODUCER_DONE UINT64_C(16)
#define PROMISE_CONSUMER_DONE UINT64_C(32)

static inline int
promise_status(uint64_t state)
{
    return (int)(int32_t)(uint32_t)(state >> 32);
}

static inline const caw_promise_ops *
promise_ops(const caw_promise *p)
{
    return CAW_CONTAINER_OF(p->future.ops, const caw_promise_ops, future);
}

static void
promise_free(caw_promise *p)
{
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
    p->future = (caw_future){&ops->future, 0};
    p->waker = CAW_WAKER_NONE;
    atomic_init(&p->state, PROMISE_PRODUCER_DONE);
}

/* The first poll: start the operation. False when there is no operation after all, and f->status says why. */
static bool
promise_start(caw_promise *p, uint64_t state)
{
    if (state & PROMISE_CANCELLED) {
        p->future.status = CAW_ECANCELED;
        return false;
    }
    /* Relaxed: nobody else knows of the promise yet; whatever start() uses to hand it over publishes this too. */
    atomic_store_explicit(&p->state, PROMISE_STARTED, memory_order_relaxed);
    int error = promise_ops(p)->start(p);
    if (error == 0) {
        return true;
    }
    atomic_store_explicit(&p->state, PROMISE_PRODUCER_DONE, memory_order_relaxed); /* relaxed: there is no producer */
    p->future.status = error;
    return false;
}

/* Store the poller's waker. False when the promise was resolved meanwhile. `state` is not RESOLVED. */
static bool
promise_arm(caw_promise *p, uint64_t state, caw_waker waker)
{
    if (state & PROMISE_ARMED) {
        caw_waker old = p->waker; /* ours to read: only this side fills it */
        if (caw_waker_same(old, waker)) {
            return true;
        }
        /* Acquire: pairs with resolve, whose results the caller will read if this fails. */
        if (!atomic_compare_exchange_strong_explicit(&p->state, &state, state & ~PROMISE_ARMED, memory_order_acquire,
                                                     memory_order_acquire)) {
            return false; /* the producer took the old waker and wakes it: spurious, but allowed */
        }
        caw_waker_drop(old);
        state &= ~PROMISE_ARMED;
    }
    p->waker = caw_waker_clone(waker);
    /* Release: the producer that takes ARMED away reads the waker. Acquire on failure: as above. */
    if (!atomic_compare_exchange_strong_explicit(&p->state, &state, state | PROMISE_ARMED, memory_order_release,
                                                 memory_order_acquire)) {
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
    uint64_t state = atomic_load_explicit(&p->state, memory_order_acquire);
    if (!(state & PROMISE_STARTED)) {
        if (!promise_start(p, state)) {
            return CAW_READY;
        }
        state = atomic_load_explicit(&p->state, memory_order_acquire); /* start may have resolved already */
    }
    if (!(state & PROMISE_RESOLVED)) {
        if (promise_arm(p, state, cx->waker)) {
            return CAW_PENDING;
        }
        state = atomic_load_explicit(&p->state, memory_order_acquire);
    }
    return caw_future_finish(f, promise_status(state));
}

void
caw_promise_cancel(caw_future *f)
{
    caw_promise *p = CAW_CONTAINER_OF(f, caw_promise, future);
    /* Relaxed: a flag for hints (caw_promise_abandoned) and for the consumer itself; it publishes nothing. */
    uint64_t state = atomic_fetch_or_explicit(&p->state, PROMISE_CANCELLED, memory_order_relaxed);
    if ((state & PROMISE_STARTED) && !(state & (PROMISE_RESOLVED | PROMISE_CANCELLED)) && promise_ops(p)->on_cancel) {
        promise_ops(p)->on_cancel(p);
    }
}

void
caw_promise_destroy(caw_future *f)
{
    caw_promise *p = CAW_CONTAINER_OF(f, caw_promise, future);
    caw_waker waker = p->waker; /* copied before CONSUMER_DONE: from then on the producer may free the struct */
    uint64_t state = atomic_load_explicit(&p->state, memory_order_relaxed);
    /* Release: what the consumer did is visible to the side that frees. Acquire: if we free, so is what it did. */
    while (!atomic_compare_exchange_weak_explicit(&p->state, &state, (state & ~PROMISE_ARMED) | PROMISE_CONSUMER_DONE,
                                                  memory_order_acq_rel, memory_order_relaxed)) {
    }
    if (state & PROMISE_ARMED) {
        caw_waker_drop(waker);
    }
    if (state & PROMISE_PRODUCER_DONE) {
        promise_free(p);
    }
}

/* A resolve with nothing to resolve: ignored, but a mistake worth stopping at while it is being made. */
static void
promise_misused(const caw_promise *p, uint64_t state)
{
#ifndef NDEBUG
    fprintf(stderr, "cawait: caw_promise_resolve(\"%s\") on a promise that %s\n", p->future.ops->name,
            state & PROMISE_RESOLVED ? "is resolved already" : "was never started");
    abort();
#else
    (void)p;
    (void)state;
#endif
}

/* The state after a resolve. An armed promise still has a waker to be taken out, so the producer is not done. */
static inline uint64_t
promise_resolved(uint64_t state, int status)
{
    uint64_t done = state & PROMISE_ARMED ? 0 : PROMISE_PRODUCER_DONE;
    return (state & ~PROMISE_ARMED) | PROMISE_RESOLVED | done | (uint64_t)(uint32_t)status << 32;
}

void
caw_promise_resolve(caw_promise *p, int status)
{
    if (!p) {
        return;
    }
    uint64_t state = atomic_load_explicit(&p->state, memory_order_relaxed);
    do {
        if ((state & PROMISE_RESOLVED) || !(state & PROMISE_STARTED)) {
            promise_misused(p, state);
            return;
        }
        /* Release: publishes the results, to the acquire in poll. Acquire: pairs with promise_arm's release (the
         * waker) and, when we free, with destroy. */
    } while (!atomic_compare_exchange_weak_explicit(&p->state, &state, promise_resolved(state, status),
                                                    memory_order_acq_rel, memory_order_relaxed));
    caw_waker waker = CAW_WAKER_NONE;
    if (state & PROMISE_ARMED) {
        waker = p->waker;
        state = atomic_fetch_or_explicit(&p->state, PROMISE_PRODUCER_DONE, memory_order_acq_rel); /* as above */
    }
    if (state & PROMISE_CONSUMER_DONE) {
        promise_free(p);
    }
    caw_waker_wake(waker);
}

bool
caw_promise_abandoned(const caw_promise *p)
{
    uint64_t gone = PROMISE_CANCELLED | PROMISE_CONSUMER_DONE;
    return (atomic_load_explicit(&p->state, memory_order_relaxed) & gone) != 0; /* relaxed: a hint */
}
