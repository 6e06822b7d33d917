/* test_serial_bound.c: how many calls a serial takes, and what there is no room for. */
#include "support/serial.h"
#include "support/threads.h"

static void
call_for_which_there_is_no_room_is_refused_if_the_spec_says_so(void)
{
    struct gate gate = GATE;
    struct seen seen = {.calls = 0};
    caw_serial *serial = serial_that_refuses(&seen, 2);
    caw_future *first = busy(serial, &gate), *a = queued(serial, &seen), *b = queued(serial, &seen);
    CHECK_INT(ended(caw_blocking(serial, seen_call, &seen, seen_free)), -EAGAIN);
    CHECK_INT(seen.freed, 1);
    caw_future_cancel(a);
    CHECK_INT(ended(a), CAW_ECANCELED);
    a = queued(serial, &seen); /* there is room again */
    CHECK_INT(ended(caw_blocking(serial, seen_call, &seen, seen_free)), -EAGAIN);
    open_gate(&gate);
    CHECK_INT(ended(first), 0);
    CHECK_INT(ended(b), -3);
    CHECK_INT(ended(a), -3);
    end_serial(serial, &seen);
    CHECK_INT(seen.calls, 2);
    CHECK_INT(seen.freed, 5);
}

static void
call_that_waits_for_room_runs_in_its_order(void)
{
    enum { CALLS = 50 };
    struct gate gate = GATE;
    struct seen seen = {.calls = 0};
    caw_serial *serial = serial_of_capacity(&seen, 3);
    caw_future *first = busy(serial, &gate), *f[CALLS];
    for (int i = 0; i < CALLS; i++) {
        f[i] = queued(serial, &seen);
    }
    open_gate(&gate);
    CHECK_INT(ended(f[CALLS - 1]), -3); /* the last of them: all others have run */
    CHECK_INT(seen.calls, CALLS);
    for (int i = 0; i < CALLS - 1; i++) {
        CHECK(poll_without_waker(f[i], NULL) == CAW_READY);
        caw_future_destroy(f[i]);
    }
    CHECK_INT(ended(first), 0);
    end_serial(serial, &seen);
}

static void
dropped_call_runs_if_it_was_queued_and_not_if_it_waited_for_room(void)
{
    struct gate gate = GATE;
    struct seen seen = {.calls = 0};
    counter c = {0, 0};
    caw_serial *serial = serial_of_capacity(&seen, 2);
    caw_future *first = busy(serial, &gate);
    for (int i = 0; i < 7; i++) {
        caw_future *f = queued(serial, &seen);
        CHECK(poll_at(f, NULL, &c) == CAW_PENDING);
        caw_future_destroy(f);
    }
    CHECK_INT(seen.freed, 5);
    CHECK_INT(c.references, 0);
    CHECK_INT(c.wakes, 0);
    open_gate(&gate);
    CHECK_INT(ended(first), 0);
    end_serial(serial, &seen);
    CHECK_INT(seen.calls, 2);
    CHECK_INT(seen.freed, 7);
}

/* Three calls, a full queue of two, and one more each time one of `goes` has gone. */
static void
check_room_goes_to_the_first(bool drops)
{
    struct gate gate = GATE;
    struct seen seen = {.calls = 0};
    caw_serial *serial = serial_of_capacity(&seen, 2);
    caw_future *first = busy(serial, &gate), *f[6];
    for (int i = 0; i < 6; i++) {
        f[i] = queued(serial, &seen);
    }
    caw_future_cancel(f[0]);
    caw_future_cancel(f[3]); /* it waited; now 1 and 2 are queued, 4 and 5 wait */
    caw_future_cancel(f[1]); /* now 2 and 4 are, and 5 waits */
    CHECK_INT(ended(f[0]), CAW_ECANCELED);
    CHECK_INT(ended(f[1]), CAW_ECANCELED);
    CHECK_INT(ended(f[3]), CAW_ECANCELED);
    caw_future *close = NULL;
    if (drops) {
        caw_future_destroy(f[2]);
        caw_future_destroy(f[4]);
        caw_future_destroy(f[5]);
    }
    else {
        close = pending(caw_serial_close(serial));
        CHECK_INT(ended(f[5]), CAW_ECLOSED);
    }
    open_gate(&gate);
    CHECK_INT(ended(first), 0);
    if (!drops) {
        CHECK_INT(ended(f[2]), -3);
        CHECK_INT(ended(f[4]), -3);
        CHECK_INT(ended(close), 0);
    }
    end_serial(serial, &seen);
    CHECK_INT(seen.calls, 2);
    CHECK_INT(seen.freed, 6);
}

