/* test_suspended.c: each combined future, and some inside each other, is cancelled and destroyed at each point where it
 * may be suspended. */
#include "support/probe.h"

#include "cawait/async.h"
#include "cawait/testing_tools.h"

enum { PROBES = 6 };

static probe probes[PROBES];
static caw_group *open_group;
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
    CHECK_INT(done->status, 0);
    return probe_init(user, "pp0");
}

static caw_future *
make_probe(void *user)
{
    return probe_init(user, "pp0");
}

static int
keep_status(void *user, caw_future *done)
{
    (void)user;
    return done->status;
}

static caw_future *
a(int i)
{
    return probe_init(&probes[i], "pp0");
}

/* One that takes a while to end after a cancel. */
static caw_future *
slow(int i)
{
    return probe_init_after(&probes[i], "pp0", "ppc");
}

static caw_future *
a_group(size_t limit, caw_future *first, caw_future *second, caw_future *third)
{
    caw_future *f;
    caw_group_spec spec = {.limit = limit, .free = free_user};
    CHECK_INT(caw_group_new(&spec, &open_group, &f), 0);
    CHECK_INT(caw_group_add(open_group, first), 0);
    CHECK_INT(caw_group_add(open_group, second), 0);
    CHECK_INT(caw_group_add_body(open_group, third), 0); /* with the reference */
    return f;
}

static caw_future *
make(int kind)
{
    switch (kind) {
    case 0:
        return caw_all(a(0), slow(1), a(2));
    case 1:
        return caw_race(a(0), slow(1), a(2));
    case 2:
        return caw_any(a(0), slow(1), a(2));
    case 3:
        return caw_timeout(1000, slow(0));
    case 4:
        return caw_deadline(1000, a(0));
    case 5:
        return caw_shield(a(0));
    case 6:
        return caw_then(slow(0), next_probe, &probes[1], free_user);
    case 7:
        return caw_map(a(0), keep_status, NULL, free_user);
    case 8:
        return caw_lazy(make_probe, &probes[0], free_user);
    case 9:
        return a_group(0, a(0), slow(1), a(2));
    case 10:
        return a_group(1, slow(0), a(1), slow(2));
    case 11:
        return caw_race(caw_timeout(1000, caw_all(a(0), slow(1))),
                        caw_map(caw_any(a(2), a(3)), keep_status, NULL, NULL));
    case 12:
        return caw_timeout(1000, caw_then(caw_all(a(0), caw_shield(a(1))), next_probe, &probes[2], free_user));
    case 13:
        return caw_all(a_group(1, caw_race(a(0), slow(1)), caw_timeout(500, a(2)), a(3)), slow(4));
    default:
        return NULL;
    }
}

/* Wake the next probe that waits, in turns. False: none does. */
static bool
wake_one(int *turn)
{
    for (int i = 0; i < PROBES; i++) {
        probe *p = &probes[(*turn + i) % PROBES];
        if (p->waker.ops) {
            *turn = (*turn + i + 1) % PROBES;
            probe_wake(p);
            return true;
        }
    }
    return false;
}

typedef struct place {
    caw_test_reactor *r;
    caw_test_waker waker;
} place;

/* Poll it up to n times, each after one more wake. True: it is ready. */
static bool
poll_times(place *at, caw_future *f, int n)
{
    for (int turn = 0, i = 0; i < n; i++) {
        if (caw_test_reactor_poll(at->r, f, &at->waker) == CAW_READY) {
            return true;
        }
        wake_one(&turn);
    }
    return false;
}

enum { DESTROY, CANCEL, CANCEL_AND_DESTROY, CANCEL_POLL_AND_DESTROY, WAYS };

static void
check_what_is_left(const place *at, int kind)
{
    CHECK_INT(caw_test_waker_references(&at->waker), 0);
    CHECK(caw_test_reactor_until_timer(at->r) == UINT64_MAX);
    for (int i = 0; i < PROBES; i++) {
        CHECK_INT(probes[i].destroys, probes[i].future.ops != NULL);
        CHECK(probes[i].cancels <= 1);
        CHECK(!probes[i].waker.ops);
    }
    CHECK_INT(user_frees, (kind >= 6 && kind <= 10) || kind >= 12);
}

/* True: it was ready before. */
static bool
stop_after(int polls, int kind, int way)
{
    place at;
    CHECK_INT(caw_test_reactor_new(&at.r), 0);
    caw_test_waker_init(&at.waker);
    memset(probes, 0, sizeof probes);
    user_frees = 0;
    caw_future *f = make(kind);
    CHECK(f);
    bool is_ready = poll_times(&at, f, polls);
    if (way != DESTROY && !is_ready) {
        caw_future_cancel(f);
    }
    if (way == CANCEL && !is_ready) {
        CHECK(poll_times(&at, f, 50));
        CHECK(f->status == CAW_ECANCELED || f->status == 0);
    }
    if (way == CANCEL_POLL_AND_DESTROY && !is_ready) {
        (void)poll_times(&at, f, 1);
    }
    caw_future_destroy(f);
    check_what_is_left(&at, kind);
    caw_test_reactor_free(at.r);
    return is_ready;
}

static void
stop_at_each_point_leaves_nothing(void)
{
    int kind = 0;
    for (caw_future *f; (f = make(kind)); kind++) {
        caw_future_destroy(f);
        for (int way = 0; way < WAYS; way++) {
            int polls = 0;
            while (!stop_after(polls, kind, way)) {
                CHECK(++polls < 50);
            }
            CHECK(polls >= 3);
        }
    }
    CHECK_INT(kind, 14);
}

/* Once it was cancelled, each probe that can be reached was asked, and no second future was made. */
static void
cancel_passes_through_each_of_them_and_through_nested_ones(void)
{
    for (int kind = 0; kind < 14; kind++) {
        place at;
        CHECK_INT(caw_test_reactor_new(&at.r), 0);
        caw_test_waker_init(&at.waker);
        memset(probes, 0, sizeof probes);
        caw_future *f = make(kind);
        CHECK(caw_test_reactor_poll(at.r, f, &at.waker) == CAW_PENDING);
        caw_future_cancel(f);
        for (int i = 0; i < PROBES; i++) {
            bool is_shielded = kind == 5 || (kind == 12 && i == 1);
            bool has_no_turn = (kind == 10 && i == 1) || (kind == 13 && i == 2);
            CHECK_INT(probes[i].cancels, probes[i].future.ops && !is_shielded && !has_no_turn);
        }
        caw_future_destroy(f);
        caw_test_reactor_free(at.r);
    }
}

/* --- by an async function --- */

typedef struct looking {
    caw_async async;
    caw_future *all;
} looking;

CAW_ASYNC_FUNCTION(looking)

static caw_future *
yield_of(const caw_future *f)
{
    return caw_test_yield(f->status == 0 ? 1 : 0);
}

static caw_step
looking_run(looking *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        self->all = caw_all(caw_test_yield(1), caw_test_yield(2));
        CAW_AWAIT_REF(self->all);
        CAW_AWAIT(yield_of(caw_child(self->all, 1)));
    }
    CAW_FINALLY
    {
        caw_future_destroy(self->all);
    }
}

static void
child_of_another_future_is_looked_at_in_an_await(void)
{
    caw_future *f = CAW_ASYNC_NEW(looking, .all = NULL);
    CHECK_INT(caw_block_on(f), 0);
    caw_future_destroy(f);
}

TESTS(TEST(stop_at_each_point_leaves_nothing), TEST(cancel_passes_through_each_of_them_and_through_nested_ones),
      TEST(child_of_another_future_is_looked_at_in_an_await))
