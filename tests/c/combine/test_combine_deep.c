/* test_combine_deep.c: many combined futures inside each other are cancelled and destroyed by a thread with a small
 * stack. */
#include "support/probe.h"

#include <pthread.h>

enum { DEPTH = 100000, POLLED_DEPTH = 3000, STACK = 256 * 1024, KINDS = 8 };

static probe innermost;
static int user_frees, user_frees_too_early;

static void
free_user(void *user)
{
    (void)user;
    user_frees++;
    user_frees_too_early += innermost.destroys == 0;
}

static caw_future *
no_second(void *user, caw_future *done)
{
    (void)user;
    (void)done;
    return NULL;
}

static int
keep_status(void *user, caw_future *done)
{
    (void)user;
    return done->status;
}

static caw_future *
in_a_group(caw_future *f)
{
    caw_group *group;
    caw_future *all;
    caw_group_spec spec = {.free = free_user};
    CHECK_INT(caw_group_new(&spec, &group, &all), 0);
    CHECK_INT(caw_group_add_body(group, f), 0);
    return all;
}

static caw_future *
around(int kind, caw_future *f)
{
    switch (kind) {
    case 0:
        return caw_all(f);
    case 1:
        return caw_race(f);
    case 2:
        return caw_any(f);
    case 3:
        return caw_timeout(1, f);
    case 4:
        return caw_deadline(1, f);
    case 5:
        return caw_then(f, no_second, NULL, free_user);
    case 6:
        return caw_map(f, keep_status, NULL, free_user);
    default:
        return in_a_group(f);
    }
}

static void *
cancel_and_destroy(void *f)
{
    caw_future_cancel(f);
    caw_future_destroy(f);
    return NULL;
}

static void *
destroy(void *f)
{
    caw_future_destroy(f);
    return NULL;
}

static void
in_a_small_stack(void *(*entry)(void *), caw_future *f)
{
    pthread_attr_t attributes;
    pthread_t thread;
    CHECK_INT(pthread_attr_init(&attributes), 0);
    CHECK_INT(pthread_attr_setstacksize(&attributes, STACK), 0);
    CHECK_INT(pthread_create(&thread, &attributes, entry, f), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(pthread_attr_destroy(&attributes), 0);
}

/* A group asks its members when it polls them first: without it the cancel goes through at once. */
static void
stop_deep_futures(int kinds)
{
    for (int cancels = 0; cancels < 2; cancels++) {
        user_frees = user_frees_too_early = 0;
        caw_future *f = probe_init(&innermost, "p");
        int with_user = 0;
        for (int i = 0; i < DEPTH; i++) {
            int kind = i % kinds;
            with_user += kind >= 5;
            f = around(kind, f);
            CHECK(f);
        }
        in_a_small_stack(cancels ? cancel_and_destroy : destroy, f);
        CHECK_INT(innermost.cancels, cancels && kinds < KINDS);
        CHECK_INT(innermost.destroys, 1);
        CHECK_INT(user_frees, with_user);
        CHECK_INT(user_frees_too_early, 0);
    }
}

static void
futures_inside_each_other_are_destroyed_in_a_small_stack_from_within(void)
{
    stop_deep_futures(KINDS - 1);
}

static void
groups_among_them_are_destroyed_in_a_small_stack(void)
{
    stop_deep_futures(KINDS);
}

static caw_future *
give_user(void *user, caw_future *done)
{
    (void)done;
    return user;
}

/* A poll does go through all of them. */
static void
seconds_inside_each_other_are_destroyed_in_a_small_stack(void)
{
    counter c = {0, 0};
    caw_future *f = probe_init(&innermost, "p");
    for (int i = 0; i < POLLED_DEPTH; i++) {
        f = caw_then(caw_ready(0), give_user, f, NULL);
        CHECK(f);
    }
    CHECK(is_pending(f, &c));
    in_a_small_stack(destroy, f);
    CHECK_INT(innermost.destroys, 1);
    CHECK_INT(c.references, 0);
}

TESTS(TEST(futures_inside_each_other_are_destroyed_in_a_small_stack_from_within),
      TEST(groups_among_them_are_destroyed_in_a_small_stack),
      TEST(seconds_inside_each_other_are_destroyed_in_a_small_stack))
