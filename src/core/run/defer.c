/* defer.c: a call on a worker, in memory that the call frees. It is queued as a task that nobody awaits: what runs it
 * does not touch it afterwards, and a pool that closes runs it. */
#include "core/run/pool_exit.h"

_Static_assert(sizeof(caw__task) == offsetof(caw_deferred, run), "a task fits into what pool.h has for it");

static void
deferred_run(caw__task *task)
{
    caw_deferred *d = CAW_CONTAINER_OF(&task->work, caw_deferred, work);
    caw_pool *pool = task->work.pool;
    d->run(d);
    caw__pool_drop(pool);
}

static bool
deferred_stop(caw__task *task)
{
    (void)task; /* it is never in the list of tasks */
    return false;
}

/* It stays in the queue, for the next thread that can be started. */
static void
deferred_refuse(caw__task *task, int status)
{
    (void)status;
    caw_pool *pool = task->work.pool;
    caw__mutex_lock(&pool->lock);
    caw__queue_append(&pool->queue, &task->work);
    caw__mutex_unlock(&pool->lock);
}

static const caw__task_ops deferred_ops = {deferred_run, deferred_stop, deferred_refuse};

static bool
defer_to(caw_pool *pool, caw__task *task)
{
    task->work.pool = caw__pool_hold(pool);
    if (caw__pool_watch_exit(pool) == 0 && caw__pool_submit(pool, &task->work) == 0) {
        return true;
    }
    caw__pool_drop(pool);
    return false;
}

void
caw_defer(caw_pool *pool, caw_deferred *d, void (*run)(caw_deferred *d))
{
    caw__task *task = (caw__task *)(void *)d;
    d->run = run;
    d->work.run = NULL; /* which makes it a task for the pool */
    d->work.free = NULL;
    d->work.finishes = false;
    d->work.next = d->work.previous = NULL;
    task->ops = &deferred_ops;
    task->next = task->previous = NULL;
    if (pool && defer_to(pool, task)) {
        return;
    }
    pool = caw_pool_default();
    if (pool && !defer_to(pool, task)) { /* no thread can be started now */
        task->work.pool = caw__pool_hold(pool);
        caw__mutex_lock(&pool->lock);
        caw__queue_append(&pool->queue, &task->work);
        caw__mutex_unlock(&pool->lock);
    }
}
