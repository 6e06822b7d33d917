/* test_all.c: all of several futures, the first of them, the first that succeeds. */
#include "support/probe.h"

static void
all_of_none_is_0_and_race_and_any_are_einval(void)
{
    counter c = {0, 0};
    caw_future *all = caw_all_array(NULL, 0), *race = caw_race_array(NULL, 0), *any = caw_any_array(NULL, 0);
    CHECK(all && race && any);
    CHECK(!all->ops->cancel);
    CHECK_INT(status_of(all, &c), 0);
    CHECK_INT(status_of(race, &c), CAW_EINVAL);
    CHECK_INT(status_of(any, &c), CAW_EINVAL);
    CHECK_INT(caw_race_winner(race), SIZE_MAX);
    CHECK(!caw_child(all, 0));
    caw_future_destroy(race);
    caw_future_destroy(any);
    end_future(all, &c);
}

static void
all_ends_with_the_last_and_its_children_can_be_read_until_it_is_destroyed(void)
{
    counter c = {0, 0};
    probe p[3];
    caw_future *f = caw_all(probe_init(&p[0], "p0"), probe_init(&p[1], "0"), probe_init(&p[2], "p0"));
    CHECK(is_pending(f, &c));
    probe_wake(&p[2]);
    CHECK_INT(c.wakes, 1);
    CHECK(is_pending(f, &c));
    probe_wake(&p[0]);
    CHECK_INT(status_of(f, &c), 0);
    for (size_t i = 0; i < 3; i++) {
        CHECK(caw_child(f, i) == &p[i].future);
        CHECK_INT(p[i].destroys, 0);
        CHECK_INT(p[i].cancels, 0);
    }
    CHECK(!caw_child(f, 3));
    CHECK(!caw_child(&p[0].future, 0)); /* not a combined one */
    end_future(f, &c);
    probes_are_destroyed(p, 3);
}

static void
first_error_of_all_cancels_the_others_and_waits_for_them(void)
{
    counter c = {0, 0};
    probe p[4];
    caw_future *f = caw_all(probe_init_after(&p[0], "p", "pt"), probe_init(&p[1], "pe"), probe_init(&p[2], "0"),
                            probe_init_deaf(&p[3], "p0"));
    CHECK(is_pending(f, &c));
    probe_wake(&p[1]);
    CHECK(is_pending(f, &c)); /* waits for 0 and 3 */
    CHECK_INT(p[0].cancels, 1);
    CHECK_INT(p[2].cancels, 0); /* had ended */
    probe_wake(&p[3]);
    CHECK(is_pending(f, &c));
    probe_wake(&p[0]);
    CHECK_INT(status_of(f, &c), -EIO); /* the first one, not -EPIPE */
    end_future(f, &c);
    probes_are_destroyed(p, 4);
}

static void
cancel_of_all_asks_each_once_and_waits(void)
{
    counter c = {0, 0};
    probe p[3];
    caw_future *f = caw_all(probe_init(&p[0], "p"), probe_init(&p[1], "0"), probe_init_after(&p[2], "p", "pe"));
    CHECK(is_pending(f, &c));
    caw_future_cancel(f);
    CHECK_INT(c.wakes, 1);
    CHECK_INT(p[0].cancels + p[2].cancels, 2);
    CHECK_INT(p[1].cancels, 0);
    CHECK(is_pending(f, &c));
    probe_wake(&p[2]);
    CHECK_INT(status_of(f, &c), CAW_ECANCELED);
    end_future(f, &c);
    probes_are_destroyed(p, 3);
    f = caw_all(probe_init_after(&p[0], "p", "e"), probe_init_after(&p[1], "p", "0"));
    CHECK(is_pending(f, &c));
    caw_future_cancel(f);
    CHECK_INT(status_of(f, &c), CAW_ECANCELED); /* only values count now */
    end_future(f, &c);
}

static void
values_of_all_children_win_over_a_cancel_and_so_does_an_earlier_error(void)
{
    counter c = {0, 0};
    probe p[2];
    caw_future *f = caw_all(probe_init_after(&p[0], "p", "0"), probe_init_after(&p[1], "p", "0"));
    CHECK(is_pending(f, &c));
    caw_future_cancel(f);
    CHECK_INT(status_of(f, &c), 0);
    end_future(f, &c);
    f = caw_all(probe_init(&p[0], "e"), probe_init_after(&p[1], "p", "pc"));
    CHECK(is_pending(f, &c));
    caw_future_cancel(f);
    CHECK_INT(p[1].cancels, 1); /* once */
    probe_wake(&p[1]);
    CHECK_INT(status_of(f, &c), -EIO);
    end_future(f, &c);
}

