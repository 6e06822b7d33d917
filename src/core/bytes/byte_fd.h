/* byte_fd.h: bytes from and to a file descriptor, without sleeping in a call. What a reader, a writer, and the single
 * operations of io.h have in common. */
#ifndef CAWAIT_CORE_BYTES_BYTE_FD_H
#define CAWAIT_CORE_BYTES_BYTE_FD_H

#include "cawait/future.h"

CAW__INTERNAL_BEGIN

/* One direction of an fd, which is borrowed. Zeroed but for `fd`: new. */
typedef struct caw__byte_fd {
    int fd;
    bool is_no_socket; /* private: a call for sockets has said so */
    bool waited;       /* private: the fd was ready, and has not been tried since */
    caw_future *wait;  /* private: owned, while it is waited for */
} caw__byte_fd;

/* Read into `into`, or where that is NULL write from `from`, once. True: *result is how many bytes that were, 0 at the
 * end of what can be read, or an error. False: it is pending.
 *   poller · no-gil · borrows(all) · - · quiet */
bool caw__byte_fd_do(caw__byte_fd *at, caw_context *cx, void *into, const void *from, size_t size, ptrdiff_t *result);

/* Where it waits, end that with CAW_ECANCELED; and be done with it, in any state.
 *   poller · no-gil · borrows(at) · never fails · wakes / quiet */
void caw__byte_fd_cancel(caw__byte_fd *at);
void caw__byte_fd_fini(caw__byte_fd *at);

/* No more will be written: tell the other end of a socket.
 *   poller · no-gil · borrows(at) · fails(-errno) · quiet */
int caw__byte_fd_shut(const caw__byte_fd *at);

CAW__INTERNAL_END

#endif
