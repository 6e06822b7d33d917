/* test_block_on.c: running a future on this thread. */
#include "support/fds.h"
#include "support/threads.h"

static void
null_is_refused(void)
{
    CHECK_INT(caw_block_on(NULL), CAW_EINVAL);
}

static void
ready_future_gives_its_status(void)
{
    caw_future *f = caw_ready(-7);
    CHECK_INT(caw_block_on(f), -7);
    caw_future_destroy(f);
}

static void
timers_and_fds_work(void)
{
    int fds[2];
    make_pipe(fds, 0);
    CHECK_INT(write(fds[1], "x", 1), 1);
    caw_future *f = caw_sleep(3000000), *g = caw_readable(fds[0]), *h = caw_readable(-1);
    uint64_t start = caw_now_ns();
    CHECK_INT(caw_block_on(f), 0);
    CHECK(caw_now_ns() - start >= 3000000);
    CHECK_INT(caw_block_on(g), 0);
    CHECK_INT(caw_block_on(h), CAW_EBADF);
    caw_future_destroy(f);
    caw_future_destroy(g);
    caw_future_destroy(h);
    close_both(fds);
}

/* A future that another thread completes. */
struct slow {
    caw_promise promise;
    pthread_t thread;
    unsigned microseconds;
};

static void *
slow_main(void *user)
{
    struct slow *s = user;
    if (s->microseconds) {
        (void)usleep(s->microseconds);
    }
    caw_promise_resolve(&s->promise, -5);
    return NULL;
}

static int
slow_start(caw_promise *p)
{
    struct slow *s = CAW_CONTAINER_OF(p, struct slow, promise);
    return -pthread_create(&s->thread, NULL, slow_main, s);
}

static const caw_promise_ops slow_ops = CAW_PROMISE_OPS("slow", slow_start, NULL);

static void
completion_by_another_thread_ends_the_sleep(void)
{
    for (unsigned i = 0; i < 300; i++) {
        struct slow *s = calloc(1, sizeof *s);
        CHECK(s);
        caw_promise_init(&s->promise, &slow_ops);
        s->microseconds = i % 3 * 50;
        CHECK_INT(caw_block_on(&s->promise.future), -5);
        join_thread(s->thread);
        caw_future_destroy(&s->promise.future);
    }
}

/* A future that keeps its waker beyond its end. */
struct keeper {
    caw_future future;
    caw_waker waker;
    int polls;
};

static caw_poll
keeper_poll(caw_future *f, caw_context *cx)
{
    struct keeper *k = CAW_CONTAINER_OF(f, struct keeper, future);
    if (k->polls++ == 0) {
        k->waker = caw_waker_clone(cx->waker);
        caw_waker_wake_by_ref(cx->waker); /* during the poll */
        return CAW_PENDING;
    }
    return caw_future_finish(f, 0);
}

static const caw_future_ops keeper_ops = {"keeper", keeper_poll, NULL, NULL};

static void
wake_during_the_poll_and_long_after_the_end_are_harmless(void)
{
    struct keeper k = {{.ops = &keeper_ops}, CAW_WAKER_NONE, 0};
    CHECK_INT(caw_block_on(&k.future), 0);
    CHECK_INT(k.polls, 2);
    caw_waker_wake_by_ref(k.waker);
    caw_waker_wake(k.waker); /* the last reference to that reactor */
}

static caw_poll
nester_poll(caw_future *f, caw_context *cx)
{
    (void)cx;
    caw_future *inner = caw_sleep(1000000);
    int status = caw_block_on(inner);
    caw_future_destroy(inner);
    return caw_future_finish(f, status);
}

static const caw_future_ops nester_ops = {"nester", nester_poll, NULL, NULL};

static void
calls_may_be_nested_in_a_poll(void)
{
    caw_future outer = {.ops = &nester_ops, .status = -1};
    CHECK_INT(caw_block_on(&outer), 0);
}

/* --- a time limit --- */

static void
limit_that_is_not_reached_changes_nothing(void)
{
    CHECK_INT(caw_block_on_for(NULL, 1), CAW_EINVAL);
    caw_future *f = caw_ready(-7);
    CHECK_INT(caw_block_on_for(f, 0), -7);
    caw_future_destroy(f);
    f = caw_sleep(1000000);
    CHECK_INT(caw_block_on_for(f, UINT64_MAX), 0);
    caw_future_destroy(f);
    f = caw_sleep(1000000);
    CHECK_INT(caw_block_on_for(f, UINT64_C(3600000000000)), 0);
    caw_future_destroy(f);
}

static void
future_that_ran_into_the_limit_goes_on(void)
{
    caw_future *f = caw_sleep(20000000);
    int status, calls = 0;
    CHECK_INT(caw_block_on_for(f, 0), CAW_ETIMEDOUT);
    while ((status = caw_block_on_for(f, 1000000)) == CAW_ETIMEDOUT) {
        calls++;
    }
    CHECK_INT(status, 0);
    CHECK(calls > 0);
    caw_future_destroy(f);
    f = caw_sleep(20000000);
    CHECK_INT(caw_block_on_for(f, 1000), CAW_ETIMEDOUT);
    CHECK_INT(caw_block_on(f), 0); /* without a limit now */
    caw_future_destroy(f);
    f = caw_sleep(UINT64_C(3600000000000));
    CHECK_INT(caw_block_on_for(f, 1000), CAW_ETIMEDOUT);
    caw_future_cancel(f);
    CHECK_INT(caw_block_on(f), CAW_ECANCELED);
    caw_future_destroy(f);
}

static void
future_that_another_thread_completes_keeps_to_the_limit(void)
{
    struct slow *s = calloc(1, sizeof *s);
    CHECK(s);
    caw_promise_init(&s->promise, &slow_ops);
    int status;
    while ((status = caw_block_on_for(&s->promise.future, 100000)) == CAW_ETIMEDOUT) {
    }
    CHECK_INT(status, -5);
    join_thread(s->thread);
    caw_future_destroy(&s->promise.future);
}

static void *
run_into_the_limit(void *fds)
{
    caw_future *f = caw_readable(((int *)fds)[0]);
    CHECK_INT(caw_block_on_for(f, 1000), CAW_ETIMEDOUT);
    CHECK_INT(caw_block_on_for(f, 1000), CAW_ETIMEDOUT);
    caw_future_destroy(f);
    return NULL;
}

static void
reactor_that_a_thread_has_kept_goes_with_the_thread(void)
{
    int fds[2], next[2];
    make_pipe(fds, 0);
    join_thread(start_thread(run_into_the_limit, fds));
    make_pipe(next, 0);
    CHECK_INT(next[0], fds[1] + 1); /* the lowest number that is free */
    close_both(fds);
    close_both(next);
}

TESTS(TEST(null_is_refused), TEST(limit_that_is_not_reached_changes_nothing),
      TEST(future_that_ran_into_the_limit_goes_on), TEST(future_that_another_thread_completes_keeps_to_the_limit),
      TEST(reactor_that_a_thread_has_kept_goes_with_the_thread), TEST(ready_future_gives_its_status),
      TEST(timers_and_fds_work), TEST(completion_by_another_thread_ends_the_sleep),
      TEST(wake_during_the_poll_and_long_after_the_end_are_harmless), TEST(calls_may_be_nested_in_a_poll))
