/* from_fd.c: what can be read from an fd, as a stream.
 *
 * Nothing here is shared between threads. A read of a blocking fd could sleep, so it is made only after a wait for
 * readiness, and once for each. A non-blocking one says by EAGAIN that there is no more: after a read that gave
 * something the next one is tried at once, without the reactor.
 */
#include "cawait/reactor.h"
#include "cawait/stream.h"

#include "core/base/future.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct fd_stream {
    caw_stream stream;
    int fd;
    size_t size;
    caw_future *readable; /* while it waits */
    bool started;         /* what follows is true */
    bool non_blocking;
    bool may_have_more; /* the last read gave something, and the next one will not sleep */
    bool cancelled;
} fd_stream;

static fd_stream *
fd_stream_of(caw_stream *s)
{
    return CAW_CONTAINER_OF(s, fd_stream, stream);
}

static void
bytes_item_destroy(caw_item *item)
{
    free(CAW_CONTAINER_OF(item, caw_bytes_item, item));
}

/* Bytes of the length that was read, without the room that was not used. */
static caw_item *
bytes_finish(caw_bytes_item *bytes, size_t length, size_t size)
{
    caw_bytes_item *smaller = length < size ? realloc(bytes, sizeof *bytes + length) : NULL;
    bytes = smaller ? smaller : bytes; /* a realloc that fails leaves it as it is */
    bytes->item = (caw_item){.destroy = bytes_item_destroy};
    bytes->length = length;
    return &bytes->item;
}

/* 0, and *out NULL at the end of the file; -EAGAIN; or an error. */
static int
fd_stream_read(fd_stream *r, caw_item **out)
{
    *out = NULL;
    caw_bytes_item *bytes = malloc(sizeof *bytes + r->size);
    if (!bytes) {
        return CAW_ENOMEM;
    }
    ssize_t length;
    do {
        length = read(r->fd, bytes->data, r->size);
    } while (length < 0 && errno == EINTR);
    int error = length < 0 ? -errno : 0;
    if (length > 0) {
        *out = bytes_finish(bytes, (size_t)length, r->size);
    }
    else {
        free(bytes);
    }
    return error;
}

/* The first poll. */
static int
fd_stream_start(fd_stream *r)
{
    if (r->size == 0) {
        return CAW_EINVAL;
    }
    if (r->size > PTRDIFF_MAX - sizeof(caw_bytes_item)) {
        return CAW_ENOMEM;
    }
    int flags = fcntl(r->fd, F_GETFL);
    if (flags < 0) {
        return -errno;
    }
    r->non_blocking = (flags & O_NONBLOCK) != 0;
    r->started = true;
    return 0;
}

/* Until there is something to read. 0: there is; 1: pending; below 0: an error. */
static int
fd_stream_wait(fd_stream *r, caw_context *cx)
{
    if (r->may_have_more) {
        return 0;
    }
    if (!r->readable && !(r->readable = caw_readable(r->fd))) {
        return CAW_ENOMEM;
    }
    return caw__future_wait(&r->readable, cx);
}

static caw_poll
fd_stream_poll_next(caw_stream *s, caw_context *cx, caw_item **out)
{
    fd_stream *r = fd_stream_of(s);
    int error = r->cancelled ? CAW_ECANCELED : r->started ? 0 : fd_stream_start(r);
    while (!error) {
        error = fd_stream_wait(r, cx);
        if (error > 0) {
            return CAW_PENDING;
        }
        error = error ? error : fd_stream_read(r, out);
        if (!error && *out) {
            r->may_have_more = r->non_blocking;
            return CAW_READY;
        }
        if (error != -EAGAIN) {
            break;
        }
        r->may_have_more = false;
        error = 0;
    }
    return caw_stream_finish(s, error, out);
}

static void
fd_stream_cancel(caw_stream *s)
{
    fd_stream *r = fd_stream_of(s);
    if (!r->cancelled && r->readable) {
        caw_future_cancel(r->readable);
    }
    r->cancelled = true;
}

static void
fd_stream_destroy(caw_stream *s)
{
    fd_stream *r = fd_stream_of(s);
    caw_future_destroy(r->readable);
    free(r);
}

static const caw_stream_ops fd_stream_ops = {"from_fd", fd_stream_poll_next, fd_stream_cancel, fd_stream_destroy, NULL};

caw_stream *
caw_stream_from_fd(int fd, size_t size)
{
    fd_stream *r = malloc(sizeof *r);
    if (!r) {
        return NULL;
    }
    *r = (fd_stream){.fd = fd, .size = size};
    caw_stream_init(&r->stream, &fd_stream_ops);
    return &r->stream;
}
