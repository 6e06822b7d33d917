/* test_testing.c: the tools for unit tests of futures. */
#include "cawait/testing_tools.h"

#include "cawait/core.h"

#include "support/test.h"
#include "support/threads.h"

#include <unistd.h>

#define SECOND UINT64_C(1000000000)
#define DAY    (24 * 3600 * SECOND)

static caw_test_waker waker;
static caw_test_reactor *reactor;

static void
begin(void)
{
    caw_test_waker_init(&waker);
    CHECK_INT(caw_test_reactor_new(&reactor), 0);
}

static void
end(void)
{
    caw_test_reactor_free(reactor);
    CHECK_INT(caw_test_waker_references(&waker), 0);
}

/* --- the waker --- */

static void
waker_counts_wakes_and_clones_that_are_out(void)
{
    caw_test_waker_init(&waker);
    caw_waker one = caw_test_waker_get(&waker), two = caw_waker_clone(one), three = caw_waker_clone(two);
    CHECK_INT(caw_test_waker_references(&waker), 2);
    caw_waker_wake(two);
    caw_waker_wake_by_ref(one);
    CHECK_INT(caw_test_waker_wakes(&waker), 2);
    CHECK_INT(caw_test_waker_references(&waker), 1);
    caw_waker_drop(three);
    CHECK_INT(caw_test_waker_references(&waker), 0);
    CHECK(caw_waker_same(one, caw_test_waker_get(&waker)));
}

static void
waker_that_is_used_up_twice_is_seen(void)
{
    caw_test_waker_init(&waker);
    caw_waker clone = caw_waker_clone(caw_test_waker_get(&waker));
    caw_waker_wake(clone);
    caw_waker_drop(clone);
    CHECK_INT(caw_test_waker_references(&waker), -1);
}

static void *
wake_often(void *unused)
{
    for (int i = 0; i < 10000; i++) {
        caw_waker_wake_by_ref(caw_test_waker_get(&waker));
    }
    return unused;
}

static void
waker_counts_wakes_of_several_threads(void)
{
    pthread_t threads[2];
    caw_test_waker_init(&waker);
    start_threads(threads, 2, wake_often, NULL);
    join_threads(threads, 2);
    CHECK_INT(caw_test_waker_wakes(&waker), 20000);
    CHECK_INT(caw_test_waker_references(&waker), 0);
}

/* --- the future that wakes itself --- */

static void
yield_is_pending_n_times_and_wakes_each_time(void)
{
    begin();
    caw_future *f = caw_test_yield(3);
    for (int i = 1; i <= 3; i++) {
        CHECK_INT(caw_test_reactor_poll(reactor, f, &waker), CAW_PENDING);
        CHECK_INT(caw_test_waker_wakes(&waker), i);
    }
    CHECK_INT(caw_test_reactor_poll(reactor, f, &waker), CAW_READY);
    CHECK_INT(f->status, 0);
    CHECK_INT(caw_test_waker_wakes(&waker), 3);
    caw_future_destroy(f);
    end();
}

static void
yield_of_nothing_is_ready_at_once(void)
{
    begin();
    caw_future *f = caw_test_yield(0);
    CHECK_INT(caw_test_reactor_poll(reactor, f, NULL), CAW_READY);
    caw_future_destroy(f);
    end();
}

static void
yield_that_is_cancelled_ends_at_the_next_poll(void)
{
    begin();
    caw_future *f = caw_test_yield(1000);
    CHECK_INT(caw_test_reactor_poll(reactor, f, &waker), CAW_PENDING);
    caw_future_cancel(f);
    CHECK_INT(caw_test_reactor_run(reactor, f, &waker), CAW_ECANCELED);
    caw_future_destroy(f);
    end();
}

static void
yield_wakes_every_kind_of_place(void)
{
    caw_future *f = caw_test_yield(100);
    CHECK_INT(caw_block_on(f), 0);
    caw_future_destroy(f);
    f = caw_spawn(NULL, caw_test_yield(100));
    CHECK_INT(caw_block_on(f), 0);
    caw_future_destroy(f);
}

/* --- the allocator --- */

