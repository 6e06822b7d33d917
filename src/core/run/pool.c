/* pool.c: the pool as its users see it: its life, its calls, its end. The threads are in workers.c, with what the lock
 * guards. */
#include "core/run/pool.h"

#include "core/base/promise.h"
#include "core/os/fork.h"
#include "core/os/processors.h"

#include <stdlib.h>

static _Atomic(caw_pool *) pool_default;

/* Life. */

/* As many as this process may use, but not so few that some calls that wait for a disk or a peer hold up all others. */
static unsigned
pool_default_size(void)
{
    unsigned processors = caw__processors();
    return processors > 4 ? processors : 4;
}

static int
pool_init_lock(caw_pool *pool)
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
caw__pool_init(caw_pool *pool, unsigned threads)
{
    pool->generation = caw__fork_count();
    pool->max = threads;
    atomic_init(&pool->handles, 1);
    atomic_init(&pool->references, 1);
    return pool_init_lock(pool);
}

int
caw_pool_new(unsigned threads, caw_pool **out)
{
    *out = NULL;
    int error = caw__fork_watch();
    if (error) {
        return error;
    }
    caw_pool *pool = calloc(1, sizeof *pool);
    if (!pool) {
        return CAW_ENOMEM;
    }
    error = caw__pool_init(pool, threads > 0 ? threads : pool_default_size());
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

int
caw__pool_submit(caw_pool *pool, caw_work *w)
{
    if (caw__pool_forked(pool)) {
        return CAW_EFORKED;
    }
    caw__mutex_lock(&pool->lock);
    int offered = caw__pool_offer(pool, w);
    caw__mutex_unlock(&pool->lock);
    return offered > 0 ? caw__pool_start(pool, w) : offered;
}

bool
caw__pool_withdraw(caw_pool *pool, caw_work *w)
{
    if (caw__pool_forked(pool)) {
        return false;
    }
    caw__mutex_lock(&pool->lock);
    bool queued = caw__queue_has(&pool->queue, w);
    if (queued) {
        caw__queue_unlink(&pool->queue, w);
    }
    caw__mutex_unlock(&pool->lock);
    return queued;
}

bool
caw__pool_withdraw_waiting(caw_pool *pool, caw_work *w)
{
    if (caw__pool_forked(pool)) {
        return false;
    }
    caw__mutex_lock(&pool->lock);
    bool waits = caw__queue_waits(&pool->queue, w);
    if (waits) {
        caw__queue_unlink(&pool->queue, w);
    }
    caw__mutex_unlock(&pool->lock);
    return waits;
}

void
caw__pool_interrupt(caw_pool *pool, const caw_work *w)
{
    if (pool->serial && !caw__pool_forked(pool)) {
        caw__running_interrupt(&pool->running, &pool->lock, &pool->changed, w);
    }
}

/* The end. */

void
caw__pool_wake_all(caw_pool *pool)
{
    for (const caw__pool_worker *w = pool->sleepers; w; w = w->next) {
        caw_waker_wake_by_ref(w->waker);
    }
    for (caw__task *task = pool->tasks; task; task = task->next) {
        if (task->ops->stop(task)) {
            caw__queue_append(&pool->queue, &task->work);
        }
    }
    caw__condition_broadcast(&pool->changed);
}

caw_work *
caw__pool_shut(caw_pool *pool, bool stops)
{
    atomic_store_explicit(&pool->closing, true, memory_order_relaxed);
    if (stops) {
        atomic_store_explicit(&pool->stopped, true, memory_order_relaxed);
    }
    caw_work *calls = caw__queue_close(&pool->queue, stops);
    caw__pool_wake_all(pool);
    return calls;
}

void
caw__pool_cancel(caw_pool *pool, caw_work *calls)
{
    caw__pool_refuse(pool, calls, pool->serial ? CAW_ECLOSED : CAW_ECANCELED);
    if (caw__pool_stopped(pool)) {
        caw__pool_interrupt(pool, NULL);
    }
}

static void
pool_detach(caw_pool *pool)
{
    pool->detached = true;
    if (pool->has_ended) {
        pool->has_ended = false;
        caw__thread_detach(pool->last_ended);
    }
    if (pool->reactor_running) {
        caw__thread_detach(pool->reactor_thread);
    }
}

/* Say what this thread holds up, if a worker wants to know. With the lock, which is given back meanwhile. False:
 * nothing was to be done. */
static bool
pool_answer(caw_pool *pool, caw__pool_closer *closer)
{
    if (!pool->asked || closer->known) {
        return false;
    }
    caw__mutex_unlock(&pool->lock);
    caw__block_look(&closer->holds);
    caw__mutex_lock(&pool->lock);
    closer->known = true;
    caw__pool_wake_all(pool);
    return true;
}

/* Wait until no thread is there and none comes, or until another closer has seen to it. With the lock. */
static void
pool_wait(caw_pool *pool, bool first)
{
    caw__pool_closer self = {.known = false, .next = pool->closers}, **at = &pool->closers;
    pool->closers = &self;
    while (first ? pool->threads + pool->starting > 0 : !pool->joined) {
        if (!pool_answer(pool, &self)) {
            caw__condition_wait(&pool->ended, &pool->lock);
        }
    }
    while (*at != &self) {
        at = &(*at)->next;
    }
    *at = self.next;
}

/* The last thread has joined the others. Nobody starts workers any more, nor then the reactor. */
static void
pool_join(caw_pool *pool)
{
    if (pool->has_ended) {
        caw__thread_join(pool->last_ended);
    }
    if (pool->reactor_running) {
        caw__thread_join(pool->reactor_thread);
    }
}

/* By a worker of this pool, which would wait for itself: as by a last release. With the lock. */
static void
pool_end_without_wait(caw_pool *pool)
{
    pool_detach(pool);
    pool->joined = true;
    caw__condition_broadcast(&pool->ended);
}

static void
pool_end(caw_pool *pool, bool first)
{
    caw__worker *worker = caw__block_worker(); /* of another pool, which may be needed for the end of this one */
    bool asleep = worker && worker->asleep == 0 && worker->ops->sleep(worker, CAW_WAKER_NONE) == 0;
    caw__mutex_lock(&pool->lock);
    pool_wait(pool, first);
    caw__mutex_unlock(&pool->lock);
    if (asleep) {
        worker->ops->go_on(worker);
    }
    if (first) {
        pool_join(pool);
        caw__mutex_lock(&pool->lock);
        pool->joined = true;
        caw__condition_broadcast(&pool->ended);
        caw__mutex_unlock(&pool->lock);
    }
}

void
caw_pool_close(caw_pool *pool)
{
    if (caw__pool_forked(pool)) {
        return;
    }
    bool own = caw__pool_is_worker(pool);
    caw__mutex_lock(&pool->lock);
    bool first = !pool->joining;
    caw_work *calls = first ? caw__pool_shut(pool, true) : NULL;
    pool->joining = true;
    if (first && own) {
        pool_end_without_wait(pool);
    }
    caw__mutex_unlock(&pool->lock);
    caw__pool_cancel(pool, calls);
    if (!own) {
        pool_end(pool, first);
    }
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
            calls = caw__pool_shut(pool, true);
            pool_detach(pool);
        }
        caw__mutex_unlock(&pool->lock);
        caw__pool_cancel(pool, calls);
    }
    caw__pool_drop(pool);
}
