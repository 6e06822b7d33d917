/* error.h: the mistake that an operation's CAW_EINVAL stands for. */
#ifndef CAWAIT_CORE_BASE_ERROR_H
#define CAWAIT_CORE_BASE_ERROR_H

#include "cawait/error.h"

CAW__INTERNAL_BEGIN

enum { CAW__MISTAKE_SIZE = 160 };

/* The text of the last caw_error_from_return of this thread that was not an error: once. False: there was none.
 *   any-thread · no-gil · borrows(out) · never fails · quiet */
bool caw__error_take_mistake(char out[CAW__MISTAKE_SIZE]);

CAW__INTERNAL_END

#endif
