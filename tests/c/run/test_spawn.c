/* test_spawn.c: futures that run on a pool. */
#include "support/child.h"
#include "support/fds.h"
#include "support/threads.h"

/* The join future of the child, which has been polled. */
static caw_future *
spawn_and_wait(caw_pool *pool, struct child *c)
{
    caw_future *join = caw_spawn(pool, &c->future);
    wait_for(&c->polls, 1);
    return join;
}

static void
child_runs_without_a_poll_of_the_join_future(void)
{
    caw_pool *pool = new_pool(1);
    struct child *c = new_child(&child_ops, 1);
    caw_future *join = spawn_and_wait(pool, c);
    CHECK_INT(caw_block_on(join), -7);
    CHECK(caw_spawn_child(join) == &c->future);
    CHECK_INT(caw_spawn_child(join)->status, -7);
    CHECK_INT(c->cancels, 0);
    caw_future_destroy(join);
    CHECK_INT(destroyed, 1);
    end_pool(pool);
}

static void
timers_and_fds_work_on_a_pool(void)
{
    int fds[2];
    make_pipe(fds, 0);
    caw_pool *pool = new_pool(2);
    uint64_t start = caw_now_ns();
    caw_future *sleep = caw_spawn(pool, caw_sleep(5000000)), *read = caw_spawn(pool, caw_readable(fds[0]));
    CHECK_INT(caw_block_on(sleep), 0);
    CHECK(caw_now_ns() - start >= 5000000);
    CHECK_INT(write(fds[1], "x", 1), 1);
    CHECK_INT(caw_block_on(read), 0);
    caw_future_destroy(sleep);
    caw_future_destroy(read);
    end_pool(pool);
    close_both(fds);
}

static void
wake_during_the_poll_is_not_lost(void)
{
    caw_pool *pool = new_pool(2);
    struct child *c = new_child(&child_ops, 20000);
    c->wakes_itself = true;
    caw_future *join = caw_spawn(pool, &c->future);
    CHECK_INT(caw_block_on(join), -7);
    CHECK_INT(c->polls, 20000);
    caw_future_destroy(join);
    end_pool(pool);
}

enum { WAKERS = 4, WAKES = 100000 };

struct wake_many {
    caw_waker waker;
    atomic_int *written;
};

static void *
wake_many(void *user)
{
    struct wake_many *w = user;
    for (int i = 0; i < WAKES; i++) {
        atomic_fetch_add_explicit(w->written, 1, memory_order_relaxed);
        caw_waker_wake_by_ref(w->waker);
    }
    caw_waker_drop(w->waker);
    return NULL;
}

/* A future that is ready once all that the wakers wrote is visible. */
struct reader {
    caw_future future;
    caw_waker waker;
    atomic_int has_waker, written;
};

static caw_poll
reader_poll(caw_future *f, caw_context *cx)
{
    struct reader *r = CAW_CONTAINER_OF(f, struct reader, future);
    if (!r->has_waker) {
        r->waker = caw_waker_clone(cx->waker);
        r->has_waker = 1;
    }
    if (atomic_load_explicit(&r->written, memory_order_relaxed) < WAKERS * WAKES) {
        return CAW_PENDING;
    }
    return caw_future_finish(f, 0);
}

static void
reader_destroy(caw_future *f)
{
    free(CAW_CONTAINER_OF(f, struct reader, future));
}

static const caw_future_ops reader_ops = {"reader", reader_poll, NULL, reader_destroy};

static void
poll_after_the_last_of_many_wakes_sees_all(void)
{
    caw_pool *pool = new_pool(2);
    struct reader *r = calloc(1, sizeof *r);
    CHECK(r);
    r->future.ops = &reader_ops;
    caw_future *join = caw_spawn(pool, &r->future);
    struct wake_many w[WAKERS];
    pthread_t threads[WAKERS];
    wait_for(&r->has_waker, 1);
    for (int i = 0; i < WAKERS; i++) {
        w[i] = (struct wake_many){caw_waker_clone(r->waker), &r->written};
        threads[i] = start_thread(wake_many, &w[i]);
    }
    CHECK_INT(caw_block_on(join), 0); /* a lost wake hangs here */
    join_threads(threads, WAKERS);
    caw_waker_drop(r->waker);
    caw_future_destroy(join);
    end_pool(pool);
}

