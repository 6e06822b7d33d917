/* echo_in_c.c: the same server and client in a process without Python: one thread waits for both.
 *
 *     echo_in_c [CONNECTIONS [REQUESTS]]
 *
 *     tools/amalgamate && cc -std=c11 -O2 -pthread -DCAW_NO_PYTHON -Ibuild/joined build/joined/cawait.c \
 *         examples/echo/echo_in_c.c examples/echo/echo_core.c -o echo_in_c
 */
#include "echo_core.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* A socket that listens on a free port of this machine, or -1 with errno. */
static int
listen_here(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && (bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, SOMAXCONN) < 0 ||
                    getsockname(fd, (struct sockaddr *)&address, &length) < 0)) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    *port = ntohs(address.sin_port);
    return fd;
}

int
main(int argc, char **argv)
{
    echo_load load = {.connections = 50, .requests = 100};
    load.connections = argc > 1 ? strtoul(argv[1], NULL, 10) : load.connections;
    load.requests = argc > 2 ? strtoul(argv[2], NULL, 10) : load.requests;
    int fd = listen_here(&load.port);
    if (fd < 0) {
        perror("echo_in_c");
        return 1;
    }
    caw_future *both = caw_race(echo_serve(fd), echo_load_new(&load)); /* the end of the load cancels the server */
    int status = both ? caw_block_on(both) : CAW_ENOMEM;
    if (status < 0) {
        (void)fprintf(stderr, "echo_in_c: %s\n", caw_error_text(status));
    }
    else {
        const echo_report *report = echo_load_report(caw_child(both, 1));
        double requests = (double)load.connections * (double)load.requests;
        (void)printf("%.0f requests/s, p50 %.0f us, p99 %.0f us\n", requests / report->seconds, report->p50_us,
                     report->p99_us);
    }
    caw_future_destroy(both);
    return status < 0 ? 1 : 0;
}
