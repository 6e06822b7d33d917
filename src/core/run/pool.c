/* pool.c: threads and a queue.
 *
 * Two counts. `handles` are the users' references: with the last one the pool stops, without anybody waiting for it.
 * `references` keep the memory: one for all handles together, one for each thread, one for each call and each task.
 *
 * The lock guards everything below it in the struct. It is held for a few instructions, except when a thread is
 * started; a wake never starts one. No function of anybody else is called with it held. `closing` is written under
 * the lock; it is atomic because a call that runs reads it without the lock, as a hint.
 *
 * Threads. One is started when a call or a new task is queued and no idle one is left for it, and when a worker begins
 * a job, no idle one is left, and there is another task: that one may be woken, and the job may be long. A worker ends
 * when the pool is closing, the queue is empty and no task is left; the last one stops the reactor's thread. Close
 * joins them; after a last release they are detached, because then the one who releases may be a worker itself.
 *
 * In a forked child there are no threads and the lock may be held for ever: every entry calls caw__pool_forked first.
 */
#include "core/run/pool.h"

#include "cawait/reactor.h"

#include "core/os/fork.h"

#include <stdlib.h>

#define POOL_MOST_THREADS 32768u /* no system starts more, and the number is only "up to" */

static _Atomic(caw_pool *) pool_default;

bool
caw__pool_forked(const caw_pool *pool)
{
    return pool->generation != caw__fork_count();
}

bool
caw__pool_closing(const caw_pool *pool)
{
    return atomic_load_explicit(&pool->closing, memory_order_relaxed); /* relaxed: a hint, or under the lock */
}

/* Life. */

static unsigned
pool_default_size(void)
{
    unsigned processors = caw__thread_processors();
    return processors > 4 ? processors : 4;
}

static int
pool_init(caw_pool *pool)
{
    int error = caw__mutex_init(&pool->lock);
    if (error) {
        return error;
    }
    error = caw__condition_init(&pool->changed);
    if (!error) {
        error = caw__condition_init(&pool->ended);
        if (!error) {
            return 0;
        }
        caw__condition_fini(&pool->changed);
    }
    caw__mutex_fini(&pool->lock);
    return error;
}

int
caw_pool_new(unsigned threads, caw_pool **out)
{
    *out = NULL;
    int error = caw__fork_watch();
    if (error) {
        return error;
    }
    unsigned max = threads > 0 ? threads : pool_default_size();
    max = max < POOL_MOST_THREADS ? max : POOL_MOST_THREADS;
    caw_pool *pool = calloc(1, sizeof *pool + max * sizeof(caw__thread));
    if (!pool) {
        return CAW_ENOMEM;
    }
    pool->generation = caw__fork_count();
    pool->max = max;
    atomic_init(&pool->handles, 1);
    atomic_init(&pool->references, 1);
    error = pool_init(pool);
    if (error) {
        free(pool);
        return error;
    }
    *out = pool;
    return 0;
}

caw_pool *
caw_pool_default(void)
{
    /* Acquire: pairs with the release below; a pool that is seen is whole. */
    caw_pool *seen = atomic_load_explicit(&pool_default, memory_order_acquire);
    while (!seen || caw__pool_forked(seen)) {
        caw_pool *pool;
        if (caw_pool_new(0, &pool) < 0) {
            return NULL;
        }
        if (atomic_compare_exchange_strong_explicit(&pool_default, &seen, pool, memory_order_acq_rel,
                                                    memory_order_acquire)) {
            return pool;
        }
        caw_pool_release(pool); /* another thread was first; `seen` is its pool */
    }
    return seen;
}

caw_pool *
caw__pool_hold(caw_pool *pool)
{
    atomic_fetch_add_explicit(&pool->references, 1, memory_order_relaxed); /* relaxed: we have one already */
    return pool;
}

