/* process.h: the end of child processes. */
#ifndef CAWAIT_CORE_OS_PROCESS_H
#define CAWAIT_CORE_OS_PROCESS_H

#include "cawait/base.h"

CAW__INTERNAL_BEGIN

typedef struct caw__process_end {
    int exit_code; /* -1: it did not exit */
    int signal;    /* which ended it; or 0 */
} caw__process_end;

/* Reap this child if it has ended. 1: it has; 0: not yet.
 *   any-thread · no-gil · - · fails(-ECHILD, -errno) · quiet */
int caw__process_reap(int pid, caw__process_end *out);

/* An fd that is readable when the process has ended; closed by exec.
 *   any-thread · no-gil · returns-new · fails(-ENOSYS, -errno) · quiet */
int caw__process_fd(int pid);

CAW__INTERNAL_END

#endif
