/* test_stream_memory.c: each allocation of the streams and of a channel fails once. Their sources are compiled in here,
 * with an allocator that fails on demand. */
#include "support/items.h"

#include "cawait/testing_tools.h"

#include <fcntl.h>
#include <pthread.h>

#define malloc  caw_test_malloc
#define calloc  caw_test_calloc
#define realloc caw_test_realloc

/* NOLINTBEGIN: so that they use this allocator */
#include "core/stream/around.c"
#include "core/stream/channel.c"
#include "core/stream/from_fd.c"
#include "core/stream/merge.c"
#include "core/stream/stream.c"
/* NOLINTEND */

#undef malloc
#undef calloc
#undef realloc

static int user_frees;

static void
free_user(void *user)
{
    (void)user;
    user_frees++;
}

static int
keep_item(void *user, caw_item *item, caw_item **out)
{
    (void)user;
    *out = item;
    return 0;
}

/* Poll to the end, and destroy it. CAW_ENOMEM if there was no stream. */
static int
run_to_the_end(caw_stream *s, caw_reactor *r, counter *c)
{
    if (!s) {
        return CAW_ENOMEM;
    }
    caw_item *item;
    do {
        CHECK(poll_next_at(s, r, c, &item) == CAW_READY);
        caw_item_destroy(item);
    } while (item);
    int status = s->status;
    caw_stream_destroy(s);
    return status;
}

static void
streams_that_run_out_of_memory_leave_nothing_behind(void)
{
    counter c = {0, 0};
    int n = 1, failures = 0;
    for (; n == 1 || caw_test_allocation_failed(); n++) {
        script scripts[2];
        user_frees = 0;
        caw_stream *streams[2] = {script_init(&scripts[0], "iiii0"), script_init(&scripts[1], "iii0")};
        caw_test_fail_allocation((unsigned)n);
        caw_stream *s = caw_stream_merge(streams, 2);
        s = caw_stream_map(s, keep_item, NULL, free_user);
        s = caw_stream_take(s, 5);
        s = caw_stream_chunk(s, 2);
        int status = run_to_the_end(s, NULL, &c);
        CHECK_INT(status, caw_test_allocation_failed() ? CAW_ENOMEM : 0);
        failures += status != 0;
        CHECK_INT(scripts[0].destroys, 1);
        CHECK_INT(scripts[1].destroys, 1);
        CHECK_INT(user_frees, 1);
        nothing_is_left(&c);
    }
    CHECK_INT(failures, 7); /* four streams and three groups */
    caw_test_fail_allocation(0);
}

static void
fd_stream_that_runs_out_of_memory_ends_with_that(void)
{
    counter c = {0, 0};
    int failures = 0;
    for (unsigned n = 1; n == 1 || caw_test_allocation_failed(); n++) {
        FILE *file = tmpfile();
        CHECK(file);
        CHECK_INT(write(fileno(file), "abcdef", 6), 6);
        CHECK_INT(lseek(fileno(file), 0, SEEK_SET), 0);
        caw_reactor *r = new_reactor(CAW_REACTOR_DEFAULT);
        caw_test_fail_allocation(n);
        int status = run_to_the_end(caw_stream_from_fd(fileno(file), 4), r, &c);
        failures += status == CAW_ENOMEM;
        CHECK(status == 0 || caw_test_allocation_failed());
        end_reactor(r);
        CHECK_INT(c.references, 0);
        (void)fclose(file);
    }
    CHECK_INT(failures, 4); /* the stream and three reads; a realloc that shrinks may fail */
    caw_test_fail_allocation(0);
}

static void
channel_that_cannot_be_made_frees_what_it_was_given(void)
{
    caw_channel_spec spec = {.capacity = 1, .free = free_user};
    caw_channel *channel;
    user_frees = 0;
    caw_test_fail_allocation(1);
    CHECK_INT(caw_channel_new(&spec, &channel), CAW_ENOMEM);
    CHECK(!channel);
    CHECK_INT(user_frees, 1);
    caw_test_fail_allocation(0);
    CHECK_INT(caw_channel_new(&spec, &channel), 0);
    caw_channel_release(channel);
    CHECK_INT(user_frees, 2);
}

static void
box_that_cannot_be_made_frees_its_value(void)
{
    user_frees = 0;
    caw_test_fail_allocation(1);
    CHECK(!caw_box_new(&user_frees, free_user));
    CHECK_INT(user_frees, 1);
    CHECK(caw_test_allocation_failed());
    caw_test_fail_allocation(1);
    CHECK(!caw_box_new(&user_frees, NULL));
    caw_test_fail_allocation(0);
}

TESTS(TEST(streams_that_run_out_of_memory_leave_nothing_behind), TEST(fd_stream_that_runs_out_of_memory_ends_with_that),
      TEST(channel_that_cannot_be_made_frees_what_it_was_given), TEST(box_that_cannot_be_made_frees_its_value))
