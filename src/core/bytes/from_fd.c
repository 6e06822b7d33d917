/* from_fd.c: a file descriptor as a reader and as a writer.
 *
 * A non-blocking fd, or a socket, which has a flag for each call not to wait, is tried first and waited for when there
 * was nothing. A blocking one is waited for first, and again before each call. There a write could still wait for room:
 * poll() promises room for PIPE_BUF bytes only, so no more are written at a time.
 */
#include "cawait/bytes.h"
#include "cawait/reactor.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BYTEFD_MAX = 1 << 30 }; /* of one call: Linux takes no more than about twice that */

#ifdef MSG_NOSIGNAL
enum { BYTEFD_SEND = MSG_DONTWAIT | MSG_NOSIGNAL };
#else
enum { BYTEFD_SEND = MSG_DONTWAIT };
#endif

/* What both directions share. */
typedef struct bytefd {
    int fd;
    bool is_no_socket; /* a call for sockets has said so */
    bool waited;       /* the fd was ready, and has not been tried since */
    caw_future *wait;  /* owned: while it is waited for */
} bytefd;

typedef struct bytefd_reader {
    caw_reader reader;
    bytefd at;
} bytefd_reader;

typedef struct bytefd_writer {
    caw_writer writer;
    bytefd at;
} bytefd_writer;

/* Whether a call that is no socket's may sleep. */
static bool
bytefd_may_block(const bytefd *at)
{
    int flags = fcntl(at->fd, F_GETFL);
    return flags >= 0 && !(flags & O_NONBLOCK);
}

/* 0: try it now. 1: pending. Below 0: an error. */
static int
bytefd_wait(bytefd *at, caw_context *cx)
{
    if (!at->wait) {
        return 0;
    }
    if (caw_future_poll(at->wait, cx) == CAW_PENDING) {
        return 1;
    }
    int status = at->wait->status;
    caw_future_destroy(at->wait);
    at->wait = NULL;
    at->waited = status == 0;
    return status;
}

static ssize_t
bytefd_read_once(bytefd *at, void *buffer, size_t size)
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
bytefd_write_once(bytefd *at, const void *buffer, size_t size)
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
static ssize_t
bytefd_try(bytefd *at, void *into, const void *from, size_t size)
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

/* Try, and wait, until there is a result: then true, and it is in *result. */
static bool
bytefd_do(bytefd *at, caw_context *cx, void *into, const void *from, size_t size, ssize_t *result)
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

static void
bytefd_cancel(bytefd *at)
{
    if (at->wait) {
        caw_future_cancel(at->wait);
    }
}

/* --- the reader --- */

static caw_poll
bytefd_poll_read(caw_reader *r, caw_context *cx, void *buffer, size_t size, size_t *out)
{
    bytefd_reader *reader = CAW_CONTAINER_OF(r, bytefd_reader, reader);
    ssize_t n;
    if (!bytefd_do(&reader->at, cx, buffer, NULL, size, &n)) {
        return CAW_PENDING;
    }
    if (n <= 0) {
        return caw_reader_finish(r, (int)n, out);
    }
    *out = (size_t)n;
    return CAW_READY;
}

static void
bytefd_cancel_read(caw_reader *r)
{
    bytefd_cancel(&CAW_CONTAINER_OF(r, bytefd_reader, reader)->at);
}

static void
bytefd_destroy_reader(caw_reader *r)
{
    bytefd_reader *reader = CAW_CONTAINER_OF(r, bytefd_reader, reader);
    caw_future_destroy(reader->at.wait);
    free(reader);
}

static const caw_reader_ops bytefd_reader_ops = {"fd", bytefd_poll_read, bytefd_cancel_read, bytefd_destroy_reader};

caw_reader *
caw_reader_from_fd(int fd)
{
    bytefd_reader *reader = malloc(sizeof *reader);
    if (!reader) {
        return NULL;
    }
    caw_reader_init(&reader->reader, &bytefd_reader_ops);
    reader->at = (bytefd){.fd = fd};
    return &reader->reader;
}

/* --- the writer --- */

static caw_poll
bytefd_poll_write(caw_writer *w, caw_context *cx, const void *buffer, size_t size, size_t *out)
{
    bytefd_writer *writer = CAW_CONTAINER_OF(w, bytefd_writer, writer);
    ssize_t n;
    if (!bytefd_do(&writer->at, cx, NULL, buffer, size, &n)) {
        return CAW_PENDING;
    }
    if (n <= 0) {
        return caw_writer_finish(w, n < 0 ? (int)n : -EIO, out);
    }
    *out = (size_t)n;
    return CAW_READY;
}

/* A socket that the other end has closed already needs no shutdown. */
static caw_poll
bytefd_poll_close(caw_writer *w, caw_context *cx)
{
    (void)cx;
    bytefd_writer *writer = CAW_CONTAINER_OF(w, bytefd_writer, writer);
    int failed = shutdown(writer->at.fd, SHUT_WR) < 0 && errno != ENOTSOCK && errno != ENOTCONN;
    w->status = failed ? -errno : 0;
    return CAW_READY;
}

static void
bytefd_cancel_write(caw_writer *w)
{
    bytefd_cancel(&CAW_CONTAINER_OF(w, bytefd_writer, writer)->at);
}

static void
bytefd_destroy_writer(caw_writer *w)
{
    bytefd_writer *writer = CAW_CONTAINER_OF(w, bytefd_writer, writer);
    caw_future_destroy(writer->at.wait);
    free(writer);
}

static const caw_writer_ops bytefd_writer_ops = {"fd", bytefd_poll_write, bytefd_poll_close, bytefd_cancel_write,
                                                 bytefd_destroy_writer};

caw_writer *
caw_writer_from_fd(int fd)
{
    bytefd_writer *writer = malloc(sizeof *writer);
    if (!writer) {
        return NULL;
    }
    caw_writer_init(&writer->writer, &bytefd_writer_ops);
    writer->at = (bytefd){.fd = fd};
    return &writer->writer;
}
