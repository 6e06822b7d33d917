/* test_group_room.c: waiting until a group has room. */
#include "support/probe.h"

typedef struct roomy {
    caw_group *group;
    caw_future *future;
    probe p[4];
    counter c;
} roomy;

/* A group of one place, which is taken. */
static void
begin_full(roomy *g)
{
    *g = (roomy){.c = {0, 0}};
    caw_group_spec spec = {.limit = 1};
    CHECK_INT(caw_group_new(&spec, &g->group, &g->future), 0);
    CHECK_INT(caw_group_add(g->group, probe_init(&g->p[0], "p0")), 0);
    CHECK(is_pending(g->future, &g->c));
}

static void
make_room(roomy *g, probe *p)
{
    probe_wake(p);
    CHECK(is_pending(g->future, &g->c));
}

static void
end_roomy(roomy *g)
{
    caw_future_destroy(g->future);
    caw_group_release(g->group);
    CHECK_INT(g->c.references, 0);
}

static caw_future *
new_room(roomy *g)
{
    caw_future *room = caw_group_room(g->group);
    CHECK(room);
    return room;
}

static void
room_is_ready_where_there_is_some_or_no_limit(void)
{
    counter c = {0, 0};
    for (size_t limit = 0; limit < 2; limit++) {
        caw_group_spec spec = {.limit = limit};
        roomy g = {.c = {0, 0}};
        CHECK_INT(caw_group_new(&spec, &g.group, &g.future), 0);
        caw_future *room = new_room(&g);
        CHECK_INT(status_of(room, &c), 0);
        end_future(room, &c);
        end_roomy(&g);
    }
}

static void
room_waits_until_a_member_has_ended(void)
{
    counter c = {0, 0}, later = {0, 0};
    roomy g;
    begin_full(&g);
    caw_future *room = new_room(&g);
    CHECK(is_pending(room, &c));
    CHECK(is_pending(room, &later)); /* the latest waker counts */
    CHECK_INT(c.references, 0);
    make_room(&g, &g.p[0]);
    CHECK_INT(later.wakes, 1);
    CHECK_INT(status_of(room, &later), 0);
    end_future(room, &later);
    end_roomy(&g);
}

static void
rooms_are_served_in_their_order_one_for_each_place(void)
{
    counter c[3] = {{0, 0}, {0, 0}, {0, 0}};
    caw_future *room[3];
    roomy g;
    begin_full(&g);
    for (int i = 0; i < 3; i++) {
        room[i] = new_room(&g);
        CHECK(is_pending(room[i], &c[i]));
    }
    make_room(&g, &g.p[0]);
    CHECK_INT(c[0].wakes, 1);
    CHECK_INT(c[1].wakes + c[2].wakes, 0);
    CHECK(is_pending(room[1], &c[1])); /* not its turn */
    CHECK_INT(status_of(room[0], &c[0]), 0);
    CHECK_INT(caw_group_add(g.group, probe_init(&g.p[1], "p0")), 0);
    end_future(room[0], &c[0]); /* it has used the place */
    CHECK_INT(c[1].wakes, 0);
    CHECK(is_pending(g.future, &g.c));
    make_room(&g, &g.p[1]);
    CHECK_INT(c[1].wakes, 1);
    CHECK_INT(status_of(room[1], &c[1]), 0);
    end_future(room[1], &c[1]); /* it adds nothing: the next one's turn */
    CHECK_INT(c[2].wakes, 1);
    CHECK_INT(status_of(room[2], &c[2]), 0);
    end_future(room[2], &c[2]);
    end_roomy(&g);
}

static void
room_that_is_woken_and_finds_none_keeps_its_place(void)
{
    counter c[2] = {{0, 0}, {0, 0}};
    roomy g;
    begin_full(&g);
    caw_future *first = new_room(&g), *second = new_room(&g);
    CHECK(is_pending(first, &c[0]));
    CHECK(is_pending(second, &c[1]));
    make_room(&g, &g.p[0]);
    CHECK_INT(caw_group_add(g.group, probe_init(&g.p[1], "p0")), 0); /* by somebody who did not wait */
    CHECK(is_pending(first, &c[0]));
    CHECK(is_pending(g.future, &g.c));
    make_room(&g, &g.p[1]);
    CHECK_INT(c[0].wakes, 2);
    CHECK_INT(c[1].wakes, 0);
    CHECK_INT(status_of(first, &c[0]), 0);
    end_future(second, &c[1]);
    end_future(first, &c[0]);
    end_roomy(&g);
}