static void
room_goes_to_the_call_that_waits_longest(void)
{
    check_room_goes_to_the_first(true);
    check_room_goes_to_the_first(false);
}

static void
call_to_be_finished_at_exit_is_never_refused_and_runs_though_it_is_dropped(void)
{
    struct gate gate = GATE;
    struct seen seen = {.calls = 0};
    caw_serial_spec refuses = {.capacity = 1, .refuses = true, .at_end = seen_at_end, .user = &seen};
    caw_serial_spec waits = {.capacity = 1, .at_end = seen_at_end, .user = &seen};
    for (int i = 0; i < 2; i++) {
        caw_serial *serial = new_serial(i == 0 ? &refuses : &waits);
        seen = (struct seen){.calls = 0};
        gate.waiting = gate.open = 0;
        caw_future *first = busy(serial, &gate), *f = queued(serial, &seen);
        for (int k = 0; k < 3; k++) {
            caw_future *g = caw_finish_at_exit(caw_blocking(serial, seen_call, &seen, seen_free));
            caw_future_destroy(pending(g));
        }
        CHECK_INT(seen.freed, 0);
        caw_future *close = pending(caw_serial_close(serial));
        open_gate(&gate);
        CHECK_INT(ended(first), 0);
        CHECK_INT(ended(f), -3);
        CHECK_INT(ended(close), 0);
        CHECK_INT(seen.calls, 4);
        CHECK_INT(seen.freed, 4);
        end_serial(serial, &seen);
    }
}

static void
capacity_of_0_is_1024(void)
{
    struct gate gate = GATE;
    struct seen seen = {.calls = 0};
    caw_serial *serial = serial_that_refuses(&seen, 0);
    caw_future *first = busy(serial, &gate);
    for (int i = 0; i < 1024; i++) {
        caw_future_destroy(queued(serial, &seen));
    }
    CHECK_INT(ended(caw_blocking(serial, seen_call, &seen, NULL)), -EAGAIN);
    open_gate(&gate);
    CHECK_INT(ended(first), 0);
    end_serial(serial, &seen);
    CHECK_INT(seen.calls, 1024);
}

/* --- real contention --- */

struct race {
    caw_serial *serial;
    struct seen *seen;
    atomic_int runs, done;
};

static int
count_run(void *arg)
{
    struct race *race = arg;
    atomic_fetch_add(&race->runs, 1);
    return seen_call(race->seen);
}

static void *
fill_and_leave(void *user)
{
    struct race *race = user;
    counter c = {0, 0};
    int done = 0;
    for (int i = 0; i < 3000; i++) {
        caw_future *f[4];
        for (int k = 0; k < 4; k++) {
            f[k] = caw_blocking(race->serial, count_run, race, NULL);
            f[k] = i % 7 == 0 && k == 2 ? caw_finish_at_exit(f[k]) : f[k];
            (void)poll_at(f[k], NULL, &c);
        }
        caw_future_cancel(f[i % 4]);
        caw_future_destroy(f[(i + 1) % 4]);
        for (int k = 0; k < 4; k++) {
            if (k != (i + 1) % 4) {
                int status = ended(f[k]);
                CHECK(status == -3 || (status == CAW_ECANCELED && k == i % 4));
                done += status == -3;
            }
        }
    }
    while (c.references > 0) {
        (void)usleep(100);
    }
    atomic_fetch_add(&race->done, done);
    return NULL;
}

static void
threads_that_fill_cancel_and_drop_are_all_served(void)
{
    struct seen seen = {.calls = 0};
    caw_serial_spec spec = {.capacity = 5, .at_end = seen_at_end, .user = &seen};
    struct race race = {.serial = new_serial(&spec), .seen = &seen};
    pthread_t threads[4];
    start_threads(threads, 4, fill_and_leave, &race);
    join_threads(threads, 4);
    end_serial(race.serial, &seen);
    CHECK(race.done <= race.runs);
    CHECK_INT(seen.calls, race.runs);
}

TESTS(TEST(call_for_which_there_is_no_room_is_refused_if_the_spec_says_so),
      TEST(call_that_waits_for_room_runs_in_its_order),
      TEST(dropped_call_runs_if_it_was_queued_and_not_if_it_waited_for_room),
      TEST(room_goes_to_the_call_that_waits_longest),
      TEST(call_to_be_finished_at_exit_is_never_refused_and_runs_though_it_is_dropped), TEST(capacity_of_0_is_1024),
      TEST(threads_that_fill_cancel_and_drop_are_all_served))
