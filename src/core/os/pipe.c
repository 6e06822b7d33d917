/* pipe.c: rings through a pipe. */
#include "core/os/pipe.h"

#include "core/os/compiler.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int
caw__pipe_open(int fds[2])
{
#if CAW__HAS_PIPE2
    return pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0 ? -errno : 0;
#else
    if (pipe(fds) < 0) {
        return -errno;
    }
    for (int i = 0; i < 2; i++) {
        (void)fcntl(fds[i], F_SETFD, FD_CLOEXEC);
        (void)fcntl(fds[i], F_SETFL, O_NONBLOCK);
    }
    return 0;
#endif
}

void
caw__pipe_close(int fd)
{
    (void)close(fd);
}

caw__pipe_id
caw__pipe_identify(int fd)
{
    struct stat is;
    return fstat(fd, &is) == 0 ? (caw__pipe_id){(uint64_t)is.st_dev, (uint64_t)is.st_ino} : (caw__pipe_id){0, 0};
}

void
caw__pipe_close_if(int fd, caw__pipe_id id)
{
    caw__pipe_id now = caw__pipe_identify(fd);
    if (now.device == id.device && now.file == id.file) {
        caw__pipe_close(fd);
    }
}

void
caw__pipe_ring(int fd)
{
    int before = errno;
    while (write(fd, "", 1) < 0 && errno == EINTR) {
    }
    errno = before; /* EAGAIN: the pipe is full, so it is readable */
}

void
caw__pipe_drain(int fd)
{
    char bytes[256];
    ssize_t n;
    do {
        n = read(fd, bytes, sizeof bytes);
    } while (n == (ssize_t)sizeof bytes || (n < 0 && errno == EINTR));
}
