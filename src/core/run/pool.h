/* pool.h: what a pool offers to the things that run on it; see pool.c for what guards what.
 *
 *   blocking.c   caw_work and caw_blocking: one call
 *   spawn.c      caw_spawn: a future, a "task", polled whenever it is woken; and the reactor that tasks use
 *
 * Both are queued as a caw_work. A task's has no `run`: the pool goes by its table.
 */
#ifndef CAWAIT_CORE_RUN_POOL_H
#define CAWAIT_CORE_RUN_POOL_H

#include "cawait/pool.h"

#include "core/os/condition.h"
#include "core/os/thread.h"

#include <stdatomic.h>

CAW__INTERNAL_BEGIN

typedef struct caw__task caw__task;

typedef struct caw__task_ops {
    /* On a worker: run it, and let it go.
     *   worker · no-gil · takes(the queue's reference) · never fails · calls-user, wakes */
    void (*run)(caw__task *task);
    /* The pool closes. True: the task was asleep, and the caller queues it, with the reference that this took.
     *   pool's lock · no-gil · - · never fails · quiet */
    bool (*stop)(caw__task *task);
} caw__task_ops;

/* A task's place in the list of its pool; guarded by the pool's lock. */
struct caw__task {
    caw_work work;            /* its promise is the join future */
    const caw__task_ops *ops; /* unchanged */
    caw__task *next, *previous;
};

struct caw_pool {
    unsigned generation; /* unchanged; caw__fork_count() when made */
    unsigned max;        /* unchanged */
    atomic_uint handles, references;
    atomic_bool closing;

    caw__mutex lock;
    caw__condition changed; /* the queue, closing, or the last task has gone */
    caw__condition ended;   /* joined */
    caw_work *first, *last; /* the queue; linked by next and previous */
    unsigned queued, idle;
    unsigned started, running; /* threads: ever; now */
    caw__task *tasks;
    bool joining, joined, detached;
    bool reactor_running; /* its thread was started */
    bool reactor_stop;
    caw_reactor *reactor; /* retained; kept until the memory goes */
    caw__thread reactor_thread;
    caw__thread threads[]; /* `started` of them */
};

/* References to a pool's memory. They keep nothing running: that is what caw_pool_retain is for.
 *   any-thread · no-gil · - · never fails · quiet */
caw_pool *caw__pool_hold(caw_pool *pool);
void caw__pool_drop(caw_pool *pool);

/* Whether the pool belongs to an ancestor of this process.
 *   any-thread · no-gil · borrows(pool) · never fails · quiet */
bool caw__pool_forked(const caw_pool *pool);

/* Whether the pool has begun to close.
 *   any-thread · no-gil · borrows(pool) · never fails · quiet */
bool caw__pool_closing(const caw_pool *pool);

/* Queue a job where that may fail; start a thread if needed. And queue a task again: closing or
 * not, and without a new thread, because the pool has one as long as it has tasks.
 *   pool's lock · no-gil · borrows(w) · offer fails(CAW_ECLOSED, -errno), append never · quiet */
int caw__pool_offer(caw_pool *pool, caw_work *w);
void caw__pool_append(caw_pool *pool, caw_work *w);

/* Queue a call.
 *   any-thread · no-gil · - · fails(CAW_ECLOSED, CAW_EFORKED, -errno) · quiet */
int caw__pool_submit(caw_pool *pool, caw_work *w);

/* Take a call out of the queue. False when it is not there: it runs, or did.
 *   any-thread · no-gil · - · never fails · quiet */
bool caw__pool_withdraw(caw_pool *pool, caw_work *w);

CAW__INTERNAL_END

#endif
