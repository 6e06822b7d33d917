/* test_pool.c: calls on worker threads. */
#include "support/gate.h"
#include "support/place.h"
#include "support/threads.h"

#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

static atomic_int freed;

static void
count_free(void *arg)
{
    (void)arg;
    atomic_fetch_add(&freed, 1);
}

static int
add_one(void *arg)
{
    ++*(int *)arg;
    return -3;
}

static void
call_runs_on_another_thread_and_its_value_is_the_status(void)
{
    int value = 41;
    caw_pool *pool = new_pool(1);
    caw_future *f = caw_blocking(pool, add_one, &value, count_free);
    CHECK(f && caw_blocking_arg(f) == &value);
    freed = 0;
    CHECK_INT(value, 41); /* nothing before the first poll */
    CHECK_INT(caw_block_on(f), -3);
    CHECK_INT(value, 42);
    caw_future_destroy(f);
    end_pool(pool);
    CHECK_INT(freed, 1);
}

static void
call_never_polled_is_never_run_but_freed(void)
{
    int value = 0;
    caw_pool *pool = new_pool(1);
    caw_future *f = caw_blocking(pool, add_one, &value, count_free);
    freed = 0;
    caw_future_destroy(f);
    CHECK_INT(freed, 1);
    CHECK_INT(value, 0);
    end_pool(pool);
}

