/* test_workers.c: workers of a pool that sleep in a call of the library. */
#include "cawait/channel.h"

#include "support/items.h"
#include "support/nested.h"
#include "support/threads.h"

#include <dirent.h>

enum { MANY = 24 };

static void
calls_that_wait_for_calls_of_their_own_pool_end(void)
{
    for (int threads = 1; threads <= 3; threads++) {
        caw_pool *pool = new_pool((unsigned)threads);
        struct nested n = {pool, 8};
        struct begun calls[MANY];
        for (int i = 0; i < MANY; i++) {
            calls[i] = begin(caw_blocking(pool, run_nested, &n, NULL));
        }
        for (int i = 0; i < MANY; i++) {
            CHECK_INT(status_of(&calls[i]), -7);
        }
        end_pool(pool);
    }
}

static void
call_may_wait_for_calls_of_a_pool_of_one_very_deep(void)
{
    caw_pool *pool = new_pool(1);
    struct nested n = {pool, 500};
    caw_future *f = caw_blocking(pool, run_nested, &n, NULL);
    CHECK_INT(caw_block_on(f), -7);
    caw_future_destroy(f);
    end_pool(pool);
}

/* A future that does the same in its poll. */
struct blocker {
    caw_future future;
    caw_pool *pool;
};

static caw_poll
blocker_poll(caw_future *f, caw_context *cx)
{
    (void)cx;
    caw_pool *pool = CAW_CONTAINER_OF(f, struct blocker, future)->pool;
    caw_future *join = caw_spawn(pool, caw_sleep(1000000));
    int status = caw_block_on(join);
    caw_future_destroy(join);
    return caw_future_finish(f, status);
}

static void
blocker_destroy(caw_future *f)
{
    free(CAW_CONTAINER_OF(f, struct blocker, future));
}

static const caw_future_ops blocker_ops = {"blocker", blocker_poll, NULL, blocker_destroy};

static void
tasks_that_wait_for_tasks_of_their_own_pool_end(void)
{
    caw_pool *pool = new_pool(1);
    caw_future *join[MANY];
    for (int i = 0; i < MANY; i++) {
        struct blocker *b = calloc(1, sizeof *b);
        CHECK(b);
        caw_future_init(&b->future, &blocker_ops);
        b->pool = pool;
        join[i] = caw_spawn(pool, &b->future);
    }
    for (int i = 0; i < MANY; i++) {
        CHECK_INT(caw_block_on(join[i]), 0);
        caw_future_destroy(join[i]);
    }
    end_pool(pool);
}

/* A call that sleeps until a task of its pool has been woken and polled again. */
struct waits_for_task {
    struct child *c;
    caw_future *join;
    atomic_int begun;
};

static int
wait_for_task(void *arg)
{
    struct waits_for_task *w = arg;
    w->begun = 1;
    return caw_block_on(w->join);
}

static void
task_that_is_woken_while_all_workers_sleep_is_polled(void)
{
    caw_pool *pool = new_pool(1);
    struct waits_for_task w = {.c = new_child(&child_ops, 2)};
    w.join = caw_spawn(pool, &w.c->future);
    wait_for(&w.c->polls, 1);
    caw_future *f = caw_blocking(pool, wait_for_task, &w, NULL);
    CHECK(poll_without_waker(f, NULL) == CAW_PENDING);
    wait_for(&w.begun, 1);
    (void)usleep(2000);
    caw_waker_wake(waker_of(w.c));
    CHECK_INT(caw_block_on(f), -7);
    caw_future_destroy(f);
    caw_future_destroy(w.join);
    end_pool(pool);
}

static int
send_one(void *arg)
{
    return caw_channel_send(arg, number_new(2));
}

static int
receive_both(void *arg)
{
    caw_next_op next;
    int status = 0;
    for (int i = 1; i <= 2 && status == 0; i++) {
        caw_next_init(&next, arg);
        status = caw_block_on(&next.future);
        CHECK_INT(number_take(next.item), i);
        next.item = NULL;
        caw_future_destroy(&next.future);
    }
    return status;
}

static void
consumer_runs_while_the_only_worker_waits_to_send(void)
{
    caw_channel_spec spec = {.capacity = 1};
    caw_stream *s;
    caw_channel *channel = channel_new(&spec, &s);
    caw_pool *pool = new_pool(1);
    CHECK_INT(caw_channel_send(channel, number_new(1)), 0);
    struct begun send = begin(caw_blocking(pool, send_one, channel, NULL));
    struct begun receive = begin(caw_blocking(pool, receive_both, s, NULL));
    CHECK_INT(status_of(&send), 0);
    CHECK_INT(status_of(&receive), 0);
    end_pool(pool);
    caw_channel_release(channel);
    caw_stream_destroy(s);
}

/* --- how many there are --- */

struct counted {
    atomic_int inside, most, open;
};

static int
count_inside(void *arg)
{
    struct counted *c = arg;
    int inside = atomic_fetch_add(&c->inside, 1) + 1;
    if (inside > c->most) {
        c->most = inside;
    }
    wait_for(&c->open, 1);
    atomic_fetch_sub(&c->inside, 1);
    return 0;
}

