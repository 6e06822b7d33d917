/* test_pending.c: futures that are pending although nobody can wake them, of which a debug build warns; and those that
 * are pending as they may be. */
#include "support/mistakes.h"
#include "support/place.h"

#include <pthread.h>

static void
nothing_to_destroy(caw_future *f)
{
    (void)f;
}

static int pending_polls; /* so many polls wake themselves before */

static caw_poll
forgets_poll(caw_future *f, caw_context *cx)
{
    (void)f;
    if (pending_polls > 0) {
        pending_polls--;
        caw_waker_wake_by_ref(cx->waker);
    }
    return CAW_PENDING;
}

static const caw_future_ops forgets_ops = {"test.forgets", forgets_poll, NULL, nothing_to_destroy};

static void
block_on_what_forgets(void)
{
    caw_future f;
    caw_future_init(&f, &forgets_ops);
    (void)caw_block_on(&f);
}

static void
spawn_what_forgets(void)
{
    static caw_future f;
    caw_future_init(&f, &forgets_ops);
    (void)caw_block_on(caw_spawn(NULL, &f));
}

static void
pending_without_a_clone_of_the_waker_is_said_by_name(void)
{
    static const char said[] =
        "cawait: 'test.forgets' is pending, but nobody has a clone of its waker, so nothing will wake it\n";
    if (!mistakes_abort) {
        SKIP("this is found in debug builds only");
        return;
    }
    for (pending_polls = 0; pending_polls < 4; pending_polls += 3) {
        char line[256];
        first_line_of(block_on_what_forgets, line, sizeof line);
        CHECK(strcmp(line, said) == 0);
        first_line_of(spawn_what_forgets, line, sizeof line);
        CHECK(strcmp(line, said) == 0);
    }
}

/* Pending in ways that are allowed: a wake in the poll; a clone of an earlier poll, while others are spurious; a clone
 * that a thread wakes at any moment; a timer. */
typedef struct keeps {
    caw_future future;
    caw_waker kept;
    int polls;
} keeps;

static void *
wakes_kept(void *arg)
{
    caw_waker_wake(((keeps *)arg)->kept);
    return NULL;
}

static caw_poll
keeps_poll(caw_future *f, caw_context *cx)
{
    keeps *k = CAW_CONTAINER_OF(f, keeps, future);
    pthread_t thread;
    switch (k->polls++) {
    case 0:
        caw_waker_wake_by_ref(cx->waker);
        return CAW_PENDING;
    case 1:
        k->kept = caw_waker_clone(cx->waker);
        caw_waker_wake_by_ref(cx->waker);
        return CAW_PENDING;
    case 2: /* with the clone of the poll before */
        CHECK(pthread_create(&thread, NULL, wakes_kept, k) == 0 && pthread_detach(thread) == 0);
        return CAW_PENDING;
    default:
        return caw_future_finish(f, 0);
    }
}

static const caw_future_ops keeps_ops = {"test.keeps", keeps_poll, NULL, nothing_to_destroy};

static void
wait_in_allowed_ways(void *arg)
{
    (void)arg;
    for (int i = 0; i < 200; i++) {
        keeps k = {.polls = 0}, *on_the_pool = calloc(1, sizeof *on_the_pool);
        CHECK(on_the_pool != NULL);
        caw_future_init(&k.future, &keeps_ops);
        caw_future_init(&on_the_pool->future, &keeps_ops);
        caw_future *join = caw_spawn(NULL, &on_the_pool->future);
        CHECK_INT(caw_block_on(&k.future), 0);
        CHECK_INT(caw_block_on(join), 0);
        caw_future_destroy(join);
        free(on_the_pool);
    }
    caw_future *slept = caw_sleep(1000000), *join = caw_spawn(NULL, caw_sleep(1000000));
    CHECK_INT(caw_block_on(slept), 0);
    CHECK_INT(caw_block_on(join), 0);
    caw_future_destroy(slept);
    caw_future_destroy(join);
}

static void
wait_that_can_be_woken_is_not_said_to_be_lost(void)
{
    mistake m = mistake_of(wait_in_allowed_ways, NULL);
    CHECK(!m.aborted);
    CHECK(strcmp(m.said, "") == 0);
}

TESTS(TEST(pending_without_a_clone_of_the_waker_is_said_by_name), TEST(wait_that_can_be_woken_is_not_said_to_be_lost))
