/* test_no_threads.c: a pool, and a serial, in a process that can start no more threads. */
#include "support/fork.h"
#include "support/nested.h"
#include "support/serial.h"
#include "support/threads.h"

#include <sys/resource.h>
#include <sys/wait.h>

enum { MANY = 24 };

static int
wait_for_open(void *open)
{
    wait_for(open, 1);
    return 0;
}

static void *
nothing(void *unused)
{
    return unused;
}

/* From now on this process starts no threads. */
static void
forbid_threads(void)
{
    if (geteuid() == 0) {
        CHECK_INT(setresuid(65534, 65534, 65534), 0); /* the limit is not for root */
    }
    struct rlimit none = {0, 0};
    CHECK_INT(setrlimit(RLIMIT_NPROC, &none), 0);
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, nothing, NULL), EAGAIN);
}

/* In a child, whose exit code says whether all went well. */
static void
in_a_child(void (*test)(void))
{
    pid_t child = fork_child();
    CHECK(child >= 0);
    if (child == 0) {
        test();
        _exit(0);
    }
    int code;
    CHECK_INT(waitpid(child, &code, 0), child);
    CHECK_INT(code, 0);
}

static void
give_to_a_pool_without_threads(void)
{
    caw_pool *pool = new_pool(2);
    struct nested n = {pool, 0};
    forbid_threads();
    caw_future *f = caw_blocking(pool, run_nested, &n, NULL);
    CHECK_INT(caw_block_on(f), -EAGAIN);
    caw_future_destroy(f);
    struct child *c = new_child(&child_ops, 1);
    CHECK_INT(caw_spawn_detached(pool, &c->future), -EAGAIN);
    CHECK_INT(destroyed, 1);
    f = caw_spawn(pool, &new_child(&child_ops, 1)->future);
    CHECK_INT(caw_block_on(f), -EAGAIN);
    caw_future_destroy(f);
    end_pool(pool);
}

static void
thread_that_cannot_be_started_is_an_error_where_none_runs(void)
{
    in_a_child(give_to_a_pool_without_threads);
}

static void
give_to_a_pool_of_one_thread(void)
{
    atomic_int open = 0;
    caw_pool *pool = new_pool(2);
    struct nested n = {pool, 0};
    caw_future *first = caw_blocking(pool, wait_for_open, &open, NULL), *f[MANY];
    CHECK(poll_without_waker(first, NULL) == CAW_PENDING);
    forbid_threads();
    for (int i = 0; i < MANY; i++) {
        f[i] = i % 2 ? caw_blocking(pool, run_nested, &n, NULL) : caw_spawn(pool, &new_child(&child_ops, 1)->future);
        CHECK(poll_without_waker(f[i], NULL) == CAW_PENDING);
    }
    open = 1;
    CHECK_INT(caw_block_on(first), 0);
    caw_future_destroy(first);
    for (int i = 0; i < MANY; i++) {
        CHECK_INT(caw_block_on(f[i]), -7);
        caw_future_destroy(f[i]);
    }
    end_pool(pool);
}

static void
thread_that_cannot_be_started_is_none_where_another_one_runs(void)
{
    in_a_child(give_to_a_pool_of_one_thread);
}

static int
nest_once_open(void *arg)
{
    struct nested *n = ((void **)arg)[0];
    wait_for(((void **)arg)[1], 1);
    return run_nested(n);
}

static void
sleep_without_a_replacement(void)
{
    atomic_int open = 0;
    caw_pool *pool = new_pool(1);
    struct nested n = {pool, 1};
    void *arg[] = {&n, &open};
    caw_future *f = caw_blocking(pool, nest_once_open, arg, NULL);
    CHECK(poll_without_waker(f, NULL) == CAW_PENDING);
    forbid_threads();
    open = 1;
    CHECK_INT(caw_block_on(f), -EAGAIN); /* of the caw_block_on in it */
    caw_future_destroy(f);
    n.depth = 0;
    f = caw_blocking(pool, run_nested, &n, NULL); /* the worker works on */
    CHECK_INT(caw_block_on(f), -7);
    caw_future_destroy(f);
    end_pool(pool);
}

static void
worker_that_cannot_be_replaced_does_not_fall_asleep(void)
{
    in_a_child(sleep_without_a_replacement);
}

/* The call sleeps, and nothing is queued; then something is given to the pool that nobody can run. */
static void
give_to_a_pool_that_sleeps(void)
{
    caw_pool *pool = new_pool(1), *other = new_pool(1);
    struct child *c = new_child(&child_ops, 2);
    struct sleeper s = {.until = caw_spawn(other, &c->future)};
    wait_for(&c->polls, 1);
    caw_future *sleeps = caw_blocking(pool, sleep_until, &s, NULL);
    CHECK(poll_without_waker(sleeps, NULL) == CAW_PENDING);
    wait_for(&s.begun, 1);
    (void)usleep(20000); /* it sleeps */
    forbid_threads();
    struct nested n = {pool, 0};
    caw_future *f = caw_blocking(pool, run_nested, &n, NULL);
    int status = caw_block_on(f);
    CHECK(status == -EAGAIN || status == -7); /* -7: it did not sleep yet */
    caw_future_destroy(f);
    caw_waker_wake(waker_of(c));
    CHECK_INT(caw_block_on(sleeps), -7);
    caw_future_destroy(sleeps);
    caw_future_destroy(s.until);
    end_pool(pool);
    end_pool(other);
}

static void
work_for_a_pool_that_sleeps_and_cannot_grow_is_refused(void)
{
    in_a_child(give_to_a_pool_that_sleeps);
}

static void
make_a_serial_without_threads(void)
{
    struct seen seen = {.calls = 0};
    caw_serial_spec spec = {.at_end = seen_at_end, .user = &seen};
    caw_serial *before = new_serial(&spec), *serial = before;
    forbid_threads();
    CHECK_INT(caw_serial_new(&spec, &serial), -EAGAIN);
    CHECK(!serial);
    CHECK_INT(seen.ends, 0);
    CHECK_INT(ended(caw_blocking(before, seen_call, &seen, NULL)), -3); /* it has its thread from the first */
    end_serial(before, &seen);
}

static void
serial_whose_thread_cannot_be_started_is_an_error_and_calls_nothing(void)
{
    in_a_child(make_a_serial_without_threads);
}

TESTS(TEST(serial_whose_thread_cannot_be_started_is_an_error_and_calls_nothing),
      TEST(thread_that_cannot_be_started_is_an_error_where_none_runs),
      TEST(thread_that_cannot_be_started_is_none_where_another_one_runs),
      TEST(worker_that_cannot_be_replaced_does_not_fall_asleep),
      TEST(work_for_a_pool_that_sleeps_and_cannot_grow_is_refused))