static void
allocation_fails_once_at_the_one_that_was_named(void)
{
    caw_test_fail_allocation(3);
    char *one = caw_test_malloc(8), *two = caw_test_calloc(2, 8);
    CHECK(one && two && two[15] == 0 && !caw_test_allocation_failed());
    one[0] = 'x';
    errno = 0;
    CHECK(!caw_test_realloc(one, 100) && errno == ENOMEM && caw_test_allocation_failed());
    CHECK(one[0] == 'x');
    char *again = caw_test_realloc(one, 100);
    CHECK(again && again[0] == 'x');
    free(again);
    free(two);
}

static void
allocation_does_not_fail_where_none_is_named(void)
{
    caw_test_fail_allocation(1);
    caw_test_fail_allocation(0);
    for (int i = 0; i < 100; i++) {
        void *block = caw_test_malloc(1);
        CHECK(block);
        free(block);
    }
    CHECK(!caw_test_allocation_failed());
}

#define malloc caw_test_malloc
#define calloc caw_test_calloc

/* Three allocations, as in an author's code. */
static int
make_three(void)
{
    void *one = malloc(10), *two = one ? calloc(1, 10) : NULL, *three = two ? malloc(10) : NULL;
    free(three);
    free(two);
    free(one);
    return three ? 0 : CAW_ENOMEM;
}

#undef malloc
#undef calloc

static void
loop_over_the_nth_allocation_ends_when_a_run_has_fewer(void)
{
    int failures = 0, status = 0;
    for (unsigned n = 1; n == 1 || caw_test_allocation_failed(); n++) {
        caw_test_fail_allocation(n);
        status = make_three();
        failures += status == CAW_ENOMEM;
    }
    CHECK_INT(failures, 3);
    CHECK_INT(status, 0);
}

/* --- the reactor with a fake clock --- */

static void
clock_moves_by_the_test_alone(void)
{
    begin();
    caw_future *f = caw_sleep(DAY);
    CHECK_INT(caw_test_reactor_poll(reactor, f, &waker), CAW_PENDING);
    CHECK_INT(caw_test_waker_references(&waker), 1);
    CHECK(caw_test_reactor_until_timer(reactor) == DAY);
    CHECK_INT(caw_test_reactor_advance(reactor, DAY - 1), 0);
    CHECK(caw_test_reactor_until_timer(reactor) == 1);
    CHECK_INT(caw_test_reactor_poll(reactor, f, &waker), CAW_PENDING);
    CHECK_INT(caw_test_reactor_advance(reactor, 1), 1);
    CHECK_INT(caw_test_waker_wakes(&waker), 1);
    CHECK_INT(caw_test_reactor_poll(reactor, f, &waker), CAW_READY);
    CHECK_INT(f->status, 0);
    CHECK(caw_test_reactor_now(reactor) == DAY);
    CHECK(caw_test_reactor_until_timer(reactor) == UINT64_MAX);
    caw_future_destroy(f);
    end();
}

static void
time_of_the_machine_does_not_count(void)
{
    begin();
    caw_future *f = caw_sleep(1);
    CHECK_INT(caw_test_reactor_poll(reactor, f, &waker), CAW_PENDING);
    (void)usleep(2000);
    CHECK_INT(caw_test_reactor_advance(reactor, 0), 0);
    CHECK_INT(caw_test_reactor_poll(reactor, f, &waker), CAW_PENDING);
    caw_future_destroy(f);
    end();
}

static void
timers_expire_together_when_the_clock_passes_them(void)
{
    begin();
    caw_future *early = caw_sleep(SECOND), *late = caw_sleep(2 * SECOND), *later = caw_sleep(3 * SECOND);
    caw_future *all[] = {late, later, early};
    for (int i = 0; i < 3; i++) {
        CHECK_INT(caw_test_reactor_poll(reactor, all[i], &waker), CAW_PENDING);
    }
    CHECK_INT(caw_test_reactor_advance(reactor, 2 * SECOND), 2);
    CHECK_INT(caw_test_reactor_poll(reactor, early, &waker), CAW_READY);
    CHECK_INT(caw_test_reactor_poll(reactor, late, &waker), CAW_READY);
    CHECK_INT(caw_test_reactor_poll(reactor, later, &waker), CAW_PENDING);
    for (int i = 0; i < 3; i++) {
        caw_future_destroy(all[i]);
    }
    end();
}

