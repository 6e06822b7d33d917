/* test_then.c: one future after another, a future that is made late, a shield, a status as a function makes it. */
#include "support/probe.h"

/* What the functions of a test are given. */
typedef struct script_user {
    probe *second; /* what `next` and `make` give; NULL: nothing */
    const caw_future *done;
    int calls, frees, returns;
} script_user;

static caw_future *
give_second(script_user *u)
{
    u->calls++;
    return u->second ? &u->second->future : NULL;
}

static caw_future *
next_second(void *user, caw_future *done)
{
    ((script_user *)user)->done = done;
    return give_second(user);
}

static caw_future *
make_second(void *user)
{
    return give_second(user);
}

static int
map_to(void *user, caw_future *done)
{
    script_user *u = user;
    u->calls++;
    u->done = done;
    return u->returns;
}

static void
free_user(void *user)
{
    ((script_user *)user)->frees++;
}

static void
then_runs_one_after_the_other_and_keeps_both(void)
{
    counter c = {0, 0};
    probe first, second;
    script_user u = {.second = &second};
    probe_init(&second, "pe");
    caw_future *f = caw_then(probe_init(&first, "p0"), next_second, &u, free_user);
    CHECK(is_pending(f, &c));
    CHECK_INT(u.calls, 0);
    CHECK(!caw_child(f, 1));
    probe_wake(&first);
    CHECK_INT(c.wakes, 1);
    CHECK(is_pending(f, &c));
    CHECK_INT(u.calls, 1);
    CHECK(u.done == &first.future);
    probe_wake(&second);
    CHECK_INT(status_of(f, &c), -EIO);
    CHECK(caw_child(f, 0) == &first.future);
    CHECK(caw_child(f, 1) == &second.future);
    CHECK(!caw_child(f, 2));
    CHECK_INT(first.destroys + second.destroys + u.frees, 0);
    end_future(f, &c);
    CHECK_INT(first.destroys + second.destroys + u.frees, 3);
    CHECK_INT(first.cancels + second.cancels, 0);
}

static void
then_ends_with_the_first_error_or_without_memory(void)
{
    counter c = {0, 0};
    probe first;
    script_user u = {.second = NULL};
    caw_future *f = caw_then(probe_init(&first, "e"), next_second, &u, free_user);
    CHECK_INT(status_of(f, &c), -EIO);
    CHECK_INT(u.calls, 0);
    end_future(f, &c);
    f = caw_then(probe_init(&first, "0"), next_second, &u, NULL);
    CHECK_INT(status_of(f, &c), CAW_ENOMEM);
    CHECK_INT(u.calls, 1);
    end_future(f, &c);
    CHECK_INT(u.frees, 1);
}

static void
cancel_of_then_goes_to_the_one_that_runs(void)
{
    counter c = {0, 0};
    probe first, second;
    script_user u = {.second = &second};
    probe_init(&second, "p");
    caw_future *f = caw_then(probe_init(&first, "p"), next_second, &u, NULL);
    CHECK(is_pending(f, &c));
    caw_future_cancel(f);
    CHECK_INT(first.cancels, 1);
    CHECK_INT(status_of(f, &c), CAW_ECANCELED);
    CHECK_INT(u.calls, 0);
    end_future(f, &c);
    f = caw_then(probe_init(&first, "0"), next_second, &u, NULL);
    CHECK(is_pending(f, &c));
    caw_future_cancel(f);
    CHECK_INT(first.cancels, 0);
    CHECK_INT(second.cancels, 1);
    CHECK_INT(status_of(f, &c), CAW_ECANCELED);
    end_future(f, &c);
}

static void
cancelled_then_makes_no_second_and_begins_no_deaf_first(void)
{
    counter c = {0, 0};
    probe first;
    script_user u = {.second = NULL};
    caw_future *f = caw_then(probe_init_after(&first, "p", "0"), next_second, &u, NULL);
    CHECK(is_pending(f, &c));
    caw_future_cancel(f);
    CHECK_INT(status_of(f, &c), CAW_ECANCELED);
    CHECK_INT(caw_child(f, 0)->status, 0); /* the value is there */
    end_future(f, &c);
    f = caw_then(probe_init_deaf(&first, "p0"), next_second, &u, NULL);
    CHECK(is_pending(f, &c));
    caw_future_cancel(f);
    probe_wake(&first);
    CHECK_INT(status_of(f, &c), CAW_ECANCELED);
    end_future(f, &c);
    f = caw_then(probe_init_deaf(&first, "0"), next_second, &u, NULL);
    caw_future_cancel(f);
    CHECK_INT(status_of(f, &c), CAW_ECANCELED);
    CHECK_INT(first.polls, 0);
    CHECK_INT(u.calls, 0);
    end_future(f, &c);
}

