/* test_sleep.c: timers; each on both kinds of reactor. */
#include "support/place.h"
#include "support/threads.h"

#include <signal.h>

/* --- timers --- */

static void
sleep_is_ready_after_its_time_and_not_before(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    caw_future *f = caw_sleep(20 * (uint64_t)MILLISECOND);
    uint64_t start = caw_now_ns();
    CHECK(poll_at(f, r, &c) == CAW_PENDING);
    CHECK_INT(caw_reactor_turn(r, 0), 0);
    CHECK_INT(c.wakes, 0);
    while (c.wakes == 0) {
        CHECK(poll_at(f, r, &c) == CAW_PENDING);
        CHECK(caw_reactor_turn(r, -1) >= 0);
    }
    CHECK(caw_now_ns() - start >= 20 * (uint64_t)MILLISECOND);
    CHECK_INT(status_at(f, r, &c), 0);
    CHECK_INT(c.references, 0);
    caw_future_destroy(f);
    end_reactor(r);
}
ON_BOTH_KINDS(sleep_is_ready_after_its_time_and_not_before)

static void
sleep_of_zero_is_ready_at_once(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    caw_future *f = caw_sleep(0);
    CHECK_INT(status_at(f, r, &c), 0);
    CHECK_INT(c.references, 0);
    caw_future_destroy(f);
    end_reactor(r);
}
ON_BOTH_KINDS(sleep_of_zero_is_ready_at_once)

static void
sleep_where_there_is_no_reactor_fails(void)
{
    caw_future *f = caw_sleep(1);
    CHECK(poll_without_waker(f, NULL) == CAW_READY);
    CHECK_INT(f->status, CAW_ENOREACTOR);
    caw_future_destroy(f);
}

static void
sleep_of_centuries_stays_pending_among_short_ones(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0}, d = {0, 0};
    caw_future *ever = caw_sleep(UINT64_MAX), *longish = caw_sleep(UINT64_MAX / 2), *brief = caw_sleep(1000);
    CHECK(poll_at(ever, r, &c) == CAW_PENDING);
    CHECK(poll_at(longish, r, &c) == CAW_PENDING);
    CHECK_INT(turn_until_ready(r, brief, &d), 0);
    CHECK(poll_at(ever, r, &c) == CAW_PENDING);
    CHECK_INT(c.wakes, 0);
    caw_future_destroy(brief);
    caw_future_destroy(ever);
    caw_future_destroy(longish);
    CHECK_INT(c.references, 0);
    end_reactor(r);
}
ON_BOTH_KINDS(sleep_of_centuries_stays_pending_among_short_ones)

static void
sleeps_wake_in_the_order_of_their_deadlines(caw_reactor_kind kind)
{
    enum { N = 8 };
    caw_reactor *r = new_reactor(kind);
    counter c[N] = {{0, 0}};
    caw_future *f[N];
    for (int i = 0; i < N; i++) {
        f[i] = caw_sleep((uint64_t)((i * 5 % N + 1) * 3 * MILLISECOND));
        CHECK(poll_at(f[i], r, &c[i]) == CAW_PENDING);
    }
    for (int due = 0; due < N;) {
        CHECK(caw_reactor_turn(r, -1) >= 0);
        for (int i = 0; i < N; i++) {
            int rank = i * 5 % N;
            for (int j = 0; j < N && c[i].wakes; j++) {
                CHECK(j * 5 % N > rank || c[j].wakes); /* whoever was due earlier is awake */
            }
        }
        for (due = 0; due < N && c[due].wakes;) {
            due++;
        }
    }
    for (int i = 0; i < N; i++) {
        caw_future_destroy(f[i]);
    }
    end_reactor(r);
}
ON_BOTH_KINDS(sleeps_wake_in_the_order_of_their_deadlines)

static void
sleep_destroyed_while_pending_drops_its_waker(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    caw_future *f = caw_sleep(MILLISECOND), *g = caw_sleep(2 * MILLISECOND), *unpolled = caw_sleep(1);
    CHECK(poll_at(f, r, &c) == CAW_PENDING && poll_at(g, r, &c) == CAW_PENDING);
    CHECK_INT(c.references, 2);
    caw_future_destroy(f);
    caw_future_destroy(unpolled);
    CHECK_INT(c.references, 1);
    CHECK_INT(turn_until_ready(r, g, &c), 0);
    CHECK_INT(c.wakes, 1);
    caw_future_destroy(g);
    CHECK_INT(c.references, 0);
    end_reactor(r);
}
ON_BOTH_KINDS(sleep_destroyed_while_pending_drops_its_waker)

