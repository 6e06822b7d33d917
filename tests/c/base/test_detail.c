/* test_detail.c: what a status stands for goes with the status, and with no other. */
#include "core/base/detail.h"
#include "core/base/promise.h"

#include "support/place.h"
#include "support/threads.h"

static atomic_int ended;

static void
detail_end(caw__detail *detail)
{
    free(detail);
    atomic_fetch_add(&ended, 1);
}

static caw__detail *
detail_new(void)
{
    caw__detail *detail = malloc(sizeof *detail);
    CHECK(detail);
    atomic_init(&detail->refs, 1);
    detail->end = detail_end;
    return detail;
}

/* A future that fails with the detail of its own. */
typedef struct failing {
    caw_future future;
    caw__detail *detail;
    int status;
} failing;

static caw_poll
failing_poll(caw_future *f, caw_context *cx)
{
    failing *g = CAW_CONTAINER_OF(f, failing, future);
    if (g->status < 0) {
        caw__note(cx, g->detail, g->status);
    }
    return caw_future_finish(f, g->status);
}

static void
failing_destroy(caw_future *f)
{
    failing *g = CAW_CONTAINER_OF(f, failing, future);
    caw__detail_release(g->detail);
    free(g);
}

static const caw_future_ops failing_ops = {"failing", failing_poll, NULL, failing_destroy};

static caw_future *
failing_new(int status, caw__detail **out)
{
    failing *g = malloc(sizeof *g);
    CHECK(g);
    caw_future_init(&g->future, &failing_ops);
    g->detail = *out = detail_new();
    g->status = status;
    return &g->future;
}

static int
blocks_on(void *f)
{
    int status = caw_block_on(f);
    caw_future_destroy(f);
    return status;
}

/* The detail of a promise that is resolved, which is destroyed. */
static const caw__detail *
detail_of(caw_future *f)
{
    (void)caw_block_on(f);
    const caw__detail *detail = caw__promise_detail(CAW_CONTAINER_OF(f, caw_promise, future));
    caw_future_destroy(f);
    return detail;
}

static void
forget_the_threads(void)
{
    caw_future *f = caw_ready(0);
    CHECK_INT(blocks_on(f), 0);
}

static void
call_and_task_that_end_with_the_status_have_its_detail(void)
{
    caw_pool *pool = new_pool(2);
    ended = 0;
    caw__detail *detail;
    caw_future *f = failing_new(-7, &detail);
    CHECK(detail_of(caw_blocking(pool, blocks_on, f, NULL)) == detail);
    f = failing_new(-7, &detail);
    CHECK(detail_of(caw_spawn(pool, f)) == detail);
    f = failing_new(-7, &detail);
    CHECK(detail_of(caw_spawn(pool, caw_spawn(pool, caw_blocking(pool, blocks_on, f, NULL)))) == detail);
    end_pool(pool);
    forget_the_threads();
    CHECK_INT(ended, 3);
}

static int
blocks_on_and_says_another(void *f)
{
    (void)blocks_on(f);
    return -8;
}

static void
other_status_has_none(void)
{
    caw_pool *pool = new_pool(1);
    ended = 0;
    caw__detail *detail;
    caw_future *f = failing_new(-7, &detail);
    CHECK(!detail_of(caw_blocking(pool, blocks_on_and_says_another, f, NULL)));
    f = failing_new(0, &detail);
    CHECK(!detail_of(caw_spawn(pool, f)));
    end_pool(pool);
    forget_the_threads();
    CHECK_INT(ended, 2);
}

static int
nothing_start(caw_promise *p)
{
    (void)p;
    return 0;
}

static const caw_promise_ops nothing_ops = CAW_PROMISE_OPS("nothing", nothing_start, NULL);

static caw_promise *
promise_new(void)
{
    caw_promise *p = malloc(sizeof *p);
    CHECK(p);
    caw_promise_init(p, &nothing_ops);
    CHECK_INT(poll_without_waker(&p->future, NULL), CAW_PENDING);
    return p;
}

