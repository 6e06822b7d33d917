/* transfer.c: some bytes, or all of them, from or to a file descriptor. Nothing here is shared between threads: the
 * calls are made during polls, and in between there is only a wait for the fd. */
#include "cawait/io.h"

#include "core/bytes/byte_fd.h"

#include <stdlib.h>

typedef struct transfer {
    caw_future future;
    caw__byte_fd at;
    char *into;       /* reads: the caller's buffer */
    const char *from; /* writes: likewise */
    size_t size, count;
    bool is_all; /* not before `count` is `size` */
    bool cancelled;
} transfer;

static transfer *
transfer_of(caw_future *f)
{
    return CAW_CONTAINER_OF(f, transfer, future);
}

/* What no bytes mean. */
static int
transfer_end_status(const transfer *t)
{
    return t->from ? -EIO : t->is_all ? CAW_EBROKEN : 0;
}

static caw_poll
transfer_poll(caw_future *f, caw_context *cx)
{
    transfer *t = transfer_of(f);
    if (!t->is_all && t->size == 0) {
        return caw_future_finish(f, CAW_EINVAL);
    }
    while (!t->cancelled && t->count < t->size) {
        ptrdiff_t n;
        char *into = t->into ? t->into + t->count : NULL;
        const char *from = t->from ? t->from + t->count : NULL;
        if (!caw__byte_fd_do(&t->at, cx, into, from, t->size - t->count, &n)) {
            return CAW_PENDING;
        }
        if (n <= 0) {
            return caw_future_finish(f, n < 0 ? (int)n : transfer_end_status(t));
        }
        t->count += (size_t)n;
        if (!t->is_all) {
            return caw_future_finish(f, 0);
        }
    }
    return caw_future_finish(f, t->cancelled ? CAW_ECANCELED : 0);
}

/* From now on nothing is read or written. Where it waits, the end of that wait wakes; else a wake is on its way. */
static void
transfer_cancel(caw_future *f)
{
    transfer *t = transfer_of(f);
    t->cancelled = true;
    caw__byte_fd_cancel(&t->at);
}

static void
transfer_destroy(caw_future *f)
{
    transfer *t = transfer_of(f);
    caw__byte_fd_fini(&t->at);
    free(t);
}

static const caw_future_ops transfer_read_ops = {"read", transfer_poll, transfer_cancel, transfer_destroy};
static const caw_future_ops transfer_exactly_ops = {"read_exactly", transfer_poll, transfer_cancel, transfer_destroy};
static const caw_future_ops transfer_write_ops = {"write_all", transfer_poll, transfer_cancel, transfer_destroy};

static transfer *
transfer_new(const caw_future_ops *ops, int fd, size_t size, bool is_all)
{
    transfer *t = malloc(sizeof *t);
    if (t) {
        *t = (transfer){.at = {.fd = fd}, .size = size, .is_all = is_all};
        caw_future_init(&t->future, ops);
    }
    return t;
}

caw_future *
caw_read(int fd, void *buffer, size_t size)
{
    transfer *t = transfer_new(&transfer_read_ops, fd, size, false);
    if (!t) {
        return NULL;
    }
    t->into = buffer;
    return &t->future;
}

caw_future *
caw_read_exactly(int fd, void *buffer, size_t size)
{
    transfer *t = transfer_new(&transfer_exactly_ops, fd, size, true);
    if (!t) {
        return NULL;
    }
    t->into = buffer;
    return &t->future;
}

caw_future *
caw_write_all(int fd, const void *buffer, size_t size)
{
    transfer *t = transfer_new(&transfer_write_ops, fd, size, true);
    if (!t) {
        return NULL;
    }
    t->from = buffer;
    return &t->future;
}

size_t
caw_io_count(const caw_future *f)
{
    return CAW_CONTAINER_OF(f, const transfer, future)->count;
}