static void
run_jumps_from_timer_to_timer(void)
{
    begin();
    caw_future *other = caw_sleep(3600 * SECOND), *f = caw_sleep(DAY), *yields = caw_test_yield(5);
    CHECK_INT(caw_test_reactor_poll(reactor, other, NULL), CAW_PENDING);
    CHECK_INT(caw_test_reactor_run(reactor, yields, &waker), 0);
    CHECK(caw_test_reactor_now(reactor) == 0);
    CHECK_INT(caw_test_reactor_run(reactor, f, &waker), 0);
    CHECK(caw_test_reactor_now(reactor) == DAY);
    CHECK_INT(caw_test_reactor_poll(reactor, other, NULL), CAW_READY);
    caw_future_destroy(other);
    caw_future_destroy(f);
    caw_future_destroy(yields);
    end();
}

static caw_poll
forgets_to_wake(caw_future *f, caw_context *cx)
{
    (void)f;
    (void)cx;
    return CAW_PENDING;
}

static void
run_tells_of_a_future_that_nobody_will_wake(void)
{
    static const caw_future_ops ops = {"forgetful", forgets_to_wake, NULL, NULL};
    begin();
    caw_future f;
    caw_future_init(&f, &ops);
    CHECK_INT(caw_test_reactor_run(reactor, &f, &waker), -EDEADLK);
    end();
}

static void
fds_are_real_ones(void)
{
    begin();
    int fds[2];
    CHECK_INT(pipe(fds), 0);
    caw_future *f = caw_readable(fds[0]);
    CHECK_INT(caw_test_reactor_poll(reactor, f, &waker), CAW_PENDING);
    CHECK_INT(caw_test_reactor_advance(reactor, DAY), 0);
    CHECK_INT(write(fds[1], "x", 1), 1);
    while (caw_test_waker_wakes(&waker) == 0) { /* in a portable reactor a thread has to see it first */
        CHECK(caw_test_reactor_advance(reactor, 0) >= 0);
    }
    CHECK_INT(caw_test_reactor_run(reactor, f, &waker), 0);
    caw_future_destroy(f);
    close(fds[0]);
    close(fds[1]);
    end();
}

static void
end_of_the_reactor_ends_what_waits(void)
{
    begin();
    caw_future *f = caw_sleep(DAY);
    CHECK_INT(caw_test_reactor_poll(reactor, f, &waker), CAW_PENDING);
    end();
    CHECK_INT(caw_test_waker_wakes(&waker), 1);
    CHECK_INT(caw_block_on(f), CAW_ECLOSED);
    caw_future_destroy(f);
    caw_test_reactor_free(NULL);
}

static void
sleep_beyond_all_clocks_never_ends(void)
{
    begin();
    caw_future *f = caw_sleep(UINT64_MAX);
    CHECK_INT(caw_test_reactor_poll(reactor, f, &waker), CAW_PENDING);
    CHECK_INT(caw_test_reactor_advance(reactor, UINT64_MAX - 1), 0);
    CHECK_INT(caw_test_reactor_poll(reactor, f, &waker), CAW_PENDING);
    caw_future_destroy(f);
    end();
}

TESTS(TEST(waker_counts_wakes_and_clones_that_are_out), TEST(waker_that_is_used_up_twice_is_seen),
      TEST(waker_counts_wakes_of_several_threads), TEST(yield_is_pending_n_times_and_wakes_each_time),
      TEST(yield_of_nothing_is_ready_at_once), TEST(yield_that_is_cancelled_ends_at_the_next_poll),
      TEST(yield_wakes_every_kind_of_place), TEST(allocation_fails_once_at_the_one_that_was_named),
      TEST(allocation_does_not_fail_where_none_is_named), TEST(loop_over_the_nth_allocation_ends_when_a_run_has_fewer),
      TEST(clock_moves_by_the_test_alone), TEST(time_of_the_machine_does_not_count),
      TEST(timers_expire_together_when_the_clock_passes_them), TEST(run_jumps_from_timer_to_timer),
      TEST(run_tells_of_a_future_that_nobody_will_wake), TEST(fds_are_real_ones),
      TEST(end_of_the_reactor_ends_what_waits), TEST(sleep_beyond_all_clocks_never_ends))
