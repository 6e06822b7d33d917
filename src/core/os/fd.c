/* fd.c: questions about a file descriptor. */
#include "core/os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

bool
caw__fd_is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

void
caw__fd_wait_readable(int fd)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    while (poll(&readable, 1, -1) < 0 && errno == EINTR) {
    }
}
