/* test_combine_fork.c: combined futures and groups of the parent, in the child of a fork(). A child's exit code is 0 if
 * all went well; a child that hangs is killed by SIGALRM. */
#include "support/fork.h"
#include "support/probe.h"

static void
future_of_the_parent_ends_in_the_child_and_wakes_nobody_there(void)
{
    counter c = {0, 0};
    probe p[2];
    caw_future *f = caw_all(probe_init(&p[0], "p0"), probe_init(&p[1], "p0"));
    CHECK(is_pending(f, &c));
    if (in_child()) {
        probe_wake(&p[0]);
        CHECK_INT(c.wakes, 0);
        CHECK_INT(status_of(f, &c), CAW_EFORKED);
        CHECK_INT(p[0].polls, 1);
        caw_future_destroy(f);
        probes_are_destroyed(p, 2);
        CHECK_INT(c.references, 1);
        _exit(0);
    }
    probe_wake(&p[0]);
    CHECK_INT(c.wakes, 1);
    CHECK(is_pending(f, &c));
    end_future(f, &c);
}

static void
group_of_the_parent_ends_in_the_child(void)
{
    counter c = {0, 0}, of_room = {0, 0};
    probe p[3];
    caw_group *group;
    caw_future *f;
    caw_group_spec spec = {.limit = 1};
    CHECK_INT(caw_group_new(&spec, &group, &f), 0);
    CHECK_INT(caw_group_add(group, probe_init(&p[0], "p")), 0);
    caw_future *room = caw_group_room(group), *other = caw_group_room(group);
    CHECK(is_pending(f, &c));
    CHECK(is_pending(room, &of_room));
    if (in_child()) {
        CHECK_INT(caw_group_add(group, probe_init(&p[1], "0")), CAW_EFORKED);
        CHECK_INT(caw_group_add_body(caw_group_retain(group), probe_init(&p[2], "0")), CAW_EFORKED);
        CHECK_INT(p[1].destroys + p[2].destroys, 2);
        CHECK_INT(status_of(other, &c), CAW_EFORKED);
        caw_future_cancel(room);
        CHECK_INT(status_of(room, &c), CAW_EFORKED);
        caw_future_cancel(f);
        CHECK_INT(status_of(f, &c), CAW_EFORKED);
        caw_group_close(group);
        caw_future_destroy(room);
        caw_future_destroy(other);
        caw_future_destroy(f);
        CHECK_INT(p[0].destroys, 1);
        caw_group_release(group);
        CHECK_INT(c.wakes + of_room.wakes, 0);
        _exit(0);
    }
    caw_future_destroy(room);
    caw_future_destroy(other);
    caw_group_release(group);
    end_future(f, &c);
}

TESTS(TEST(future_of_the_parent_ends_in_the_child_and_wakes_nobody_there), TEST(group_of_the_parent_ends_in_the_child))
