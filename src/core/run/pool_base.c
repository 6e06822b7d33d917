/* pool_base.c: the memory of a pool, and what becomes of a job: it is run, or it is refused. The essay on what threads
 * share is in workers.c. */
#include "core/run/pool_base.h"

#include "cawait/reactor.h"

#include "core/base/promise.h"
#include "core/os/fork.h"

#include <stdlib.h>

/* --- its memory --- */

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

bool
caw__pool_stopped(const caw_pool *pool)
{
    return atomic_load_explicit(&pool->stopped, memory_order_relaxed); /* as above */
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
    if (pool->exit.list) {
        caw__exit_remove(&pool->exit);
    }
    if (pool->reactor) {
        caw_reactor_release(pool->reactor);
    }
    if (!caw__pool_forked(pool)) {
        caw__condition_fini(&pool->ended);
        caw__condition_fini(&pool->changed);
        caw__mutex_fini(&pool->lock);
    }
    if (pool->serial) {
        pool->serial->free(pool);
    }
    else {
        free(pool);
    }
}

/* --- its jobs --- */

/* A call ends with the status, and with its detail. */
static void
job_end_call(caw_work *call, caw__exit_list *finished, int status, caw__detail *detail)
{
    caw__promise_resolve_with(&call->promise, status, detail);
    if (finished) {
        caw__exit_end_call(finished);
    }
}

static void
job_run_call(caw_work *call)
{
    caw__exit_list *finished = call->finishes ? call->pool->exit.list : NULL; /* first: the consumer may free it */
    caw__notes notes = {.detail = NULL};
    caw__notes_enter(&notes);
    caw__exit_enter_call(finished != NULL);
    int status = call->run(call);
    caw__exit_enter_call(false);
    caw__notes_leave(&notes);
    if (call->pool->serial) {
        caw__running_end(&call->pool->running, &call->pool->lock, &call->pool->changed);
    }
    job_end_call(call, finished, status, caw__notes_take(&notes, status));
}

void
caw__pool_run(caw_work *w)
{
    if (w->run) {
        job_run_call(w);
    }
    else {
        caw__task *task = CAW_CONTAINER_OF(w, caw__task, work);
        task->ops->run(task);
    }
}

void
caw__pool_refuse(const caw_pool *pool, caw_work *jobs, int error)
{
    while (jobs) {
        caw_work *job = jobs;
        jobs = job->next;
        job->next = NULL;
        if (job->run) {
            job_end_call(job, job->finishes ? pool->exit.list : NULL, error, NULL);
        }
        else {
            caw__task *task = CAW_CONTAINER_OF(job, caw__task, work);
            task->ops->refuse(task, error);
        }
    }
}
