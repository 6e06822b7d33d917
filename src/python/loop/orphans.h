/* orphans.h: jobs whose loop is closed, and which must run all the same, to drop a reference.
 *
 * The list belongs to the module's state. It is emptied by the next drain of any loop, by a pending call of the main
 * interpreter, or at last when the state is freed. It is counted, since an inbox may outlive the state; and the
 * interpreter's dict refers to it, since a state may be leaked by whoever leaks a coroutine: the list is then closed
 * at the interpreter's end.
 *
 * Words of the list, and who may touch them:
 *
 *   head       any thread, atomic: a stack. ORPHANS_CLOSED once the state is gone; what comes then finds no interpreter
 *   requested  any thread, atomic: a pending call is under way
 *   users      any thread, atomic: how many threads are between a push and the request for the call. The end of the
 *              state waits for them, since an interpreter that is gone takes no request
 */
#ifndef CAWAIT_PYTHON_LOOP_ORPHANS_H
#define CAWAIT_PYTHON_LOOP_ORPHANS_H

#include "python/loop/queued.h"

CAW__INTERNAL_BEGIN

/* A list with one reference; NULL with an exception. */
caw__orphans *caw__orphans_new(void);
caw__orphans *caw__orphans_retain(caw__orphans *orphans);
void caw__orphans_release(caw__orphans *orphans);

/* Whether this thread is in the interpreter of the list. With the GIL. */
bool caw__orphans_is_of_this_interpreter(const caw__orphans *orphans);

/* Put a job in, and have the main interpreter run it soon. Once the list is closed the job runs here, without Python.
 *   any-thread · no-gil · takes(job) · never fails · quiet */
void caw__orphans_add(caw__orphans *orphans, caw__job *job);

/* Run what is in the list: with the GIL. */
void caw__orphans_run(caw__orphans *orphans);

/* Run what is in the list; what comes later runs without Python. */
void caw__orphans_close(caw__orphans *orphans);

CAW__INTERNAL_END

#endif
