/* test_serial_close.c: the ends of a serial, in each of its states. */
#include "support/serial.h"
#include "support/threads.h"

static void
wait_for_end(struct seen *seen)
{
    while (seen->ends == 0) {
        (void)usleep(100);
    }
}

static void
close_runs_what_is_queued_and_at_end_last(void)
{
    struct gate gate = GATE;
    struct seen seen = {.calls = 0, .at_end = -6};
    counter c = {0, 0};
    caw_serial *serial = serial_of_capacity(&seen, 2);
    caw_future *first = busy(serial, &gate), *f[4], *close = caw_serial_close(serial);
    for (int i = 0; i < 4; i++) {
        f[i] = queued(serial, &seen); /* 2 and 3 wait for room */
    }
    CHECK(poll_at(close, NULL, &c) == CAW_PENDING);
    CHECK_INT(ended(f[2]), CAW_ECLOSED);
    CHECK_INT(ended(f[3]), CAW_ECLOSED);
    CHECK_INT(ended(caw_blocking(serial, seen_call, &seen, seen_free)), CAW_ECLOSED);
    CHECK_INT(seen.ends, 0);
    open_gate(&gate);
    CHECK_INT(caw_block_on(close), -6);
    CHECK_INT(seen.ends, 1);
    CHECK_INT(ended(f[0]), -3);
    CHECK_INT(ended(f[1]), -3);
    CHECK_INT(ended(first), 0);
    caw_future_destroy(close);
    CHECK_INT(seen.calls, 2);
    CHECK_INT(seen.freed, 5);
    CHECK_INT(seen.interrupts, 0);
    CHECK_INT(c.references, 0);
    end_serial(serial, &seen); /* again: the same status */
}

static void
close_before_any_call_calls_at_end(void)
{
    struct seen seen = {.calls = 0};
    caw_serial *serial = serial_of_capacity(&seen, 2);
    end_serial(serial, &seen);
    CHECK_INT(seen.calls, 0);
    caw_serial_spec bare = {.capacity = 0};
    serial = new_serial(&bare);
    CHECK_INT(ended(caw_serial_close(serial)), 0);
    caw_pool_release(serial);
}

static int
give_7(void *user)
{
    (void)user;
    return 7;
}

static void
status_of_at_end_above_0_is_a_mistake(void)
{
#ifdef NDEBUG
    caw_serial_spec spec = {.at_end = give_7};
    caw_serial *serial = new_serial(&spec);
    CHECK_INT(ended(caw_serial_close(serial)), CAW_EINVAL);
    CHECK_INT(ended(caw_serial_close(serial)), CAW_EINVAL);
    caw_pool_release(serial);
#else
    (void)give_7;
    SKIP("a debug build aborts");
#endif
}

static void
close_that_is_not_polled_or_cancelled_first_closes_nothing(void)
{
    struct seen seen = {.calls = 0};
    caw_serial *serial = serial_of_capacity(&seen, 2);
    caw_future_destroy(caw_serial_close(serial));
    caw_future *close = caw_serial_close(serial);
    caw_future_cancel(close);
    CHECK_INT(ended(close), CAW_ECANCELED);
    CHECK_INT(ended(caw_blocking(serial, seen_call, &seen, NULL)), -3);
    end_serial(serial, &seen);
}

static void
many_closes_are_all_ready_with_the_same_status(void)
{
    struct gate gate = GATE;
    struct seen seen = {.calls = 0, .at_end = -6};
    caw_serial *serial = serial_of_capacity(&seen, 2);
    caw_future *first = busy(serial, &gate), *close[5];
    for (int i = 0; i < 5; i++) {
        close[i] = pending(caw_serial_close(serial));
    }
    caw_future_destroy(close[2]);
    open_gate(&gate);
    for (int i = 0; i < 5; i++) {
        CHECK_INT(i == 2 ? -6 : ended(close[i]), -6);
    }
    CHECK_INT(ended(first), 0);
    end_serial(serial, &seen);
}

/* A call that waits for an interrupt, and looks whether it is told to end. */
struct patient {
    caw_work work;
    struct seen *seen;
    atomic_int begun;
    bool told_first;
};

static int
run_patient(caw_work *w)
{
    struct patient *p = CAW_CONTAINER_OF(w, struct patient, work);
    p->told_first = caw_work_cancelled(w);
    p->begun = 1;
    while (p->seen->interrupts == 0 || !caw_work_cancelled(w)) {
        (void)usleep(100);
    }
    return -9;
}

static void
free_patient(caw_work *w)
{
    struct patient *p = CAW_CONTAINER_OF(w, struct patient, work);
    seen_free(p->seen);
    free(p);
}

static struct patient *
start_patient(caw_serial *serial, struct seen *seen)
{
    struct patient *p = calloc(1, sizeof *p);
    CHECK(p);
    p->seen = seen;
    caw_work_init(&p->work, serial, run_patient, free_patient);
    (void)pending(&p->work.promise.future);
    while (!p->begun) {
        (void)usleep(100);
    }
    return p;
}

