/* socket.c: connections, and addresses by name, of POSIX. */
#include "core/os/socket.h"

#include "core/os/compiler.h"
#include "core/os/fd.h"

#include <errno.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

_Static_assert(CAW__ADDRESS_MAX >= sizeof(struct sockaddr_storage), "any address has room");

static int
socket_accept_once(int fd)
{
#if CAW__HAS_ACCEPT4
    return accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
#else
    int accepted = accept(fd, NULL, NULL);
    if (accepted >= 0 && caw__fd_make_private(accepted) < 0) {
        caw__fd_close(accepted); /* as if it had been aborted */
        errno = ECONNABORTED;
        return -1;
    }
    return accepted;
#endif
}

int
caw__socket_accept(int fd)
{
    int accepted;
    do {
        accepted = socket_accept_once(fd);
    } while (accepted < 0 && (errno == EINTR || errno == ECONNABORTED || errno == EPROTO));
    if (accepted >= 0) {
        return accepted;
    }
    return errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

/* A Unix socket says EAGAIN where the listener's queue is full: nothing is in progress then. */
int
caw__socket_connect(int fd, const void *address, size_t length)
{
    if (connect(fd, address, (socklen_t)length) == 0) {
        return 0;
    }
    return errno == EINPROGRESS || errno == EINTR ? 1 : -errno;
}

int
caw__socket_connected(int fd)
{
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0) {
        return -errno;
    }
    return -error;
}

int
caw__addresses_of(const char *node, const char *service, const int hints[4], struct addrinfo **out, int *number)
{
    struct addrinfo given = {
        .ai_flags = hints[0], .ai_family = hints[1], .ai_socktype = hints[2], .ai_protocol = hints[3]};
    *out = NULL;
    *number = 0;
    int result = getaddrinfo(node, service, &given, out);
    switch (result) {
    case 0:
        break;
    case EAI_SYSTEM:
        *number = errno;
        break;
    case EAI_MEMORY:
        *number = ENOMEM;
        break;
    default:
        break;
    }
    return result;
}

/* Without hints getaddrinfo() takes any family; glibc also the flags that stand here. */
void
caw__addresses_hints(const struct addrinfo *hints, int out[4])
{
    out[0] = hints ? hints->ai_flags : AI_V4MAPPED | AI_ADDRCONFIG;
    out[1] = hints ? hints->ai_family : AF_UNSPEC;
    out[2] = hints ? hints->ai_socktype : 0;
    out[3] = hints ? hints->ai_protocol : 0;
}

void
caw__addresses_free(struct addrinfo *addresses)
{
    if (addresses) {
        freeaddrinfo(addresses);
    }
}