static int
pending_signals_are_blocked(void *arg)
{
    sigset_t mask;
    (void)arg;
    CHECK_INT(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
    return sigismember(&mask, SIGINT) && sigismember(&mask, SIGTERM) && sigismember(&mask, SIGALRM) &&
                   !sigismember(&mask, SIGSEGV)
               ? 0
               : -1;
}

static void
workers_block_signals(void)
{
    caw_pool *pool = new_pool(1);
    caw_future *f = caw_blocking(pool, pending_signals_are_blocked, NULL, NULL);
    CHECK_INT(caw_block_on(f), 0);
    caw_future_destroy(f);
    sigset_t mask;
    CHECK_INT(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
    CHECK(!sigismember(&mask, SIGINT)); /* the starter's own mask is as before */
    end_pool(pool);
}

static void
calls_run_side_by_side_up_to_the_number_of_threads(void)
{
    enum { THREADS = 3, CALLS = 5 };
    struct gate gate = GATE;
    caw_pool *pool = new_pool(THREADS);
    caw_future *f[CALLS];
    for (int i = 0; i < CALLS; i++) {
        f[i] = caw_blocking(pool, wait_at_gate, &gate, NULL);
        CHECK(poll_without_waker(f[i], NULL) == CAW_PENDING);
    }
    wait_until_at_gate(&gate, THREADS);
    (void)usleep(5000);
    pthread_mutex_lock(&gate.lock);
    CHECK_INT(gate.waiting, THREADS);
    pthread_mutex_unlock(&gate.lock);
    open_gate(&gate);
    for (int i = 0; i < CALLS; i++) {
        CHECK_INT(caw_block_on(f[i]), 0);
        caw_future_destroy(f[i]);
    }
    end_pool(pool);
}

static void
call_cancelled_in_the_queue_never_runs(void)
{
    struct gate gate = GATE;
    counter c = {0, 0};
    int value = 0;
    caw_pool *pool = new_pool(1);
    caw_future *busy = caw_blocking(pool, wait_at_gate, &gate, NULL), *f = caw_blocking(pool, add_one, &value, NULL);
    CHECK(poll_without_waker(busy, NULL) == CAW_PENDING);
    CHECK(poll_at(f, NULL, &c) == CAW_PENDING);
    caw_future_cancel(f);
    CHECK_INT(c.wakes, 1);
    CHECK_INT(status_at(f, NULL, &c), CAW_ECANCELED);
    caw_future_destroy(f);
    open_gate(&gate);
    CHECK_INT(caw_block_on(busy), 0);
    caw_future_destroy(busy);
    end_pool(pool);
    CHECK_INT(value, 0);
}

/* A call that runs until it is cancelled. */
struct patient {
    caw_work work;
    atomic_bool runs;
};

static int
run_until_cancelled(caw_work *w)
{
    struct patient *p = CAW_CONTAINER_OF(w, struct patient, work);
    p->runs = true;
    while (!caw_work_cancelled(w)) {
        (void)usleep(100);
    }
    return -9;
}

static void
free_patient(caw_work *w)
{
    free(CAW_CONTAINER_OF(w, struct patient, work));
    atomic_fetch_add(&freed, 1);
}

static struct patient *
start_patient(caw_pool *pool)
{
    struct patient *p = calloc(1, sizeof *p);
    CHECK(p);
    caw_work_init(&p->work, pool, run_until_cancelled, free_patient);
    CHECK(poll_without_waker(&p->work.promise.future, NULL) == CAW_PENDING);
    while (!p->runs) {
        (void)usleep(100);
    }
    return p;
}

static void
running_call_sees_that_it_was_cancelled_dropped_or_closed(void)
{
    caw_pool *pool = new_pool(2);
    freed = 0;
    struct patient *p = start_patient(pool);
    caw_future_cancel(&p->work.promise.future);
    CHECK_INT(caw_block_on(&p->work.promise.future), -9); /* the call's own result */
    caw_future_destroy(&p->work.promise.future);
    p = start_patient(pool);
    caw_future_destroy(&p->work.promise.future);
    while (freed < 2) {
        (void)usleep(100);
    }
    p = start_patient(pool);
    caw_pool_close(pool);
    CHECK_INT(caw_block_on(&p->work.promise.future), -9);
    caw_future_destroy(&p->work.promise.future);
    CHECK_INT(freed, 3);
    caw_pool_release(pool);
}

static void *
open_after_a_while(void *user)
{
    (void)usleep(10000);
    open_gate(user);
    return NULL;
}

static void
close_cancels_the_queue_and_waits_for_what_runs(void)
{
    enum { QUEUED = 10 };
    struct gate gate = GATE;
    counter c = {0, 0};
    int value = 0;
    caw_pool *pool = new_pool(1);
    caw_future *busy = caw_blocking(pool, wait_at_gate, &gate, NULL), *f[QUEUED];
    CHECK(poll_at(busy, NULL, &c) == CAW_PENDING);
    wait_until_at_gate(&gate, 1);
    for (int i = 0; i < QUEUED; i++) {
        f[i] = caw_blocking(pool, add_one, &value, NULL);
        CHECK(poll_at(f[i], NULL, &c) == CAW_PENDING);
    }
    pthread_t opener = start_thread(open_after_a_while, &gate);
    caw_pool_close(pool);
    caw_pool_close(pool);
    CHECK_INT(c.wakes, QUEUED + 1);
    CHECK_INT(status_at(busy, NULL, &c), 0);
    for (int i = 0; i < QUEUED; i++) {
        CHECK_INT(status_at(f[i], NULL, &c), CAW_ECANCELED);
        caw_future_destroy(f[i]);
    }
    CHECK_INT(value, 0);
    caw_future_destroy(busy);
    join_thread(opener);
    caw_pool_release(pool);
}

static void
work_for_a_closed_pool_ends_with_ECLOSED(void)
{
    int value = 0;
    caw_pool *pool = new_pool(1);
    caw_future *f = caw_blocking(pool, add_one, &value, NULL);
    end_pool(pool); /* the call keeps the pool's memory alive */
    CHECK_INT(caw_block_on(f), CAW_ECLOSED);
    caw_future_destroy(f);
    CHECK_INT(value, 0);
}

static void
release_cancels_the_queue_and_does_not_wait(void)
{
    struct gate gate = GATE;
    int value = 0;
    caw_pool *pool = new_pool(1);
    caw_future *busy = caw_blocking(pool, wait_at_gate, &gate, NULL), *f = caw_blocking(pool, add_one, &value, NULL);
    CHECK(poll_without_waker(busy, NULL) == CAW_PENDING);
    CHECK(poll_without_waker(f, NULL) == CAW_PENDING);
    wait_until_at_gate(&gate, 1);
    CHECK(caw_pool_retain(pool) == pool);
    caw_pool_release(pool);
    caw_pool_release(pool);
    CHECK_INT(caw_block_on(f), CAW_ECANCELED);
    open_gate(&gate);
    CHECK_INT(caw_block_on(busy), 0);
    caw_future_destroy(busy);
    caw_future_destroy(f);
    CHECK_INT(value, 0);
}

static void *
close_it(void *user)
{
    caw_pool_close(user);
    return NULL;
}

static void
close_on_two_threads_waits_on_both(void)
{
    for (int i = 0; i < 100; i++) {
        caw_pool *pool = new_pool(2);
        struct patient *p = start_patient(pool);
        pthread_t thread = start_thread(close_it, pool);
        caw_pool_close(pool);
        CHECK(poll_without_waker(&p->work.promise.future, NULL) == CAW_READY);
        caw_future_destroy(&p->work.promise.future);
        join_thread(thread);
        caw_pool_release(pool);
    }
}

static int
give_zero(void *arg)
{
    (void)arg;
    return 0;
}

/* One of several threads that poll, cancel and destroy calls as fast as they can. */
static void *
make_calls(void *user)
{
    caw_pool *pool = user;
    counter c = {0, 0};
    for (int i = 0; i < 20000; i++) {
        caw_future *f = caw_blocking(pool, give_zero, NULL, NULL);
        CHECK(f);
        (void)poll_at(f, NULL, &c);
        if (i % 3 == 1) {
            caw_future_cancel(f);
        }
        if (i % 3 == 2) {
            int status = caw_block_on(f);
            CHECK(status == 0 || status == CAW_ECANCELED || status == CAW_ECLOSED);
        }
        caw_future_destroy(f);
    }
    while (c.references > 0) {
        (void)usleep(100);
    }
    return NULL;
}

static void
four_threads_of_calls_all_end_also_when_the_pool_closes(void)
{
    for (int round = 0; round < 2; round++) {
        caw_pool *pool = new_pool(3);
        pthread_t threads[4];
        start_threads(threads, 4, make_calls, pool);
        if (round == 1) {
            (void)usleep(20000);
            caw_pool_close(pool);
        }
        join_threads(threads, 4);
        end_pool(pool);
    }
}

static void
default_pool_is_one_and_is_used_for_NULL(void)
{
    int value = 0;
    caw_pool *pool = caw_pool_default();
    CHECK(pool && pool == caw_pool_default());
    caw_future *f = caw_blocking(NULL, add_one, &value, NULL);
    CHECK_INT(caw_block_on(f), -3);
    CHECK_INT(value, 1);
    caw_future_destroy(f);
}

TESTS(TEST(call_runs_on_another_thread_and_its_value_is_the_status), TEST(call_never_polled_is_never_run_but_freed),
      TEST(workers_block_signals), TEST(calls_run_side_by_side_up_to_the_number_of_threads),
      TEST(call_cancelled_in_the_queue_never_runs), TEST(running_call_sees_that_it_was_cancelled_dropped_or_closed),
      TEST(close_cancels_the_queue_and_waits_for_what_runs), TEST(work_for_a_closed_pool_ends_with_ECLOSED),
      TEST(release_cancels_the_queue_and_does_not_wait), TEST(close_on_two_threads_waits_on_both),
      TEST(four_threads_of_calls_all_end_also_when_the_pool_closes), TEST(default_pool_is_one_and_is_used_for_NULL))