/* A future that sleeps until it is woken; then its poll returns only when two such polls run at the same time. */
static atomic_int met;

static caw_poll
meeter_poll(caw_future *f, caw_context *cx)
{
    struct reader *r = CAW_CONTAINER_OF(f, struct reader, future);
    if (!r->has_waker) {
        r->waker = caw_waker_clone(cx->waker);
        r->has_waker = 1;
        return CAW_PENDING;
    }
    atomic_fetch_add(&met, 1);
    wait_for(&met, 2);
    return caw_future_finish(f, 0);
}

static const caw_future_ops meeter_ops = {"meeter", meeter_poll, NULL, reader_destroy};

static void
children_woken_together_run_side_by_side(void)
{
    caw_pool *pool = new_pool(2);
    struct reader *r[2];
    caw_future *join[2];
    met = 0;
    for (int i = 0; i < 2; i++) { /* one worker is enough for these first polls */
        r[i] = calloc(1, sizeof *r[i]);
        CHECK(r[i]);
        r[i]->future.ops = &meeter_ops;
        join[i] = caw_spawn(pool, &r[i]->future);
        wait_for(&r[i]->has_waker, 1);
        (void)usleep(2000);
    }
    for (int i = 0; i < 2; i++) {
        caw_waker_wake(r[i]->waker);
    }
    for (int i = 0; i < 2; i++) {
        CHECK_INT(caw_block_on(join[i]), 0);
        caw_future_destroy(join[i]);
    }
    end_pool(pool);
}

static void
wake_after_the_end_of_child_and_pool_is_harmless(void)
{
    caw_pool *pool = new_pool(1);
    struct child *c = new_child(&child_ops, 1);
    caw_future *join = caw_spawn(pool, &c->future);
    CHECK_INT(caw_block_on(join), -7);
    caw_waker waker = waker_of(c);
    caw_waker_wake_by_ref(waker);
    caw_future_destroy(join);
    CHECK_INT(destroyed, 1);
    end_pool(pool);
    caw_waker_wake_by_ref(waker);
    caw_waker_wake(waker); /* the last reference to the task and to the pool's memory */
}

static void
cancel_of_the_join_future_asks_the_child_once(void)
{
    caw_pool *pool = new_pool(1);
    struct child *c = new_child(&child_ops, 0);
    c->cleanup = caw_sleep(3000000);
    caw_future *join = spawn_and_wait(pool, c);
    caw_future_cancel(join);
    CHECK_INT(caw_block_on(join), CAW_ECANCELED);
    CHECK_INT(c->cancels, 1);
    caw_future_destroy(join);
    caw_future *never = caw_spawn(pool, caw_sleep(UINT64_MAX));
    caw_future_cancel(never);
    CHECK_INT(caw_block_on(never), CAW_ECANCELED);
    caw_future_destroy(never);
    end_pool(pool);
}

static void
join_future_destroyed_asks_the_child_and_leaves_it_to_finish(void)
{
    caw_pool *pool = new_pool(1);
    struct child *c = new_child(&child_ops, 0);
    c->cleanup = caw_sleep(3000000);
    caw_future *join = spawn_and_wait(pool, c);
    caw_future_destroy(join);
    wait_for(&destroyed, 1);
    c = new_child(&deaf_child_ops, 3);
    join = spawn_and_wait(pool, c);
    caw_waker waker = waker_of(c);
    caw_future_destroy(join);
    while (destroyed == 0) {
        (void)usleep(100);
        caw_waker_wake_by_ref(waker);
    }
    caw_waker_drop(waker);
    end_pool(pool);
}

static void
close_waits_for_the_cleanup_of_children_that_can_be_asked(void)
{
    caw_pool *pool = new_pool(2);
    struct child *c = new_child(&child_ops, 0);
    c->cleanup = caw_sleep(5000000); /* the reactor still turns */
    caw_future *join = spawn_and_wait(pool, c);
    caw_pool_close(pool);
    CHECK_INT(c->cancels, 1);
    CHECK(poll_without_waker(join, NULL) == CAW_READY);
    CHECK_INT(join->status, CAW_ECANCELED);
    caw_future_destroy(join);
    CHECK_INT(destroyed, 1);
    caw_pool_release(pool);
}

