/* running.h: the call that a thread of a serial pool runs, for whoever interrupts it.
 *
 * Promise. The function `interrupt` is called at most once for a call: while it runs, or just before it, or between it
 * and the next one. So it never meets another call than the one it is for, nor `at_end`.
 *
 * All words are guarded by the lock of the pool. The function is called without it, with `interrupting` set; the thread
 * of the pool, when its call has returned, waits until that is cleared before it goes on. It waits for as long as the
 * function takes. Where the call itself has the function called, on this very thread, that is over when it returns.
 */
#ifndef CAWAIT_CORE_RUN_RUNNING_H
#define CAWAIT_CORE_RUN_RUNNING_H

#include "cawait/pool.h"

#include "core/os/condition.h"

CAW__INTERNAL_BEGIN

typedef struct caw__running {
    void (*interrupt)(void *user); /* unchanged; NULL: there is none */
    void *user;                    /* unchanged */
    const caw_work *call;          /* what runs; NULL for none, and for a task */
    bool interrupting, interrupted;
} caw__running;

/* The thread takes the call, or NULL for a task.
 *   pool's lock · no-gil · - · never fails · quiet */
void caw__running_begin(caw__running *r, const caw_work *call);

/* It has returned. Before it is resolved: from then on its address may be that of another.
 *   the thread that runs it · no-gil · borrows(lock, changed), not with the lock · never fails · quiet */
void caw__running_end(caw__running *r, caw__mutex *lock, caw__condition *changed);

/* Interrupt the call if it is the one that runs; with NULL whichever runs. Not one that is to be finished at exit.
 *   any-thread · no-gil · borrows(lock, changed), not with the lock · never fails · calls-user */
void caw__running_interrupt(caw__running *r, caw__mutex *lock, caw__condition *changed, const caw_work *call);

CAW__INTERNAL_END

#endif
