/* test_combine_detail.c: what a child's status stands for goes with it, though the others end later, with the same
 * status. */
#include "core/base/detail.h"

#include "support/probe.h"

static atomic_int details_ended;

static void
detail_end(caw__detail *detail)
{
    (void)detail;
    atomic_fetch_add(&details_ended, 1);
}

/* A future that fails with a detail of its own, at once or after a cancel. */
typedef struct failing {
    caw_future future;
    caw__detail detail;
    caw_waker waker;
    bool fails;
} failing;

static caw_poll
failing_poll(caw_future *f, caw_context *cx)
{
    failing *g = CAW_CONTAINER_OF(f, failing, future);
    if (!g->fails) {
        g->waker = caw_waker_clone(cx->waker);
        return CAW_PENDING;
    }
    caw__note(cx, &g->detail, -EIO);
    return caw_future_finish(f, -EIO);
}

static void
failing_cancel(caw_future *f)
{
    failing *g = CAW_CONTAINER_OF(f, failing, future);
    g->fails = true;
    caw_waker_wake(g->waker);
}

static void
failing_destroy(caw_future *f)
{
    caw__detail_release(&CAW_CONTAINER_OF(f, failing, future)->detail);
}

static const caw_future_ops failing_ops = {"failing", failing_poll, failing_cancel, failing_destroy};

static caw_future *
failing_init(failing *g, bool fails)
{
    *g = (failing){.waker = CAW_WAKER_NONE, .fails = fails};
    caw_future_init(&g->future, &failing_ops);
    atomic_init(&g->detail.refs, 1);
    g->detail.end = detail_end;
    return &g->future;
}

static caw_future *
all_of_two(caw_future *first, caw_future *second)
{
    return caw_all(second, first);
}

static caw_future *
race_of_two(caw_future *first, caw_future *second)
{
    return caw_race(second, first);
}

static caw_future *
group_of_two(caw_future *first, caw_future *second)
{
    caw_group *group;
    caw_future *f;
    caw_group_spec spec = {.limit = 0};
    CHECK_INT(caw_group_new(&spec, &group, &f), 0);
    CHECK_INT(caw_group_add(group, second), 0);
    CHECK_INT(caw_group_add(group, first), 0);
    caw_group_release(group);
    return f;
}

static void
detail_of_the_first_failure_is_noted_at_the_end(void)
{
    caw_future *(*const make[])(caw_future *, caw_future *) = {all_of_two, race_of_two, group_of_two};
    for (size_t i = 0; i < 3; i++) {
        failing first, second;
        caw__notes notes = {.detail = NULL};
        details_ended = 0;
        caw_future *f = make[i](failing_init(&first, true), failing_init(&second, false));
        counter c = {0, 0};
        caw__notes_enter(&notes);
        CHECK(run_while_woken(f, NULL, &c)); /* the second is cancelled, and fails with the same status */
        caw__notes_leave(&notes);
        CHECK(second.fails);
        CHECK_INT(f->status, -EIO);
        caw__detail *detail = caw__notes_take(&notes, -EIO);
        CHECK(detail == &first.detail);
        caw__detail_release(detail);
        end_future(f, &c);
        CHECK_INT(details_ended, 2);
    }
}

static void
time_limit_and_value_have_no_detail(void)
{
    failing first, second;
    caw__notes notes = {.detail = NULL};
    counter c = {0, 0};
    caw__notes_enter(&notes);
    caw_future *f = caw_any(failing_init(&first, true), failing_init(&second, true));
    CHECK(run_while_woken(f, NULL, &c));
    caw__detail *detail = caw__notes_take(&notes, -EIO);
    CHECK(detail == &second.detail); /* the last error */
    caw__detail_release(detail);
    end_future(f, &c);
    caw_reactor *r = new_reactor(CAW_REACTOR_DEFAULT);
    f = caw_timeout(0, failing_init(&first, false));
    CHECK(run_while_woken(f, r, &c));
    CHECK_INT(f->status, CAW_ETIMEDOUT);
    CHECK(!caw__notes_take(&notes, CAW_ETIMEDOUT));
    end_future(f, &c);
    caw__notes_leave(&notes);
    end_reactor(r);
}

TESTS(TEST(detail_of_the_first_failure_is_noted_at_the_end), TEST(time_limit_and_value_have_no_detail))
