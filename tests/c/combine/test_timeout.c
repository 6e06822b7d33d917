/* test_timeout.c: futures with a time limit, by a clock that the test moves. */
#include "support/probe.h"

#include "cawait/testing_tools.h"

/* A place with a clock, and a waker that counts. */
typedef struct clocked {
    caw_test_reactor *r;
    caw_test_waker waker;
} clocked;

static clocked
begin_clock(void)
{
    clocked k;
    CHECK_INT(caw_test_reactor_new(&k.r), 0);
    caw_test_waker_init(&k.waker);
    return k;
}

static void
end_clock(clocked *k, caw_future *f)
{
    caw_future_destroy(f);
    CHECK_INT(caw_test_waker_references(&k->waker), 0);
    CHECK(caw_test_reactor_until_timer(k->r) == UINT64_MAX);
    caw_test_reactor_free(k->r);
}

static bool
is_pending_there(clocked *k, caw_future *f)
{
    return caw_test_reactor_poll(k->r, f, &k->waker) == CAW_PENDING;
}

static int
status_there(clocked *k, caw_future *f)
{
    CHECK(caw_test_reactor_poll(k->r, f, &k->waker) == CAW_READY);
    return f->status;
}

/* The two of them, made so that they end at the same time. */
static caw_future *
limited(int kind, uint64_t ns, caw_future *child)
{
    return kind == 0 ? caw_timeout(ns, child) : caw_deadline(ns, child);
}

static void
child_that_is_in_time_is_the_result_and_the_timer_goes_at_once(void)
{
    for (int kind = 0; kind < 2; kind++) {
        clocked k = begin_clock();
        probe p;
        caw_future *f = limited(kind, 100, probe_init(&p, "pe"));
        CHECK(is_pending_there(&k, f));
        CHECK_INT(caw_test_reactor_until_timer(k.r), 100);
        CHECK(!caw_child(f, 1)); /* the timer is nobody's business */
        CHECK(caw_test_reactor_advance(k.r, 99) >= 0);
        CHECK_INT(caw_test_waker_wakes(&k.waker), 0);
        probe_wake(&p);
        CHECK_INT(status_there(&k, f), -EIO);
        CHECK(caw_test_reactor_until_timer(k.r) == UINT64_MAX);
        CHECK(caw_child(f, 0) == &p.future);
        end_clock(&k, f);
        probes_are_destroyed(&p, 1);
        CHECK_INT(p.cancels, 0);
    }
}

static void
time_that_is_up_cancels_the_child_and_waits_for_it(void)
{
    for (int kind = 0; kind < 2; kind++) {
        clocked k = begin_clock();
        probe p;
        caw_future *f = limited(kind, 100, probe_init_after(&p, "p", "pe"));
        CHECK(is_pending_there(&k, f));
        CHECK_INT(caw_test_reactor_advance(k.r, 100), 1);
        CHECK_INT(caw_test_waker_wakes(&k.waker), 1);
        CHECK(is_pending_there(&k, f));
        CHECK_INT(p.cancels, 1);
        probe_wake(&p);
        CHECK_INT(status_there(&k, f), CAW_ETIMEDOUT); /* whatever the child's end was */
        end_clock(&k, f);
        probes_are_destroyed(&p, 1);
    }
}

static void
value_that_comes_after_the_time_is_the_result(void)
{
    clocked k = begin_clock();
    probe p;
    caw_future *f = caw_timeout(100, probe_init_after(&p, "p", "p0"));
    CHECK(is_pending_there(&k, f));
    CHECK_INT(caw_test_reactor_advance(k.r, 100), 1);
    CHECK(is_pending_there(&k, f));
    probe_wake(&p);
    CHECK_INT(status_there(&k, f), 0);
    end_clock(&k, f);
}

static void
child_that_cannot_be_cancelled_is_waited_for(void)
{
    clocked k = begin_clock();
    probe p;
    caw_future *f = caw_timeout(100, probe_init_deaf(&p, "pe"));
    CHECK(!f->ops->cancel);
    CHECK(is_pending_there(&k, f));
    CHECK_INT(caw_test_reactor_advance(k.r, 100), 1);
    CHECK(is_pending_there(&k, f));
    probe_wake(&p);
    CHECK_INT(status_there(&k, f), CAW_ETIMEDOUT);
    end_clock(&k, f);
}

