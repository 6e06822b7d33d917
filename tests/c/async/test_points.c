/* test_points.c: async functions that are cancelled and destroyed at each of their suspension points. */
#include "support/kid.h"
#include "support/points.h"

/* What the function of the running test has done. */
static struct seen {
    int begun, finals, last_lines; /* of the body, of the final part: it was reached, it was passed */
    int after_cancel;              /* an await of a cancelled body was passed */
} seen;

static void
reset(void)
{
    seen = (struct seen){0};
    kids_cancelled = 0;
}

static void
check_once(enum interruption how, int n, int status)
{
    (void)n;
    (void)status;
    CHECK_INT(seen.finals, 1);
    CHECK_INT(seen.last_lines, 1);
    CHECK_INT(kids_alive, 0);
    CHECK(kids_cancelled <= (how == NOT_AT_ALL || how == DESTROY ? 0 : 1));
    CHECK_INT(seen.after_cancel, 0);
}

/* --- children of all kinds --- */

typedef struct inner {
    caw_async async;
    caw_future *argument;
    int *finals;
} inner;

CAW_ASYNC_FUNCTION(inner)

static caw_step
inner_run(inner *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        CAW_AWAIT(KID(1, 0));
        CAW_AWAIT_REF(self->argument);
    }
    CAW_FINALLY
    {
        caw_future_destroy(self->argument);
        CAW_AWAIT(KID(1, 0));
        ++*self->finals;
    }
}

typedef struct outer {
    caw_async async;
    inner inner;
    caw_future *kept, *on_heap;
    int i, status, inner_finals, inner_begun;
} outer;

CAW_ASYNC_FUNCTION(outer)

static caw_step
outer_run(outer *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        seen.begun++;
        for (self->i = 0; self->i < 3; self->i++) {
            CAW_AWAIT(KID(self->i, 0));
        }
        self->inner_begun++;
        CAW_AWAIT(CAW_ASYNC_CALL(&self->inner, inner, .argument = KID(2, 0), .finals = &self->inner_finals));
        self->kept = KID(2, -ENOENT);
        CAW_AWAIT_REF_STATUS(self->status, self->kept);
        CAW_TRY(self->status == -ENOENT ? 0 : -EINVAL);
        self->inner_begun++;
        self->on_heap = CAW_ASYNC_NEW(inner, .argument = KID(1, 0), .finals = &self->inner_finals);
        CAW_AWAIT_REF(self->on_heap);
        CAW_AWAIT_STATUS(self->status, KID(1, -EIO));
        seen.after_cancel += caw_async_cancelled(&self->async);
    }
    CAW_FINALLY
    {
        seen.finals++;
        CAW_AWAIT(KID(1, 0));
        caw_future_destroy(self->on_heap);
        caw_future_destroy(self->kept);
        CHECK_INT(self->inner_finals, self->inner_begun);
        CAW_AWAIT(KID(2, -EPIPE));
        seen.last_lines++;
    }
}

static caw_future *
make_outer(void)
{
    reset();
    return CAW_ASYNC_NEW(outer, .i = 0);
}

static void
check_outer(enum interruption how, int n, int status)
{
    check_once(how, n, status);
    CHECK(status == -EINPROGRESS || status == CAW_ECANCELED || status == -EPIPE);
    if (how == NOT_AT_ALL) {
        CHECK_INT(status, -EPIPE); /* the first error is one of the final part */
    }
    if (n == 0 && how != NOT_AT_ALL) {
        CHECK_INT(seen.begun, 0); /* interrupted before its first poll */
    }
}

static void
final_part_runs_once_wherever_it_is_interrupted(void)
{
    interrupt_everywhere(make_outer, check_outer);
}

/* --- a child that wins against the cancel --- */

typedef struct stubborn {
    caw_async async;
    int status, got;
} stubborn;

CAW_ASYNC_FUNCTION(stubborn)

static caw_step
stubborn_run(stubborn *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        CAW_AWAIT_STATUS(self->status, WINNING_KID(2, -ENOENT));
        self->got++;
        seen.begun++;
        CAW_AWAIT(KID(1, 0));
        seen.after_cancel += caw_async_cancelled(&self->async);
    }
    CAW_FINALLY
    {
        seen.finals++;
        seen.last_lines++;
    }
}

static caw_future *
make_stubborn(void)
{
    reset();
    return CAW_ASYNC_NEW(stubborn, .got = 0);
}

