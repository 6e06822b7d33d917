/* test_defer.c: what must not be done on the thread that asks for it. */
#include "support/place.h"
#include "support/threads.h"

#include <pthread.h>

/* --- a library whose close joins its callback thread --- */

typedef struct library {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    caw_promise *submitted;
    bool closing;
} library;

static void *
library_main(void *user)
{
    library *lib = user;
    pthread_mutex_lock(&lib->lock);
    while (!lib->closing) {
        caw_promise *p = lib->submitted;
        lib->submitted = NULL;
        if (p) {
            pthread_mutex_unlock(&lib->lock);
            caw_promise_resolve(p, 0); /* frees it where its consumer has gone */
            pthread_mutex_lock(&lib->lock);
            continue;
        }
        pthread_cond_wait(&lib->changed, &lib->lock);
    }
    pthread_mutex_unlock(&lib->lock);
    return NULL;
}

static library *
library_open(void)
{
    library *lib = calloc(1, sizeof *lib);
    CHECK(lib);
    pthread_mutex_init(&lib->lock, NULL);
    pthread_cond_init(&lib->changed, NULL);
    CHECK_INT(pthread_create(&lib->thread, NULL, library_main, lib), 0);
    return lib;
}

static void
library_submit(library *lib, caw_promise *p)
{
    pthread_mutex_lock(&lib->lock);
    lib->submitted = p;
    pthread_cond_signal(&lib->changed);
    pthread_mutex_unlock(&lib->lock);
}

/* As many do: it waits for its thread, and so must not be called there. */
static void
library_close(library *lib)
{
    CHECK(!pthread_equal(lib->thread, pthread_self()));
    pthread_mutex_lock(&lib->lock);
    lib->closing = true;
    pthread_cond_signal(&lib->changed);
    pthread_mutex_unlock(&lib->lock);
    CHECK_INT(pthread_join(lib->thread, NULL), 0);
    pthread_cond_destroy(&lib->changed);
    pthread_mutex_destroy(&lib->lock);
    free(lib);
}

typedef struct job {
    caw_promise promise;
    caw_deferred closes;
    library *lib;
    caw_pool *pool;
} job;

static atomic_int closed;

static int
job_start(caw_promise *p)
{
    job *j = CAW_CONTAINER_OF(p, job, promise);
    if (j->lib) {
        library_submit(j->lib, p);
    }
    return 0;
}

static void
job_close(caw_deferred *d)
{
    job *j = CAW_CONTAINER_OF(d, job, closes);
    if (j->lib) {
        library_close(j->lib);
    }
    free(j);
    atomic_fetch_add(&closed, 1);
}

static void
job_free(caw_promise *p)
{
    job *j = CAW_CONTAINER_OF(p, job, promise);
    caw_defer(j->pool, &j->closes, job_close);
}

static const caw_promise_ops job_ops = CAW_PROMISE_OPS("job", job_start, job_free);

static job *
job_new(caw_pool *pool, library *lib)
{
    job *j = calloc(1, sizeof *j);
    CHECK(j);
    caw_promise_init(&j->promise, &job_ops);
    j->lib = lib;
    j->pool = pool;
    closed = 0;
    return j;
}

static void
wait_until_closed(int n)
{
    while (closed < n) {
        (void)usleep(100);
    }
}

static void
library_whose_close_joins_its_callback_thread_is_closed_by_a_worker(void)
{
    for (int i = 0; i < 100; i++) {
        caw_pool *pool = new_pool(1);
        job *j = job_new(pool, library_open());
        (void)poll_without_waker(&j->promise.future, NULL); /* started; the consumer goes before it ends, or after */
        if (i % 2) {
            (void)usleep(100);
        }
        caw_future_destroy(&j->promise.future);
        wait_until_closed(1);
        end_pool(pool);
    }
}

static void
what_is_deferred_to_a_pool_that_closes_is_done_before_that_ends(void)
{
    caw_pool *pool = new_pool(2);
    job *jobs[50];
    for (int i = 0; i < 50; i++) {
        jobs[i] = job_new(pool, NULL);
    }
    for (int i = 0; i < 50; i++) {
        caw_future_destroy(&jobs[i]->promise.future);
    }
    caw_pool_close(pool);
    CHECK_INT(closed, 50);
    caw_pool_release(pool);
}

static void
what_is_deferred_to_a_closed_pool_goes_to_the_default_one(void)
{
    caw_pool *pool = new_pool(1);
    caw_pool_close(pool);
    job *j = job_new(pool, NULL);
    caw_future_destroy(&j->promise.future);
    wait_until_closed(1);
    caw_pool_release(pool);
}

static pthread_t deferred_on;

typedef struct note {
    caw_deferred deferred;
} note;

static void
note_run(caw_deferred *d)
{
    deferred_on = pthread_self();
    free(CAW_CONTAINER_OF(d, note, deferred));
    atomic_fetch_add(&closed, 1);
}

static int
defers_in_a_call(void *pool)
{
    note *n = calloc(1, sizeof *n);
    CHECK(n);
    caw_defer(pool, &n->deferred, note_run);
    return 0;
}

static void
worker_may_defer_to_its_own_pool(void)
{
    closed = 0;
    caw_pool *pool = new_pool(1);
    caw_future *f = caw_blocking(pool, defers_in_a_call, pool, NULL);
    CHECK_INT(caw_block_on(f), 0);
    caw_future_destroy(f);
    wait_until_closed(1);
    end_pool(pool);
}

static void
deferred_call_is_on_another_thread(void)
{
    closed = 0;
    for (int i = 0; i < 20; i++) {
        (void)defers_in_a_call(NULL);
        wait_until_closed(i + 1);
        CHECK(!pthread_equal(deferred_on, pthread_self()));
    }
}

TESTS(TEST(library_whose_close_joins_its_callback_thread_is_closed_by_a_worker),
      TEST(what_is_deferred_to_a_pool_that_closes_is_done_before_that_ends),
      TEST(what_is_deferred_to_a_closed_pool_goes_to_the_default_one), TEST(worker_may_defer_to_its_own_pool),
      TEST(deferred_call_is_on_another_thread))
