/* errno_names.h: the names and texts of errno's numbers. */
#ifndef CAWAIT_CORE_OS_ERRNO_NAMES_H
#define CAWAIT_CORE_OS_ERRNO_NAMES_H

#include "cawait/base.h"

CAW__INTERNAL_BEGIN

/* "ENOENT" for ENOENT; and "No such file or directory". Both are constants. NULL for a number that is not known.
 *   any-thread · no-gil · returns-borrowed · never fails · quiet */
const char *caw__errno_name(int number);
const char *caw__errno_text(int number);

CAW__INTERNAL_END

#endif
