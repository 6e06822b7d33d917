/* test_mistakes.c: what a debug build says of an async function that is used, or written, wrongly. */
#include "support/kid.h"
#include "support/mistakes.h"
#include "support/points.h"

typedef struct waits {
    caw_async async;
    caw_future *itself;
    caw_future *child;
} waits;

CAW_ASYNC_FUNCTION(waits)

static caw_step
waits_run(waits *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        CAW_AWAIT(self->child);
    }
}

static caw_poll
poll_it(caw_future *f)
{
    caw_test_waker waker;
    caw_test_waker_init(&waker);
    caw_context cx = {caw_test_waker_get(&waker), NULL, NULL};
    return caw_future_poll(f, &cx);
}

/* --- polled, cancelled and destroyed at the wrong time --- */

static caw_future *reentered;
static void (*reenter)(caw_future *f);

static caw_poll
reentering_poll(caw_future *f, caw_context *cx)
{
    (void)cx;
    reenter(reentered);
    return caw_future_finish(f, 0);
}

static void
nothing(caw_future *f)
{
    (void)f;
}

static const caw_future_ops reentering_ops = {"reentering", reentering_poll, NULL, nothing};
static caw_future reentering = {.ops = &reentering_ops};

static void
poll_again(caw_future *f)
{
    (void)poll_it(f);
}

static void
in_its_own_poll(void *arg)
{
    waits frame;
    memcpy(&reenter, arg, sizeof reenter);
    reentered = CAW_ASYNC_CALL(&frame, waits, .child = &reentering);
    (void)poll_it(reentered);
}

static void
check_said(const mistake *m, const char *text)
{
    CHECK(m->aborted);
    if (!strstr(m->said, "\"waits\"") || !strstr(m->said, text)) {
        fprintf(stderr, "it said: %s\n", m->said);
        abort();
    }
}

static void
function_that_is_used_while_it_runs_aborts_with_its_name_and_line(void)
{
    if (!mistakes_abort) {
        SKIP("this is found in debug builds only");
        return;
    }
    struct {
        void (*call)(caw_future *f);
        const char *said;
    } ways[] = {{poll_again, "is polled while it runs"},
                {caw_future_cancel, "is cancelled while it runs"},
                {caw_future_destroy, "is destroyed while it runs"}};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        mistake m = mistake_of(in_its_own_poll, &ways[i].call);
        check_said(&m, ways[i].said);
        CHECK(strstr(m.said, "test_mistakes.c:"));
    }
}

static void
after_its_end(void *arg)
{
    (void)arg;
    waits frame;
    caw_future *f = CAW_ASYNC_CALL(&frame, waits, .child = KID(0, 0));
    CHECK(poll_it(f) == CAW_READY);
    (void)poll_it(f);
}

static void
destroyed_twice(void *arg)
{
    waits frame;
    caw_future *f = CAW_ASYNC_CALL(&frame, waits, .child = KID(0, 0));
    caw_future_destroy(f);
    if (arg) {
        (void)poll_it(f);
    }
    caw_future_destroy(f);
}

static void
function_that_is_used_after_its_end_aborts(void)
{
    if (!mistakes_abort) {
        SKIP("this is found in debug builds only");
        return;
    }
    mistake m = mistake_of(after_its_end, NULL);
    check_said(&m, "is polled after its end");
    m = mistake_of(destroyed_twice, NULL);
    CHECK(m.aborted && strstr(m.said, "is destroyed twice"));
    m = mistake_of(destroyed_twice, &m);
    CHECK(m.aborted && strstr(m.said, "is polled, and was destroyed"));
}

/* --- locals --- */

typedef struct forgetful {
    caw_async async;
    bool on_stack;
    int *out;
} forgetful;

CAW_ASYNC_FUNCTION(forgetful)

static caw_step
forgetful_run(forgetful *self, caw_context *cx)
{
    caw_future on_stack = {.ops = &reentering_ops};
    CAW_ROUTINE (&self->async, cx) {
        if (self->on_stack) {
            CAW_AWAIT_REF(&on_stack);
        }
        else {
            volatile int local[4];
            local[2] = 7;
            CAW_AWAIT(KID(1, 0));
            *self->out = local[2];
        }
    }
}

static void
future_in_a_local(void *arg)
{
    (void)arg;
    forgetful frame;
    (void)poll_it(CAW_ASYNC_CALL(&frame, forgetful, .on_stack = true));
}

static void
await_of_a_local_aborts(void)
{
#ifdef __SANITIZE_ADDRESS__
    (void)future_in_a_local;
    SKIP("AddressSanitizer keeps locals elsewhere");
#else
    if (!mistakes_abort) {
        SKIP("this is found in debug builds only");
        return;
    }
    mistake m = mistake_of(future_in_a_local, NULL);
    CHECK(m.aborted && strstr(m.said, "\"forgetful\"") && strstr(m.said, "awaits a future that is a local variable"));
#endif
}

static void
local_does_not_seem_to_live_across_an_await(void)
{
#ifdef __SANITIZE_ADDRESS__
    SKIP("AddressSanitizer keeps locals elsewhere");
#else
    if (!mistakes_abort) {
        SKIP("only a debug build overwrites the stack");
        return;
    }
    int out = 0;
    forgetful frame;
    caw_future *f = CAW_ASYNC_CALL(&frame, forgetful, .out = &out);
    CHECK_INT(poll_it(f), CAW_PENDING);
    CHECK_INT(poll_it(f), CAW_READY);
    CHECK(out != 7);
    caw_future_destroy(f);
#endif
}

/* --- statuses that are none --- */

typedef struct returns {
    caw_async async;
    int status;
} returns;

CAW_ASYNC_FUNCTION(returns)

static caw_step
returns_run(returns *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        CAW_RETURN(self->status);
    }
}

static void
return_a_count(void *arg)
{
    (void)arg;
    (void)caw_block_on(CAW_ASYNC_NEW(returns, .status = 7));
}

static void
status_that_is_none_aborts_or_is_an_error(void)
{
    if (mistakes_abort) {
        mistake m = mistake_of(return_a_count, NULL);
        CHECK(m.aborted && strstr(m.said, "returns"));
        return;
    }
    returns frame;
    CHECK_INT(caw_block_on(CAW_ASYNC_CALL(&frame, returns, .status = 7)), CAW_EINVAL);
}

TESTS(TEST(function_that_is_used_while_it_runs_aborts_with_its_name_and_line),
      TEST(function_that_is_used_after_its_end_aborts), TEST(await_of_a_local_aborts),
      TEST(local_does_not_seem_to_live_across_an_await), TEST(status_that_is_none_aborts_or_is_an_error))
