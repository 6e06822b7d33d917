/* portable.h: the backend of any system with poll() and threads; see portable.c. */
#ifndef CAWAIT_CORE_REACTOR_PORTABLE_H
#define CAWAIT_CORE_REACTOR_PORTABLE_H

#include "core/reactor/shared.h"

CAW__INTERNAL_BEGIN

/* Never NULL.
 *   any-thread · no-gil · returns-borrowed · never fails · quiet */
const caw__backend *caw__backend_portable(void);

CAW__INTERNAL_END

#endif