static void
promise_takes_what_this_thread_has_just_seen_and_once(void)
{
    ended = 0;
    caw__detail *detail;
    caw_future *f = failing_new(CAW_EPYTHON, &detail);
    int status = blocks_on(f);
    caw_promise *first = promise_new(), *second = promise_new(), *third = promise_new();
    caw_promise_resolve(first, CAW_ECANCELED);
    caw_promise_resolve(second, status);
    caw_promise_resolve(third, status);
    CHECK(!caw__promise_detail(first) && caw__promise_detail(second) == detail && !caw__promise_detail(third));
    caw_future_destroy(&first->future);
    caw_future_destroy(&second->future);
    caw_future_destroy(&third->future);
    CHECK_INT(ended, 1);
}

static void
what_succeeds_afterwards_ends_the_memory_of_it(void)
{
    ended = 0;
    caw__detail *detail;
    caw_future *f = failing_new(CAW_EPYTHON, &detail);
    (void)blocks_on(f);
    CHECK_INT(ended, 0);
    forget_the_threads();
    CHECK_INT(ended, 1);
    caw_promise *p = promise_new();
    caw_promise_resolve(p, CAW_EPYTHON);
    CHECK(!caw__promise_detail(p));
    caw_future_destroy(&p->future);
}

static void *
fails_and_ends(void *f)
{
    (void)blocks_on(f);
    return NULL;
}

static void
thread_that_ends_leaves_nothing(void)
{
    ended = 0;
    caw__detail *detail;
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, fails_and_ends, failing_new(CAW_EPYTHON, &detail)), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(ended, 1);
}

static void *
resolves(void *p)
{
    caw__detail *detail;
    caw_promise_resolve(p, blocks_on(failing_new(CAW_EPYTHON, &detail)));
    return NULL;
}

static void
racing_resolve_and_destroy_end_each_detail_once(void)
{
    ended = 0;
    for (int i = 0; i < 500; i++) {
        caw_promise *p = promise_new();
        pthread_t thread;
        CHECK_INT(pthread_create(&thread, NULL, resolves, p), 0);
        if (i % 3 == 0) {
            (void)caw_block_on(&p->future);
        }
        caw_future_destroy(&p->future);
        CHECK_INT(pthread_join(thread, NULL), 0);
    }
    forget_the_threads();
    CHECK_INT(ended, 500);
}

static void
channel_that_is_closed_with_it_gives_it_to_its_consumer(void)
{
    ended = 0;
    const caw_channel_spec spec = {.capacity = 1};
    caw_channel *channel;
    CHECK_INT(caw_channel_new(&spec, &channel), 0);
    caw_stream *stream = caw_channel_stream(channel);
    caw__detail *detail;
    caw_future *f = failing_new(CAW_EPYTHON, &detail);
    CHECK(caw_channel_close(channel, blocks_on(f)));
    caw_channel_release(channel);
    caw_next_op next;
    caw_next_init(&next, stream);
    CHECK_INT(caw_block_on(&next.future), CAW_EPYTHON);
    caw__detail *noted = caw__noted(CAW_EPYTHON);
    CHECK(noted == detail);
    caw__detail_release(noted);
    caw_future_destroy(&next.future);
    caw_stream_destroy(stream);
    CHECK_INT(ended, 1);
}

TESTS(TEST(call_and_task_that_end_with_the_status_have_its_detail), TEST(other_status_has_none),
      TEST(promise_takes_what_this_thread_has_just_seen_and_once), TEST(what_succeeds_afterwards_ends_the_memory_of_it),
      TEST(thread_that_ends_leaves_nothing), TEST(racing_resolve_and_destroy_end_each_detail_once),
      TEST(channel_that_is_closed_with_it_gives_it_to_its_consumer))
