/* fd.c: questions about a file descriptor, and changes of it. */
#include "core/os/fd.h"

#include "core/os/compiler.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

bool
caw__fd_is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

int
caw__fd_is_non_blocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 ? -errno : (flags & O_NONBLOCK) != 0;
}

int
caw__fd_set_non_blocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && !(flags & O_NONBLOCK)) {
        flags = fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    }
    return flags < 0 ? -errno : 0;
}

int
caw__fd_make_private(int fd)
{
    int error = caw__fd_set_non_blocking(fd);
    return error ? error : fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -errno : 0;
}

void
caw__fd_close(int fd)
{
    if (fd >= 0) {
        (void)close(fd);
    }
}

static bool
fd_is_beyond(uint64_t offset, size_t size)
{
    const uint64_t most = sizeof(off_t) >= sizeof(int64_t) ? INT64_MAX : INT32_MAX;
    return offset > most || size > most - offset;
}

enum { FD_MAX = 1 << 30 }; /* of one call: Linux takes no more than about twice that */

int
caw__fd_read_at(int fd, void *buffer, size_t size, uint64_t offset, size_t *out)
{
    *out = 0;
    if (fd_is_beyond(offset, size)) {
        return -EINVAL;
    }
    while (*out < size) {
        size_t rest = size - *out < FD_MAX ? size - *out : FD_MAX;
        ssize_t n = pread(fd, (char *)buffer + *out, rest, (off_t)(offset + *out));
        if (n == 0) {
            break;
        }
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        *out += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int
caw__fd_write_at(int fd, const void *buffer, size_t size, uint64_t offset, size_t *out)
{
    *out = 0;
    if (fd_is_beyond(offset, size)) {
        return -EINVAL;
    }
    while (*out < size) {
        size_t rest = size - *out < FD_MAX ? size - *out : FD_MAX;
        ssize_t n = pwrite(fd, (const char *)buffer + *out, rest, (off_t)(offset + *out));
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return n == 0 ? -EIO : -errno;
        }
        *out += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int
caw__fd_sync(int fd)
{
    int result;
    do {
        result = fsync(fd);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

int
caw__fd_sync_data(int fd)
{
#if CAW__HAS_FDATASYNC
    int result;
    do {
        result = fdatasync(fd);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
#else
    return caw__fd_sync(fd);
#endif
}

void
caw__fd_wait_readable(int fd)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    while (poll(&readable, 1, -1) < 0 && errno == EINTR) {
    }
}
