/* byte_fd.c: bytes from and to a file descriptor, without sleeping in a call.
 *
 * A non-blocking fd, or a socket, which has a flag for each call not to wait, is tried first and waited for when there
 * was nothing. A blocking one is waited for first, and again before each call. There a write could still wait for room:
 * poll() promises room for PIPE_BUF bytes only, so no more are written at a time.
 */
#include "core/bytes/byte_fd.h"

#include "cawait/reactor.h"

#include "core/base/future.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BYTEFD_MAX = 1 << 30 }; /* of one call: Linux takes no more than about twice that */

#ifdef MSG_NOSIGNAL
enum { BYTEFD_SEND = MSG_DONTWAIT | MSG_NOSIGNAL };
#else
enum { BYTEFD_SEND = MSG_DONTWAIT };
#endif

/* Whether a call that is no socket's may sleep. */
static bool
bytefd_may_block(const caw__byte_fd *at)
{
    int flags = fcntl(at->fd, F_GETFL);
    return flags >= 0 && !(flags & O_NONBLOCK);
}

/* 0: try it now. 1: pending. Below 0: an error. */
static int
bytefd_wait(caw__byte_fd *at, caw_context *cx)
{
    if (!at->wait) {
        return 0;
    }
    int status = caw__future_wait(&at->wait, cx);
    at->waited = status == 0;
    return status;
}

static ssize_t
bytefd_read_once(caw__byte_fd *at, void *buffer, size_t size)
{
    ssize_t n = -1;
    if (!at->is_no_socket) {
        n = recv(at->fd, buffer, size, MSG_DONTWAIT);
        at->is_no_socket = n < 0 && errno == ENOTSOCK;
    }
    if (at->is_no_socket && !at->waited && bytefd_may_block(at)) {
        errno = EAGAIN;
        return -1;
    }
    return at->is_no_socket ? read(at->fd, buffer, size) : n;
}

static ssize_t
bytefd_write_once(caw__byte_fd *at, const void *buffer, size_t size)
{
    ssize_t n = -1;
    if (!at->is_no_socket) {
        n = send(at->fd, buffer, size, BYTEFD_SEND);
        at->is_no_socket = n < 0 && errno == ENOTSOCK;
    }
    if (at->is_no_socket && bytefd_may_block(at)) {
        if (!at->waited) {
            errno = EAGAIN;
            return -1;
        }
        size = size < PIPE_BUF ? size : PIPE_BUF;
    }
    return at->is_no_socket ? write(at->fd, buffer, size) : n;
}

/* The call's result: bytes, or an error; or, as -EAGAIN, that it has to wait again. */
static ptrdiff_t
bytefd_try(caw__byte_fd *at, void *into, const void *from, size_t size)
{
    ssize_t n;
    size = size < BYTEFD_MAX ? size : BYTEFD_MAX;
    do {
        n = into ? bytefd_read_once(at, into, size) : bytefd_write_once(at, from, size);
    } while (n < 0 && errno == EINTR);
    at->waited = false;
    if (n < 0) {
        return errno == EWOULDBLOCK ? -EAGAIN : -errno;
    }
    return n;
}

bool
caw__byte_fd_do(caw__byte_fd *at, caw_context *cx, void *into, const void *from, size_t size, ptrdiff_t *result)
{
    for (;;) {
        int waiting = bytefd_wait(at, cx);
        if (waiting != 0) {
            *result = waiting;
            return waiting < 0;
        }
        *result = bytefd_try(at, into, from, size);
        if (*result != -EAGAIN) {
            return true;
        }
        at->wait = into ? caw_readable(at->fd) : caw_writable(at->fd);
        if (!at->wait) {
            *result = CAW_ENOMEM;
            return true;
        }
    }
}

void
caw__byte_fd_cancel(caw__byte_fd *at)
{
    if (at->wait) {
        caw_future_cancel(at->wait);
    }
}

void
caw__byte_fd_fini(caw__byte_fd *at)
{
    caw_future_destroy(at->wait);
    at->wait = NULL;
}

/* A socket that the other end has closed already needs no shutdown. */
int
caw__byte_fd_shut(const caw__byte_fd *at)
{
    return shutdown(at->fd, SHUT_WR) < 0 && errno != ENOTSOCK && errno != ENOTCONN ? -errno : 0;
}
