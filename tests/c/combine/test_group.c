/* test_group.c: a group of futures to which more are added while it runs. */
#include "support/probe.h"

typedef struct group_under_test {
    caw_group *group;
    caw_future *future;
    int ended, frees;
    int last_status;
    bool forgives;   /* failures count as 0 */
    probe *add_more; /* added when the next member has ended */
} group_under_test;

static int
member_ended(void *user, caw_future *member)
{
    group_under_test *g = user;
    g->ended++;
    g->last_status = member->status;
    CHECK_INT(probe_of(member)->destroys, 0);
    if (g->add_more) {
        probe *more = g->add_more;
        g->add_more = NULL;
        CHECK_INT(caw_group_add(g->group, &more->future), 0);
    }
    return g->forgives ? 0 : member->status;
}

static void
free_group_user(void *user)
{
    ((group_under_test *)user)->frees++;
}

static void
begin_group(group_under_test *g, size_t limit)
{
    *g = (group_under_test){.ended = 0};
    caw_group_spec spec = {.limit = limit, .ended = member_ended, .free = free_group_user, .user = g};
    CHECK_INT(caw_group_new(&spec, &g->group, &g->future), 0);
}

/* The adders' reference may be gone already. */
static void
end_group(group_under_test *g, const counter *c)
{
    caw_future_destroy(g->future);
    CHECK_INT(g->frees, 1);
    caw_group_release(g->group);
    CHECK_INT(c->references, 0);
}

static void
add_probe(group_under_test *g, probe *p, const char *steps)
{
    CHECK_INT(caw_group_add(g->group, probe_init(p, steps)), 0);
}

static void
group_ends_when_it_is_closed_and_all_have_ended(void)
{
    counter c = {0, 0};
    group_under_test g;
    probe p[3];
    begin_group(&g, 0);
    CHECK(is_pending(g.future, &c)); /* open, with nobody in it */
    add_probe(&g, &p[0], "p0");
    CHECK_INT(c.wakes, 1);
    add_probe(&g, &p[1], "0");
    CHECK(is_pending(g.future, &c));
    CHECK_INT(g.ended, 1);
    CHECK_INT(p[1].destroys, 1); /* as soon as it has ended */
    probe_wake(&p[0]);
    CHECK(is_pending(g.future, &c));
    CHECK_INT(p[0].destroys, 1);
    add_probe(&g, &p[2], "p0");
    CHECK(is_pending(g.future, &c));
    c.wakes = 0;
    caw_group_close(g.group);
    CHECK_INT(c.wakes, 1);
    CHECK(is_pending(g.future, &c));
    caw_group_close(g.group); /* nothing more */
    probe_wake(&p[2]);
    CHECK_INT(status_of(g.future, &c), 0);
    CHECK_INT(g.ended, 3);
    CHECK_INT(caw_group_errors(g.future, NULL, 0), 0);
    end_group(&g, &c);
    probes_are_destroyed(p, 3);
}

static void
last_reference_closes_and_wakes(void)
{
    counter c = {0, 0};
    group_under_test g;
    begin_group(&g, 0);
    CHECK(caw_group_retain(g.group) == g.group);
    CHECK(is_pending(g.future, &c));
    caw_group_release(g.group);
    CHECK_INT(c.wakes, 0);
    caw_group_release(g.group);
    CHECK_INT(c.wakes, 1);
    CHECK_INT(status_of(g.future, &c), 0);
    g.group = NULL;
    end_group(&g, &c);
}

static void
closed_group_destroys_what_is_added(void)
{
    counter c = {0, 0};
    group_under_test g;
    probe p;
    begin_group(&g, 0);
    caw_group_close(g.group);
    CHECK_INT(caw_group_add(g.group, probe_init(&p, "0")), CAW_ECLOSED);
    CHECK_INT(p.polls, 0);
    CHECK_INT(p.destroys, 1);
    CHECK_INT(caw_group_add(g.group, NULL), CAW_ENOMEM);
    CHECK_INT(status_of(g.future, &c), 0);
    end_group(&g, &c);
}

static void
only_members_that_were_woken_are_polled(void)
{
    enum { MANY = 10000 };
    counter c = {0, 0};
    group_under_test g;
    probe *p = calloc(MANY, sizeof *p);
    CHECK(p);
    begin_group(&g, 0);
    for (int i = 0; i < MANY; i++) {
        add_probe(&g, &p[i], "ppp0");
    }
    CHECK(!run_while_woken(g.future, NULL, &c));
    probe_wake(&p[7000]);
    CHECK_INT(c.wakes, 1);
    CHECK(is_pending(g.future, &c));
    CHECK(is_pending(g.future, &c));
    for (int i = 0; i < MANY; i++) {
        CHECK_INT(p[i].polls, i == 7000 ? 2 : 1);
    }
    end_group(&g, &c);
    probes_are_destroyed(p, MANY);
    free(p);
}

