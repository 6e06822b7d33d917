/* test_call_memory.c: each allocation of calls and of a serial fails once. Their sources are compiled in here, with an
 * allocator that fails on demand. */
#include "support/serial.h"

#include "cawait/testing_tools.h"

#define malloc caw_test_malloc
#define calloc caw_test_calloc

/* NOLINTBEGIN: so that they use this allocator */
#include "core/run/blocking.c"
#include "core/run/exit.c"
#include "core/run/pool.c"
#include "core/run/pool_exit.c"
#include "core/run/serial.c"
#include "core/run/workers.c"
/* NOLINTEND */

#undef malloc
#undef calloc

static void
call_without_memory_is_NULL_and_frees_its_arg(void)
{
    struct seen seen = {.calls = 0};
    caw_pool *pool = new_pool(1);
    caw_test_fail_allocation(1);
    CHECK(!caw_blocking(pool, seen_call, &seen, seen_free));
    CHECK_INT(seen.freed, 1);
    caw_test_fail_allocation(1);
    CHECK(!caw_blocking_copy(pool, seen_call, &seen, sizeof seen));
    caw_test_fail_allocation(0);
    end_pool(pool);
    CHECK_INT(seen.calls, 0);
}

/* All that a serial does, where an allocation may fail. */
static void
use_serial(struct seen *seen)
{
    caw_serial_spec spec = {.at_end = seen_at_end, .user = seen};
    caw_serial *serial = NULL;
    int error = caw_serial_new(&spec, &serial);
    CHECK(error == 0 || error == CAW_ENOMEM);
    CHECK((error == 0) == (serial != NULL));
    if (error) {
        return;
    }
    caw_future *f = caw_blocking(serial, seen_call, seen, seen_free);
    CHECK_INT(f ? ended(f) : -3, -3);
    int nothing = 0;
    f = caw_blocking_copy(serial, wait_at_gate, &nothing, sizeof nothing);
    caw_future_destroy(f);
    f = caw_serial_close(serial);
    CHECK_INT(f ? ended(f) : 0, 0);
    caw_pool_close(serial);
    caw_pool_release(serial);
}

static void
serial_without_memory_leaves_nothing_behind(void)
{
    unsigned n = 0;
    do {
        struct seen seen = {.calls = 0};
        caw_test_fail_allocation(++n);
        use_serial(&seen);
        CHECK(seen.ends == 1 || seen.freed == 0); /* at_end is called if there was a serial */
    } while (caw_test_allocation_failed());
    CHECK(n > 4);
    caw_test_fail_allocation(0);
}

TESTS(TEST(call_without_memory_is_NULL_and_frees_its_arg), TEST(serial_without_memory_leaves_nothing_behind))
