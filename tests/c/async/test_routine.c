/* test_routine.c: the words of an async function, and the ways through it. Also compiled with CAW_ASYNC_SWITCH. */
#include "support/points.h"

#define MS UINT64_C(1000000)

/* A value that is counted: what an argument owns. */
static int held;

static int *
hold(void)
{
    held++;
    return &held;
}

static void
release(int *value)
{
    held -= value != NULL;
}

/* Run it on the fake clock; its status. It is destroyed. */
static int
run(caw_future *f)
{
    bool was_ready;
    return interrupt(f, 0, NOT_AT_ALL, &was_ready);
}

/* --- one function, all words --- */

typedef struct steps {
    caw_async async;
    int fails_at; /* 0: nowhere */
    int *held;
    int reached, finals, seen;
    int *log; /* what it reached, for after its destroy */
} steps;

CAW_ASYNC_FUNCTION(steps)

static caw_step
steps_run(steps *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        self->reached = 1;
        CAW_AWAIT(caw_ready(self->fails_at == 1 ? -EIO : 0));
        self->reached = 2;
        CAW_AWAIT(caw_sleep(MS));
        self->reached = 3;
        CAW_TRY(self->fails_at == 3 ? -EPERM : 0);
        CAW_AWAIT_STATUS(self->seen, caw_ready(-ENOENT));
        self->reached = 4;
        if (self->fails_at == 4) {
            CAW_RETURN(-EAGAIN);
        }
        CAW_AWAIT(self->fails_at == 5 ? NULL : caw_test_yield(2));
        self->reached = 5;
    }
    CAW_FINALLY
    {
        self->finals++;
        release(self->held);
        if (self->log) {
            *self->log = self->reached + 100 * self->finals;
        }
    }
}

static int steps_log;

static int
run_steps(int fails_at)
{
    steps_log = 0;
    return run(CAW_ASYNC_NEW(steps, .fails_at = fails_at, .held = hold(), .log = &steps_log));
}

static void
statuses_leave_for_the_final_part_where_they_are_not_only_stored(void)
{
    CHECK_INT(run_steps(0), 0);
    CHECK_INT(steps_log, 105);
    CHECK_INT(run_steps(1), -EIO);
    CHECK_INT(steps_log, 101);
    CHECK_INT(run_steps(3), -EPERM);
    CHECK_INT(steps_log, 103);
    CHECK_INT(run_steps(4), -EAGAIN);
    CHECK_INT(steps_log, 104);
    CHECK_INT(run_steps(5), CAW_ENOMEM);
    CHECK_INT(steps_log, 104);
    CHECK_INT(held, 0);
}

static void
frame_in_the_callers_memory_is_read_after_its_end(void)
{
    steps frame;
    bool was_ready;
    caw_future *f = CAW_ASYNC_CALL(&frame, steps, .held = hold());
    CHECK_INT(interrupt(f, 0, NOT_AT_ALL, &was_ready), 0);
    CHECK_INT(frame.seen, -ENOENT);
    CHECK_INT(frame.finals, 1);
    CHECK_INT(held, 0);
}

static void
frame_out_of_caw_async_alloc_takes_its_arguments_later(void)
{
    caw_async *a = caw_async_alloc(&steps_ops);
    CHECK(a);
    steps *self = CAW_CONTAINER_OF(a, steps, async);
    CHECK(!self->held && self->reached == 0);
    self->held = hold();
    CHECK_INT(run(&a->future), 0);
    CHECK_INT(held, 0);
}

/* --- without a final part, and without an await --- */

typedef struct plain {
    caw_async async;
    int status;
} plain;

CAW_ASYNC_FUNCTION(plain)

static caw_step
plain_run(plain *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        if (self->status > 0) {
            CAW_AWAIT(caw_test_yield(1));
        }
        CAW_RETURN(self->status < 0 ? self->status : 0);
    }
}

typedef struct empty {
    caw_async async;
    int value;
} empty;

CAW_ASYNC_FUNCTION(empty)

static caw_step
empty_run(empty *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        self->value = 7;
    }
}

static void
function_without_a_final_part_or_an_await_ends(void)
{
    empty frame;
    bool was_ready;
    CHECK_INT(run(CAW_ASYNC_NEW(plain, .status = 1)), 0);
    CHECK_INT(run(CAW_ASYNC_NEW(plain, .status = -EIO)), -EIO);
    CHECK_INT(interrupt(CAW_ASYNC_CALL(&frame, empty, .value = 1), 0, NOT_AT_ALL, &was_ready), 0);
    CHECK_INT(frame.value, 7);
}

/* --- loops, nested blocks, two awaits on a line, goto, switch --- */

typedef struct maze {
    caw_async async;
    int outer, inner, sum, *result;
} maze;

CAW_ASYNC_FUNCTION(maze)

/* clang-format off: two awaits on one line */
#define TWO_AWAITS                                                                                                     \
    CAW_AWAIT(caw_test_yield(1));                                                                                      \
    self->sum += 1;                                                                                                    \
    CAW_AWAIT(caw_test_yield(1))
