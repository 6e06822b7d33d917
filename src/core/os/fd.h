/* fd.h: questions about a file descriptor, and changes of it. */
#ifndef CAWAIT_CORE_OS_FD_H
#define CAWAIT_CORE_OS_FD_H

#include "cawait/base.h"

CAW__INTERNAL_BEGIN

/* Whether the number is that of an open fd.
 *   any-thread · no-gil · borrows(fd) · never fails · quiet */
bool caw__fd_is_open(int fd);

/* Whether a call on it may not sleep: 1 or 0.
 *   any-thread · no-gil · borrows(fd) · fails(-errno) · quiet */
int caw__fd_is_non_blocking(int fd);

/* From now on calls on it do not sleep.
 *   any-thread · no-gil · borrows(fd) · fails(-errno) · quiet */
int caw__fd_set_non_blocking(int fd);

/* The same, and it is closed by exec.
 *   any-thread · no-gil · borrows(fd) · fails(-errno) · quiet */
int caw__fd_make_private(int fd);

/* Close it; a number below 0 is none.
 *   any-thread · no-gil · takes(fd) · never fails · quiet */
void caw__fd_close(int fd);

/* Read, or write, all of `size` bytes of a file at an offset; a read ends early at the end of the file. *out is how
 * many there were, also on failure. May sleep.
 *   any-thread · no-gil · borrows(buffer) · fails(-EINVAL: beyond INT64_MAX, -errno) · quiet */
int caw__fd_read_at(int fd, void *buffer, size_t size, uint64_t offset, size_t *out);
int caw__fd_write_at(int fd, const void *buffer, size_t size, uint64_t offset, size_t *out);

/* fsync() and fdatasync(). May sleep.
 *   any-thread · no-gil · borrows(fd) · fails(-errno) · quiet */
int caw__fd_sync(int fd);
int caw__fd_sync_data(int fd);

/* Sleep until it can be read, or has an error.
 *   any-thread · no-gil · borrows(fd) · never fails · quiet */
void caw__fd_wait_readable(int fd);

CAW__INTERNAL_END

#endif