static void
no_more_calls_than_the_number_run_beside_one_that_sleeps(void)
{
    struct counted counted = {0};
    caw_pool *pool = new_pool(1), *other = new_pool(1);
    struct child *c = new_child(&child_ops, 2);
    struct sleeper s = {.until = caw_spawn(other, &c->future)};
    wait_for(&c->polls, 1);
    caw_future *sleeps = caw_blocking(pool, sleep_until, &s, NULL), *f[3];
    CHECK(poll_without_waker(sleeps, NULL) == CAW_PENDING);
    wait_for(&s.begun, 1);
    for (int i = 0; i < 3; i++) {
        f[i] = caw_blocking(pool, count_inside, &counted, NULL);
        CHECK(poll_without_waker(f[i], NULL) == CAW_PENDING);
    }
    wait_for(&counted.inside, 1); /* in place of the one that sleeps */
    (void)usleep(5000);
    CHECK_INT(counted.inside, 1);
    caw_waker_wake(waker_of(c));
    CHECK_INT(caw_block_on(sleeps), -7); /* it goes on without waiting for its turn */
    counted.open = 1;
    for (int i = 0; i < 3; i++) {
        CHECK_INT(caw_block_on(f[i]), 0);
        caw_future_destroy(f[i]);
    }
    CHECK_INT(counted.most, 1);
    caw_future_destroy(sleeps);
    caw_future_destroy(s.until);
    end_pool(pool);
    end_pool(other);
}

static int
threads_of_this_process(void)
{
    DIR *dir = opendir("/proc/self/task");
    CHECK(dir);
    int n = 0;
    while (readdir(dir)) {
        n++;
    }
    closedir(dir);
    return n - 2; /* "." and ".." */
}

static void
threads_that_are_too_many_end(void)
{
    int before = threads_of_this_process();
    caw_pool *pool = new_pool(2);
    struct nested n = {pool, 50};
    caw_future *f = caw_blocking(pool, run_nested, &n, NULL);
    CHECK_INT(caw_block_on(f), -7);
    caw_future_destroy(f);
    while (threads_of_this_process() > before + 2) {
        (void)usleep(1000);
    }
    f = caw_blocking(pool, run_nested, &n, NULL); /* the pool is as it was */
    CHECK_INT(caw_block_on(f), -7);
    caw_future_destroy(f);
    end_pool(pool);
    while (threads_of_this_process() > before) { /* the kernel takes a while to forget those that have ended */
        (void)usleep(1000);
    }
}

/* --- closing --- */

static int
close_pool(void *pool)
{
    caw_pool_close(pool);
    return -7;
}

static void
worker_that_closes_its_own_pool_does_not_wait_for_itself(void)
{
    caw_pool *pool = new_pool(1);
    caw_future *f = caw_blocking(pool, close_pool, pool, NULL);
    CHECK_INT(caw_block_on(f), -7);
    caw_future_destroy(f);
    f = caw_blocking(pool, close_pool, pool, NULL);
    CHECK_INT(caw_block_on(f), CAW_ECLOSED);
    caw_future_destroy(f);
    end_pool(pool); /* closes it once more */
}

/* A call of one pool that closes another one, whose call waits for a second call of the first pool. */
struct two_pools {
    caw_pool *closes, *closed;
    atomic_int begun;
};

static int
need_the_closer(void *arg)
{
    struct two_pools *two = arg;
    two->begun = 1;
    (void)usleep(2000); /* so that the close has begun, most times */
    struct nested n = {two->closes, 0};
    caw_future *f = caw_blocking(two->closes, run_nested, &n, NULL);
    int status = caw_block_on(f);
    caw_future_destroy(f);
    return status;
}

static int
close_the_other(void *arg)
{
    struct two_pools *two = arg;
    wait_for(&two->begun, 1);
    caw_pool_close(two->closed);
    return 0;
}

static void
worker_that_closes_another_pool_is_replaced(void)
{
    struct two_pools two = {.closes = new_pool(1), .closed = new_pool(1)};
    struct begun call = begin(caw_blocking(two.closed, need_the_closer, &two, NULL));
    struct begun closes = begin(caw_blocking(two.closes, close_the_other, &two, NULL));
    CHECK_INT(status_of(&closes), 0);
    CHECK_INT(status_of(&call), -7);
    end_pool(two.closed);
    end_pool(two.closes);
}

static void
pool_that_closes_while_its_workers_sleep_ends(void)
{
    for (int i = 0; i < 50; i++) {
        caw_pool *pool = new_pool(1);
        struct nested n = {pool, 5};
        struct begun calls[4];
        for (int k = 0; k < 4; k++) {
            calls[k] = begin(caw_blocking(pool, run_nested, &n, NULL));
        }
        (void)usleep((useconds_t)i * 20);
        if (i % 2) {
            caw_pool_close(pool);
        }
        caw_pool_release(pool);
        for (int k = 0; k < 4; k++) {
            int status = status_of(&calls[k]);
            CHECK(status == -7 || status == CAW_ECANCELED || status == CAW_ECLOSED);
        }
    }
}

TESTS(TEST(calls_that_wait_for_calls_of_their_own_pool_end), TEST(call_may_wait_for_calls_of_a_pool_of_one_very_deep),
      TEST(tasks_that_wait_for_tasks_of_their_own_pool_end), TEST(task_that_is_woken_while_all_workers_sleep_is_polled),
      TEST(consumer_runs_while_the_only_worker_waits_to_send),
      TEST(no_more_calls_than_the_number_run_beside_one_that_sleeps), TEST(threads_that_are_too_many_end),
      TEST(worker_that_closes_its_own_pool_does_not_wait_for_itself), TEST(worker_that_closes_another_pool_is_replaced),
      TEST(pool_that_closes_while_its_workers_sleep_ends))