static void
map_makes_the_status_of_any_end(void)
{
    counter c = {0, 0};
    probe p;
    script_user u = {.returns = -EPIPE};
    caw_future *f = caw_map(probe_init(&p, "p0"), map_to, &u, free_user);
    CHECK(is_pending(f, &c));
    CHECK_INT(u.calls, 0);
    probe_wake(&p);
    CHECK_INT(status_of(f, &c), -EPIPE);
    CHECK(u.done == &p.future && caw_child(f, 0) == &p.future);
    end_future(f, &c);
    u.returns = 0;
    f = caw_map(probe_init(&p, "e"), map_to, &u, free_user);
    CHECK_INT(status_of(f, &c), 0);
    end_future(f, &c);
    CHECK_INT(u.calls, 2);
    CHECK_INT(u.frees, 2);
}

static void
cancel_of_map_goes_to_the_child_and_is_mapped_too(void)
{
    counter c = {0, 0};
    probe p;
    script_user u = {.returns = CAW_ECANCELED};
    caw_future *f = caw_map(probe_init(&p, "p"), map_to, &u, NULL);
    CHECK(is_pending(f, &c));
    caw_future_cancel(f);
    CHECK_INT(p.cancels, 1);
    CHECK_INT(status_of(f, &c), CAW_ECANCELED);
    CHECK_INT(u.calls, 1);
    end_future(f, &c);
    f = caw_map(probe_init_deaf(&p, "p"), map_to, &u, NULL);
    CHECK(!f->ops->cancel);
    end_future(f, &c);
}

static void
lazy_makes_its_future_at_the_first_poll(void)
{
    counter c = {0, 0};
    probe p;
    script_user u = {.second = &p};
    probe_init(&p, "pe");
    caw_future *f = caw_lazy(make_second, &u, free_user);
    CHECK_INT(u.calls, 0);
    CHECK(!caw_child(f, 0));
    CHECK(is_pending(f, &c));
    CHECK_INT(u.calls, 1);
    probe_wake(&p);
    CHECK_INT(status_of(f, &c), -EIO);
    CHECK(caw_child(f, 0) == &p.future);
    end_future(f, &c);
    CHECK_INT(p.destroys + u.frees, 2);
}

static void
lazy_that_is_cancelled_or_destroyed_before_makes_nothing(void)
{
    counter c = {0, 0};
    script_user u = {.second = NULL};
    caw_future *f = caw_lazy(make_second, &u, free_user);
    caw_future_cancel(f);
    CHECK_INT(status_of(f, &c), CAW_ECANCELED);
    end_future(f, &c);
    caw_future_destroy(caw_lazy(make_second, &u, free_user));
    CHECK_INT(u.calls, 0);
    CHECK_INT(u.frees, 2);
    f = caw_lazy(make_second, &u, NULL);
    CHECK_INT(status_of(f, &c), CAW_ENOMEM);
    end_future(f, &c);
}

static void
cancel_of_lazy_goes_to_what_was_made(void)
{
    counter c = {0, 0};
    probe p;
    script_user u = {.second = &p};
    probe_init(&p, "p");
    caw_future *f = caw_lazy(make_second, &u, NULL);
    CHECK(is_pending(f, &c));
    caw_future_cancel(f);
    CHECK_INT(p.cancels, 1);
    CHECK_INT(status_of(f, &c), CAW_ECANCELED);
    end_future(f, &c);
}

static void
shield_lets_no_cancel_through_but_a_destroy(void)
{
    counter c = {0, 0};
    probe p[2];
    caw_future *f = caw_shield(probe_init(&p[0], "pe"));
    CHECK(!f->ops->cancel);
    CHECK(is_pending(f, &c));
    caw_future_cancel(f);
    CHECK_INT(p[0].cancels, 0);
    probe_wake(&p[0]);
    CHECK_INT(status_of(f, &c), -EIO);
    CHECK(caw_child(f, 0) == &p[0].future);
    end_future(f, &c);
    f = caw_all(caw_shield(probe_init(&p[0], "p0")), probe_init(&p[1], "p"));
    CHECK(is_pending(f, &c));
    caw_future_cancel(f);
    CHECK_INT(p[0].cancels, 0);
    CHECK_INT(p[1].cancels, 1);
    CHECK(is_pending(f, &c)); /* what is shielded is waited for */
    end_future(f, &c);
    probes_are_destroyed(p, 2);
}

static void
missing_child_frees_the_user(void)
{
    script_user u = {.second = NULL};
    CHECK(!caw_then(NULL, next_second, &u, free_user));
    CHECK(!caw_map(NULL, map_to, &u, free_user));
    CHECK(!caw_shield(NULL));
    CHECK(!caw_map(NULL, map_to, &u, NULL));
    CHECK_INT(u.frees, 2);
}

TESTS(TEST(then_runs_one_after_the_other_and_keeps_both), TEST(then_ends_with_the_first_error_or_without_memory),
      TEST(cancel_of_then_goes_to_the_one_that_runs), TEST(cancelled_then_makes_no_second_and_begins_no_deaf_first),
      TEST(map_makes_the_status_of_any_end), TEST(cancel_of_map_goes_to_the_child_and_is_mapped_too),
      TEST(lazy_makes_its_future_at_the_first_poll), TEST(lazy_that_is_cancelled_or_destroyed_before_makes_nothing),
      TEST(cancel_of_lazy_goes_to_what_was_made), TEST(shield_lets_no_cancel_through_but_a_destroy),
      TEST(missing_child_frees_the_user))
