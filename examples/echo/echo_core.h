/* echo_core.h: a TCP server that sends back what it receives, and a client that puts a load on such a server. No Python
 * in it. */
#ifndef EXAMPLE_ECHO_CORE_H
#define EXAMPLE_ECHO_CORE_H

#include <cawait.h>

/* A server, until it is cancelled. The socket, which listens and is non-blocking, is its own from now on. NULL: out of
 * memory. */
caw_future *echo_serve(int fd);

typedef struct echo_load {
    uint16_t port; /* of this machine */
    size_t connections;
    size_t requests; /* of each connection, one after another */
} echo_load;

typedef struct echo_report {
    double seconds;
    double p50_us, p99_us; /* so long do a half, and 99 of 100 requests take at most */
} echo_report;

/* A client. NULL: out of memory. */
caw_future *echo_load_new(const echo_load *load);

/* What it has measured, when it is ready with 0. */
const echo_report *echo_load_report(const caw_future *f);

#endif
