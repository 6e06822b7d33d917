/* test_memory.c: each allocation of an async function fails once. Its source is compiled in here, with an allocator
 * that fails on demand. */
#include "support/items.h"
#include "support/kid.h"
#include "support/points.h"

#define malloc caw_test_malloc
#define calloc caw_test_calloc

/* NOLINTBEGIN: so that they use this allocator */
#include "core/async/failed.c"
#include "core/async/generator.c"
#include "core/async/routine.c"
/* NOLINTEND */

#undef malloc
#undef calloc

static int finals, made;

typedef struct tree {
    caw_async async;
    int depth;
    caw_future *argument, *left, *right;
} tree;

CAW_ASYNC_FUNCTION(tree)

static caw_step
tree_run(tree *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        CAW_AWAIT_REF(self->argument);
        if (self->depth > 0) {
            made += 2;
            self->left = CAW_ASYNC_NEW(tree, .depth = self->depth - 1, .argument = KID(1, 0));
            self->right = CAW_ASYNC_NEW(tree, .depth = self->depth - 1, .argument = KID(0, 0));
            CAW_AWAIT_REF(self->left);
            CAW_AWAIT_REF(self->right);
        }
    }
    CAW_FINALLY
    {
        finals++;
        caw_future_destroy(self->left);
        caw_future_destroy(self->right);
        caw_future_destroy(self->argument);
    }
}

static void
frame_without_memory_releases_its_arguments_and_is_an_error(void)
{
    unsigned n = 1;
    for (; n == 1 || caw_test_allocation_failed(); n++) {
        finals = 0;
        made = 1;
        caw_test_fail_allocation(n);
        caw_future *f = CAW_ASYNC_NEW(tree, .depth = 2, .argument = KID(1, 0));
        int status = f ? caw_block_on(f) : CAW_ENOMEM;
        caw_future_destroy(f);
        CHECK_INT(status, caw_test_allocation_failed() ? CAW_ENOMEM : 0);
        CHECK_INT(finals, made);
        CHECK_INT(kids_alive, 0);
    }
    caw_test_fail_allocation(0);
    CHECK(n > 7);
}

typedef struct numbers {
    caw_generator generator;
    caw_future *argument;
} numbers;

CAW_GENERATOR_FUNCTION(numbers)

static caw_step
numbers_run(numbers *self, caw_context *cx)
{
    CAW_GENERATOR (&self->generator, cx) {
        CAW_YIELD(number_new(1));
    }
    CAW_FINALLY
    {
        caw_future_destroy(self->argument);
    }
}

static void
generator_without_memory_releases_its_arguments(void)
{
    caw_test_fail_allocation(1);
    CHECK(!CAW_GENERATOR_NEW(numbers, .argument = KID(1, 0)));
    caw_test_fail_allocation(1);
    CHECK(!caw_generator_alloc(&numbers_ops));
    caw_test_fail_allocation(1);
    CHECK(!caw_async_alloc(&tree_ops));
    caw_test_fail_allocation(0);
    CHECK_INT(kids_alive, 0);
}

/* Fails, so many calls deep, after an error that it only stores. */
typedef struct sinks {
    caw_async async;
    int depth, stored;
} sinks;

CAW_ASYNC_FUNCTION(sinks)

static caw_step
sinks_run(sinks *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        CAW_TRY(self->depth == 0 ? -EPERM : 0);
        CAW_AWAIT_STATUS(self->stored, CAW_ASYNC_NEW(sinks, .depth = 0));
        CAW_AWAIT(CAW_ASYNC_NEW(sinks, .depth = self->depth - 1));
    }
    CAW_FINALLY
    {
        finals++;
    }
}

static int
lines_of(const char *text)
{
    int lines = 0;
    for (; *text; text++) {
        lines += *text == '\n';
    }
    return lines;
}

static void
place_that_there_is_no_memory_for_is_left_out(void)
{
    char text[1024];
    unsigned n = 1;
    for (; n == 1 || caw_test_allocation_failed(); n++) {
        caw_test_fail_allocation(n);
        caw_future *f = CAW_ASYNC_NEW(sinks, .depth = 3);
        int status = f ? caw_block_on(f) : CAW_ENOMEM;
        bool failed = caw_test_allocation_failed();
        CHECK(status == -EPERM || (failed && status == CAW_ENOMEM));
        if (f) {
            (void)caw_async_trace(f, text, sizeof text);
            CHECK(failed ? lines_of(text) >= 1 && lines_of(text) <= 4 : lines_of(text) == 4);
        }
        caw_future_destroy(f);
    }
    caw_test_fail_allocation(0);
    CHECK(n > 12);
}

TESTS(TEST(frame_without_memory_releases_its_arguments_and_is_an_error),
      TEST(generator_without_memory_releases_its_arguments), TEST(place_that_there_is_no_memory_for_is_left_out))
