/* error.h: mistakes of an author's: the one that an operation's CAW_EINVAL stands for, and a wait without an end. */
#ifndef CAWAIT_CORE_BASE_ERROR_H
#define CAWAIT_CORE_BASE_ERROR_H

#include "cawait/error.h"

CAW__INTERNAL_BEGIN

enum { CAW__MISTAKE_SIZE = 160 };

/* The text of the last caw_error_from_return of this thread that was not an error: once. False: there was none.
 *   any-thread · no-gil · borrows(out) · never fails · quiet */
bool caw__error_take_mistake(char out[CAW__MISTAKE_SIZE]);

/* Say on stderr that this operation is pending although nobody can wake it. For debug builds.
 *   any-thread · no-gil · borrows(operation) · never fails · quiet */
void caw__error_say_never_woken(const char *operation);

CAW__INTERNAL_END

#endif
