/* fd.h: questions about a file descriptor. */
#ifndef CAWAIT_CORE_OS_FD_H
#define CAWAIT_CORE_OS_FD_H

#include "cawait/base.h"

CAW__INTERNAL_BEGIN

/* Whether the number is that of an open fd.
 *   any-thread · no-gil · borrows(fd) · never fails · quiet */
bool caw__fd_is_open(int fd);

/* Sleep until it can be read, or has an error.
 *   any-thread · no-gil · borrows(fd) · never fails · quiet */
void caw__fd_wait_readable(int fd);

CAW__INTERNAL_END

#endif
