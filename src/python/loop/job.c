/* job.c: queueing what the loop's thread is to do. */
#include "python/loop/job.h"

void
caw__job_init(caw__job *job, caw__inbox *inbox, int (*run)(caw__job *, caw__job_place, caw__hub *))
{
    atomic_init(&job->target.refs, 1);
    atomic_init(&job->target.flags, CAW__TARGET_JOB);
    job->target.inbox = inbox;
    job->target.owner = NULL;
    job->run = run;
}

caw__job_pushed
caw__job_push(caw__job *job)
{
    /* Release: what was written for the job before is visible to the drain, which clears QUEUED with acquire.
     * Acquire: the drain is through with the link. */
    uint32_t flags = atomic_fetch_or_explicit(&job->target.flags, CAW__TARGET_QUEUED, memory_order_acq_rel);
    if (flags & CAW__TARGET_QUEUED) {
        return JOB_WAS_QUEUED;
    }
    caw_reactor *reactor = job->target.inbox->reactor;
    if (reactor && caw__reactor_push(reactor, &job->target.link)) {
        return JOB_PUSHED;
    }
    caw__wake_target_rearm(&job->target);
    return JOB_CLOSED;
}

void
caw__job_push_or_orphan(caw__job *job)
{
    caw__orphans *orphans = caw__orphans_retain(job->target.inbox->orphans); /* the job may be over once it is queued */
    if (caw__job_push(job) == JOB_CLOSED) {
        caw__orphans_add(orphans, job);
    }
    caw__orphans_release(orphans);
}