static void
cancel_before_the_first_poll_begins_nothing_that_cannot_be_cancelled(void)
{
    counter c = {0, 0};
    probe p[2];
    caw_future *(*const make[])(caw_future *const *, size_t) = {caw_all_array, caw_race_array, caw_any_array};
    for (size_t i = 0; i < 3; i++) {
        caw_future *const children[] = {probe_init(&p[0], "0"), probe_init_deaf(&p[1], "0")};
        caw_future *f = make[i](children, 2);
        caw_future_cancel(f);
        CHECK_INT(status_of(f, &c), CAW_ECANCELED);
        CHECK_INT(p[0].polls, 1);
        CHECK_INT(p[1].polls, 0);
        CHECK_INT(caw_child(f, 1)->status, CAW_ECANCELED);
        CHECK_INT(caw_race_winner(f), SIZE_MAX);
        end_future(f, &c);
        probes_are_destroyed(p, 2);
    }
}

static void
there_is_a_cancel_only_where_a_child_has_one(void)
{
    probe p[2];
    caw_future *f = caw_race(probe_init_deaf(&p[0], "p"), probe_init_deaf(&p[1], "p"));
    CHECK(!f->ops->cancel);
    caw_future_destroy(f);
    f = caw_race(probe_init_deaf(&p[0], "p"), probe_init(&p[1], "p"));
    CHECK(f->ops->cancel);
    caw_future_destroy(f);
}

static void
race_is_decided_by_the_first_and_waits_for_the_loser_that_is_cancelled(void)
{
    counter c = {0, 0};
    probe p[3];
    caw_future *f = caw_race(probe_init_after(&p[0], "p", "p0"), probe_init(&p[1], "p0"), probe_init(&p[2], "p"));
    CHECK(is_pending(f, &c));
    CHECK_INT(caw_race_winner(f), SIZE_MAX);
    probe_wake(&p[1]);
    CHECK(is_pending(f, &c));
    CHECK_INT(p[0].cancels + p[2].cancels, 2);
    probe_wake(&p[0]); /* its value comes all the same, and stays in it */
    CHECK_INT(status_of(f, &c), 0);
    CHECK_INT(caw_race_winner(f), 1);
    CHECK_INT(caw_child(f, 0)->status, 0);
    CHECK_INT(caw_child(f, 2)->status, CAW_ECANCELED);
    end_future(f, &c);
    probes_are_destroyed(p, 3);
}

static void
race_that_an_error_wins_ends_with_it_and_begins_no_deaf_child_after_it(void)
{
    counter c = {0, 0};
    probe p[2];
    caw_future *f = caw_race(probe_init(&p[0], "e"), probe_init_deaf(&p[1], "p"));
    CHECK_INT(status_of(f, &c), -EIO);
    CHECK_INT(caw_race_winner(f), 0);
    CHECK_INT(p[1].polls, 0);
    end_future(f, &c);
    probes_are_destroyed(p, 2);
}

static void
value_that_comes_after_a_cancel_wins_the_race(void)
{
    counter c = {0, 0};
    probe p[2];
    caw_future *f = caw_race(probe_init_after(&p[0], "p", "e"), probe_init_after(&p[1], "p", "p0"));
    CHECK(is_pending(f, &c));
    caw_future_cancel(f);
    CHECK(is_pending(f, &c)); /* an error does not decide any more */
    probe_wake(&p[1]);
    CHECK_INT(status_of(f, &c), 0);
    CHECK_INT(caw_race_winner(f), 1);
    end_future(f, &c);
    f = caw_race(probe_init(&p[0], "p"), probe_init_after(&p[1], "p", "e"));
    CHECK(is_pending(f, &c));
    caw_future_cancel(f);
    CHECK_INT(status_of(f, &c), CAW_ECANCELED);
    CHECK_INT(caw_race_winner(f), SIZE_MAX);
    end_future(f, &c);
}

static void
any_passes_over_errors_and_ends_with_the_last_one_where_nothing_succeeds(void)
{
    counter c = {0, 0};
    probe p[3];
    caw_future *f = caw_any(probe_init(&p[0], "e"), probe_init(&p[1], "p0"), probe_init(&p[2], "p"));
    CHECK(is_pending(f, &c));
    CHECK_INT(p[1].cancels + p[2].cancels, 0);
    probe_wake(&p[1]);
    CHECK_INT(status_of(f, &c), 0);
    CHECK_INT(caw_race_winner(f), 1);
    CHECK_INT(p[2].cancels, 1);
    end_future(f, &c);
    f = caw_any(probe_init(&p[0], "pt"), probe_init(&p[1], "e"));
    CHECK(is_pending(f, &c));
    probe_wake(&p[0]);
    CHECK_INT(status_of(f, &c), -EPIPE);
    CHECK_INT(caw_race_winner(f), SIZE_MAX);
    end_future(f, &c);
}

static void
cancelled_any_takes_a_value_and_else_is_cancelled(void)
{
    counter c = {0, 0};
    probe p[2];
    caw_future *f = caw_any(probe_init(&p[0], "p"), probe_init_after(&p[1], "p", "0"));
    CHECK(is_pending(f, &c));
    caw_future_cancel(f);
    CHECK_INT(status_of(f, &c), 0);
    CHECK_INT(caw_race_winner(f), 1);
    end_future(f, &c);
    f = caw_any(probe_init(&p[0], "e"), probe_init_after(&p[1], "p", "e"));
    CHECK(is_pending(f, &c));
    caw_future_cancel(f);
    CHECK_INT(status_of(f, &c), CAW_ECANCELED);
    end_future(f, &c);
}