static void
time_counts_from_the_first_poll_and_a_deadline_by_the_clock(void)
{
    clocked k = begin_clock();
    probe p[2];
    caw_future *timeout = caw_timeout(100, probe_init(&p[0], "p"));
    caw_future *deadline = caw_deadline(100, probe_init(&p[1], "p"));
    CHECK(caw_test_reactor_advance(k.r, 30) >= 0);
    CHECK(is_pending_there(&k, timeout));
    CHECK(is_pending_there(&k, deadline));
    CHECK_INT(caw_test_reactor_until_timer(k.r), 70);
    CHECK_INT(caw_test_reactor_advance(k.r, 70), 1);
    CHECK_INT(status_there(&k, deadline), CAW_ETIMEDOUT);
    CHECK_INT(caw_test_reactor_until_timer(k.r), 30);
    caw_future_destroy(timeout); /* takes its timer along */
    end_clock(&k, deadline);
}

static void
no_time_at_all_is_one_poll_of_the_child(void)
{
    for (int kind = 0; kind < 2; kind++) {
        clocked k = begin_clock();
        probe p;
        CHECK(caw_test_reactor_advance(k.r, 5) >= 0);
        caw_future *f = limited(kind, 0, probe_init(&p, "p"));
        CHECK_INT(status_there(&k, f), CAW_ETIMEDOUT);
        CHECK_INT(p.polls, 2); /* and one in which the cancel ends it */
        caw_future_destroy(f);
        f = limited(kind, 0, probe_init(&p, "0"));
        CHECK_INT(status_there(&k, f), 0);
        CHECK_INT(p.cancels, 0);
        end_clock(&k, f);
    }
}

static void
cancel_goes_to_the_child_and_only_its_value_counts(void)
{
    const struct {
        const char *after;
        int status;
    } ends[] = {{"c", CAW_ECANCELED}, {"e", CAW_ECANCELED}, {"0", 0}};
    for (int i = 0; i < 3; i++) {
        clocked k = begin_clock();
        probe p;
        caw_future *f = caw_timeout(100, probe_init_after(&p, "p", ends[i].after));
        CHECK(is_pending_there(&k, f));
        caw_future_cancel(f);
        CHECK(caw_test_waker_wakes(&k.waker) >= 1);
        CHECK_INT(p.cancels, 1);
        CHECK_INT(status_there(&k, f), ends[i].status);
        end_clock(&k, f);
        probes_are_destroyed(&p, 1);
    }
}

static void
cancel_before_the_first_poll_sets_no_timer(void)
{
    clocked k = begin_clock();
    probe p;
    caw_future *f = caw_timeout(100, probe_init_after(&p, "p", "pc"));
    caw_future_cancel(f);
    CHECK(is_pending_there(&k, f));
    CHECK(caw_test_reactor_until_timer(k.r) == UINT64_MAX);
    probe_wake(&p);
    CHECK_INT(status_there(&k, f), CAW_ECANCELED);
    end_clock(&k, f);
}

static void
cancel_that_comes_before_the_time_is_seen_is_the_end(void)
{
    clocked k = begin_clock();
    probe p;
    caw_future *f = caw_timeout(100, probe_init_after(&p, "p", "pe"));
    CHECK(is_pending_there(&k, f));
    CHECK_INT(caw_test_reactor_advance(k.r, 100), 1);
    caw_future_cancel(f);
    CHECK(is_pending_there(&k, f));
    probe_wake(&p);
    CHECK_INT(status_there(&k, f), CAW_ECANCELED);
    end_clock(&k, f);
    CHECK_INT(p.cancels, 1);
}

static void
cancel_after_the_time_is_not_asked_twice_and_the_time_stays_the_end(void)
{
    clocked k = begin_clock();
    probe p;
    caw_future *f = caw_timeout(100, probe_init_after(&p, "p", "pc"));
    CHECK(is_pending_there(&k, f));
    CHECK_INT(caw_test_reactor_advance(k.r, 100), 1);
    CHECK(is_pending_there(&k, f));
    caw_future_cancel(f);
    CHECK_INT(p.cancels, 1);
    probe_wake(&p);
    CHECK_INT(status_there(&k, f), CAW_ETIMEDOUT);
    end_clock(&k, f);
}

