/* pipe.h: a pipe by which threads ring: one byte is a ring, and the read end is an fd that a loop can watch. */
#ifndef CAWAIT_CORE_OS_PIPE_H
#define CAWAIT_CORE_OS_PIPE_H

#include "cawait/base.h"

CAW__INTERNAL_BEGIN

/* The read end in fds[0], the write end in fds[1]; non-blocking, and closed by exec.
 *   any-thread · no-gil · returns-new · fails(-errno) · quiet */
int caw__pipe_open(int fds[2]);

/* Close one end.
 *   any-thread · no-gil · takes(fd) · never fails · quiet */
void caw__pipe_close(int fd);

/* Which pipe an fd belongs to. */
typedef struct caw__pipe_id {
    uint64_t device, file;
} caw__pipe_id;

/* Find that out; and close one end if it still is that pipe's, and not the file of somebody who has closed the fd.
 *   any-thread · no-gil · borrows / takes(fd) · never fails · quiet */
caw__pipe_id caw__pipe_identify(int fd);
void caw__pipe_close_if(int fd, caw__pipe_id id);

/* Make the read end readable. In any code: errno stays as it is.
 *   any-thread · no-gil · borrows(fd) · never fails · quiet */
void caw__pipe_ring(int fd);

/* Take out all rings that are in: from then on the read end is not readable until the next one.
 *   any-thread · no-gil · borrows(fd) · never fails · quiet */
void caw__pipe_drain(int fd);

CAW__INTERNAL_END

#endif