static void
close_gives_up_a_child_that_nobody_can_ask(void)
{
    caw_pool *pool = new_pool(2);
    struct child *c = new_child(&deaf_child_ops, 0);
    caw_future *join = spawn_and_wait(pool, c);
    end_pool(pool);
    CHECK_INT(caw_block_on(join), CAW_ECANCELED);
    CHECK_INT(destroyed, 0);
    caw_future_destroy(join);
    CHECK_INT(destroyed, 1);
}

static void
last_release_cancels_and_does_not_wait(void)
{
    caw_pool *pool = new_pool(2);
    struct child *c = new_child(&child_ops, 0);
    c->cleanup = caw_sleep(5000000);
    caw_future *join = spawn_and_wait(pool, c);
    caw_pool_release(pool);
    CHECK_INT(caw_block_on(join), CAW_ECANCELED);
    caw_future_destroy(join);
}

static void
spawn_on_a_closed_pool_ends_with_ECLOSED(void)
{
    caw_pool *pool = new_pool(1);
    caw_pool_close(pool);
    struct child *c = new_child(&child_ops, 1);
    caw_future *join = caw_spawn(pool, &c->future);
    caw_pool_release(pool);
    CHECK_INT(caw_block_on(join), CAW_ECLOSED);
    CHECK(caw_spawn_child(join) == &c->future);
    caw_future_cancel(join);
    caw_future_destroy(join);
    CHECK_INT(destroyed, 1);
}

static void
ten_thousand_sleeps_on_a_pool_all_end(void)
{
    enum { N = 10000 };
    caw_pool *pool = new_pool(3);
    caw_future **join = calloc(N, sizeof *join);
    CHECK(join);
    for (unsigned i = 0; i < N; i++) {
        join[i] = caw_spawn(pool, caw_sleep((uint64_t)(i * 2654435761u % 5000000u)));
        CHECK(join[i]);
    }
    for (int i = 0; i < N; i++) {
        if (i % 3 == 0) {
            caw_future_cancel(join[i]);
        }
        if (i % 3 != 1) {
            int status = caw_block_on(join[i]);
            CHECK(status == 0 || (i % 3 == 0 && status == CAW_ECANCELED));
        }
        caw_future_destroy(join[i]);
    }
    free(join);
    end_pool(pool);
}

static void *
spawn_many(void *user)
{
    for (int i = 0; i < 3000; i++) {
        caw_future *join = caw_spawn(user, caw_sleep((uint64_t)(i % 50) * 1000));
        CHECK(join);
        if (i % 4 == 0) {
            int status = caw_block_on(join);
            CHECK(status == 0 || status == CAW_ECANCELED || status == CAW_ECLOSED);
        }
        caw_future_destroy(join);
    }
    return NULL;
}

static void
pool_closed_among_spawns_leaves_nothing_behind(void)
{
    for (int round = 0; round < 3; round++) {
        caw_pool *pool = new_pool(3);
        pthread_t threads[3];
        start_threads(threads, 3, spawn_many, pool);
        (void)usleep(20000);
        caw_pool_close(pool);
        join_threads(threads, 3);
        caw_pool_release(pool);
    }
}

TESTS(TEST(child_runs_without_a_poll_of_the_join_future), TEST(timers_and_fds_work_on_a_pool),
      TEST(wake_during_the_poll_is_not_lost), TEST(poll_after_the_last_of_many_wakes_sees_all),
      TEST(children_woken_together_run_side_by_side), TEST(wake_after_the_end_of_child_and_pool_is_harmless),
      TEST(cancel_of_the_join_future_asks_the_child_once),
      TEST(join_future_destroyed_asks_the_child_and_leaves_it_to_finish),
      TEST(close_waits_for_the_cleanup_of_children_that_can_be_asked), TEST(close_gives_up_a_child_that_nobody_can_ask),
      TEST(last_release_cancels_and_does_not_wait), TEST(spawn_on_a_closed_pool_ends_with_ECLOSED),

      TEST(ten_thousand_sleeps_on_a_pool_all_end), TEST(pool_closed_among_spawns_leaves_nothing_behind))
