/* socket.h: connections that are made and accepted without sleeping in the call, and addresses by name. */
#ifndef CAWAIT_CORE_OS_SOCKET_H
#define CAWAIT_CORE_OS_SOCKET_H

#include "cawait/base.h"

CAW__INTERNAL_BEGIN

enum { CAW__ADDRESS_MAX = 128 }; /* bytes of an address of any family */

struct sockaddr;
struct addrinfo;

/* The next connection of a listening socket: its fd, non-blocking, and closed by exec. Connections that were aborted
 * meanwhile are passed over. -EAGAIN when there is none.
 *   any-thread · no-gil · borrows(fd), returns-new · fails(-EAGAIN, -errno) · quiet */
int caw__socket_accept(int fd);

/* Begin to connect, without waiting: 0, it is connected; 1, the fd will be writable when it is, or has failed.
 *   any-thread · no-gil · borrows(fd, address) · fails(-errno) · quiet */
int caw__socket_connect(int fd, const void *address, size_t length);

/* How that has ended.
 *   any-thread · no-gil · borrows(fd) · fails(-errno) · quiet */
int caw__socket_connected(int fd);

/* getaddrinfo(), with those four fields of the hints. Returns what that does, and the error number in *number where
 * there is one.
 *   any-thread · no-gil · borrows(all), returns-new in *out · fails(EAI_...) · quiet */
int caw__addresses_of(const char *node, const char *service, const int hints[4], struct addrinfo **out, int *number);

/* The four fields of hints; and free what the function above gave. NULL is allowed.
 *   any-thread · no-gil · borrows(hints) / takes(addresses) · never fails · quiet */
void caw__addresses_hints(const struct addrinfo *hints, int out[4]);
void caw__addresses_free(struct addrinfo *addresses);

CAW__INTERNAL_END

#endif
