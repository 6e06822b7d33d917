/* fork.h: which side of a fork() this process is on. */
#ifndef CAWAIT_CORE_OS_FORK_H
#define CAWAIT_CORE_OS_FORK_H

#include "cawait/base.h"

CAW__INTERNAL_BEGIN

/* See to it that forks are counted from now on; before anything is made that a fork breaks.
 *   any-thread · no-gil · - · fails(CAW_ENOMEM) · quiet */
int caw__fork_watch(void);

/* How many forks lie between the process that called caw__fork_watch first and this one. What carries another number
 * than this was made by an ancestor: its threads are not here, its locks may be held for ever, its fds are shared.
 *   any-thread · no-gil · - · never fails · quiet */
unsigned caw__fork_count(void);

CAW__INTERNAL_END

#endif