static void
missing_child_gives_NULL_and_the_others_are_destroyed(void)
{
    probe p[2];
    CHECK(!caw_all(probe_init(&p[0], "p"), NULL, probe_init(&p[1], "p")));
    probes_are_destroyed(p, 2);
    CHECK(!caw_any(caw_race(probe_init(&p[0], "p"), NULL), probe_init(&p[1], "p")));
    probes_are_destroyed(p, 2);
}

static void
wake_during_the_poll_of_a_child_is_not_lost(void)
{
    counter c = {0, 0};
    probe p[2];
    caw_future *f = caw_all(probe_init(&p[0], "y0"), probe_init(&p[1], "0"));
    CHECK_INT(status_of(f, &c), 0); /* polled again in the same poll, after the other one */
    CHECK_INT(p[0].polls, 2);
    end_future(f, &c);
}

static void
children_that_wake_themselves_do_not_keep_the_thread(void)
{
    counter c = {0, 0};
    probe p[2];
    caw_future *f = caw_all(probe_init(&p[0], "yyyyyyyyyy0"), probe_init(&p[1], "yyyyyyyyyy0"));
    CHECK(is_pending(f, &c));
    CHECK_INT(c.wakes, 1);
    CHECK(p[0].polls + p[1].polls <= 3);
    CHECK(run_while_woken(f, NULL, &c));
    CHECK_INT(f->status, 0);
    end_future(f, &c);
}

static void
wakers_of_children_may_outlive_the_future(void)
{
    counter c = {0, 0};
    probe p[2];
    caw_future *f = caw_all(probe_init(&p[0], "p"), probe_init(&p[1], "p"));
    CHECK(is_pending(f, &c));
    caw_waker woken = caw_waker_clone(p[0].waker), dropped = caw_waker_clone(p[1].waker);
    CHECK(!caw_waker_same(woken, dropped)); /* each has its own */
    caw_waker_wake_by_ref(woken);
    end_future(f, &c);
    caw_waker_wake_by_ref(woken);
    caw_waker_wake_by_ref(dropped);
    caw_waker_wake(woken);
    caw_waker_drop(dropped);
    CHECK_INT(c.wakes, 1);
}

enum { MANY = 10000 };

static void
one_wake_among_ten_thousand_children_is_one_poll(void)
{
    counter c = {0, 0};
    probe *p = calloc(MANY, sizeof *p);
    caw_future **children = calloc(MANY, sizeof *children);
    CHECK(p && children);
    for (int i = 0; i < MANY; i++) {
        children[i] = probe_init(&p[i], "ppp0");
    }
    caw_future *f = caw_all_array(children, MANY);
    free(children);
    CHECK(is_pending(f, &c));
    probe_wake(&p[7000]);
    CHECK_INT(c.wakes, 1);
    CHECK(is_pending(f, &c));
    CHECK(is_pending(f, &c)); /* polled for another reason: nobody */
    for (int i = 0; i < MANY; i++) {
        CHECK_INT(p[i].polls, i == 7000 ? 2 : 1);
    }
    caw_future_cancel(f);
    CHECK_INT(status_of(f, &c), CAW_ECANCELED);
    CHECK_INT(p[0].polls, 2);
    end_future(f, &c);
    probes_are_destroyed(p, MANY);
    free(p);
}

TESTS(TEST(all_of_none_is_0_and_race_and_any_are_einval),
      TEST(all_ends_with_the_last_and_its_children_can_be_read_until_it_is_destroyed),
      TEST(first_error_of_all_cancels_the_others_and_waits_for_them), TEST(cancel_of_all_asks_each_once_and_waits),
      TEST(values_of_all_children_win_over_a_cancel_and_so_does_an_earlier_error),
      TEST(cancel_before_the_first_poll_begins_nothing_that_cannot_be_cancelled),
      TEST(there_is_a_cancel_only_where_a_child_has_one),
      TEST(race_is_decided_by_the_first_and_waits_for_the_loser_that_is_cancelled),
      TEST(race_that_an_error_wins_ends_with_it_and_begins_no_deaf_child_after_it),
      TEST(value_that_comes_after_a_cancel_wins_the_race),
      TEST(any_passes_over_errors_and_ends_with_the_last_one_where_nothing_succeeds),
      TEST(cancelled_any_takes_a_value_and_else_is_cancelled),
      TEST(missing_child_gives_NULL_and_the_others_are_destroyed), TEST(wake_during_the_poll_of_a_child_is_not_lost),
      TEST(children_that_wake_themselves_do_not_keep_the_thread), TEST(wakers_of_children_may_outlive_the_future),
      TEST(one_wake_among_ten_thousand_children_is_one_poll))
