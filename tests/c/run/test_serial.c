/* test_serial.c: a pool with one thread of its own: order, the thread, cancels, what runs there. */
#include "support/serial.h"
#include "support/threads.h"

#include <signal.h>

/* --- order, and the thread --- */

struct numbered {
    struct seen *seen;
    int *next; /* written by the thread of the serial alone */
    int number;
};

static int
take_number(void *arg)
{
    struct numbered *n = arg;
    seen_begin(n->seen);
    CHECK_INT(*n->next, n->number);
    ++*n->next;
    return seen_end(n->seen);
}

static void
hundred_thousand_calls_run_in_order_on_one_thread(void)
{
    enum { CALLS = 100000, AT_ONCE = 500 };
    struct seen seen = {.calls = 0};
    caw_serial *serial = serial_of_capacity(&seen, 0);
    int next = 0;
    for (int i = 0; i < CALLS; i += AT_ONCE) {
        caw_future *f[AT_ONCE];
        for (int k = 0; k < AT_ONCE; k++) {
            struct numbered n = {&seen, &next, i + k};
            f[k] = caw_blocking_copy(serial, take_number, &n, sizeof n);
            CHECK(f[k]);
            (void)poll_without_waker(f[k], NULL);
        }
        for (int k = 0; k < AT_ONCE; k++) {
            CHECK_INT(ended(f[k]), -3);
        }
    }
    CHECK_INT(next, CALLS);
    CHECK_INT(seen.calls, CALLS);
    CHECK(!pthread_equal(seen.thread, pthread_self()));
    end_serial(serial, &seen);
}

static void
order_is_that_of_the_first_polls(void)
{
    struct gate gate = GATE;
    struct seen seen = {.calls = 0};
    caw_serial *serial = serial_of_capacity(&seen, 0);
    caw_future *first = busy(serial, &gate), *f[3];
    int next = 0;
    for (int i = 0; i < 3; i++) {
        struct numbered n = {&seen, &next, i};
        f[i] = caw_blocking_copy(serial, take_number, &n, sizeof n);
    }
    CHECK_INT(poll_without_waker(f[0], NULL), CAW_PENDING);
    CHECK_INT(poll_without_waker(f[1], NULL), CAW_PENDING);
    CHECK_INT(poll_without_waker(f[0], NULL), CAW_PENDING); /* which changes nothing */
    CHECK_INT(poll_without_waker(f[2], NULL), CAW_PENDING);
    open_gate(&gate);
    for (int i = 2; i >= 0; i--) {
        CHECK_INT(ended(f[i]), -3);
    }
    CHECK_INT(ended(first), 0);
    end_serial(serial, &seen);
}

