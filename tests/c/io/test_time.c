/* test_time.c: sleeps until a point in time, and ticks; on the fake clock, and on both kinds of reactor. */
#include "support/items.h"

#include "cawait/testing_tools.h"

#define PERIOD UINT64_C(10000000)

static caw_test_waker waker;
static caw_test_reactor *fake;

static void
begin(void)
{
    caw_test_waker_init(&waker);
    CHECK_INT(caw_test_reactor_new(&fake), 0);
}

static void
end(void)
{
    caw_test_reactor_free(fake);
    CHECK_INT(caw_test_waker_references(&waker), 0);
}

/* --- sleep_until --- */

static void
sleep_until_is_ready_at_its_time_and_not_before(void)
{
    begin();
    caw_test_reactor_advance(fake, 100);
    caw_future *f = caw_sleep_until(150);
    CHECK(caw_test_reactor_poll(fake, f, &waker) == CAW_PENDING);
    CHECK_INT(caw_test_reactor_until_timer(fake), 50);
    caw_test_reactor_advance(fake, 49);
    CHECK_INT(caw_test_waker_wakes(&waker), 0);
    caw_test_reactor_advance(fake, 1);
    CHECK_INT(caw_test_waker_wakes(&waker), 1);
    CHECK(caw_test_reactor_poll(fake, f, &waker) == CAW_READY);
    CHECK_INT(f->status, 0);
    caw_future_destroy(f);
    end();
}

static void
sleep_until_a_time_that_is_past_is_ready_at_once(void)
{
    begin();
    caw_test_reactor_advance(fake, 100);
    const uint64_t past[] = {0, 1, 100};
    for (int i = 0; i < 3; i++) {
        caw_future *f = caw_sleep_until(past[i]);
        CHECK(caw_test_reactor_poll(fake, f, &waker) == CAW_READY);
        CHECK_INT(f->status, 0);
        caw_future_destroy(f);
    }
    end();
}

static void
sleep_until_the_end_of_time_stays_pending(void)
{
    begin();
    caw_future *f = caw_sleep_until(UINT64_MAX);
    CHECK(caw_test_reactor_poll(fake, f, &waker) == CAW_PENDING);
    caw_test_reactor_advance(fake, UINT64_MAX - 1);
    CHECK(caw_test_reactor_poll(fake, f, &waker) == CAW_PENDING);
    caw_future_cancel(f);
    CHECK(caw_test_reactor_poll(fake, f, &waker) == CAW_READY);
    CHECK_INT(f->status, CAW_ECANCELED);
    caw_future_destroy(f);
    end();
}

static void
hundred_thousand_sleeps_at_once_all_end_at_their_times(void)
{
    enum { N = 100000, STEPS = 10 };
    begin();
    caw_future **f = malloc(N * sizeof *f);
    CHECK(f);
    for (unsigned i = 0; i < N; i++) {
        f[i] = caw_sleep(1 + i * UINT64_C(7919) % N); /* each time once: 7919 is prime */
        CHECK(caw_test_reactor_poll(fake, f[i], &waker) == CAW_PENDING);
    }
    for (int step = 1; step <= STEPS; step++) {
        caw_test_reactor_advance(fake, N / STEPS);
        CHECK_INT(caw_test_waker_wakes(&waker), step * (N / STEPS));
    }
    for (unsigned i = 0; i < N; i++) {
        CHECK(caw_test_reactor_poll(fake, f[i], &waker) == CAW_READY);
        CHECK_INT(f[i]->status, 0);
        caw_future_destroy(f[i]);
    }
    free(f);
    end();
}

static void
sleep_until_goes_by_the_clock_of_the_machine(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    uint64_t when = caw_now_ns() + 2 * (uint64_t)MILLISECOND;
    caw_future *f = caw_sleep_until(when), *past = caw_sleep_until(when - PERIOD);
    CHECK_INT(status_at(past, r, &c), 0);
    CHECK_INT(turn_until_ready(r, f, &c), 0);
    CHECK(caw_now_ns() >= when);
    caw_future_destroy(f);
    caw_future_destroy(past);
    CHECK_INT(c.references, 0);
    end_reactor(r);
}
ON_BOTH_KINDS(sleep_until_goes_by_the_clock_of_the_machine)

/* --- the clock of a place --- */

typedef struct asks {
    caw_future future;
    int error;
    uint64_t now;
} asks;

static caw_poll
asks_poll(caw_future *f, caw_context *cx)
{
    asks *a = CAW_CONTAINER_OF(f, asks, future);
    a->error = caw_context_now(cx, &a->now);
    return caw_future_finish(f, 0);
}

static void
asks_destroy(caw_future *f)
{
    (void)f;
}

static const caw_future_ops asks_ops = {"asks", asks_poll, NULL, asks_destroy};

