/* test_once.c: something that is done once, polled by hand on one thread. */
#include "support/place.h"

/* What is done: a future that the test ends. The latest one that was made is `job`. */
struct job {
    caw_future future;
    caw_waker waker;
    bool is_over, cancelled;
};

static struct job job;
static int made, destroyed, lacks_memory;

static caw_poll
job_poll(caw_future *f, caw_context *cx)
{
    if (job.is_over || job.cancelled) {
        return caw_future_finish(f, job.cancelled ? CAW_ECANCELED : job.future.status);
    }
    caw_waker_drop(job.waker);
    job.waker = caw_waker_clone(cx->waker);
    return CAW_PENDING;
}

static void
job_cancel(caw_future *f)
{
    (void)f;
    job.cancelled = true;
    caw_waker_wake_by_ref(job.waker);
}

static void
job_destroy(caw_future *f)
{
    (void)f;
    caw_waker_drop(job.waker);
    job.waker = CAW_WAKER_NONE;
    destroyed++;
}

static const caw_future_ops job_ops = {"job", job_poll, job_cancel, job_destroy};

static caw_future *
make_job(void *user)
{
    CHECK(user == &job);
    CHECK_INT(made, destroyed); /* never two at a time */
    made++;
    if (lacks_memory > 0) {
        lacks_memory--;
        destroyed++;
        return NULL;
    }
    job = (struct job){.is_over = false};
    caw_future_init(&job.future, &job_ops);
    return &job.future;
}

static void
end_job(int status)
{
    job.is_over = true;
    job.future.status = status;
    caw_waker_wake_by_ref(job.waker);
}

static bool
waits(caw_once_op *op, counter *c)
{
    return poll_at(&op->future, NULL, c) == CAW_PENDING;
}

/* An op that is polled once, and waits. */
static void
begin(caw_once_op *op, caw_once *once, counter *c)
{
    CHECK(poll_at(caw_once_do(op, once, make_job, &job), NULL, c) == CAW_PENDING);
}

static void
reset(void)
{
    made = destroyed = lacks_memory = 0;
}

static void
first_does_it_and_the_others_wait_for_it(void)
{
    static caw_once once = CAW_ONCE_INIT;
    caw_once_op ops[3];
    counter c[3] = {{0}};
    reset();
    for (int i = 0; i < 3; i++) {
        begin(&ops[i], &once, &c[i]);
    }
    CHECK_INT(made, 1);
    CHECK(!caw_once_is_done(&once));
    end_job(0);
    CHECK_INT(c[0].wakes, 1);
    CHECK_INT(c[1].wakes, 0);
    CHECK_INT(status_at(&ops[0].future, NULL, &c[0]), 0);
    CHECK(caw_once_is_done(&once) && destroyed == 1);
    for (int i = 1; i < 3; i++) {
        CHECK_INT(c[i].wakes, 1);
        CHECK_INT(status_at(&ops[i].future, NULL, &c[i]), 0);
        caw_future_destroy(&ops[i].future);
    }
    caw_future_destroy(&ops[0].future);
    CHECK_INT(status_at(caw_once_do(&ops[0], &once, make_job, &job), NULL, &c[0]), 0);
    caw_future_destroy(&ops[0].future);
    CHECK_INT(made, 1);
    CHECK_INT(c[0].references + c[1].references + c[2].references, 0);
}

static void
failure_is_of_one_and_the_next_does_it(void)
{
    caw_once once;
    caw_once_op ops[2];
    counter c[2] = {{0}};
    reset();
    caw_once_init(&once);
    begin(&ops[0], &once, &c[0]);
    begin(&ops[1], &once, &c[1]);
    end_job(-EIO);
    CHECK_INT(status_at(&ops[0].future, NULL, &c[0]), -EIO);
    CHECK_INT(c[1].wakes, 1);
    CHECK(waits(&ops[1], &c[1]) && made == 2);
    caw_future_destroy(&ops[0].future);
    end_job(0);
    CHECK_INT(status_at(&ops[1].future, NULL, &c[1]), 0);
    caw_future_destroy(&ops[1].future);
    CHECK(caw_once_is_done(&once));
    CHECK_INT(c[0].references + c[1].references, 0);
}