static int
signals_are_blocked(void *arg)
{
    sigset_t mask;
    (void)arg;
    CHECK_INT(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
    return sigismember(&mask, SIGINT) && sigismember(&mask, SIGALRM) && !sigismember(&mask, SIGSEGV) ? 0 : -1;
}

static void
thread_blocks_signals(void)
{
    struct seen seen = {.calls = 0};
    caw_serial *serial = serial_of_capacity(&seen, 1);
    CHECK_INT(ended(caw_blocking(serial, signals_are_blocked, NULL, NULL)), 0);
    end_serial(serial, &seen);
}

/* --- cancels --- */

static void
call_cancelled_in_the_queue_never_runs_and_is_freed_once(void)
{
    struct gate gate = GATE;
    struct seen seen = {.calls = 0};
    counter c = {0, 0};
    caw_serial *serial = serial_of_capacity(&seen, 0);
    caw_future *first = busy(serial, &gate), *f = queued(serial, &seen);
    CHECK(poll_at(f, NULL, &c) == CAW_PENDING);
    caw_future_cancel(f);
    CHECK_INT(c.wakes, 1);
    CHECK_INT(status_at(f, NULL, &c), CAW_ECANCELED);
    CHECK_INT(seen.freed, 0);
    caw_future_destroy(f);
    CHECK_INT(seen.freed, 1);
    open_gate(&gate);
    CHECK_INT(ended(first), 0);
    end_serial(serial, &seen);
    CHECK_INT(seen.calls, 0);
    CHECK_INT(seen.interrupts, 0);
    CHECK_INT(c.references, 0);
}

/* A call that runs until it is interrupted. */
struct query {
    struct seen *seen;
    atomic_int begun;
};

static int
run_query(void *arg)
{
    struct query *q = arg;
    seen_begin(q->seen);
    q->begun = 1;
    while (q->seen->interrupts == 0) {
    }
    (void)seen_end(q->seen);
    return CAW_ECANCELED;
}

static void
running_call_that_is_cancelled_is_interrupted_once(void)
{
    struct seen seen = {.calls = 0};
    struct query query = {&seen, 0};
    counter c = {0, 0};
    caw_serial *serial = serial_of_capacity(&seen, 0);
    caw_future *f = caw_blocking(serial, run_query, &query, NULL);
    CHECK(poll_at(f, NULL, &c) == CAW_PENDING);
    while (!query.begun) {
    }
    caw_future *next = queued(serial, &seen);
    caw_future_cancel(f);
    caw_future_cancel(f);
    CHECK_INT(ended(f), CAW_ECANCELED);
    CHECK_INT(ended(next), -3);
    end_serial(serial, &seen);
    CHECK_INT(seen.interrupts, 1);
    CHECK_INT(c.references, 0);
}

static void
running_call_without_interrupt_goes_on_to_its_end(void)
{
    struct gate gate = GATE;
    struct seen seen = {.calls = 0};
    caw_serial *serial = serial_that_refuses(&seen, 1);
    caw_future *f = busy(serial, &gate);
    caw_future_cancel(f);
    CHECK(poll_without_waker(f, NULL) == CAW_PENDING);
    open_gate(&gate);
    CHECK_INT(ended(f), 0);
    end_serial(serial, &seen);
}

static void
call_to_be_finished_at_exit_is_not_interrupted(void)
{
    struct gate gate = GATE;
    struct seen seen = {.calls = 0};
    caw_serial *serial = serial_of_capacity(&seen, 0);
    caw_future *f = pending(caw_finish_at_exit(caw_blocking(serial, wait_at_gate, &gate, NULL)));
    wait_until_at_gate(&gate, 1);
    caw_future_cancel(f);
    caw_future *close = pending(caw_serial_close(serial));
    caw_future_cancel(close);
    CHECK_INT(seen.interrupts, 0);
    open_gate(&gate);
    CHECK_INT(ended(f), 0);
    CHECK_INT(ended(close), 0);
    end_serial(serial, &seen);
}

/* An interrupt that takes long. */
struct slow {
    struct seen seen;
    struct gate interrupt, call;
    caw_future *f;
};

static void
interrupt_slowly(void *user)
{
    struct slow *slow = user;
    (void)wait_at_gate(&slow->interrupt);
    slow->seen.interrupts++;
}

static void *
cancel_slowly(void *user)
{
    caw_future_cancel(((struct slow *)user)->f);
    return NULL;
}

static void
next_call_waits_until_the_interrupt_of_the_one_before_has_returned(void)
{
    struct slow slow = {.interrupt = GATE, .call = GATE};
    caw_serial_spec spec = {.interrupt = interrupt_slowly, .user = &slow};
    caw_serial *serial = new_serial(&spec);
    slow.f = busy(serial, &slow.call);
    caw_future *next = queued(serial, &slow.seen);
    pthread_t thread = start_thread(cancel_slowly, &slow);
    wait_until_at_gate(&slow.interrupt, 1);
    open_gate(&slow.call);
    (void)usleep(20000);
    CHECK_INT(slow.seen.calls, 0);
    open_gate(&slow.interrupt);
    CHECK_INT(ended(next), -3);
    CHECK_INT(slow.seen.interrupts, 1);
    join_thread(thread);
    CHECK_INT(ended(slow.f), 0);
    CHECK_INT(ended(caw_serial_close(serial)), 0);
    caw_pool_release(serial);
}

static void
cancel_of_a_call_that_has_ended_interrupts_nothing(void)
{
    struct gate before = GATE, gate = GATE;
    struct seen seen = {.calls = 0};
    caw_serial *serial = serial_of_capacity(&seen, 0);
    caw_future *first = busy(serial, &before), *f = queued(serial, &seen);
    caw_future *next = pending(caw_blocking(serial, wait_at_gate, &gate, NULL));
    open_gate(&before);
    wait_until_at_gate(&gate, 1);
    caw_future_cancel(f); /* it has ended, since the next one runs */
    CHECK_INT(ended(f), -3);
    CHECK_INT(seen.interrupts, 0);
    open_gate(&gate);
    CHECK(ended(next) == 0 && ended(first) == 0);
    end_serial(serial, &seen);
}

static void
cancel_and_destroy_after_each_poll_leave_nothing(void)
{
    for (int polls = 0; polls <= 3; polls++) {
        for (int how = 0; how < 3; how++) { /* cancel, destroy, both */
            struct seen seen = {.calls = 0};
            struct gate gate = GATE;
            counter c = {0, 0};
            caw_serial *serial = serial_of_capacity(&seen, 0);
            caw_future *first = busy(serial, &gate), *f = caw_blocking(serial, seen_call, &seen, seen_free);
            for (int i = 0; i < polls; i++) {
                CHECK(poll_at(f, NULL, &c) == CAW_PENDING);
            }
            if (how != 1) {
                caw_future_cancel(f);
                CHECK_INT(how == 0 ? caw_block_on(f) : CAW_ECANCELED, CAW_ECANCELED);
            }
            caw_future_destroy(f);
            open_gate(&gate);
            CHECK_INT(ended(first), 0);
            end_serial(serial, &seen);
            CHECK_INT(seen.calls, how == 1 && polls > 0); /* what was begun runs, though nobody waits for it */
            CHECK_INT(seen.freed, 1);
            CHECK_INT(c.references, 0);
        }
    }
}

/* --- what else runs there --- */

struct finalizer {
    caw_deferred deferred;
    struct seen *seen;
};

static void
finalize(caw_deferred *d)
{
    struct finalizer *f = CAW_CONTAINER_OF(d, struct finalizer, deferred);
    (void)seen_call(f->seen);
    free(f);
}

static void
deferred_runs_on_the_thread_also_when_there_is_no_room(void)
{
    struct gate gate = GATE;
    struct seen seen = {.calls = 0};
    caw_serial *serial = serial_that_refuses(&seen, 1);
    caw_future *first = busy(serial, &gate), *f = queued(serial, &seen);
    for (int i = 0; i < 5; i++) {
        struct finalizer *d = malloc(sizeof *d);
        CHECK(d);
        d->seen = &seen;
        caw_defer(serial, &d->deferred, finalize);
    }
    open_gate(&gate);
    CHECK_INT(ended(first), 0);
    CHECK_INT(ended(f), -3);
    end_serial(serial, &seen);
    CHECK_INT(seen.calls, 6);
}

/* A future that must be polled on the thread. */
struct actor {
    caw_future future;
    struct seen *seen;
    caw_future *sleep;
    bool cancelled;
};

static caw_poll
actor_poll(caw_future *f, caw_context *cx)
{
    struct actor *a = CAW_CONTAINER_OF(f, struct actor, future);
    seen_begin(a->seen);
    (void)seen_end(a->seen);
    return a->cancelled                                   ? caw_future_finish(f, CAW_ECANCELED)
           : caw_future_poll(a->sleep, cx) == CAW_PENDING ? CAW_PENDING
                                                          : caw_future_finish(f, a->sleep->status);
}

static void
actor_cancel(caw_future *f)
{
    CAW_CONTAINER_OF(f, struct actor, future)->cancelled = true;
}

static void
actor_destroy(caw_future *f)
{
    struct actor *a = CAW_CONTAINER_OF(f, struct actor, future);
    caw_future_destroy(a->sleep);
    free(a);
}

static caw_future *
new_actor(struct seen *seen, uint64_t sleep_ns)
{
    static const caw_future_ops ops = {"actor", actor_poll, actor_cancel, actor_destroy};
    struct actor *a = calloc(1, sizeof *a);
    CHECK(a);
    caw_future_init(&a->future, &ops);
    a->seen = seen;
    a->sleep = caw_sleep(sleep_ns);
    return &a->future;
}

static void
spawned_future_is_polled_on_the_thread(void)
{
    struct seen seen = {.calls = 0};
    caw_serial *serial = serial_of_capacity(&seen, 0);
    CHECK_INT(ended(caw_blocking(serial, seen_call, &seen, NULL)), -3);
    CHECK_INT(ended(caw_spawn(serial, new_actor(&seen, 2000000))), 0);
    CHECK_INT(seen.calls, 3);
    end_serial(serial, &seen);
}

static void
close_cancels_what_was_spawned_before_at_end(void)
{
    struct seen seen = {.calls = 0};
    caw_serial *serial = serial_of_capacity(&seen, 0);
    caw_future *join = caw_spawn(serial, new_actor(&seen, UINT64_C(3600000000000)));
    CHECK_INT(caw_spawn_detached(serial, new_actor(&seen, UINT64_C(3600000000000))), 0);
    CHECK_INT(ended(caw_blocking(serial, seen_call, &seen, NULL)), -3);
    end_serial(serial, &seen);
    CHECK_INT(ended(join), CAW_ECANCELED);
    CHECK_INT(seen.calls, 5);
}

/* --- its thread sleeps --- */

struct sleeper {
    caw_serial *serial;
    struct seen *seen;
    caw_future *f;
};

static int
sleep_for_own_call(void *arg)
{
    const struct sleeper *s = arg;
    CHECK_INT(ended(caw_blocking(s->serial, seen_call, s->seen, seen_free)), CAW_EDEADLOCK);
    caw_future *f = pending(caw_blocking(s->serial, seen_call, s->seen, seen_free));
    CHECK_INT(ended(f), CAW_EDEADLOCK);
    f = caw_finish_at_exit(caw_blocking(s->serial, seen_call, s->seen, seen_free));
    CHECK_INT(ended(f), CAW_EDEADLOCK);
    CHECK_INT(caw_block_on_for(s->f, 1), CAW_EDEADLOCK);
    return -8;
}

static void
call_that_waits_for_a_call_of_its_own_serial_ends_with_EDEADLOCK(void)
{
    struct seen seen = {.calls = 0};
    struct sleeper s = {serial_of_capacity(&seen, 0), &seen, NULL};
    s.f = caw_blocking(s.serial, seen_call, &seen, seen_free);
    CHECK_INT(ended(caw_blocking(s.serial, sleep_for_own_call, &s, NULL)), -8);
    caw_future_destroy(s.f);
    end_serial(s.serial, &seen);
    CHECK_INT(seen.calls, 0);
    CHECK_INT(seen.freed, 4);
}

static int
sleep_for_itself(void *arg)
{
    const struct sleeper *s = arg;
    CHECK_INT(caw_block_on(s->f), CAW_EDEADLOCK);
    return -8;
}

static void
call_that_waits_for_itself_ends_with_EDEADLOCK(void)
{
    struct seen seen = {.calls = 0};
    struct sleeper s = {serial_of_capacity(&seen, 0), &seen, NULL};
    s.f = caw_blocking(s.serial, sleep_for_itself, &s, NULL);
    (void)poll_without_waker(s.f, NULL); /* it may have ended at once */
    CHECK_INT(ended(caw_blocking(s.serial, seen_call, &seen, NULL)), -3);
    caw_future_destroy(s.f);
    end_serial(s.serial, &seen);
}

static int
sleep_for_own_task_and_close(void *arg)
{
    const struct sleeper *s = arg;
    CHECK_INT(ended(caw_spawn(s->serial, new_actor(s->seen, 1))), CAW_EDEADLOCK);
    CHECK_INT(ended(caw_serial_close(s->serial)), CAW_EDEADLOCK);
    return -8;
}

static void
call_that_waits_for_a_task_or_the_close_of_its_own_serial_ends_with_EDEADLOCK(void)
{
    struct seen seen = {.calls = 0};
    struct sleeper s = {serial_of_capacity(&seen, 0), &seen, NULL};
    CHECK_INT(ended(caw_blocking(s.serial, sleep_for_own_task_and_close, &s, NULL)), -8);
    CHECK_INT(ended(caw_blocking(s.serial, seen_call, &seen, NULL)), -3); /* it was not closed */
    end_serial(s.serial, &seen);
}

static int
sleep_for_another_pool(void *arg)
{
    const struct sleeper *s = arg;
    seen_begin(s->seen);
    int status = caw_block_on(s->f);
    (void)seen_end(s->seen);
    return status;
}

static void
thread_that_sleeps_for_another_pool_is_not_replaced(void)
{
    struct gate gate = GATE, before = GATE;
    struct seen seen = {.calls = 0};
    caw_pool *pool = new_pool(1);
    struct sleeper s = {serial_of_capacity(&seen, 0), &seen, caw_blocking(pool, wait_at_gate, &gate, NULL)};
    caw_future *first = busy(s.serial, &before);
    caw_future *f = pending(caw_blocking(s.serial, sleep_for_another_pool, &s, NULL));
    caw_future *next = queued(s.serial, &seen); /* seen_begin checks that nothing else runs */
    open_gate(&before);
    wait_until_at_gate(&gate, 1);
    (void)usleep(2000);
    caw_future *last = queued(s.serial, &seen);
    (void)usleep(2000);
    CHECK_INT(seen.calls, 1);
    open_gate(&gate);
    CHECK_INT(ended(f), 0);
    CHECK(ended(next) == -3 && ended(last) == -3 && ended(first) == 0);
    caw_future_destroy(s.f);
    end_serial(s.serial, &seen);
    end_pool(pool);
}

TESTS(TEST(hundred_thousand_calls_run_in_order_on_one_thread), TEST(order_is_that_of_the_first_polls),
      TEST(thread_blocks_signals), TEST(call_cancelled_in_the_queue_never_runs_and_is_freed_once),
      TEST(running_call_that_is_cancelled_is_interrupted_once), TEST(running_call_without_interrupt_goes_on_to_its_end),
      TEST(call_to_be_finished_at_exit_is_not_interrupted),
      TEST(next_call_waits_until_the_interrupt_of_the_one_before_has_returned),
      TEST(cancel_of_a_call_that_has_ended_interrupts_nothing), TEST(cancel_and_destroy_after_each_poll_leave_nothing),
      TEST(deferred_runs_on_the_thread_also_when_there_is_no_room), TEST(spawned_future_is_polled_on_the_thread),
      TEST(close_cancels_what_was_spawned_before_at_end),
      TEST(call_that_waits_for_a_call_of_its_own_serial_ends_with_EDEADLOCK),
      TEST(call_that_waits_for_itself_ends_with_EDEADLOCK),
      TEST(call_that_waits_for_a_task_or_the_close_of_its_own_serial_ends_with_EDEADLOCK),
      TEST(thread_that_sleeps_for_another_pool_is_not_replaced))
