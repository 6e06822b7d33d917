/* pool_base.h: a pool as its files share it; see workers.c for what guards what.
 *
 * What is queued is a caw_work. A task's has no `run`: the pool goes by its table.
 */
#ifndef CAWAIT_CORE_RUN_POOL_BASE_H
#define CAWAIT_CORE_RUN_POOL_BASE_H

#include "cawait/pool.h"

#include "core/base/block.h"
#include "core/base/detail.h"
#include "core/os/condition.h"
#include "core/os/thread.h"
#include "core/run/exit.h"
#include "core/run/queue.h"
#include "core/run/running.h"

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
    /* No thread can be started that would run it: end it with the status.
     *   any-thread · no-gil · takes(the queue's reference) · never fails · wakes */
    void (*refuse)(caw__task *task, int status);
} caw__task_ops;

/* A task's place in the list of its pool; guarded by the pool's lock. */
struct caw__task {
    caw_work work;            /* its promise is the join future */
    const caw__task_ops *ops; /* unchanged */
    caw__task *next, *previous;
};

/* A thread of a pool: on its own stack, and in two lists of the pool: of all, and, while it sleeps in a call of the
 * library, of the sleepers. */
typedef struct caw__pool_worker caw__pool_worker;
struct caw__pool_worker {
    caw__worker worker;
    caw_pool *pool;
    caw__thread thread;
    caw__pool_worker *younger, *older;
    bool runs_task; /* what it runs is a task: its own */
    caw_waker waker;
    caw__pool_worker *next, *previous;
};

/* A thread that waits until the pool has ended: on its stack. */
typedef struct caw__pool_closer caw__pool_closer;
struct caw__pool_closer {
    caw__held_up holds; /* with known */
    bool known;
    caw__pool_closer *next;
};

/* What a serial pool has more: one with a single thread, which is there from the first to the last. */
typedef struct caw__serial_ops {
    /* The last thing on its thread: nothing is queued, and no task is left.
     *   the thread · no-gil · borrows(pool) · never fails · calls-user, wakes */
    void (*end)(caw_pool *pool);
    /* Free the struct.
     *   any-thread · no-gil · takes(pool) · never fails · quiet */
    void (*free)(caw_pool *pool);
} caw__serial_ops;

struct caw_pool {
    caw__exit_member exit; /* its place among the pools of the process: true once `watched` */
    atomic_bool watched;
    unsigned generation; /* unchanged; caw__fork_count() when made */
    unsigned max;        /* unchanged: how many threads run at once, without those that sleep in a call of ours */
    atomic_uint handles, references;
    const caw__serial_ops *serial; /* unchanged; NULL: it is not serial */
    atomic_bool closing;           /* it takes nothing more */
    atomic_bool stopped;           /* and what is in it is to end soon */

    caw__mutex lock;
    caw__condition changed; /* the queue, who may run, closing, or the last task has gone */
    caw__condition ended;   /* a thread has ended, or could not be started; the reactor is there; it asks; joined */
    caw__queue queue;
    caw__running running;       /* of a serial pool */
    unsigned threads, starting; /* that there are; that somebody is starting */
    unsigned idle, asleep;      /* of `threads`: wait for `changed`; sleep in a call of the library */
    caw__pool_worker *workers;  /* all of them, the youngest first */
    caw__pool_worker *sleepers; /* those that are asleep */
    caw__task *tasks;
    caw__pool_closer *closers;
    bool asked; /* a worker wants to know which loops the closers hold up */
    bool joining, joined, detached;
    bool has_ended;         /* a thread has ended that nobody has joined: */
    caw__thread last_ended; /* that one; it joins the one before it */
    bool reactor_starting;  /* somebody starts its thread: `reactor` is not to be used */
    bool reactor_running;   /* its thread was started */
    bool reactor_stop;
    caw_reactor *reactor; /* retained; kept until the memory goes */
    caw__thread reactor_thread;
};

/* References to a pool's memory. They keep nothing running: that is what caw_pool_retain is for.
 *   any-thread · no-gil · - · never fails · quiet */
caw_pool *caw__pool_hold(caw_pool *pool);
void caw__pool_drop(caw_pool *pool);

/* Whether the pool belongs to an ancestor of this process.
 *   any-thread · no-gil · borrows(pool) · never fails · quiet */
bool caw__pool_forked(const caw_pool *pool);

/* Whether the pool has begun to close; and whether what is in it is to end soon, which for all but a serial pool is the
 * same.
 *   any-thread · no-gil · borrows(pool) · never fails · quiet */
bool caw__pool_closing(const caw_pool *pool);
bool caw__pool_stopped(const caw_pool *pool);

/* Nobody will run these, which are linked by next: they end with the error.
 *   any-thread, without the lock · no-gil · takes(jobs) · never fails · wakes */
void caw__pool_refuse(const caw_pool *pool, caw_work *jobs, int error);

/* Run a job that is not queued any more.
 *   a worker, or exit() · no-gil · takes(w) · never fails · calls-user, wakes */
void caw__pool_run(caw_work *w);

CAW__INTERNAL_END

#endif