/* clang-format on */

static caw_step
maze_run(maze *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        for (self->outer = 0; self->outer < 3; self->outer++) {
            self->inner = 0;
            while (self->inner < 4) {
                self->inner++;
                if (self->inner == 2) {
                    continue;
                }
                if (self->inner == 4) {
                    break;
                }
                if (self->outer == 1) {
                    CAW_AWAIT(caw_test_yield(1));
                }
                else {
                    CAW_AWAIT(caw_ready(0));
                }
                self->sum += 10;
            }
        }
        TWO_AWAITS;
    again:
        CAW_AWAIT(caw_test_yield(1));
        if (++self->outer < 6) {
            goto again;
        }
#if CAW__ASYNC_GOTO
        switch (self->outer) {
        case 1:
            self->sum = -1;
            break;
        case 6:
            CAW_AWAIT(caw_test_yield(3));
            self->sum += 100;
            break;
        default:
            break;
        }
#else
        self->sum += 100;
#endif
        {
            int local = 1000;
            self->sum += local;
        }
        CAW_AWAIT(caw_test_yield(1));
        *self->result = self->sum;
    }
}

static void
awaits_stand_in_loops_blocks_switches_and_on_one_line(void)
{
    int result = 0;
    CHECK_INT(run(CAW_ASYNC_NEW(maze, .result = &result)), 0);
    CHECK_INT(result, 6 * 10 + 1 + 100 + 1000);
}

/* --- calls of each other --- */

typedef struct tree {
    caw_async async;
    int depth;
    caw_future *left, *right;
    long sum;
} tree;

CAW_ASYNC_FUNCTION(tree)

static caw_step
tree_run(tree *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        if (self->depth == 0) {
            CAW_AWAIT(caw_test_yield(1));
            self->sum = 1;
            CAW_RETURN(0);
        }
        self->left = CAW_ASYNC_NEW(tree, .depth = self->depth - 1);
        self->right = CAW_ASYNC_NEW(tree, .depth = self->depth - 1);
        CAW_AWAIT_REF(self->left);
        CAW_AWAIT_REF(self->right);
        self->sum = CAW_CONTAINER_OF(self->left, tree, async.future)->sum;
        self->sum += CAW_CONTAINER_OF(self->right, tree, async.future)->sum;
    }
    CAW_FINALLY
    {
        caw_future_destroy(self->left);
        caw_future_destroy(self->right);
    }
}

typedef struct caller {
    caw_async async;
    long sum;
    union {
        steps steps;
        tree tree;
    } call;
} caller;

CAW_ASYNC_FUNCTION(caller)

static caw_step
caller_run(caller *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        CAW_AWAIT(CAW_ASYNC_CALL(&self->call.steps, steps, .held = hold()));
        CAW_TRY(self->call.steps.seen == -ENOENT ? 0 : -EINVAL);
        CAW_AWAIT(CAW_ASYNC_CALL(&self->call.tree, tree, .depth = 5));
        self->sum = self->call.tree.sum;
    }
}

static void
functions_call_each_other_in_the_callers_frame_and_on_the_heap(void)
{
    caller frame;
    bool was_ready;
    CHECK_INT(interrupt(CAW_ASYNC_CALL(&frame, caller, .sum = 0), 0, NOT_AT_ALL, &was_ready), 0);
    CHECK_INT(frame.sum, 32);
    CHECK_INT(held, 0);
}

static void
function_blocks_a_thread_and_runs_on_a_pool(void)
{
    caller frame;
    caw_future *f = CAW_ASYNC_CALL(&frame, caller, .sum = 0);
    CHECK_INT(caw_block_on(f), 0);
    CHECK_INT(frame.sum, 32);
    caw_future_destroy(f);
    caw_pool *pool;
    CHECK_INT(caw_pool_new(2, &pool), 0);
    caw_future *join = caw_spawn(pool, CAW_ASYNC_NEW(caller, .sum = 0));
    CHECK_INT(caw_block_on(join), 0);
    CHECK_INT(CAW_CONTAINER_OF(caw_spawn_child(join), caller, async.future)->sum, 32);
    caw_future_destroy(join);
    caw_pool_close(pool);
    caw_pool_release(pool);
}

/* --- an untaken value --- */

typedef struct valued {
    caw_async async;
    int *value;
} valued;

static void
valued_fini(valued *self)
{
    release(self->value);
}

CAW_ASYNC_FUNCTION_FINI(valued, valued_fini)

static caw_step
valued_run(valued *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        CAW_AWAIT(caw_test_yield(1));
        self->value = hold();
    }
    CAW_FINALLY
    {
        CAW_AWAIT(caw_test_yield(1));
    }
}

static caw_future *
make_valued(void)
{
    return CAW_ASYNC_NEW(valued, .value = NULL);
}