/* Cancelled, destroyed, or both: before it was polled, while it does it, when it was just given it. */
static void
first_that_leaves_at_any_point_leaves_it_to_the_next(void)
{
    for (int ending = 0; ending < 3; ending++) {
        for (int point = 0; point < 3; point++) {
            caw_once once = CAW_ONCE_INIT;
            caw_once_op before, leaves, next;
            counter c[3] = {{0}};
            reset();
            if (point == 2) {
                begin(&before, &once, &c[0]);
            }
            (void)caw_once_do(&leaves, &once, make_job, &job);
            CHECK(point == 0 || waits(&leaves, &c[1]));
            if (point > 0) {
                begin(&next, &once, &c[2]);
            }
            if (point == 2) {
                caw_future_destroy(&before.future);
                CHECK_INT(c[1].wakes, 1);
            }
            if (ending != 1) {
                caw_future_cancel(&leaves.future);
            }
            if (ending == 0) {
                CHECK_INT(status_at(&leaves.future, NULL, &c[1]), CAW_ECANCELED);
            }
            caw_future_destroy(&leaves.future);
            CHECK_INT(made, point > 0);
            CHECK_INT(destroyed, made);
            if (point == 0) {
                begin(&next, &once, &c[2]);
            }
            else {
                CHECK_INT(c[2].wakes, 1);
                CHECK(waits(&next, &c[2]));
            }
            end_job(0);
            CHECK_INT(status_at(&next.future, NULL, &c[2]), 0);
            caw_future_destroy(&next.future);
            CHECK_INT(c[0].references + c[1].references + c[2].references, 0);
        }
    }
}

static void
one_that_waits_and_leaves_changes_nothing(void)
{
    caw_once once = CAW_ONCE_INIT;
    caw_once_op does, leaves;
    counter c = {0, 0};
    reset();
    begin(&does, &once, &c);
    begin(&leaves, &once, &c);
    caw_future_cancel(&leaves.future);
    CHECK_INT(status_at(&leaves.future, NULL, &c), CAW_ECANCELED);
    caw_future_destroy(&leaves.future);
    CHECK(!job.cancelled);
    end_job(0);
    CHECK_INT(status_at(&does.future, NULL, &c), 0);
    caw_future_destroy(&does.future);
    CHECK_INT(c.references, 0);
}

static void
result_that_comes_although_it_was_cancelled_counts(void)
{
    caw_once once = CAW_ONCE_INIT;
    caw_once_op op;
    counter c = {0, 0};
    reset();
    begin(&op, &once, &c);
    caw_future_cancel(&op.future);
    job.cancelled = false;
    end_job(0);
    CHECK_INT(status_at(&op.future, NULL, &c), 0);
    caw_future_destroy(&op.future);
    CHECK(caw_once_is_done(&once));
    CHECK_INT(c.references, 0);
}

static void
without_memory_it_is_left_to_the_next(void)
{
    caw_once once = CAW_ONCE_INIT;
    caw_once_op op;
    counter c = {0, 0};
    reset();
    lacks_memory = 2;
    for (int i = 0; i < 2; i++) {
        CHECK_INT(status_at(caw_once_do(&op, &once, make_job, &job), NULL, &c), CAW_ENOMEM);
        caw_future_destroy(&op.future);
    }
    begin(&op, &once, &c);
    end_job(0);
    CHECK_INT(status_at(&op.future, NULL, &c), 0);
    caw_future_destroy(&op.future);
    CHECK_INT(c.references, 0);
}

static void
once_that_ends_lets_the_others_go_and_does_not_stop_the_first(void)
{
    caw_once *once = malloc(sizeof *once);
    caw_once_op does, waiting;
    counter c[2] = {{0}};
    CHECK(once);
    reset();
    caw_once_init(once);
    begin(&does, once, &c[0]);
    begin(&waiting, once, &c[1]);
    caw_once_fini(once);
    free(once);
    CHECK_INT(status_at(&waiting.future, NULL, &c[1]), CAW_ECLOSED);
    end_job(0);
    CHECK_INT(status_at(&does.future, NULL, &c[0]), 0);
    caw_future_destroy(&does.future);
    caw_future_destroy(&waiting.future);
    CHECK_INT(c[0].references + c[1].references, 0);
}

TESTS(TEST(first_does_it_and_the_others_wait_for_it), TEST(failure_is_of_one_and_the_next_does_it),
      TEST(first_that_leaves_at_any_point_leaves_it_to_the_next), TEST(one_that_waits_and_leaves_changes_nothing),
      TEST(result_that_comes_although_it_was_cancelled_counts), TEST(without_memory_it_is_left_to_the_next),
      TEST(once_that_ends_lets_the_others_go_and_does_not_stop_the_first))
