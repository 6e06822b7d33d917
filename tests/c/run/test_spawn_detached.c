/* test_spawn_detached.c: futures that run on a pool without a join future. */
#include "support/child.h"

static void
detached_child_runs_to_its_end_and_is_destroyed(void)
{
    caw_pool *pool = new_pool(1);
    struct child *c = new_child(&child_ops, 0);
    CHECK_INT(caw_spawn_detached(pool, &c->future), 0);
    wait_for(&c->polls, 1);
    caw_waker waker = waker_of(c);
    (void)usleep(2000);
    CHECK_INT(c->cancels, 0);
    CHECK_INT(destroyed, 0);
    c->done_at = 2;
    caw_waker_wake(waker);
    wait_for(&destroyed, 1);
    end_pool(pool);
    CHECK_INT(destroyed, 1);
}

static void
join_future_that_is_detached_leaves_the_child_running(void)
{
    caw_pool *pool = new_pool(1);
    struct child *c = new_child(&child_ops, 0);
    caw_future *join = caw_spawn(pool, &c->future);
    CHECK(poll_without_waker(join, NULL) == CAW_PENDING);
    wait_for(&c->polls, 1);
    caw_waker waker = waker_of(c);
    caw_spawn_detach(join);
    (void)usleep(2000);
    CHECK_INT(c->cancels, 0);
    CHECK_INT(destroyed, 0);
    c->done_at = 2;
    caw_waker_wake(waker);
    wait_for(&destroyed, 1);
    end_pool(pool);
}

static void
join_future_that_is_detached_when_the_child_has_ended_destroys_it(void)
{
    caw_pool *pool = new_pool(1);
    struct child *c = new_child(&child_ops, 1);
    caw_future *join = caw_spawn(pool, &c->future);
    CHECK_INT(caw_block_on(join), -7);
    CHECK_INT(destroyed, 0);
    caw_spawn_detach(join);
    end_pool(pool); /* the producer's side may be the last one */
    CHECK_INT(destroyed, 1);
    caw_spawn_detach(NULL);
}

static void
close_cancels_detached_children_and_waits_for_them(void)
{
    caw_pool *pool = new_pool(2);
    struct child *c = new_child(&child_ops, 0);
    c->cleanup = caw_sleep(5000000);
    CHECK_INT(caw_spawn_detached(pool, &c->future), 0);
    wait_for(&c->polls, 1);
    end_pool(pool);
    CHECK_INT(destroyed, 1);
    pool = new_pool(1);
    c = new_child(&deaf_child_ops, 0);
    CHECK_INT(caw_spawn_detached(pool, &c->future), 0);
    wait_for(&c->polls, 1);
    end_pool(pool);
    CHECK_INT(destroyed, 1);
}

static void
detached_child_that_a_pool_does_not_take_is_destroyed(void)
{
    caw_pool *pool = new_pool(1);
    caw_pool_close(pool);
    struct child *c = new_child(&child_ops, 1);
    CHECK_INT(caw_spawn_detached(pool, &c->future), CAW_ECLOSED);
    CHECK_INT(destroyed, 1);
    caw_pool_release(pool);
    CHECK_INT(caw_spawn_detached(NULL, NULL), CAW_EINVAL);
    CHECK(caw_spawn(NULL, NULL) == NULL);
}

static void
child_that_fails_at_once_does_not_fail_the_spawn(void)
{
    caw_pool *pool = new_pool(2);
    for (int i = 0; i < 1000; i++) {
        CHECK_INT(caw_spawn_detached(pool, caw_ready(-7)), 0);
    }
    end_pool(pool);
}

TESTS(TEST(detached_child_runs_to_its_end_and_is_destroyed),
      TEST(join_future_that_is_detached_leaves_the_child_running),
      TEST(join_future_that_is_detached_when_the_child_has_ended_destroys_it),
      TEST(close_cancels_detached_children_and_waits_for_them),
      TEST(detached_child_that_a_pool_does_not_take_is_destroyed),
      TEST(child_that_fails_at_once_does_not_fail_the_spawn))
