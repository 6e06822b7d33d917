/* block_on.h: a thread that sleeps until a waker is woken, with a reactor if it needs one. */
#ifndef CAWAIT_CORE_RUN_BLOCK_ON_H
#define CAWAIT_CORE_RUN_BLOCK_ON_H

#include "cawait/reactor.h"

CAW__INTERNAL_BEGIN

/* One call that sleeps. */
typedef struct caw__sleeper caw__sleeper;

#define CAW__NO_DEADLINE UINT64_MAX

/* Begin a call that sleeps, on this thread, as caw__block_begin does; and end it: `keeps`: what waits on its reactor
 * may be waited for by a later call of this thread.
 *   any-thread · no-gil · returns-new, NULL when out of memory / takes(s) · quiet / wakes */
caw__sleeper *caw__sleeper_new(void);
void caw__sleeper_end(caw__sleeper *s, bool keeps);

/* Its waker, borrowed.
 *   any-thread · no-gil · borrows(s) · never fails · quiet */
caw_waker caw__sleeper_waker(caw__sleeper *s);

/* Its reactor, made when it is not there.
 *   the thread of the call · no-gil · returns-borrowed · fails(-errno, CAW_ENOMEM) by NULL and *error · quiet */
caw_reactor *caw__sleeper_reactor(caw__sleeper *s, int *error);

/* Whether nobody can wake it, after a poll: no clone of its waker is left, none was woken, and it has no reactor.
 *   the thread of the call · no-gil · borrows(s) · never fails · quiet */
bool caw__sleeper_is_lost(const caw__sleeper *s);

/* Sleep until a wake, or until this time of caw__now_ns, CAW__NO_DEADLINE: for ever. 0: poll again, perhaps without a
 * reason.
 *   the thread of the call · no-gil · borrows(s) · fails(CAW_ETIMEDOUT, -errno) · wakes, calls-user (sources) */
int caw__sleeper_sleep(caw__sleeper *s, uint64_t deadline);

CAW__INTERNAL_END

#endif
