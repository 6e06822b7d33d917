/* readiness.c: futures that wait until an fd can be read or written. */
#include "core/reactor/fd_table.h"

#include <stdlib.h>

static int
readiness_enter(caw__wait *w)
{
    return caw__fds_add(w->reactor, &CAW_CONTAINER_OF(w, caw__fd_wait, wait)->source);
}

static void
readiness_leave(caw__wait *w)
{
    caw__fds_remove(w->reactor, &CAW_CONTAINER_OF(w, caw__fd_wait, wait)->source);
}

static const caw__wait_ops readiness_wait_ops = {readiness_enter, readiness_leave};

static const caw_future_ops readiness_readable_ops = {"readable", caw__wait_poll, caw__wait_cancel, caw__wait_destroy};
static const caw_future_ops readiness_writable_ops = {"writable", caw__wait_poll, caw__wait_cancel, caw__wait_destroy};

static caw_future *
readiness_new(const caw_future_ops *ops, int fd, unsigned events)
{
    caw__fd_wait *w = malloc(sizeof *w);
    if (!w) {
        return NULL;
    }
    caw__wait_init(&w->wait, ops, &readiness_wait_ops);
    w->source = (caw_fd_source){.ready = NULL, .fd = fd, .events = events};
    return &w->wait.future;
}

caw_future *
caw_readable(int fd)
{
    return readiness_new(&readiness_readable_ops, fd, CAW_READABLE);
}

caw_future *
caw_writable(int fd)
{
    return readiness_new(&readiness_writable_ops, fd, CAW_WRITABLE);
}
