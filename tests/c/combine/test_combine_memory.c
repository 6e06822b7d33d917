/* test_combine_memory.c: each allocation of the combined futures and of a group fails once. Their sources are compiled
 * in here, with an allocator that fails on demand. */
#include "support/probe.h"

#include "cawait/testing_tools.h"

#include <pthread.h>

#define malloc  caw_test_malloc
#define calloc  caw_test_calloc
#define realloc caw_test_realloc

/* NOLINTBEGIN: so that they use this allocator */
#include "core/combine/all.c"
#include "core/combine/combined.c"
#include "core/combine/group.c"
#include "core/combine/group_member.c"
#include "core/combine/group_room.c"
#include "core/combine/many.c"
#include "core/combine/then.c"
#include "core/combine/timeout.c"
#include "core/reactor/sleep.c"
/* NOLINTEND */

#undef malloc
#undef calloc
#undef realloc

static int user_frees;

static void
free_user(void *user)
{
    (void)user;
    user_frees++;
}

static caw_future *
next_probe(void *user, caw_future *done)
{
    (void)done;
    return caw_timeout(5, probe_init(user, "0"));
}

static int
keep_status(void *user, caw_future *done)
{
    (void)user;
    return done->status;
}

static caw_future *
make_probe(void *user)
{
    return caw_shield(probe_init(user, "0"));
}

static void
combined_futures_that_run_out_of_memory_leave_nothing_behind(void)
{
    counter c = {0, 0};
    int failures = 0;
    for (unsigned n = 1; n == 1 || caw_test_allocation_failed(); n++) {
        probe p[6];
        memset(p, 0, sizeof p);
        user_frees = 0;
        caw_test_fail_allocation(n);
        caw_future *f = caw_all(caw_race(probe_init(&p[0], "0"), probe_init(&p[1], "p")),
                                caw_timeout(7, probe_init(&p[2], "0")), caw_deadline(7, probe_init(&p[3], "0")),
                                caw_map(caw_lazy(make_probe, &p[4], free_user), keep_status, NULL, free_user));
        f = caw_any(caw_then(caw_shield(f), next_probe, &p[5], free_user));
        if (f) {
            CHECK_INT(status_of(f, &c), caw_test_allocation_failed() ? CAW_ENOMEM : 0);
        }
        else {
            CHECK(caw_test_allocation_failed());
        }
        failures += caw_test_allocation_failed();
        end_future(f, &c);
        CHECK_INT(user_frees, 3);
        for (int i = 0; i < 6; i++) {
            CHECK_INT(p[i].destroys, p[i].future.ops != NULL);
        }
    }
    CHECK_INT(failures, 14); /* 8 futures, 2 sleeps and the shield outside; inside shield, timeout and sleep */
    caw_test_fail_allocation(0);
}

static void
group_that_runs_out_of_memory_leaves_nothing_behind(void)
{
    counter c = {0, 0};
    int failures = 0;
    for (unsigned n = 1; n == 1 || caw_test_allocation_failed(); n++) {
        probe p[3];
        caw_group *group;
        caw_future *f;
        user_frees = 0;
        memset(p, 0, sizeof p);
        caw_test_fail_allocation(n);
        caw_group_spec spec = {.limit = 1, .free = free_user};
        int error = caw_group_new(&spec, &group, &f);
        CHECK_INT(error, n == 1 ? CAW_ENOMEM : 0);
        if (error) {
            failures++;
            CHECK(!group && !f);
            CHECK_INT(user_frees, 1);
            continue;
        }
        CHECK_INT(caw_group_add_body(caw_group_retain(group), probe_init(&p[0], "0")), n == 2 ? CAW_ENOMEM : 0);
        CHECK_INT(caw_group_add(group, probe_init(&p[1], "0")), n == 3 ? CAW_ENOMEM : 0);
        CHECK_INT(caw_group_add(group, probe_init(&p[2], "0")), n == 4 ? CAW_ENOMEM : 0);
        caw_future *room = caw_group_room(group);
        CHECK_INT(room == NULL, n == 5);
        caw_group_release(group); /* that of the body has gone, or goes with it */
        CHECK_INT(status_of(f, &c), 0);
        caw_future_destroy(room);
        end_future(f, &c);
        CHECK_INT(user_frees, 1);
        failures += caw_test_allocation_failed();
        probes_are_destroyed(p, 3);
    }
    CHECK_INT(failures, 5);
    caw_test_fail_allocation(0);
}

static void
group_without_a_free_function_may_fail_too(void)
{
    caw_group *group;
    caw_future *f;
    caw_group_spec spec = {.limit = 0};
    caw_test_fail_allocation(1);
    CHECK_INT(caw_group_new(&spec, &group, &f), CAW_ENOMEM);
    caw_test_fail_allocation(0);
}

TESTS(TEST(combined_futures_that_run_out_of_memory_leave_nothing_behind),
      TEST(group_that_runs_out_of_memory_leaves_nothing_behind), TEST(group_without_a_free_function_may_fail_too))