static void
cancelled_close_ends_what_is_queued_and_interrupts_what_runs(void)
{
    struct seen seen = {.calls = 0, .at_end = -6};
    caw_serial *serial = serial_of_capacity(&seen, 3);
    struct patient *p = start_patient(serial, &seen);
    caw_future *f[3], *close, *other;
    for (int i = 0; i < 3; i++) {
        f[i] = queued(serial, &seen);
    }
    close = pending(caw_serial_close(serial));
    other = pending(caw_serial_close(serial));
    CHECK(!caw_work_cancelled(&p->work)); /* a close alone hurries nobody */
    caw_future_cancel(close);
    caw_future_cancel(other);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(ended(f[i]), CAW_ECLOSED);
    }
    CHECK_INT(ended(close), -6);
    CHECK_INT(ended(other), -6);
    CHECK_INT(ended(&p->work.promise.future), -9);
    end_serial(serial, &seen);
    CHECK_INT(seen.interrupts, 1);
    CHECK_INT(seen.freed, 4);
    CHECK_INT(seen.calls, 0);
}

static void
call_is_interrupted_once_also_when_it_is_cancelled_and_the_serial_stops(void)
{
    struct gate gate = GATE;
    struct seen seen = {.calls = 0};
    caw_serial *serial = serial_of_capacity(&seen, 3);
    caw_future *first = busy(serial, &gate), *close = pending(caw_serial_close(serial));
    caw_future_cancel(first);
    CHECK_INT(seen.interrupts, 1);
    caw_future_cancel(close);
    CHECK_INT(seen.interrupts, 1);
    open_gate(&gate);
    CHECK_INT(ended(first), 0);
    CHECK_INT(ended(close), 0);
    end_serial(serial, &seen);
}

/* A waker whose wake cancels a future. */
static void
do_nothing(void *data)
{
    (void)data;
}

static void
cancel_when_woken(void *data)
{
    caw_future_cancel(data);
}

static void
call_that_a_close_has_refused_and_another_one_cancels_interrupts_nothing(void)
{
    static const caw_waker_ops canceller = {do_nothing, cancel_when_woken, do_nothing};
    struct gate gate = GATE;
    struct seen seen = {.calls = 0};
    caw_serial *serial = serial_of_capacity(&seen, 1);
    caw_future *first = busy(serial, &gate), *f = queued(serial, &seen);
    caw_future *a = caw_blocking(serial, seen_call, &seen, NULL), *b = caw_blocking(serial, seen_call, &seen, NULL);
    caw_context cx = {{&canceller, b}, &place_host, NULL};
    CHECK(caw_future_poll(a, &cx) == CAW_PENDING);
    (void)pending(b);
    caw_future *close = pending(caw_serial_close(serial)); /* refuses a, whose waker cancels b, then refuses b */
    CHECK_INT(seen.interrupts, 0);
    open_gate(&gate);
    CHECK_INT(ended(a), CAW_ECLOSED);
    CHECK_INT(ended(b), CAW_ECLOSED);
    CHECK_INT(ended(f), -3);
    CHECK_INT(ended(first), 0);
    CHECK_INT(ended(close), 0);
    end_serial(serial, &seen);
}

static void
dropped_close_goes_on_after_the_last_release(void)
{
    struct gate gate = GATE;
    struct seen seen = {.calls = 0};
    caw_serial *serial = serial_of_capacity(&seen, 3);
    caw_future *first = busy(serial, &gate), *f = queued(serial, &seen), *close = pending(caw_serial_close(serial));
    caw_pool_release(serial);
    caw_future_destroy(close);
    open_gate(&gate);
    CHECK_INT(ended(f), -3);
    CHECK_INT(ended(first), 0);
    wait_for_end(&seen);
}

static void
release_ends_what_is_queued_and_does_not_wait(void)
{
    struct seen seen = {.calls = 0};
    caw_serial *serial = serial_of_capacity(&seen, 1);
    struct patient *p = start_patient(serial, &seen);
    caw_future *f = queued(serial, &seen), *waits = queued(serial, &seen);
    CHECK(!p->told_first);
    caw_pool_release(serial);
    CHECK_INT(ended(f), CAW_ECLOSED);
    CHECK_INT(ended(waits), CAW_ECLOSED);
    CHECK_INT(ended(&p->work.promise.future), -9);
    wait_for_end(&seen);
    CHECK_INT(seen.freed, 3);
    CHECK_INT(seen.interrupts, 1);
}

static void
pool_close_ends_what_is_queued_and_waits(void)
{
    for (int soft = 0; soft < 2; soft++) {
        struct seen seen = {.calls = 0, .at_end = -6};
        caw_serial *serial = serial_of_capacity(&seen, 1);
        struct patient *p = start_patient(serial, &seen);
        caw_future *f = queued(serial, &seen), *close = caw_serial_close(serial);
        if (soft) {
            (void)pending(close);
        }
        caw_pool_close(serial);
        CHECK_INT(seen.ends, 1);
        CHECK(poll_without_waker(&p->work.promise.future, NULL) == CAW_READY);
        CHECK_INT(ended(&p->work.promise.future), -9);
        CHECK_INT(ended(f), CAW_ECLOSED);
        CHECK_INT(ended(close), -6);
        caw_pool_close(serial);
        caw_pool_release(serial);
        CHECK_INT(seen.freed, 2);
    }
}