static void
place_tells_its_own_time(void)
{
    begin();
    asks a;
    caw_future_init(&a.future, &asks_ops);
    caw_test_reactor_advance(fake, 7);
    CHECK(caw_test_reactor_poll(fake, &a.future, &waker) == CAW_READY);
    CHECK_INT(a.error, 0);
    CHECK_INT(a.now, 7);
    uint64_t before = caw_now_ns();
    CHECK_INT(caw_block_on(&a.future), 0);
    CHECK_INT(a.error, 0);
    CHECK(a.now >= before && a.now <= caw_now_ns());
    CHECK(poll_without_waker(&a.future, NULL) == CAW_READY);
    CHECK_INT(a.error, CAW_ENOREACTOR);
    CHECK_INT(a.now, 0);
    end();
}

/* --- ticks --- */

static caw_poll
next_tick(caw_stream *ticks, caw_tick_item *out)
{
    caw_next_op next;
    caw_next_init(&next, ticks);
    caw_poll poll = caw_test_reactor_poll(fake, &next.future, &waker);
    if (poll == CAW_READY) {
        CHECK_INT(next.future.status, 0);
        CHECK(next.item);
        *out = *CAW_CONTAINER_OF(next.item, caw_tick_item, item);
    }
    caw_future_destroy(&next.future);
    return poll;
}

/* Poll once: a tick, with these numbers. */
static void
check_tick(caw_stream *ticks, uint64_t due, uint64_t late, uint64_t missed)
{
    caw_tick_item tick;
    CHECK(next_tick(ticks, &tick) == CAW_READY);
    CHECK_INT(tick.due_ns, due);
    CHECK_INT(tick.late_ns, late);
    CHECK_INT(tick.missed, missed);
}

static void
check_no_tick_for(caw_stream *ticks, uint64_t duration)
{
    caw_tick_item tick;
    CHECK(next_tick(ticks, &tick) == CAW_PENDING);
    CHECK_INT(caw_test_reactor_until_timer(fake), duration);
}

static void
ticks_that_are_polled_in_time_come_a_period_apart_in_every_way(void)
{
    for (int way = CAW_TICKS_BURST; way <= CAW_TICKS_SKIP; way++) {
        begin();
        caw_test_reactor_advance(fake, 3);
        caw_stream *ticks = caw_interval(PERIOD, (caw_missed_ticks)way);
        for (uint64_t i = 0; i < 100; i++) {
            check_tick(ticks, 3 + i * PERIOD, 0, 0);
            check_no_tick_for(ticks, PERIOD);
            caw_test_reactor_advance(fake, PERIOD);
        }
        CHECK_INT(caw_interval_missed(ticks), 0);
        caw_stream_destroy(ticks);
        end();
    }
}

/* Ticks from 10 on, every 10, with a poll at 35: the example of the header. */
static caw_stream *
late_ticks(caw_missed_ticks way)
{
    begin();
    caw_stream *ticks = caw_interval_at(10, 10, way);
    check_no_tick_for(ticks, 10);
    caw_test_reactor_advance(fake, 35);
    return ticks;
}

static void
burst_gives_each_tick_that_was_missed_at_once(void)
{
    caw_stream *ticks = late_ticks(CAW_TICKS_BURST);
    check_tick(ticks, 10, 25, 0);
    check_tick(ticks, 20, 15, 0);
    check_tick(ticks, 30, 5, 0);
    check_no_tick_for(ticks, 5);
    CHECK_INT(caw_interval_missed(ticks), 0);
    caw_stream_destroy(ticks);
    end();
}

static void
delay_begins_a_new_grid_after_a_late_tick(void)
{
    caw_stream *ticks = late_ticks(CAW_TICKS_DELAY);
    check_tick(ticks, 10, 25, 2);
    check_no_tick_for(ticks, 10);
    caw_test_reactor_advance(fake, 10);
    check_tick(ticks, 45, 0, 0);
    CHECK_INT(caw_interval_missed(ticks), 2);
    caw_stream_destroy(ticks);
    end();
}

static void
skip_leaves_out_what_was_missed_and_keeps_the_grid(void)
{
    caw_stream *ticks = late_ticks(CAW_TICKS_SKIP);
    check_tick(ticks, 10, 25, 2);
    check_no_tick_for(ticks, 5);
    caw_test_reactor_advance(fake, 5 + 10 + 10); /* exactly at a tick's time: it is missed too */
    check_tick(ticks, 40, 20, 2);
    check_no_tick_for(ticks, 10);
    CHECK_INT(caw_interval_missed(ticks), 4);
    caw_stream_destroy(ticks);
    end();
}

static void
ticks_at_the_end_of_time_do_not_come_around_again(void)
{
    for (int way = CAW_TICKS_BURST; way <= CAW_TICKS_SKIP; way++) {
        begin();
        caw_test_reactor_advance(fake, 3);
        caw_stream *ticks = caw_interval(UINT64_MAX - 1, (caw_missed_ticks)way);
        check_tick(ticks, 3, 0, 0);
        check_no_tick_for(ticks, UINT64_MAX - 3);
        caw_test_reactor_advance(fake, UINT64_MAX - 4);
        check_no_tick_for(ticks, 1);
        caw_stream_destroy(ticks);
        end();
    }
}

