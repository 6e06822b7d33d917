/* test_memory.c: each allocation of an async function fails once. Its source is compiled in here, with an allocator
 * that fails on demand. */
#include "support/items.h"
#include "support/kid.h"
#include "support/points.h"

#define malloc caw_test_malloc
#define calloc caw_test_calloc

/* NOLINTBEGIN: so that they use this allocator */
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

TESTS(TEST(frame_without_memory_releases_its_arguments_and_is_an_error),
      TEST(generator_without_memory_releases_its_arguments))