struct own {
    caw_serial *serial;
    caw_future *close;
    int how;
};

static int
end_own(void *arg)
{
    struct own *own = arg;
    if (own->how == 0) {
        (void)poll_without_waker(own->close, NULL); /* begins, and does not wait */
        CHECK_INT(caw_block_on(own->close), CAW_EDEADLOCK);
    }
    else if (own->how == 1) {
        caw_pool_close(own->serial);
    }
    else {
        caw_pool_release(own->serial);
    }
    return -8;
}

static void
own_call_may_begin_each_of_the_ends(void)
{
    for (int how = 0; how < 3; how++) {
        struct seen seen = {.calls = 0};
        caw_serial *serial = serial_of_capacity(&seen, 1);
        struct own own = {serial, caw_serial_close(serial), how};
        if (how == 2) {
            caw_future_destroy(own.close);
            own.close = NULL;
        }
        CHECK_INT(ended(caw_blocking(serial, end_own, &own, NULL)), -8);
        wait_for_end(&seen);
        caw_future_destroy(own.close);
        if (how < 2) {
            CHECK_INT(ended(caw_blocking(serial, seen_call, &seen, NULL)), CAW_ECLOSED);
            end_serial(serial, &seen);
        }
    }
}

static int
close_at_end(void *user)
{
    struct own *own = user;
    CHECK_INT(ended(caw_serial_close(own->serial)), CAW_EDEADLOCK);
    CHECK_INT(ended(caw_blocking(own->serial, seen_call, NULL, NULL)), CAW_ECLOSED);
    caw_future *sleep = caw_sleep(1000000); /* at_end may sleep */
    return ended(sleep) - 5;
}

static void
at_end_may_sleep_but_not_for_its_own_serial(void)
{
    struct own own = {.how = 0};
    caw_serial_spec spec = {.at_end = close_at_end, .user = &own};
    own.serial = new_serial(&spec);
    CHECK_INT(ended(caw_serial_close(own.serial)), -5);
    caw_pool_release(own.serial);
}

static void
close_of_another_pool_is_EINVAL(void)
{
    caw_pool *pool = new_pool(1);
    CHECK_INT(ended(caw_serial_close(pool)), CAW_EINVAL);
    end_pool(pool);
}

static void
cancel_and_destroy_of_a_close_after_each_poll_leave_nothing(void)
{
    for (int polls = 0; polls <= 2; polls++) {
        for (int how = 0; how < 3; how++) { /* cancel, destroy, both */
            struct gate gate = GATE;
            struct seen seen = {.calls = 0};
            counter c = {0, 0};
            caw_serial *serial = serial_of_capacity(&seen, 0);
            caw_future *first = busy(serial, &gate), *f = queued(serial, &seen), *close = caw_serial_close(serial);
            for (int i = 0; i < polls; i++) {
                CHECK(poll_at(close, NULL, &c) == CAW_PENDING);
            }
            if (how != 1) {
                caw_future_cancel(close);
            }
            bool ends = how == 0 && polls > 0;
            if (!ends) {
                caw_future_destroy(close);
            }
            open_gate(&gate);
            CHECK_INT(ended(f), how != 1 && polls > 0 ? CAW_ECLOSED : -3);
            CHECK_INT(ends ? ended(close) : 0, 0);
            CHECK_INT(ended(first), 0);
            end_serial(serial, &seen);
            CHECK_INT(seen.freed, 1);
            CHECK_INT(c.references, 0);
        }
    }
}

TESTS(TEST(close_runs_what_is_queued_and_at_end_last), TEST(close_before_any_call_calls_at_end),
      TEST(status_of_at_end_above_0_is_a_mistake), TEST(close_that_is_not_polled_or_cancelled_first_closes_nothing),
      TEST(many_closes_are_all_ready_with_the_same_status),
      TEST(cancelled_close_ends_what_is_queued_and_interrupts_what_runs),
      TEST(call_is_interrupted_once_also_when_it_is_cancelled_and_the_serial_stops),
      TEST(call_that_a_close_has_refused_and_another_one_cancels_interrupts_nothing),
      TEST(dropped_close_goes_on_after_the_last_release), TEST(release_ends_what_is_queued_and_does_not_wait),
      TEST(pool_close_ends_what_is_queued_and_waits), TEST(own_call_may_begin_each_of_the_ends),
      TEST(at_end_may_sleep_but_not_for_its_own_serial), TEST(close_of_another_pool_is_EINVAL),
      TEST(cancel_and_destroy_of_a_close_after_each_poll_leave_nothing))