void
caw__pool_drop(caw_pool *pool)
{
    /* Release and acquire: who frees sees all that the others did. */
    if (atomic_fetch_sub_explicit(&pool->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    if (pool->reactor) {
        caw_reactor_release(pool->reactor);
    }
    if (!caw__pool_forked(pool)) {
        caw__condition_fini(&pool->ended);
        caw__condition_fini(&pool->changed);
        caw__mutex_fini(&pool->lock);
    }
    free(pool);
}

/* The queue, all with the lock held. */

void
caw__pool_append(caw_pool *pool, caw_work *w)
{
    w->next = NULL;
    w->previous = pool->last;
    if (pool->last) {
        pool->last->next = w;
    }
    else {
        pool->first = w;
    }
    pool->last = w;
    pool->queued++;
}

static void
pool_unlink(caw_pool *pool, caw_work *w)
{
    *(w->previous ? &w->previous->next : &pool->first) = w->next;
    *(w->next ? &w->next->previous : &pool->last) = w->previous;
    w->next = w->previous = NULL;
    pool->queued--;
}

static bool
pool_is_queued(const caw_pool *pool, const caw_work *w)
{
    return w->previous || pool->first == w;
}

/* Threads. */

static void
pool_run(caw_work *w)
{
    if (w->run) {
        int status = w->run(w);
        caw_promise_resolve(&w->promise, status);
    }
    else {
        caw__task *task = CAW_CONTAINER_OF(w, caw__task, work);
        task->ops->run(task);
    }
}

static int pool_grow(caw_pool *pool, unsigned spare);

/* Whether there is a task beside this job. It may be woken while the job runs, and a wake starts no thread. */
static bool
pool_has_other_task(const caw_pool *pool, const caw_work *w)
{
    return pool->tasks && (w->run || pool->tasks->next);
}

/* The next job, or NULL: it is time to end. */
static caw_work *
pool_next(caw_pool *pool)
{
    while (!pool->first) {
        if (caw__pool_closing(pool) && !pool->tasks) {
            return NULL;
        }
        pool->idle++;
        caw__condition_wait(&pool->changed, &pool->lock);
        pool->idle--;
    }
    caw_work *w = pool->first;
    pool_unlink(pool, w);
    (void)pool_grow(pool, pool_has_other_task(pool, w)); /* when it fails, there are fewer threads than could be */
    return w;
}

static void *
pool_main(void *user)
{
    caw_pool *pool = user;
    caw_work *w;
    caw__mutex_lock(&pool->lock);
    while ((w = pool_next(pool)) != NULL) {
        caw__mutex_unlock(&pool->lock);
        pool_run(w);
        caw__mutex_lock(&pool->lock);
    }
    if (--pool->running == 0 && pool->reactor_running) {
        pool->reactor_stop = true;
        caw_reactor_ring(pool->reactor);
    }
    caw__mutex_unlock(&pool->lock);
    caw__pool_drop(pool);
    return NULL;
}

/* Start a thread if there are more jobs, or jobs to come, than idle ones. With the lock held. */
static int
pool_grow(caw_pool *pool, unsigned spare)
{
    if (pool->queued + spare <= pool->idle || pool->started == pool->max || caw__pool_closing(pool)) {
        return 0;
    }
    caw__pool_hold(pool);
    int error = caw__thread_start(pool_main, pool, &pool->threads[pool->started]);
    if (error) {
        atomic_fetch_sub_explicit(&pool->references, 1, memory_order_relaxed); /* not the last: the caller has one */
        return error;
    }
    pool->started++;
    pool->running++;
    return 0;
}

int
caw__pool_offer(caw_pool *pool, caw_work *w)
{
    if (caw__pool_closing(pool)) {
        return CAW_ECLOSED;
    }
    caw__pool_append(pool, w);
    int error = pool_grow(pool, 0);
    if (error && pool->started == 0) {
        pool_unlink(pool, w);
        return error;
    }
    caw__condition_signal(&pool->changed);
    return 0;
}

int
caw__pool_submit(caw_pool *pool, caw_work *w)
{
    if (caw__pool_forked(pool)) {
        return CAW_EFORKED;
    }
    caw__mutex_lock(&pool->lock);
    int error = caw__pool_offer(pool, w);
    caw__mutex_unlock(&pool->lock);
    return error;
}

bool
caw__pool_withdraw(caw_pool *pool, caw_work *w)
{
    if (caw__pool_forked(pool)) {
        return false;
    }
    caw__mutex_lock(&pool->lock);
    bool queued = pool_is_queued(pool, w);
    if (queued) {
        pool_unlink(pool, w);
    }
    caw__mutex_unlock(&pool->lock);
    return queued;
}

/* The end. */

/* Empty the queue of calls, and queue all tasks, so that each is stopped. Returns the calls, linked by next. With the
 * lock held. */
static caw_work *
pool_stop(caw_pool *pool)
{
    caw_work *calls = NULL, **end = &calls, *next;
    atomic_store_explicit(&pool->closing, true, memory_order_relaxed);
    for (caw_work *w = pool->first; w; w = next) {
        next = w->next;
        if (w->run) {
            pool_unlink(pool, w); /* from here on a cancel does not find it */
            *end = w;
            end = &w->next;
        }
    }
    for (caw__task *task = pool->tasks; task; task = task->next) {
        if (task->ops->stop(task)) {
            caw__pool_append(pool, &task->work);
        }
    }
    caw__condition_broadcast(&pool->changed);
    return calls;
}

static void
pool_cancel(caw_work *calls)
{
    while (calls) {
        caw_work *w = calls;
        calls = w->next;
        w->next = NULL;
        caw_promise_resolve(&w->promise, CAW_ECANCELED);
    }
}

static void
pool_detach(caw_pool *pool)
{
    pool->detached = true;
    for (unsigned i = 0; i < pool->started; i++) {
        caw__thread_detach(pool->threads[i]);
    }
    if (pool->reactor_running) {
        caw__thread_detach(pool->reactor_thread);
    }
}

/* Nobody starts workers any more, and the last worker has ended when they are joined; then nobody starts the
 * reactor. */
static void
pool_join(caw_pool *pool)
{
    for (unsigned i = 0; i < pool->started; i++) {
        caw__thread_join(pool->threads[i]);
    }
    if (pool->reactor_running) {
        caw__thread_join(pool->reactor_thread);
    }
}

void
caw_pool_close(caw_pool *pool)
{
    if (caw__pool_forked(pool)) {
        return;
    }
    caw__mutex_lock(&pool->lock);
    bool first = !pool->joining;
    caw_work *calls = first ? pool_stop(pool) : NULL;
    pool->joining = true;
    caw__mutex_unlock(&pool->lock);
    pool_cancel(calls);
    if (first) {
        pool_join(pool);
    }
    caw__mutex_lock(&pool->lock);
    pool->joined = pool->joined || first;
    while (!pool->joined) {
        caw__condition_wait(&pool->ended, &pool->lock);
    }
    caw__condition_broadcast(&pool->ended);
    caw__mutex_unlock(&pool->lock);
}

caw_pool *
caw_pool_retain(caw_pool *pool)
{
    atomic_fetch_add_explicit(&pool->handles, 1, memory_order_relaxed); /* relaxed: the caller has one already */
    return pool;
}

void
caw_pool_release(caw_pool *pool)
{
    /* Release and acquire: who stops the pool sees all that the other holders did. */
    if (atomic_fetch_sub_explicit(&pool->handles, 1, memory_order_acq_rel) != 1) {
        return;
    }
    if (!caw__pool_forked(pool)) {
        caw_work *calls = NULL;
        caw__mutex_lock(&pool->lock);
        if (!pool->joining) {
            calls = pool_stop(pool);
            pool_detach(pool);
        }
        caw__mutex_unlock(&pool->lock);
        pool_cancel(calls);
    }
    caw__pool_drop(pool);
}

#undef POOL_MOST_THREADS
