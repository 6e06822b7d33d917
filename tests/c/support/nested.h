/* nested.h: calls of a pool that sleep. */
#ifndef CAWAIT_TEST_NESTED_H
#define CAWAIT_TEST_NESTED_H

#include "child.h"

/* Begin a call; and its status, when it has ended. It may have ended in its first poll. */
struct begun {
    caw_future *future;
    bool ready;
};

static inline struct begun
begin(caw_future *f)
{
    return (struct begun){f, poll_without_waker(f, NULL) == CAW_READY};
}

static inline int
status_of(const struct begun *b)
{
    int status = b->ready ? b->future->status : caw_block_on(b->future);
    caw_future_destroy(b->future);
    return status;
}

/* A call that gives another one to its own pool and waits for it, so many deep. */
struct nested {
    caw_pool *pool;
    int depth;
};

static inline int
run_nested(void *arg)
{
    const struct nested *n = arg;
    if (n->depth == 0) {
        return -7;
    }
    struct nested *next = malloc(sizeof *next); /* the call may outlive this one, which may not fall asleep */
    CHECK(next);
    *next = (struct nested){n->pool, n->depth - 1};
    caw_future *f = caw_blocking(n->pool, run_nested, next, free);
    int status = caw_block_on(f);
    caw_future_destroy(f);
    return status;
}

/* A call that sleeps until a future is ready. */
struct sleeper {
    caw_future *until; /* a child's join future */
    atomic_int begun;
};

static inline int
sleep_until(void *arg)
{
    struct sleeper *s = arg;
    s->begun = 1;
    return caw_block_on(s->until);
}

#endif
