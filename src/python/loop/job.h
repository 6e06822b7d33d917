/* job.h: what a thread without the GIL has to have done by Python: queued at the loop like a wake, and done by its
 * drain.
 *
 * A job is a part of a bigger struct. While it is QUEUED the queue has it, and to push it again does nothing. `run`
 * is called with the GIL, in the loop's thread, with the hub; or, for what was queued when the loop was closed, with
 * the GIL and without a hub; or, when the interpreter is gone, with neither, to free what is not Python's. Whoever
 * pushes a job sees to it that it lives until `run`. Where the loop is closed a push fails; what must run all the
 * same goes to the orphans (orphans.h).
 */
#ifndef CAWAIT_PYTHON_LOOP_JOB_H
#define CAWAIT_PYTHON_LOOP_JOB_H

#include "python/loop/inbox.h"

CAW__INTERNAL_BEGIN

/* The queue is that of the inbox, which whoever has the job holds. */
void caw__job_init(caw__job *job, caw__inbox *inbox, int (*run)(caw__job *, caw__job_place, caw__hub *));

/* Queue it, unless it is QUEUED already, or the loop is closed.
 *   any-thread · no-gil · borrows(job) · never fails · wakes */
typedef enum caw__job_pushed { JOB_PUSHED, JOB_WAS_QUEUED, JOB_CLOSED } caw__job_pushed;
caw__job_pushed caw__job_push(caw__job *job);

/* Queue it, at the loop or among the orphans.
 *   any-thread · no-gil · takes(job) · never fails · wakes */
void caw__job_push_or_orphan(caw__job *job);

CAW__INTERNAL_END

#endif
