/* trio.h: the framework trio. */
#ifndef CAWAIT_PYTHON_FRAMEWORK_TRIO_H
#define CAWAIT_PYTHON_FRAMEWORK_TRIO_H

#include "python/loop/framework.h"

CAW__INTERNAL_BEGIN

extern const caw__framework caw__trio;

/* Whether its task waits for this waiter. Not when it is driven by hand: trio does not survive a reschedule() of a task
 * that does not wait. */
bool caw__trio_waits(const caw__waiter *w);

CAW__INTERNAL_END

#endif
