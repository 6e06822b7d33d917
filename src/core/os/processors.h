/* processors.h: how much this process may run at once. */
#ifndef CAWAIT_CORE_OS_PROCESSORS_H
#define CAWAIT_CORE_OS_PROCESSORS_H

#include "cawait/base.h"

CAW__INTERNAL_BEGIN

/* How many processors this thread may use: those of its affinity, and no more than the quota of its control group
 * allows, rounded up; 1 or more. Not those of the machine.
 *   any-thread · no-gil · - · never fails · quiet */
unsigned caw__processors(void);

/* The quota alone, of a system whose files are below `root`, "" for this one: rounded up, 0 where there is none.
 *   any-thread · no-gil · borrows(root) · never fails · quiet */
unsigned caw__processors_quota(const char *root);

CAW__INTERNAL_END

#endif