static void
room_for_several_lets_several_go_on(void)
{
    counter c[2] = {{0, 0}, {0, 0}};
    caw_group_spec spec = {.limit = 2};
    roomy g = {.c = {0, 0}};
    CHECK_INT(caw_group_new(&spec, &g.group, &g.future), 0);
    CHECK_INT(caw_group_add(g.group, probe_init(&g.p[0], "p0")), 0);
    CHECK_INT(caw_group_add(g.group, probe_init(&g.p[1], "p0")), 0);
    CHECK(is_pending(g.future, &g.c));
    caw_future *first = new_room(&g), *second = new_room(&g);
    CHECK(is_pending(first, &c[0]));
    CHECK(is_pending(second, &c[1]));
    probe_wake(&g.p[0]);
    make_room(&g, &g.p[1]);
    CHECK_INT(status_of(first, &c[0]), 0);
    CHECK_INT(c[1].wakes, 1); /* though the first one stays */
    CHECK_INT(status_of(second, &c[1]), 0);
    end_future(second, &c[1]);
    end_future(first, &c[0]);
    end_roomy(&g);
}

/* What is done to a room that waits first in line, once woken and once not; the next one gets the place. */
static void
room_that_gives_up(void (*give_up)(caw_future *room), bool is_woken, bool is_gone)
{
    counter c[2] = {{0, 0}, {0, 0}};
    roomy g;
    begin_full(&g);
    caw_future *first = new_room(&g), *second = new_room(&g);
    CHECK(is_pending(first, &c[0]));
    CHECK(is_pending(second, &c[1]));
    if (is_woken) {
        make_room(&g, &g.p[0]);
    }
    give_up(first);
    CHECK_INT(c[1].wakes, is_woken);
    if (!is_woken) {
        make_room(&g, &g.p[0]);
        CHECK_INT(c[1].wakes, 1);
    }
    if (!is_gone) {
        CHECK_INT(c[0].wakes, 1);
        CHECK_INT(status_of(first, &c[0]), CAW_ECANCELED);
        caw_future_destroy(first);
    }
    CHECK_INT(c[0].references, 0);
    CHECK_INT(status_of(second, &c[1]), 0);
    end_future(second, &c[1]);
    end_roomy(&g);
}

static void
room_that_is_cancelled_or_destroyed_passes_its_place_on(void)
{
    for (int is_woken = 0; is_woken < 2; is_woken++) {
        room_that_gives_up(caw_future_cancel, is_woken, false);
        room_that_gives_up(caw_future_destroy, is_woken, true);
    }
}

static void
cancel_before_the_first_poll_ends_a_room(void)
{
    counter c = {0, 0};
    roomy g;
    begin_full(&g);
    caw_future *room = new_room(&g);
    caw_future_cancel(room);
    CHECK_INT(status_of(room, &c), CAW_ECANCELED);
    end_future(room, &c);
    caw_future_destroy(new_room(&g));
    end_roomy(&g);
}

static void
close_it(roomy *g)
{
    caw_group_close(g->group);
}

static void
cancel_it(roomy *g)
{
    caw_future_cancel(g->future);
}

static void
destroy_it(roomy *g)
{
    caw_future_destroy(g->future);
    g->future = NULL;
}

static void
let_it_fail(roomy *g)
{
    CHECK_INT(caw_group_add_body(caw_group_retain(g->group), probe_init(&g->p[1], "e")), 0);
    CHECK(run_while_woken(g->future, NULL, &g->c));
    CHECK_INT(g->future->status, -EIO);
}

static void
rooms_of_a_group_that_runs_nothing_more_end(void)
{
    void (*const ends[])(roomy *) = {close_it, cancel_it, destroy_it, let_it_fail};
    for (size_t i = 0; i < 4; i++) {
        counter c[2] = {{0, 0}, {0, 0}};
        roomy g;
        begin_full(&g);
        caw_future *first = new_room(&g), *second = new_room(&g), *late = new_room(&g);
        CHECK(is_pending(first, &c[0]));
        CHECK(is_pending(second, &c[1]));
        ends[i](&g);
        CHECK_INT(c[0].wakes + c[1].wakes, 2);
        CHECK_INT(status_of(first, &c[0]), CAW_ECLOSED);
        CHECK_INT(status_of(second, &c[1]), CAW_ECLOSED);
        CHECK_INT(status_of(late, &c[0]), CAW_ECLOSED);
        end_future(second, &c[1]);
        end_roomy(&g);
        caw_future_destroy(late); /* they may outlive the group */
        end_future(first, &c[0]);
    }
}

TESTS(TEST(room_is_ready_where_there_is_some_or_no_limit), TEST(room_waits_until_a_member_has_ended),
      TEST(rooms_are_served_in_their_order_one_for_each_place), TEST(room_that_is_woken_and_finds_none_keeps_its_place),
      TEST(room_for_several_lets_several_go_on), TEST(room_that_is_cancelled_or_destroyed_passes_its_place_on),
      TEST(cancel_before_the_first_poll_ends_a_room), TEST(rooms_of_a_group_that_runs_nothing_more_end))
