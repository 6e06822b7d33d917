/* readiness.c: futures that wait for an fd. See wait.c for what they share with sleep.c, reactor/fd_table.c for the table of fds. */
#include "core/reactor/shared.h"

#include <stdlib.h>

typedef struct io_future {
    caw__wait wait;
    caw_fd_source source; /* its `ready` is NULL: that is how the table tells it from a foreign one */
} io_future;

caw__wait *
caw__io_wait(caw_fd_source *source)
{
    return &CAW_CONTAINER_OF(source, io_future, source)->wait;
}

static int
io_enter(caw__wait *w)
{
    return caw__fds_add(w->reactor, &CAW_CONTAINER_OF(w, io_future, wait)->source);
}

static void
io_leave(caw__wait *w)
{
    caw__fds_remove(w->reactor, &CAW_CONTAINER_OF(w, io_future, wait)->source);
}

static const caw__wait_ops io_wait_ops = {io_enter, io_leave};

static const caw_future_ops io_readable_ops = {"readable", caw__wait_poll, caw__wait_cancel, caw__wait_destroy};
static const caw_future_ops io_writable_ops = {"writable", caw__wait_poll, caw__wait_cancel, caw__wait_destroy};

static caw_future *
io_new(const caw_future_ops *ops, int fd, unsigned events)
{
    io_future *io = malloc(sizeof *io);
    if (!io) {
        return NULL;
    }
    caw__wait_init(&io->wait, ops, &io_wait_ops);
    io->source = (caw_fd_source){.ready = NULL, .fd = fd, .events = events};
    return &io->wait.future;
}

caw_future *
caw_readable(int fd)
{
    return io_new(&io_readable_ops, fd, CAW_READABLE);
}

caw_future *
caw_writable(int fd)
{
    return io_new(&io_writable_ops, fd, CAW_WRITABLE);
}
