/* exit.h: the end of a process by exit(), or by a return from main: what runs there, and what other threads do then. */
#ifndef CAWAIT_CORE_OS_EXIT_H
#define CAWAIT_CORE_OS_EXIT_H

#include "cawait/base.h"

#include "core/os/thread.h"

CAW__INTERNAL_BEGIN

/* Have a function called by exit(): before the destructors of all static C++ objects that were there before this call.
 *   any-thread · no-gil · - · fails(CAW_ENOMEM) · quiet */
int caw__at_exit(void (*function)(void));

/* Whether this library is linked with C++ code, which may have static objects.
 *   any-thread · no-gil · - · never fails · quiet */
bool caw__has_cpp(void);

/* In exit(): end the process with its exit code, and run no more functions of exit(). Does nothing where the system
 * has no way to know the code.
 *   any-thread · no-gil · - · never fails · quiet */
void caw__exit_at_once(void);

/* How long the thread has used a processor, in nanoseconds; 0 where that cannot be known.
 *   any-thread · no-gil · borrows(thread), which has not been joined · never fails · quiet */
uint64_t caw__thread_cpu_ns(caw__thread thread);

/* Sleep for a while.
 *   any-thread · no-gil · - · never fails · quiet */
void caw__thread_sleep_ns(uint64_t ns);

CAW__INTERNAL_END

#endif
