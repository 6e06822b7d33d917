/* test_stream_deep.c: many streams around each other are cancelled and destroyed by a thread with a small stack. */
#include "support/items.h"

#include <pthread.h>

enum { DEPTH = 100000, STACK = 256 * 1024 };

static int user_frees, user_frees_too_early;
static script innermost;

static void
free_user(void *user)
{
    (void)user;
    user_frees++;
    user_frees_too_early += innermost.destroys == 0;
}

static int
keep_item(void *user, caw_item *item, caw_item **out)
{
    (void)user;
    *out = item;
    return 0;
}

static caw_stream *
around(int kind, caw_stream *s)
{
    switch (kind) {
    case 0:
        return caw_stream_map(s, keep_item, NULL, free_user);
    case 1:
        return caw_stream_take(s, 3);
    case 2:
        return caw_stream_chunk(s, 3);
    default:
        return caw_stream_merge(&s, 1);
    }
}

static void *
cancel_and_destroy(void *stream)
{
    caw_stream_cancel(stream);
    caw_stream_destroy(stream);
    return NULL;
}

static void *
destroy(void *stream)
{
    caw_stream_destroy(stream);
    return NULL;
}

static void
in_a_small_stack(void *(*entry)(void *), caw_stream *s)
{
    pthread_attr_t attributes;
    pthread_t thread;
    CHECK_INT(pthread_attr_init(&attributes), 0);
    CHECK_INT(pthread_attr_setstacksize(&attributes, STACK), 0);
    CHECK_INT(pthread_create(&thread, &attributes, entry, s), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(pthread_attr_destroy(&attributes), 0);
}

static void
streams_around_each_other_are_destroyed_in_a_small_stack_from_within(void)
{
    for (int cancels = 0; cancels < 2; cancels++) {
        user_frees = user_frees_too_early = 0;
        caw_stream *s = script_init(&innermost, "p");
        for (int i = 0; i < DEPTH; i++) {
            s = around(i % 3, s);
            CHECK(s);
        }
        in_a_small_stack(cancels ? cancel_and_destroy : destroy, s);
        CHECK_INT(innermost.cancels, cancels);
        CHECK_INT(innermost.destroys, 1);
        CHECK_INT(user_frees, (DEPTH + 2) / 3);
        CHECK_INT(user_frees_too_early, 0);
    }
}

static void
merges_of_merges_are_destroyed_in_a_small_stack(void)
{
    for (int cancels = 0; cancels < 2; cancels++) {
        caw_stream *s = script_init(&innermost, "p");
        for (int i = 0; i < DEPTH; i++) {
            s = around(3, s);
            CHECK(s);
        }
        in_a_small_stack(cancels ? cancel_and_destroy : destroy, s);
        CHECK_INT(innermost.cancels, cancels);
        CHECK_INT(innermost.destroys, 1);
    }
}

TESTS(TEST(streams_around_each_other_are_destroyed_in_a_small_stack_from_within),
      TEST(merges_of_merges_are_destroyed_in_a_small_stack))