static void
sleep_cancelled_ends_at_once(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    caw_future *f = caw_sleep(UINT64_MAX), *early = caw_sleep(UINT64_MAX), *late = caw_sleep(1);
    CHECK(poll_at(f, r, &c) == CAW_PENDING);
    caw_future_cancel(f);
    CHECK_INT(c.wakes, 1);
    CHECK_INT(status_at(f, r, &c), CAW_ECANCELED);
    caw_future_cancel(early);
    CHECK_INT(status_at(early, r, &c), CAW_ECANCELED);
    CHECK(poll_at(late, r, &c) == CAW_PENDING);
    TURN_UNTIL(r, c.wakes > 1);
    caw_future_cancel(late); /* its result has won */
    CHECK_INT(status_at(late, r, &c), 0);
    CHECK_INT(c.references, 0);
    caw_future_destroy(f);
    caw_future_destroy(early);
    caw_future_destroy(late);
    end_reactor(r);
}
ON_BOTH_KINDS(sleep_cancelled_ends_at_once)

static void
latest_waker_is_the_one_that_is_woken_also_at_another_reactor(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind), *other = new_reactor(kind);
    counter c = {0, 0}, d = {0, 0};
    caw_future *f = caw_sleep(MILLISECOND);
    CHECK(poll_at(f, r, &c) == CAW_PENDING);
    CHECK(poll_at(f, other, &d) == CAW_PENDING);
    CHECK_INT(c.references, 0);
    TURN_UNTIL(r, d.wakes > 0);
    CHECK_INT(c.wakes, 0);
    caw_future_destroy(f);
    end_reactor(r);
    end_reactor(other);
}
ON_BOTH_KINDS(latest_waker_is_the_one_that_is_woken_also_at_another_reactor)

static void
hundred_thousand_sleeps_all_end(caw_reactor_kind kind)
{
    enum { N = 100000 };
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    caw_future **f = calloc(N, sizeof *f);
    CHECK(f);
    for (unsigned i = 0; i < N; i++) {
        f[i] = caw_sleep((uint64_t)(i * 2654435761u % 20000000u + 1));
        CHECK(poll_at(f[i], r, &c) == CAW_PENDING);
    }
    TURN_UNTIL(r, c.wakes >= N);
    for (int i = 0; i < N; i++) {
        CHECK(poll_at(f[i], r, &c) == CAW_READY);
        caw_future_destroy(f[i]);
    }
    CHECK_INT(c.wakes, N);
    CHECK_INT(c.references, 0);
    free(f);
    end_reactor(r);
}
ON_BOTH_KINDS(hundred_thousand_sleeps_all_end)

struct destroyer {
    caw_future **futures;
    int n;
};

static void *
destroy_all(void *user)
{
    struct destroyer *d = user;
    for (int i = 0; i < d->n; i++) {
        caw_future_destroy(d->futures[i]);
    }
    return NULL;
}

static void
sleeps_may_be_destroyed_on_other_threads_while_they_end(caw_reactor_kind kind)
{
    enum { N = 40000, THREADS = 2 };
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    struct destroyer d[THREADS];
    pthread_t threads[THREADS];
    for (int t = 0; t < THREADS; t++) {
        d[t] = (struct destroyer){calloc(N, sizeof *d[t].futures), N};
        CHECK(d[t].futures);
        for (int i = 0; i < N; i++) {
            d[t].futures[i] = caw_sleep((uint64_t)i * 1000 + 1);
            CHECK(poll_at(d[t].futures[i], r, &c) == CAW_PENDING);
        }
    }
    for (int t = 0; t < THREADS; t++) {
        threads[t] = start_thread(destroy_all, &d[t]);
    }
    while (c.references > 0) {
        CHECK(caw_reactor_turn(r, MILLISECOND) >= 0);
    }
    for (int t = 0; t < THREADS; t++) {
        join_thread(threads[t]);
        free(d[t].futures);
    }
    end_reactor(r);
}
ON_BOTH_KINDS(sleeps_may_be_destroyed_on_other_threads_while_they_end)

