/* queued.h: what the queue of a loop holds: wake targets (wake_target.h) and jobs (job.h).
 *
 * A job begins with a wake target, so that one queue has both. What is in the queue is QUEUED: a second push of it does
 * nothing.
 */
#ifndef CAWAIT_PYTHON_LOOP_QUEUED_H
#define CAWAIT_PYTHON_LOOP_QUEUED_H

#include "core/reactor/wake_queue.h"
#include "python/base/state.h"

#include <stdatomic.h>

CAW__INTERNAL_BEGIN

typedef struct caw__inbox caw__inbox;
typedef struct caw__job caw__job;

#define CAW__TARGET_QUEUED  1u
#define CAW__TARGET_UNBOUND 2u
#define CAW__TARGET_JOB     4u

struct caw__wake_target {
    caw__wake_node link;
    _Atomic uint32_t refs;
    _Atomic uint32_t flags;
    caw__inbox *inbox;  /* a reference, once bound; of a job, borrowed from whoever has the job */
    caw__waiter *owner; /* of a job NULL */
};

typedef enum caw__job_place { JOB_ON_LOOP, JOB_WITHOUT_LOOP, JOB_WITHOUT_PYTHON } caw__job_place;

struct caw__job {
    caw__wake_target target;
    /* -1 with an exception that has to leave the drain: only on the loop. `hub` is NULL elsewhere. */
    int (*run)(caw__job *job, caw__job_place place, caw__hub *hub);
};

static inline bool
caw__wake_target_is_job(const caw__wake_target *target)
{
    return atomic_load_explicit(&target->flags, memory_order_relaxed) & CAW__TARGET_JOB; /* relaxed: never changes */
}

/* After it was taken out of the queue: the next wake, or push, queues it again. */
static inline void
caw__wake_target_rearm(caw__wake_target *target)
{
    /* Acquire: pairs with the wake, so that the poll which follows sees what the waker did. Release: the drain is
     * through with `link`, which the next wake that queues the target writes. */
    atomic_fetch_and_explicit(&target->flags, ~CAW__TARGET_QUEUED, memory_order_acq_rel);
}

/* Run a job that was taken out of the queue. */
static inline int
caw__job_run(caw__job *job, caw__job_place place, caw__hub *hub)
{
    caw__wake_target_rearm(&job->target);
    return job->run(job, place, hub);
}

CAW__INTERNAL_END

#endif
