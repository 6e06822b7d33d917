/* job.h: what a thread without the GIL has to have done by Python: queued at the loop like a wake, and done by its drain.
 *
 * A job is a part of a bigger struct. It is a target that belongs to no coroutine; while it is QUEUED the queue has it, and
 * to push it again does nothing. `run` is called with the GIL, in the loop's thread, with the hub; or, for what was queued
 * when the loop was closed, with the GIL and without a hub; or, when the interpreter is gone, with neither, to free what is
 * not Python's. Whoever pushes a job sees to it that it lives until `run`.
 *
 * Where the loop is closed a push fails. What must be done all the same, to drop a reference, is then put into the `late`
 * list of the module's state. That is emptied by the next drain of any loop, by a pending call of the main interpreter, or
 * at last when the state goes.
 *
 * Words of a late list, and who may touch them:
 *
 *   head     any thread, atomic: a stack. ORPHANS_CLOSED once the state is gone; what comes then finds no interpreter
 *   asked    any thread, atomic: a pending call is under way
 *   users    any thread, atomic: who is between pushing and having asked for the call. The state's end waits for them, since
 *            an interpreter that is gone cannot be asked
 */
#ifndef CAWAIT_PYTHON_LOOP_JOB_H
#define CAWAIT_PYTHON_LOOP_JOB_H

#include "python/loop/wake_target.h"

CAW__INTERNAL_BEGIN

typedef enum caw__job_place { JOB_ON_LOOP, JOB_WITHOUT_LOOP, JOB_WITHOUT_PYTHON } caw__job_place;

typedef struct caw__job caw__job;
struct caw__job {
    caw__wake_target target;
    /* -1 with an exception that has to leave the drain: only on the loop. `hub` is NULL elsewhere. */
    int (*run)(caw__job *job, caw__job_place place, caw__hub *hub);
};

/* The queue is the inbox's, which whoever has the job holds. */
void caw__job_init(caw__job *job, caw__inbox *inbox, int (*run)(caw__job *, caw__job_place, caw__hub *));

/* Queue it, unless it is QUEUED already, or the loop is closed.
 *   any-thread · no-gil · borrows(job) · never fails · wakes */
typedef enum caw__job_pushed { JOB_PUSHED, JOB_WAS_QUEUED, JOB_CLOSED } caw__job_pushed;
caw__job_pushed caw__job_push(caw__job *job);

/* Queue it, at the loop or in the late list.
 *   any-thread · no-gil · takes(job) · never fails · wakes */
void caw__job_push_or_late(caw__job *job);

/* The queue gives it to be run. */
int caw__job_run(caw__job *job, caw__job_place place, caw__hub *hub);

/* Whether this thread is the one of the job's loop, and has the GIL: then nothing needs to be queued. */
bool caw__job_is_at_home(const caw__job *job);

/* The late list of a state: counted, for an inbox may outlive the state. NULL with an exception. The interpreter's dict
 * refers to it, too, for a state may be leaked by whoever leaks a coroutine: it is closed at the interpreter's end at last. */
caw__orphans *caw__orphans_new(void);
caw__orphans *caw__orphans_retain(caw__orphans *orphans);
void caw__orphans_release(caw__orphans *orphans);

/* Whether this thread is in the interpreter of the state. With the GIL. */
bool caw__orphans_is_of_this_interpreter(const caw__orphans *orphans);

/* Run what is in it: with the GIL. */
void caw__orphans_run(caw__orphans *orphans);

/* Run what is in it, and what comes later without Python. */
void caw__orphans_close(caw__orphans *orphans);

CAW__INTERNAL_END

#endif