static void
place_without_a_reactor_is_the_error_unless_the_child_is_ready_at_once(void)
{
    counter c = {0, 0};
    probe p;
    caw_future *f = caw_timeout(100, probe_init(&p, "p"));
    CHECK_INT(status_of(f, &c), CAW_ENOREACTOR);
    CHECK_INT(p.cancels, 1);
    end_future(f, &c);
    f = caw_timeout(100, probe_init_after(&p, "p", "0"));
    CHECK_INT(status_of(f, &c), 0); /* its value comes all the same */
    end_future(f, &c);
    f = caw_timeout(100, probe_init(&p, "e"));
    CHECK_INT(status_of(f, &c), -EIO);
    end_future(f, &c);
}

static void
race_winner_is_no_question_for_a_time_limit(void)
{
    counter c = {0, 0};
    probe p;
    caw_future *f = caw_timeout(100, probe_init(&p, "0"));
    CHECK_INT(status_of(f, &c), 0);
    CHECK_INT(caw_race_winner(f), SIZE_MAX);
    end_future(f, &c);
}

static void
closed_reactor_cancels_the_child(void)
{
    clocked k = begin_clock();
    counter c = {0, 0};
    probe p;
    caw_future *f = caw_timeout(100, probe_init(&p, "p"));
    CHECK(is_pending_there(&k, f));
    caw_test_reactor_free(k.r);
    CHECK_INT(status_of(f, &c), CAW_ECLOSED);
    CHECK_INT(p.cancels, 1);
    end_future(f, &c);
    CHECK_INT(caw_test_waker_references(&k.waker), 0);
}

static void
limits_inside_each_other_end_with_the_shortest(void)
{
    clocked k = begin_clock();
    probe p;
    caw_future *f = caw_timeout(300, caw_timeout(100, caw_timeout(200, probe_init(&p, "p"))));
    CHECK(is_pending_there(&k, f));
    CHECK_INT(caw_test_reactor_until_timer(k.r), 100);
    CHECK_INT(caw_test_reactor_advance(k.r, 100), 1);
    CHECK_INT(status_there(&k, f), CAW_ETIMEDOUT);
    CHECK_INT(p.cancels, 1);
    end_clock(&k, f);
}

static void
missing_child_gives_NULL(void)
{
    CHECK(!caw_timeout(1, NULL));
    CHECK(!caw_deadline(1, NULL));
}

static void
time_runs_out_in_a_real_place_too(void)
{
    caw_future *f = caw_timeout(1000000, caw_sleep(60 * (uint64_t)SECOND));
    CHECK_INT(caw_block_on(f), CAW_ETIMEDOUT);
    caw_future_destroy(f);
    f = caw_deadline(caw_now_ns() + 1000000, caw_sleep(60 * (uint64_t)SECOND));
    CHECK_INT(caw_block_on(f), CAW_ETIMEDOUT);
    caw_future_destroy(f);
    f = caw_timeout(60 * (uint64_t)SECOND, caw_sleep(1000000));
    CHECK_INT(caw_block_on(f), 0);
    caw_future_destroy(f);
}

TESTS(TEST(child_that_is_in_time_is_the_result_and_the_timer_goes_at_once),
      TEST(time_that_is_up_cancels_the_child_and_waits_for_it), TEST(value_that_comes_after_the_time_is_the_result),
      TEST(child_that_cannot_be_cancelled_is_waited_for),
      TEST(time_counts_from_the_first_poll_and_a_deadline_by_the_clock), TEST(no_time_at_all_is_one_poll_of_the_child),
      TEST(cancel_goes_to_the_child_and_only_its_value_counts), TEST(cancel_before_the_first_poll_sets_no_timer),
      TEST(cancel_that_comes_before_the_time_is_seen_is_the_end),
      TEST(cancel_after_the_time_is_not_asked_twice_and_the_time_stays_the_end),
      TEST(place_without_a_reactor_is_the_error_unless_the_child_is_ready_at_once),
      TEST(race_winner_is_no_question_for_a_time_limit), TEST(closed_reactor_cancels_the_child),
      TEST(limits_inside_each_other_end_with_the_shortest), TEST(missing_child_gives_NULL),
      TEST(time_runs_out_in_a_real_place_too))