static int
end_of_ticks(caw_stream *ticks)
{
    caw_next_op next;
    caw_next_init(&next, ticks);
    CHECK(caw_test_reactor_poll(fake, &next.future, &waker) == CAW_READY);
    CHECK(!next.item);
    caw_future_destroy(&next.future);
    int status = ticks->status;
    caw_stream_destroy(ticks);
    return status;
}

static void
period_of_zero_and_a_way_that_is_none_end_it_with_EINVAL(void)
{
    begin();
    CHECK_INT(end_of_ticks(caw_interval(0, CAW_TICKS_SKIP)), CAW_EINVAL);
    CHECK_INT(end_of_ticks(caw_interval(PERIOD, (caw_missed_ticks)3)), CAW_EINVAL);
    end();
}

static void
cancel_before_between_and_in_ticks_ends_them_at_once(void)
{
    for (int polls = 0; polls < 3; polls++) {
        begin();
        caw_stream *ticks = caw_interval(PERIOD, CAW_TICKS_BURST);
        caw_tick_item tick;
        for (int i = 0; i < polls; i++) {
            CHECK(next_tick(ticks, &tick) == (i == 0 ? CAW_READY : CAW_PENDING));
        }
        caw_stream_cancel(ticks);
        CHECK_INT(caw_test_waker_wakes(&waker), polls == 2);
        CHECK_INT(end_of_ticks(ticks), CAW_ECANCELED);
        end();
    }
}

static void
ticks_destroyed_at_any_moment_leave_nothing(void)
{
    for (int polls = 0; polls < 3; polls++) {
        begin();
        caw_stream *ticks = caw_interval(PERIOD, CAW_TICKS_BURST);
        caw_tick_item tick;
        for (int i = 0; i < polls; i++) {
            (void)next_tick(ticks, &tick);
        }
        caw_stream_destroy(ticks);
        CHECK_INT(caw_test_reactor_until_timer(fake) == UINT64_MAX, 1);
        end();
    }
}

static void
reactor_that_is_closed_ends_ticks_that_wait(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    caw_item *item;
    caw_stream *ticks = caw_interval((uint64_t)SECOND * 3600, CAW_TICKS_SKIP);
    CHECK(poll_next_at(ticks, r, &c, &item) == CAW_READY);
    caw_item_destroy(item);
    CHECK(poll_next_at(ticks, r, &c, &item) == CAW_PENDING);
    caw_reactor_close(r);
    CHECK_INT(c.wakes, 1);
    CHECK(poll_next_at(ticks, r, &c, &item) == CAW_READY);
    CHECK(!item);
    CHECK_INT(ticks->status, CAW_ECLOSED);
    caw_stream_destroy(ticks);
    CHECK_INT(c.references, 0);
    caw_reactor_release(r);
}
ON_BOTH_KINDS(reactor_that_is_closed_ends_ticks_that_wait)

static void
ticks_of_the_machines_clock_come_one_after_another(void)
{
    caw_stream *ticks = caw_stream_take(caw_interval((uint64_t)MILLISECOND, CAW_TICKS_BURST), 5);
    uint64_t last = 0;
    for (int i = 0; i < 5; i++) {
        caw_next_op next;
        caw_next_init(&next, ticks);
        CHECK_INT(caw_block_on(&next.future), 0);
        const caw_tick_item *tick = CAW_CONTAINER_OF(next.item, const caw_tick_item, item);
        CHECK(i == 0 || tick->due_ns == last + (uint64_t)MILLISECOND);
        CHECK(caw_now_ns() >= tick->due_ns);
        last = tick->due_ns;
        caw_future_destroy(&next.future);
    }
    caw_stream_destroy(ticks);
}

TESTS(TEST(sleep_until_is_ready_at_its_time_and_not_before), TEST(sleep_until_a_time_that_is_past_is_ready_at_once),
      TEST(sleep_until_the_end_of_time_stays_pending), TEST(hundred_thousand_sleeps_at_once_all_end_at_their_times),
      TEST_BOTH(sleep_until_goes_by_the_clock_of_the_machine), TEST(place_tells_its_own_time),
      TEST(ticks_that_are_polled_in_time_come_a_period_apart_in_every_way),
      TEST(burst_gives_each_tick_that_was_missed_at_once), TEST(delay_begins_a_new_grid_after_a_late_tick),
      TEST(skip_leaves_out_what_was_missed_and_keeps_the_grid), TEST(ticks_at_the_end_of_time_do_not_come_around_again),
      TEST(period_of_zero_and_a_way_that_is_none_end_it_with_EINVAL),
      TEST(cancel_before_between_and_in_ticks_ends_them_at_once), TEST(ticks_destroyed_at_any_moment_leave_nothing),
      TEST_BOTH(reactor_that_is_closed_ends_ticks_that_wait), TEST(ticks_of_the_machines_clock_come_one_after_another))