static void
check_nothing_is_held(enum interruption how, int n, int status)
{
    (void)how;
    (void)n;
    (void)status;
    CHECK_INT(held, 0);
}

static void
value_that_nobody_took_is_released_wherever_it_is_interrupted(void)
{
    interrupt_everywhere(make_valued, check_nothing_is_held);
}

/* --- what it costs in memory --- */

static void
frame_adds_no_more_than_three_words_to_a_future(void)
{
    CHECK(sizeof(caw_async) <= sizeof(caw_future) + 3 * sizeof(void *)); /* 24 bytes where a pointer has 8 */
}

/* --- where it is --- */

static void
trace_names_each_function_and_its_line(void)
{
    caller frame;
    caw_test_reactor *r;
    caw_test_waker waker;
    char text[512], small[20];
    CHECK_INT(caw_test_reactor_new(&r), 0);
    caw_test_waker_init(&waker);
    caw_future *f = CAW_ASYNC_CALL(&frame, caller, .sum = 0);
    CHECK_INT(caw_async_trace(f, text, sizeof text), strlen("caller\n"));
    CHECK(strcmp(text, "caller\n") == 0);
    CHECK_INT(caw_test_reactor_poll(r, f, &waker), CAW_PENDING);
    CHECK_INT(caw_async_trace(f, text, sizeof text), strlen(text));
    CHECK(strstr(text, "caller at ") == text && strstr(text, "test_routine.c:"));
    CHECK(strstr(text, ": CAW_ASYNC_CALL(&self->call.steps, steps, .held = hold())\nsteps at "));
    CHECK(strstr(text, ": caw_sleep(MS)\nsleep\n"));
    CHECK_INT(caw_async_trace(f, small, sizeof small), sizeof small - 1);
    CHECK(strncmp(small, text, sizeof small - 1) == 0 && small[sizeof small - 1] == '\0');
    CHECK_INT(caw_async_trace(f, text, 0), 0);
    caw_future_destroy(f);
    caw_test_reactor_free(r);

    steps failed;
    f = CAW_ASYNC_CALL(&failed, steps, .fails_at = 3, .held = hold());
    CHECK_INT(caw_block_on(f), -EPERM);
    (void)caw_async_trace(f, text, sizeof text);
    CHECK(strstr(text, ": self->fails_at == 3 ? -EPERM : 0\n"));
    caw_future_destroy(f);
}

/* It stores the error of a child, and goes on; then it fails by another one, or only returns an error. */
typedef struct stores {
    caw_async async;
    bool returns;
    int stored;
} stores;

CAW_ASYNC_FUNCTION(stores)

static caw_step
stores_run(stores *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        CAW_AWAIT_STATUS(self->stored, CAW_ASYNC_NEW(steps, .fails_at = 3, .held = hold()));
        if (self->returns) {
            CAW_RETURN(self->stored);
        }
        CAW_AWAIT(CAW_ASYNC_NEW(steps, .fails_at = 1, .held = hold()));
    }
    CAW_FINALLY
    {
        CAW_AWAIT(CAW_ASYNC_NEW(steps, .fails_at = 3, .held = hold()));
    }
}

static void
trace_of_a_failure_has_the_functions_that_failed_and_no_others(void)
{
    char text[512];
    stores frame;
    caw_future *f = CAW_ASYNC_CALL(&frame, stores, .returns = false);
    CHECK_INT(caw_block_on(f), -EIO);
    (void)caw_async_trace(f, text, sizeof text);
    CHECK(strstr(text, "stores at ") == text &&
          strstr(text, ": CAW_ASYNC_NEW(steps, .fails_at = 1, .held = hold())\nsteps at "));
    CHECK(strstr(text, ": caw_ready(self->fails_at == 1 ? -EIO : 0)\n") && !strstr(text, "fails_at == 3"));
    caw_future_destroy(f);
    f = CAW_ASYNC_CALL(&frame, stores, .returns = true);
    CHECK_INT(caw_block_on(f), -EPERM);
    (void)caw_async_trace(f, text, sizeof text);
    CHECK(strcmp(text, "stores\n") == 0);
    caw_future_destroy(f);
    CHECK_INT(held, 0);
}

TESTS(TEST(statuses_leave_for_the_final_part_where_they_are_not_only_stored),
      TEST(frame_in_the_callers_memory_is_read_after_its_end),
      TEST(frame_out_of_caw_async_alloc_takes_its_arguments_later),
      TEST(function_without_a_final_part_or_an_await_ends), TEST(awaits_stand_in_loops_blocks_switches_and_on_one_line),
      TEST(functions_call_each_other_in_the_callers_frame_and_on_the_heap),
      TEST(function_blocks_a_thread_and_runs_on_a_pool),
      TEST(value_that_nobody_took_is_released_wherever_it_is_interrupted),
      TEST(frame_adds_no_more_than_three_words_to_a_future), TEST(trace_names_each_function_and_its_line),
      TEST(trace_of_a_failure_has_the_functions_that_failed_and_no_others))