static void
members_that_wake_themselves_do_not_keep_the_thread(void)
{
    counter c = {0, 0};
    group_under_test g;
    probe p;
    char steps[1001];
    memset(steps, 'y', 1000);
    steps[1000] = 0;
    begin_group(&g, 0);
    add_probe(&g, &p, steps);
    CHECK(is_pending(g.future, &c));
    CHECK_INT(c.wakes, 1);
    CHECK(p.polls < 200);
    end_group(&g, &c);
}

static void
first_failure_cancels_the_others_and_later_members_as_they_come(void)
{
    counter c = {0, 0};
    group_under_test g;
    probe p[6];
    begin_group(&g, 0);
    add_probe(&g, &p[0], "p");
    CHECK_INT(caw_group_add(g.group, probe_init_after(&p[1], "p", "pt")), 0);
    add_probe(&g, &p[2], "pe");
    CHECK(is_pending(g.future, &c));
    probe_wake(&p[2]);
    CHECK(is_pending(g.future, &c));
    CHECK_INT(p[0].cancels + p[1].cancels, 2);
    CHECK_INT(p[0].destroys, 1); /* it has ended */
    CHECK_INT(caw_group_add(g.group, probe_init(&p[3], "p")), 0);
    CHECK_INT(caw_group_add(g.group, probe_init_deaf(&p[4], "p")), 0);
    CHECK(is_pending(g.future, &c));
    CHECK_INT(p[3].cancels, 1);
    CHECK_INT(p[3].destroys, 1);
    CHECK_INT(p[4].polls, 0);
    CHECK_INT(p[4].destroys, 1);
    probe_wake(&p[1]);
    CHECK_INT(status_of(g.future, &c), -EIO); /* though nobody has closed it */
    CHECK_INT(caw_group_add(g.group, probe_init(&p[5], "p")), CAW_ECLOSED);
    caw_group_error errors[3];
    CHECK_INT(caw_group_errors(g.future, errors, 3), 2);
    CHECK(strcmp(errors[0].name, "probe") == 0);
    CHECK_INT(errors[0].status, -EIO);
    CHECK_INT(errors[1].status, -EPIPE);
    CHECK_INT(caw_group_errors(g.future, errors, 1), 2);
    end_group(&g, &c);
    probes_are_destroyed(p, 6);
}

static void
failure_that_is_dealt_with_cancels_nobody(void)
{
    counter c = {0, 0};
    group_under_test g;
    probe p[2];
    begin_group(&g, 0);
    g.forgives = true;
    add_probe(&g, &p[0], "e");
    add_probe(&g, &p[1], "p0");
    CHECK(is_pending(g.future, &c));
    CHECK_INT(g.last_status, -EIO);
    CHECK_INT(p[1].cancels, 0);
    caw_group_close(g.group);
    probe_wake(&p[1]);
    CHECK_INT(status_of(g.future, &c), 0);
    CHECK_INT(caw_group_errors(g.future, NULL, 0), 0);
    end_group(&g, &c);
}

static void
cancel_asks_all_and_ends_when_all_have_though_it_is_open(void)
{
    counter c = {0, 0};
    group_under_test g;
    probe p[3];
    begin_group(&g, 0);
    add_probe(&g, &p[0], "p");
    CHECK_INT(caw_group_add(g.group, probe_init_after(&p[1], "p", "pe")), 0);
    CHECK_INT(caw_group_add(g.group, probe_init_deaf(&p[2], "p0")), 0);
    CHECK(is_pending(g.future, &c));
    caw_future_cancel(g.future);
    CHECK(c.wakes >= 1);
    CHECK_INT(p[0].cancels + p[1].cancels, 2);
    CHECK(is_pending(g.future, &c));
    probe_wake(&p[2]);
    probe_wake(&p[1]);
    CHECK_INT(status_of(g.future, &c), CAW_ECANCELED);
    caw_group_error error;
    CHECK_INT(caw_group_errors(g.future, &error, 1), 1);
    CHECK_INT(error.status, -EIO);
    end_group(&g, &c);
    probes_are_destroyed(p, 3);
}

static void
cancel_of_an_empty_open_group_wakes_and_ends_it(void)
{
    counter c = {0, 0};
    group_under_test g;
    begin_group(&g, 0);
    CHECK(is_pending(g.future, &c));
    caw_future_cancel(g.future);
    CHECK_INT(c.wakes, 1);
    CHECK_INT(status_of(g.future, &c), CAW_ECANCELED);
    end_group(&g, &c);
    begin_group(&g, 0);
    caw_future_cancel(g.future); /* before the first poll */
    CHECK_INT(status_of(g.future, &c), CAW_ECANCELED);
    end_group(&g, &c);
}

