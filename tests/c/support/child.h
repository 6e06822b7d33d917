/* child.h: a future for the pool that a test controls. */
#ifndef CAWAIT_TEST_CHILD_H
#define CAWAIT_TEST_CHILD_H

#include "support/place.h"

#include <pthread.h>
#include <stdatomic.h>

/* It keeps its waker for the test. */
struct child {
    caw_future future;
    pthread_mutex_t lock;
    caw_waker waker;     /* of the latest poll */
    caw_future *cleanup; /* awaited after a cancel */
    atomic_int polls, inside, cancels;
    atomic_int done_at; /* ready at that poll, with status -7; 0: never */
    bool cancelled, wakes_itself;
};

static atomic_int destroyed;

static inline caw_poll
child_poll(caw_future *f, caw_context *cx)
{
    struct child *c = CAW_CONTAINER_OF(f, struct child, future);
    CHECK_INT(atomic_fetch_add(&c->inside, 1), 0); /* one worker at a time */
    int polls = atomic_fetch_add(&c->polls, 1) + 1, done_at = c->done_at;
    pthread_mutex_lock(&c->lock);
    caw_waker old = c->waker;
    c->waker = caw_waker_clone(cx->waker);
    pthread_mutex_unlock(&c->lock);
    caw_waker_drop(old);
    if (c->wakes_itself) {
        caw_waker_wake_by_ref(cx->waker);
    }
    caw_poll result = CAW_PENDING;
    if (c->cancelled) {
        result = c->cleanup ? caw_future_poll(c->cleanup, cx) : CAW_READY;
        f->status = CAW_ECANCELED;
    }
    else if (done_at > 0 && polls >= done_at) {
        result = caw_future_finish(f, -7);
    }
    atomic_fetch_sub(&c->inside, 1);
    return result;
}

static inline void
child_cancel(caw_future *f)
{
    struct child *c = CAW_CONTAINER_OF(f, struct child, future);
    CHECK_INT(c->inside, 0);
    atomic_fetch_add(&c->cancels, 1);
    c->cancelled = true;
}

static inline void
child_destroy(caw_future *f)
{
    struct child *c = CAW_CONTAINER_OF(f, struct child, future);
    caw_waker_drop(c->waker);
    caw_future_destroy(c->cleanup);
    pthread_mutex_destroy(&c->lock);
    free(c);
    atomic_fetch_add(&destroyed, 1);
}

static const caw_future_ops child_ops = {"child", child_poll, child_cancel, child_destroy};
static const caw_future_ops deaf_child_ops = {"deaf child", child_poll, NULL, child_destroy};

static inline struct child *
new_child(const caw_future_ops *ops, int done_at)
{
    struct child *c = calloc(1, sizeof *c);
    CHECK(c);
    caw_future_init(&c->future, ops);
    c->done_at = done_at;
    CHECK_INT(pthread_mutex_init(&c->lock, NULL), 0);
    destroyed = 0;
    return c;
}

static inline void
wait_for(atomic_int *word, int value)
{
    while (*word < value) {
        (void)usleep(100);
    }
}

static inline caw_waker
waker_of(struct child *c)
{
    pthread_mutex_lock(&c->lock);
    caw_waker waker = caw_waker_clone(c->waker);
    pthread_mutex_unlock(&c->lock);
    return waker;
}

#endif
