/* place.h: what tests need to poll futures: a counting waker, a reactor, a pool. */
#ifndef CAWAIT_TEST_PLACE_H
#define CAWAIT_TEST_PLACE_H

#include "cawait/core.h"

#include "test.h"

#include <poll.h>
#include <stdatomic.h>
#include <unistd.h>

/* A waker's data: how many references there are, and how often it was woken. */
typedef struct counter {
    atomic_int references, wakes;
} counter;

static inline void
counter_clone(void *data)
{
    atomic_fetch_add(&((counter *)data)->references, 1);
}

static inline void
counter_drop(void *data)
{
    atomic_fetch_sub(&((counter *)data)->references, 1);
}

static inline void
counter_wake(void *data)
{
    atomic_fetch_add(&((counter *)data)->wakes, 1);
    counter_drop(data);
}

/* What a future or stream of a test keeps of its latest poll; and that it is woken. */
static inline void
keep_waker(caw_waker *kept, caw_waker waker)
{
    caw_waker old = *kept;
    *kept = caw_waker_clone(waker);
    caw_waker_drop(old);
}

static inline void
wake_kept(caw_waker *kept)
{
    caw_waker waker = *kept;
    *kept = CAW_WAKER_NONE;
    caw_waker_wake(waker);
}

static const caw_waker_ops counter_ops = {counter_clone, counter_wake, counter_drop};

static inline caw_reactor *
place_reactor(const caw_context *cx, int *error)
{
    if (!cx->place) {
        *error = CAW_ENOREACTOR;
    }
    return cx->place;
}

static const caw_host place_host = {"test", place_reactor};

static inline caw_poll
poll_at(caw_future *f, caw_reactor *r, counter *c)
{
    caw_context cx = {{&counter_ops, c}, &place_host, r};
    return caw_future_poll(f, &cx);
}

static inline caw_poll
poll_without_waker(caw_future *f, caw_reactor *r)
{
    caw_context cx = {CAW_WAKER_NONE, &place_host, r};
    return caw_future_poll(f, &cx);
}

/* Poll once: the future is ready; its status. */
static inline int
status_at(caw_future *f, caw_reactor *r, counter *c)
{
    CHECK(poll_at(f, r, c) == CAW_READY);
    return f->status;
}

#define MILLISECOND INT64_C(1000000)
#define SECOND      INT64_C(1000000000)

static inline bool
is_readable(int fd)
{
    struct pollfd p = {fd, POLLIN, 0};
    return poll(&p, 1, 0) == 1;
}

/* Turn until the future is ready. After a minute a check fails. */
static inline int
turn_until_ready(caw_reactor *r, caw_future *f, counter *c)
{
    uint64_t end = caw_now_ns() + 60 * (uint64_t)SECOND;
    while (poll_at(f, r, c) == CAW_PENDING) {
        CHECK(caw_reactor_turn(r, SECOND) >= 0);
        CHECK(caw_now_ns() < end);
    }
    return f->status;
}

#define TURN_UNTIL(r, condition)                                                                                       \
    do {                                                                                                               \
        while (!(condition)) {                                                                                         \
            CHECK(caw_reactor_turn((r), -1) >= 0);                                                                     \
        }                                                                                                              \
    } while (0)

/* One test as two: `test(kind)` on each kind of reactor that this system has. */
#define ON_BOTH_KINDS(test)                                                                                            \
    static void epoll_##test(void)                                                                                     \
    {                                                                                                                  \
        if (has_kind(CAW_REACTOR_EPOLL)) {                                                                             \
            test(CAW_REACTOR_EPOLL);                                                                                   \
        }                                                                                                              \
    }                                                                                                                  \
    static void portable_##test(void)                                                                                  \
    {                                                                                                                  \
        test(CAW_REACTOR_PORTABLE);                                                                                    \
    }
#define TEST_BOTH(test) TEST(epoll_##test), TEST(portable_##test)

static inline bool
has_kind(caw_reactor_kind kind)
{
    caw_reactor *r;
    int error = caw_reactor_new(kind, &r);
    if (!error) {
        caw_reactor_release(r);
    }
    return error != CAW_EINVAL;
}

static inline caw_reactor *
new_reactor(caw_reactor_kind kind)
{
    caw_reactor *r;
    CHECK_INT(caw_reactor_new(kind, &r), 0);
    return r;
}

static inline void
end_reactor(caw_reactor *r)
{
    caw_reactor_close(r);
    caw_reactor_release(r);
}

static inline caw_pool *
new_pool(unsigned threads)
{
    caw_pool *pool;
    CHECK_INT(caw_pool_new(threads, &pool), 0);
    return pool;
}

static inline void
end_pool(caw_pool *pool)
{
    caw_pool_close(pool);
    caw_pool_release(pool);
}

#endif
