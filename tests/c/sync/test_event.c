/* test_event.c: events and barriers, polled by hand on one thread. */
#include "support/place.h"

static bool
waits(caw_future *f, counter *c)
{
    return poll_at(f, NULL, c) == CAW_PENDING;
}

static void
event_that_is_set_is_not_waited_for(void)
{
    static caw_event event = CAW_EVENT_INIT;
    caw_event_op op;
    counter c = {0, 0};
    caw_event_set(&event);
    CHECK(caw_event_is_set(&event));
    CHECK_INT(status_at(caw_event_wait(&op, &event), NULL, &c), 0);
    caw_future_destroy(&op.future);
    caw_event_clear(&event);
    CHECK(!caw_event_is_set(&event));
    CHECK(waits(caw_event_wait(&op, &event), &c));
    caw_future_destroy(&op.future);
    CHECK_INT(c.references, 0);
}

static void
set_lets_all_go_who_wait_also_if_it_is_cleared_at_once(void)
{
    caw_event event = CAW_EVENT_INIT;
    caw_event_op ops[100], late;
    counter c = {0, 0}, c_late = {0, 0};
    for (int i = 0; i < 100; i++) {
        CHECK(waits(caw_event_wait(&ops[i], &event), &c));
    }
    caw_event_set(&event);
    caw_event_clear(&event);
    CHECK_INT(c.wakes, 100);
    CHECK(waits(caw_event_wait(&late, &event), &c_late));
    for (int i = 0; i < 100; i++) {
        CHECK_INT(status_at(&ops[i].future, NULL, &c), 0);
        caw_future_destroy(&ops[i].future);
    }
    CHECK_INT(c_late.wakes, 0);
    caw_event_set(&event);
    CHECK_INT(c_late.wakes, 1);
    caw_future_destroy(&late.future);
    CHECK_INT(c.references + c_late.references, 0);
}

static void
cancelled_or_destroyed_wait_leaves_and_what_came_before_counts(void)
{
    caw_event event = CAW_EVENT_INIT;
    caw_event_op ops[4];
    counter c = {0, 0};
    caw_future_cancel(caw_event_wait(&ops[0], &event));
    CHECK_INT(status_at(&ops[0].future, NULL, &c), CAW_ECANCELED);
    for (int i = 1; i < 4; i++) {
        CHECK(waits(caw_event_wait(&ops[i], &event), &c));
    }
    caw_future_cancel(&ops[1].future);
    CHECK_INT(c.wakes, 1);
    CHECK_INT(status_at(&ops[1].future, NULL, &c), CAW_ECANCELED);
    caw_future_destroy(&ops[2].future);
    caw_event_set(&event);
    CHECK_INT(c.wakes, 2);
    caw_future_cancel(&ops[3].future);
    CHECK_INT(status_at(&ops[3].future, NULL, &c), 0);
    caw_future_destroy(&ops[0].future);
    caw_future_destroy(&ops[1].future);
    caw_future_destroy(&ops[3].future);
    CHECK_INT(c.references, 0);
}

static void
event_that_ends_lets_all_go(void)
{
    caw_event *event = malloc(sizeof *event);
    caw_event_op op;
    counter c = {0, 0};
    CHECK(event);
    caw_event_init(event);
    CHECK(waits(caw_event_wait(&op, event), &c));
    caw_event_fini(event);
    free(event);
    CHECK_INT(status_at(&op.future, NULL, &c), CAW_ECLOSED);
    caw_future_destroy(&op.future);
    CHECK_INT(c.references, 0);
}

/* --- barriers --- */

static void
last_to_come_lets_all_go_again_and_again(void)
{
    caw_barrier barrier = CAW_BARRIER_INIT(3);
    caw_barrier_op ops[3];
    for (int round = 0; round < 3; round++) {
        counter c = {0, 0};
        CHECK(waits(caw_barrier_wait(&ops[0], &barrier), &c) && waits(caw_barrier_wait(&ops[1], &barrier), &c));
        CHECK_INT(c.wakes, 0);
        CHECK_INT(status_at(caw_barrier_wait(&ops[2], &barrier), NULL, &c), 0);
        CHECK_INT(c.wakes, 2);
        for (size_t i = 0; i < 3; i++) {
            CHECK(i == 2 || status_at(&ops[i].future, NULL, &c) == 0);
            CHECK_INT(ops[i].index, i);
            caw_future_destroy(&ops[i].future);
        }
        CHECK_INT(c.references, 0);
    }
}

static void
waiter_that_leaves_takes_its_count_back(void)
{
    for (int cancels = 0; cancels < 2; cancels++) {
        caw_barrier barrier;
        caw_barrier_op ops[3];
        counter c = {0, 0};
        caw_barrier_init(&barrier, 3);
        for (int i = 0; i < 2; i++) {
            CHECK(waits(caw_barrier_wait(&ops[i], &barrier), &c));
        }
        if (cancels) {
            caw_future_cancel(&ops[0].future);
            CHECK_INT(status_at(&ops[0].future, NULL, &c), CAW_ECANCELED);
        }
        caw_future_destroy(&ops[0].future);
        CHECK(waits(caw_barrier_wait(&ops[2], &barrier), &c));
        CHECK_INT(status_at(caw_barrier_wait(&ops[0], &barrier), NULL, &c), 0);
        caw_future_cancel(&ops[1].future); /* too late: all have come */
        CHECK_INT(status_at(&ops[1].future, NULL, &c), 0);
        CHECK_INT(ops[1].index + ops[2].index * 10 + ops[0].index * 100, 210);
        for (int i = 0; i < 3; i++) {
            caw_future_destroy(&ops[i].future);
        }
        CHECK_INT(c.references, 0);
    }
}

static void
barrier_of_one_never_waits_and_of_none_is_an_error(void)
{
    caw_barrier one = CAW_BARRIER_INIT(1), none = CAW_BARRIER_INIT(0);
    caw_barrier_op op;
    counter c = {0, 0};
    CHECK_INT(status_at(caw_barrier_wait(&op, &one), NULL, &c), 0);
    CHECK_INT(op.index, 0);
    caw_future_destroy(&op.future);
    CHECK_INT(status_at(caw_barrier_wait(&op, &none), NULL, &c), CAW_EINVAL);
    caw_future_destroy(&op.future);
}

static void
barrier_that_ends_lets_all_go(void)
{
    caw_barrier barrier = CAW_BARRIER_INIT(2);
    caw_barrier_op op;
    counter c = {0, 0};
    CHECK(waits(caw_barrier_wait(&op, &barrier), &c));
    caw_barrier_fini(&barrier);
    memset(&barrier, 0xee, sizeof barrier);
    CHECK_INT(c.wakes, 1);
    CHECK_INT(status_at(&op.future, NULL, &c), CAW_ECLOSED);
    caw_future_destroy(&op.future);
    CHECK_INT(c.references, 0);
}

TESTS(TEST(event_that_is_set_is_not_waited_for), TEST(set_lets_all_go_who_wait_also_if_it_is_cleared_at_once),
      TEST(cancelled_or_destroyed_wait_leaves_and_what_came_before_counts), TEST(event_that_ends_lets_all_go),
      TEST(last_to_come_lets_all_go_again_and_again), TEST(waiter_that_leaves_takes_its_count_back),
      TEST(barrier_of_one_never_waits_and_of_none_is_an_error), TEST(barrier_that_ends_lets_all_go))
