/* test_failed_start.c: a thread of a pool that cannot be started, on which another one has relied when it fell asleep.
 * The source is compiled in here, with a start that fails at such a moment. */
#include "support/nested.h"

#include "core/os/thread.h"

static int start_or_fail(void *(*entry)(void *), void *argument, caw__thread *out);

#define caw__thread_start start_or_fail

/* NOLINTBEGIN: so that it uses this start */
#include "core/run/workers.c"
/* NOLINTEND */

#undef caw__thread_start

static atomic_bool fails;
static atomic_int gate; /* opens when a start from outside is under way */

static unsigned
number_of(caw_pool *pool, const unsigned *which)
{
    caw__mutex_lock(&pool->lock);
    unsigned number = *which;
    caw__mutex_unlock(&pool->lock);
    return number;
}

static void
wait_for_one(caw_pool *pool, const unsigned *which)
{
    while (number_of(pool, which) == 0) {
        (void)usleep(100);
    }
}

/* From a worker it fails at once; from outside when a worker has fallen asleep meanwhile. */
static int
start_or_fail(void *(*entry)(void *), void *argument, caw__thread *out)
{
    caw_pool *pool = argument;
    if (!fails) {
        return caw__thread_start(entry, argument, out);
    }
    if (!caw__pool_is_worker(pool)) {
        gate = 1;
        wait_for_one(pool, &pool->asleep);
    }
    return -EAGAIN;
}

static int
nothing_to_do(void *unused)
{
    (void)unused;
    return -3;
}

static int
sleep_after_the_gate(void *sleeper)
{
    struct sleeper *s = sleeper;
    s->begun = 1;
    wait_for(&gate, 1);
    return caw_block_on(s->until);
}

static int
close_after_the_gate(void *other)
{
    wait_for(&gate, 1);
    caw_pool_close(other);
    return -5;
}

static int
wait_until_open(void *open)
{
    wait_for(open, 1);
    return 0;
}

/* A task that waits for its test. */
static caw_future *
spawn_waiting(caw_pool *pool, struct child *c)
{
    caw_future *join = caw_spawn(pool, &c->future);
    CHECK(poll_without_waker(join, NULL) == CAW_PENDING);
    wait_for(&c->polls, 1);
    return join;
}

/* Begin the call on a thread that is there; no other one comes, for the task neither when the call begins. */
static void
begin_on_a_thread(caw_pool *pool, caw_future *call)
{
    wait_for_one(pool, &pool->idle);
    gate = 0;
    fails = true;
    CHECK(poll_without_waker(call, NULL) == CAW_PENDING);
    while (number_of(pool, &pool->idle) > 0) { /* else the next work waits for that thread, and no start is tried */
        (void)usleep(100);
    }
}

static void
is_refused(caw_future *f)
{
    CHECK_INT(caw_block_on(f), -EAGAIN);
    caw_future_destroy(f);
    fails = false;
}

static void
ends_with(caw_future *f, int status)
{
    CHECK_INT(caw_block_on(f), status);
    caw_future_destroy(f);
}

static void
sleeper_is_called_back_for_a_task_that_nobody_would_run(void)
{
    caw_pool *pool = new_pool(2);
    struct child *c = new_child(&child_ops, 2);
    struct sleeper s = {.until = spawn_waiting(pool, c)};
    caw_future *sleeper = caw_blocking(pool, sleep_after_the_gate, &s, NULL);
    begin_on_a_thread(pool, sleeper);
    is_refused(caw_blocking(pool, nothing_to_do, NULL, NULL));
    ends_with(sleeper, -EAGAIN); /* of the caw_block_on in it */
    caw_waker_wake(waker_of(c));
    ends_with(s.until, -7);
    end_pool(pool);
}

static void
sleeper_that_closes_another_pool_sleeps_on_and_the_next_work_tries_again(void)
{
    atomic_int open = 0;
    caw_pool *pool = new_pool(2), *other = new_pool(1);
    caw_future *held = caw_blocking(other, wait_until_open, &open, NULL);
    CHECK(poll_without_waker(held, NULL) == CAW_PENDING);
    struct child *c = new_child(&child_ops, 2);
    caw_future *task = spawn_waiting(pool, c), *sleeper = caw_blocking(pool, close_after_the_gate, other, NULL);
    begin_on_a_thread(pool, sleeper);
    is_refused(caw_blocking(pool, nothing_to_do, NULL, NULL));
    CHECK_INT(number_of(pool, &pool->asleep), 1);
    ends_with(caw_blocking(pool, nothing_to_do, NULL, NULL), -3);
    caw_waker_wake(waker_of(c));
    ends_with(task, -7);
    open = 1;
    ends_with(sleeper, -5);
    CHECK_INT(number_of(pool, &pool->asleep), 0);
    caw_future_destroy(held);
    caw_pool_release(other);
    end_pool(pool);
}

static void
sleeper_that_nothing_else_needs_sleeps_on(void)
{
    caw_pool *pool = new_pool(2), *other = new_pool(1);
    struct child *c = new_child(&child_ops, 2);
    struct sleeper s = {.until = spawn_waiting(other, c)};
    caw_future *sleeper = caw_blocking(pool, sleep_after_the_gate, &s, NULL);
    ends_with(caw_blocking(pool, nothing_to_do, NULL, NULL), -3);
    begin_on_a_thread(pool, sleeper);
    is_refused(caw_spawn(pool, &new_child(&child_ops, 1)->future));
    CHECK_INT(number_of(pool, &pool->asleep), 1);
    caw_waker_wake(waker_of(c));
    ends_with(sleeper, -7);
    caw_future_destroy(s.until);
    end_pool(pool);
    end_pool(other);
}

TESTS(TEST(sleeper_is_called_back_for_a_task_that_nobody_would_run),
      TEST(sleeper_that_closes_another_pool_sleeps_on_and_the_next_work_tries_again),
      TEST(sleeper_that_nothing_else_needs_sleeps_on))