struct elsewhere {
    caw_reactor *r;
    counter c;
    caw_future *f;
};

static void *
poll_elsewhere(void *user)
{
    struct elsewhere *e = user;
    (void)usleep(5000);
    CHECK(poll_at(e->f, e->r, &e->c) == CAW_PENDING);
    return NULL;
}

static void
sleep_begun_on_another_thread_shortens_a_sleeping_turn(caw_reactor_kind kind)
{
    struct elsewhere e = {.r = new_reactor(kind), .f = caw_sleep(MILLISECOND)};
    caw_future *later = caw_sleep(3600 * (uint64_t)SECOND);
    counter c = {0, 0};
    CHECK(poll_at(later, e.r, &c) == CAW_PENDING);
    pthread_t thread = start_thread(poll_elsewhere, &e);
    TURN_UNTIL(e.r, e.c.wakes > 0);
    join_thread(thread);
    caw_future_destroy(e.f);
    caw_future_destroy(later);
    end_reactor(e.r);
}
ON_BOTH_KINDS(sleep_begun_on_another_thread_shortens_a_sleeping_turn)

static void
sleep_keeps_its_reactor_until_it_is_destroyed(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    caw_future *f = caw_sleep(3600 * (uint64_t)SECOND);
    CHECK(poll_at(f, r, &c) == CAW_PENDING);
    caw_reactor_release(r);
    CHECK_INT(c.wakes, 0); /* the sleep holds one reference */
    caw_future_destroy(f);
    CHECK_INT(c.references, 0);
}
ON_BOTH_KINDS(sleep_keeps_its_reactor_until_it_is_destroyed)

static void *
sleep_until_closed(void *user)
{
    struct elsewhere *e = user;
    for (;;) {
        caw_future *f = caw_sleep(UINT64_MAX);
        bool ready = poll_at(f, e->r, &e->c) == CAW_READY;
        int status = f->status;
        caw_future_destroy(f);
        if (ready) {
            CHECK_INT(status, CAW_ECLOSED);
            caw_reactor_ring(e->r);
            caw_reactor_release(e->r);
            return NULL;
        }
    }
}

static void
close_while_other_threads_begin_sleeps_and_ring_loses_none(caw_reactor_kind kind)
{
    for (int round = 0; round < 50; round++) {
        caw_reactor *r = new_reactor(kind);
        struct elsewhere e[2];
        pthread_t threads[2];
        for (int i = 0; i < 2; i++) {
            e[i] = (struct elsewhere){.r = caw_reactor_retain(r)};
            threads[i] = start_thread(sleep_until_closed, &e[i]);
        }
        CHECK(caw_reactor_turn(r, round * MILLISECOND / 10) >= 0);
        end_reactor(r);
        for (int i = 0; i < 2; i++) {
            join_thread(threads[i]);
            CHECK_INT(e[i].c.references, 0);
        }
    }
}
ON_BOTH_KINDS(close_while_other_threads_begin_sleeps_and_ring_loses_none)

TESTS(TEST_BOTH(sleep_is_ready_after_its_time_and_not_before), TEST_BOTH(sleep_of_zero_is_ready_at_once),
      TEST(sleep_where_there_is_no_reactor_fails), TEST_BOTH(sleep_of_centuries_stays_pending_among_short_ones),
      TEST_BOTH(sleeps_wake_in_the_order_of_their_deadlines), TEST_BOTH(sleep_destroyed_while_pending_drops_its_waker),
      TEST_BOTH(sleep_cancelled_ends_at_once), TEST_BOTH(latest_waker_is_the_one_that_is_woken_also_at_another_reactor),
      TEST_BOTH(hundred_thousand_sleeps_all_end), TEST_BOTH(sleeps_may_be_destroyed_on_other_threads_while_they_end),
      TEST_BOTH(sleep_begun_on_another_thread_shortens_a_sleeping_turn),
      TEST_BOTH(sleep_keeps_its_reactor_until_it_is_destroyed),
      TEST_BOTH(close_while_other_threads_begin_sleeps_and_ring_loses_none))