static void
values_of_all_members_of_a_closed_group_win_over_a_cancel(void)
{
    counter c = {0, 0};
    group_under_test g;
    probe p[2];
    begin_group(&g, 0);
    CHECK_INT(caw_group_add(g.group, probe_init_after(&p[0], "p", "0")), 0);
    CHECK_INT(caw_group_add(g.group, probe_init_after(&p[1], "p", "0")), 0);
    caw_group_close(g.group);
    CHECK(is_pending(g.future, &c));
    caw_future_cancel(g.future);
    CHECK_INT(status_of(g.future, &c), 0);
    end_group(&g, &c);
}

static void
limit_lets_so_many_run_in_the_order_in_which_they_came(void)
{
    counter c = {0, 0};
    group_under_test g;
    probe p[5];
    begin_group(&g, 2);
    for (int i = 0; i < 5; i++) {
        add_probe(&g, &p[i], "p0");
    }
    caw_group_close(g.group);
    CHECK(is_pending(g.future, &c));
    CHECK_INT(p[0].polls + p[1].polls, 2);
    CHECK_INT(p[2].polls + p[3].polls + p[4].polls, 0);
    probe_wake(&p[1]);
    CHECK(is_pending(g.future, &c));
    CHECK_INT(p[2].polls, 1);
    CHECK_INT(p[3].polls, 0);
    probe_wake(&p[0]);
    probe_wake(&p[2]);
    CHECK(is_pending(g.future, &c));
    CHECK_INT(p[3].polls + p[4].polls, 2);
    probe_wake(&p[3]);
    probe_wake(&p[4]);
    CHECK_INT(status_of(g.future, &c), 0);
    end_group(&g, &c);
    probes_are_destroyed(p, 5);
}

static void
failure_ends_those_that_wait_for_their_turn(void)
{
    counter c = {0, 0};
    group_under_test g;
    probe p[3];
    begin_group(&g, 1);
    add_probe(&g, &p[0], "e");
    add_probe(&g, &p[1], "0");
    CHECK_INT(caw_group_add(g.group, probe_init_deaf(&p[2], "0")), 0);
    CHECK_INT(status_of(g.future, &c), -EIO);
    CHECK_INT(p[1].cancels, 1);
    CHECK_INT(p[1].polls, 1);
    CHECK_INT(p[2].polls, 0);
    end_group(&g, &c);
    probes_are_destroyed(p, 3);
}

static void
cancel_reaches_those_that_wait_for_their_turn_at_once(void)
{
    counter c = {0, 0};
    group_under_test g;
    probe p[2];
    begin_group(&g, 1);
    CHECK_INT(caw_group_add(g.group, probe_init_after(&p[0], "p", "pc")), 0);
    add_probe(&g, &p[1], "p");
    CHECK(is_pending(g.future, &c));
    caw_future_cancel(g.future);
    CHECK(is_pending(g.future, &c));
    CHECK_INT(p[1].cancels, 1);
    CHECK_INT(p[1].destroys, 1); /* though the first one is still there */
    probe_wake(&p[0]);
    CHECK_INT(status_of(g.future, &c), CAW_ECANCELED);
    end_group(&g, &c);
}

static void
body_takes_no_place_and_its_end_closes_the_group(void)
{
    counter c = {0, 0};
    group_under_test g;
    probe body, p[2];
    begin_group(&g, 1);
    CHECK_INT(caw_group_add_body(g.group, probe_init(&body, "p0")), 0);
    add_probe(&g, &p[0], "p0");
    add_probe(&g, &p[1], "p0");
    CHECK(is_pending(g.future, &c));
    CHECK_INT(body.polls + p[0].polls, 2);
    CHECK_INT(p[1].polls, 0);
    probe_wake(&body);
    CHECK(is_pending(g.future, &c));
    probe_wake(&p[0]);
    CHECK(is_pending(g.future, &c));
    probe_wake(&p[1]);
    CHECK_INT(status_of(g.future, &c), 0);
    g.group = NULL; /* went with the body */
    end_group(&g, &c);
}

static void
body_that_fails_cancels_the_members(void)
{
    counter c = {0, 0};
    group_under_test g;
    probe body, p;
    begin_group(&g, 0);
    caw_group_retain(g.group);
    CHECK_INT(caw_group_add_body(g.group, probe_init(&body, "pe")), 0);
    add_probe(&g, &p, "p");
    CHECK(is_pending(g.future, &c));
    probe_wake(&body);
    CHECK_INT(status_of(g.future, &c), -EIO);
    CHECK_INT(p.cancels, 1);
    end_group(&g, &c);
    begin_group(&g, 0);
    caw_group_close(g.group);
    CHECK_INT(caw_group_add_body(g.group, probe_init(&body, "p")), CAW_ECLOSED);
    CHECK_INT(body.destroys, 1);
    g.group = NULL;
    CHECK_INT(status_of(g.future, &c), 0);
    end_group(&g, &c);
}