static void
check_stubborn(enum interruption how, int n, int status)
{
    check_once(how, n, status);
    if (how == CANCEL && (n == 1 || n == 2)) {
        CHECK_INT(seen.begun, 1); /* what the child gave was seen */
        CHECK_INT(status, CAW_ECANCELED);
    }
}

static void
value_that_wins_against_a_cancel_is_delivered_and_the_next_await_leaves(void)
{
    interrupt_everywhere(make_stubborn, check_stubborn);
}

/* --- a loop that tries again cannot swallow a cancel --- */

typedef struct retry {
    caw_async async;
    int tries, error;
} retry;

CAW_ASYNC_FUNCTION(retry)

static caw_step
retry_run(retry *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        for (self->tries = 0; self->tries < 4; self->tries++) {
            CAW_AWAIT_STATUS(self->error, KID(2, -EAGAIN));
            seen.after_cancel += caw_async_cancelled(&self->async);
        }
        CAW_RETURN(self->error);
    }
    CAW_FINALLY
    {
        seen.finals++;
        seen.last_lines++;
    }
}

static caw_future *
make_retry(void)
{
    reset();
    return CAW_ASYNC_NEW(retry, .tries = 0);
}

static void
check_retry(enum interruption how, int n, int status)
{
    check_once(how, n, status);
    if (how == NOT_AT_ALL) {
        CHECK_INT(status, -EAGAIN);
    }
    if (how == CANCEL && n > 0 && n <= 8) {
        CHECK_INT(status, CAW_ECANCELED);
    }
}

static void
loop_that_tries_again_does_not_swallow_a_cancel(void)
{
    interrupt_everywhere(make_retry, check_retry);
}

/* --- the final part --- */

typedef struct closing {
    caw_async async;
    int passed, result; /* of the body */
    int *result_out;
} closing;

CAW_ASYNC_FUNCTION(closing)

static caw_step
closing_run(closing *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        CAW_AWAIT(KID(1, 0));
        CAW_RETURN(self->result);
    }
    CAW_FINALLY
    {
        CAW_TRY(-EPERM);
        self->passed++;
        CAW_AWAIT(KID(0, -EIO));
        self->passed++;
        CAW_AWAIT(NULL);
        self->passed++;
        *self->result_out = self->passed;
        if (self->passed == 3) {
            CAW_RETURN(self->async.future.status);
        }
        self->passed = 100;
    }
}

static void
errors_of_the_final_part_go_on_with_the_next_statement_and_the_first_is_kept(void)
{
    bool was_ready;
    int passed = 0;
    CHECK_INT(interrupt(CAW_ASYNC_NEW(closing, .result = 0, .result_out = &passed), 0, NOT_AT_ALL, &was_ready), -EPERM);
    CHECK_INT(passed, 3);
    CHECK_INT(interrupt(CAW_ASYNC_NEW(closing, .result = -EBUSY, .result_out = &passed), 0, NOT_AT_ALL, &was_ready),
              -EBUSY);
    CHECK_INT(kids_alive, 0);
}

static void
second_cancel_and_one_in_the_final_part_change_nothing(void)
{
    caw_test_reactor *r;
    caw_test_waker waker;
    CHECK_INT(caw_test_reactor_new(&r), 0);
    caw_test_waker_init(&waker);
    caw_future *f = make_outer();
    CHECK(!poll_times(r, f, &waker, 3));
    caw_future_cancel(f);
    caw_future_cancel(f);
    CHECK(!poll_times(r, f, &waker, 1)); /* now in the final part */
    CHECK_INT(seen.finals, 1);
    caw_future_cancel(f);
    CHECK(poll_times(r, f, &waker, 100));
    CHECK_INT(f->status, CAW_ECANCELED);
    CHECK_INT(kids_cancelled, 1);
    caw_future_destroy(f);
    caw_test_reactor_free(r);
    check_once(CANCEL, 3, 0);
}

TESTS(TEST(final_part_runs_once_wherever_it_is_interrupted),
      TEST(value_that_wins_against_a_cancel_is_delivered_and_the_next_await_leaves),
      TEST(loop_that_tries_again_does_not_swallow_a_cancel),
      TEST(errors_of_the_final_part_go_on_with_the_next_statement_and_the_first_is_kept),
      TEST(second_cancel_and_one_in_the_final_part_change_nothing))
