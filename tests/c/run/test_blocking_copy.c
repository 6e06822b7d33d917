/* test_blocking_copy.c: a call on a worker, whose argument is copied. */
#include "support/gate.h"
#include "support/place.h"

#include <stdalign.h>
#include <stdint.h>

struct sum {
    int a, b, result;
};

static int
add(void *arg)
{
    struct sum *s = arg;
    s->result = s->a + s->b;
    return -3;
}

static void
call_gets_the_copy_and_its_result_is_read_from_there(void)
{
    caw_pool *pool = new_pool(1);
    struct sum sum = {40, 2, 0};
    caw_future *f = caw_blocking_copy(pool, add, &sum, sizeof sum);
    CHECK(f && caw_blocking_arg(f) != &sum);
    sum = (struct sum){1, 1, 1}; /* the caller's own is not used any more */
    CHECK_INT(caw_block_on(f), -3);
    const struct sum *copy = caw_blocking_arg(f);
    CHECK_INT(copy->result, 42);
    CHECK_INT(sum.result, 1);
    caw_future_destroy(f);
    end_pool(pool);
}

/* A call that writes into its copy when nobody waits for it any more. */
struct late {
    struct gate *gate;
    char text[1000];
};

static int
write_late(void *arg)
{
    struct late *late = arg;
    (void)wait_at_gate(late->gate);
    memset(late->text, 'x', sizeof late->text);
    return 0;
}

static void
copy_outlives_the_future_while_the_call_runs(void)
{
    struct gate gate = GATE;
    caw_pool *pool = new_pool(1);
    struct late *late = calloc(1, sizeof *late);
    CHECK(late);
    late->gate = &gate;
    caw_future *f = caw_blocking_copy(pool, write_late, late, sizeof *late);
    free(late);
    CHECK(poll_without_waker(f, NULL) == CAW_PENDING);
    wait_until_at_gate(&gate, 1);
    caw_future_destroy(f);
    open_gate(&gate);
    end_pool(pool);
}

static int
check_zeros(void *arg)
{
    const char *bytes = arg;
    for (int i = 0; i < 500; i++) {
        CHECK_INT(bytes[i], 0);
    }
    return 0;
}

static void
copy_of_NULL_is_zeros(void)
{
    caw_pool *pool = new_pool(1);
    caw_future *f = caw_blocking_copy(pool, check_zeros, NULL, 500);
    CHECK_INT(caw_block_on(f), 0);
    caw_future_destroy(f);
    end_pool(pool);
}

static int
is_aligned(void *arg)
{
    return (uintptr_t)arg % alignof(max_align_t) == 0 ? 0 : -1;
}

static void
copy_of_any_size_is_aligned(void)
{
    caw_pool *pool = new_pool(1);
    for (size_t size = 0; size < 70; size++) {
        char bytes[70] = {0};
        caw_future *f = caw_blocking_copy(pool, is_aligned, bytes, size);
        CHECK_INT(caw_block_on(f), 0);
        caw_future_destroy(f);
    }
    end_pool(pool);
}

static void
copy_that_no_memory_is_large_enough_for_is_NULL(void)
{
    caw_pool *pool = new_pool(1);
    for (size_t less = 0; less < sizeof(caw_work); less++) {
        CHECK(!caw_blocking_copy(pool, is_aligned, NULL, SIZE_MAX - less));
    }
    end_pool(pool);
}

static void
call_never_polled_or_cancelled_first_is_never_run(void)
{
    caw_pool *pool = new_pool(1);
    struct sum sum = {1, 2, 0};
    caw_future_destroy(caw_blocking_copy(pool, add, &sum, sizeof sum));
    caw_future *f = caw_blocking_copy(pool, add, &sum, sizeof sum);
    caw_future_cancel(f);
    CHECK_INT(caw_block_on(f), CAW_ECANCELED);
    CHECK_INT(((struct sum *)caw_blocking_arg(f))->result, 0);
    caw_future_destroy(f);
    end_pool(pool);
}

TESTS(TEST(call_gets_the_copy_and_its_result_is_read_from_there), TEST(copy_outlives_the_future_while_the_call_runs),
      TEST(copy_of_NULL_is_zeros), TEST(copy_of_any_size_is_aligned),
      TEST(copy_that_no_memory_is_large_enough_for_is_NULL), TEST(call_never_polled_or_cancelled_first_is_never_run))