static void
member_may_be_added_by_the_end_of_another(void)
{
    counter c = {0, 0};
    group_under_test g;
    probe p[2];
    begin_group(&g, 1);
    add_probe(&g, &p[0], "0");
    probe_init(&p[1], "0");
    g.add_more = &p[1];
    CHECK(is_pending(g.future, &c));
    CHECK_INT(g.ended, 2);
    caw_group_close(g.group);
    CHECK_INT(status_of(g.future, &c), 0);
    end_group(&g, &c);
}

static void
destroyed_group_destroys_its_members_and_later_ones(void)
{
    counter c = {0, 0};
    for (int polls = 0; polls < 2; polls++) {
        group_under_test g;
        probe p[4];
        begin_group(&g, 1);
        caw_group_retain(g.group);
        CHECK_INT(caw_group_add_body(g.group, probe_init(&p[0], "p")), 0);
        add_probe(&g, &p[1], "p");
        add_probe(&g, &p[2], "p"); /* waits for its turn */
        if (polls) {
            CHECK(is_pending(g.future, &c));
            probe_wake(&p[1]);
        }
        caw_waker waker = caw_waker_clone(p[0].waker);
        caw_future_destroy(g.future);
        CHECK_INT(g.frees, 1);
        CHECK_INT(c.references, 0);
        caw_waker_wake(waker); /* late */
        CHECK_INT(caw_group_add(g.group, probe_init(&p[3], "p")), CAW_ECLOSED);
        probes_are_destroyed(p, 4);
        CHECK_INT(p[0].cancels + p[1].cancels, 0);
        CHECK_INT(g.ended, 0);
        caw_group_release(g.group);
    }
}

static void
wake_of_a_member_that_has_ended_is_harmless(void)
{
    counter c = {0, 0};
    group_under_test g;
    probe p[2];
    begin_group(&g, 0);
    add_probe(&g, &p[0], "pw"); /* also in its last poll */
    add_probe(&g, &p[1], "p");
    CHECK(is_pending(g.future, &c));
    caw_waker late = caw_waker_clone(p[0].waker);
    probe_wake(&p[0]);
    CHECK(is_pending(g.future, &c));
    CHECK_INT(p[0].destroys, 1);
    c.wakes = 0;
    caw_waker_wake_by_ref(late);
    CHECK_INT(c.wakes, 0); /* nobody would be polled */
    end_group(&g, &c);
    caw_waker_wake(late); /* the group is gone */
}

static void
group_of_groups_passes_a_cancel_on(void)
{
    counter c = {0, 0};
    group_under_test inner;
    probe p;
    caw_group *outer;
    caw_future *all;
    caw_group_spec spec = {.limit = 0};
    CHECK_INT(caw_group_new(&spec, &outer, &all), 0);
    begin_group(&inner, 0);
    add_probe(&inner, &p, "p");
    CHECK_INT(caw_group_add(outer, caw_all(inner.future)), 0);
    CHECK(is_pending(all, &c));
    caw_future_cancel(all);
    CHECK_INT(p.cancels, 1);
    CHECK(run_while_woken(all, NULL, &c));
    CHECK_INT(all->status, CAW_ECANCELED);
    CHECK_INT(inner.frees, 1); /* it was destroyed as it ended */
    caw_group_release(outer);
    caw_group_release(inner.group);
    end_future(all, &c);
}

TESTS(TEST(group_ends_when_it_is_closed_and_all_have_ended), TEST(last_reference_closes_and_wakes),
      TEST(closed_group_destroys_what_is_added), TEST(only_members_that_were_woken_are_polled),
      TEST(members_that_wake_themselves_do_not_keep_the_thread),
      TEST(first_failure_cancels_the_others_and_later_members_as_they_come),
      TEST(failure_that_is_dealt_with_cancels_nobody), TEST(cancel_asks_all_and_ends_when_all_have_though_it_is_open),
      TEST(cancel_of_an_empty_open_group_wakes_and_ends_it),
      TEST(values_of_all_members_of_a_closed_group_win_over_a_cancel),
      TEST(limit_lets_so_many_run_in_the_order_in_which_they_came), TEST(failure_ends_those_that_wait_for_their_turn),
      TEST(cancel_reaches_those_that_wait_for_their_turn_at_once),
      TEST(body_takes_no_place_and_its_end_closes_the_group), TEST(body_that_fails_cancels_the_members),
      TEST(member_may_be_added_by_the_end_of_another), TEST(destroyed_group_destroys_its_members_and_later_ones),
      TEST(wake_of_a_member_that_has_ended_is_harmless), TEST(group_of_groups_passes_a_cancel_on))
