/* cawait/io.h: one operation on a file descriptor, or on a name of the network, as a future.
 *
 *     caw_future *f = caw_read_exactly(fd, head, sizeof head);         // await it, then:
 *     if (f->status == 0) { ...all of head is there... }
 *     else { ...caw_io_count(f) bytes of it are... }
 *     caw_future_destroy(f);
 *
 * Each is made, awaited once, asked for its result, and destroyed. It waits on the reactor of the place where it is
 * polled, except for caw_getaddrinfo, whose call is a worker's. The buffer is the caller's, and is used during polls
 * only: it stays until the future has ended or was destroyed. So does the fd. For many reads of one fd there are
 * streams and readers (stream.h, bytes.h); for files, whose reads make a thread wait, there is file.h.
 *
 * In the child of a fork what waited there ends with CAW_ECLOSED, and caw_getaddrinfo with CAW_EFORKED.
 */
#ifndef CAWAIT_IO_H
#define CAWAIT_IO_H

#include "cawait/pool.h"

/* Of <sys/socket.h> and <netdb.h>, which whoever has such an address includes. */
struct sockaddr;
struct addrinfo;

CAW_BEGIN_DECLS

/* --- bytes. The fd is a pipe, a socket, a terminal; best a non-blocking one. A blocking one is read and written only
 * when it is ready; you then have to make sure that nobody else does, and to a blocking pipe only few bytes are written
 * at a time. (A regular file works too, but the thread waits for its disk.) A socket whose other end is gone is -EPIPE
 * when written to, without a signal. So is a pipe, but the system sends SIGPIPE first, which your program has to
 * ignore; Python does. --- */

/* Read some bytes: what is there, 1 to `size`; or 0 at the end. A size of 0 is CAW_EINVAL. Cancel-safe: where it ends
 * with CAW_ECANCELED nothing was read.
 *   any-thread · no-gil · borrows(buffer) until the end · returns-new, NULL when out of memory · quiet */
CAW_API caw_future *caw_read(int fd, void *buffer, size_t size);

/* Read `size` bytes, with as many reads as it takes. CAW_EBROKEN where the end comes first. Not cancel-safe: the bytes
 * that were read are in the buffer, and caw_io_count says how many, also before it is destroyed while it is pending.
 *   any-thread · no-gil · borrows(buffer) until the end · returns-new, NULL when out of memory · quiet */
CAW_API caw_future *caw_read_exactly(int fd, void *buffer, size_t size);

/* Write all of it, with as many writes as it takes. Not cancel-safe: caw_io_count says how many bytes went out, also
 * where it ended with an error. Several at a time for one fd would mix their bytes.
 *   any-thread · no-gil · borrows(buffer) until the end · returns-new, NULL when out of memory · quiet */
CAW_API caw_future *caw_write_all(int fd, const void *buffer, size_t size);

/* How many bytes one of these three has read or written so far.
 *   poller · no-gil · borrows(f) · never fails · quiet */
CAW_API size_t caw_io_count(const caw_future *f);

/* --- connections --- */

/* Accept a connection. The listening fd is non-blocking, or this is CAW_EINVAL: with a blocking one a connection that
 * is gone again would make the thread sleep. The new fd is non-blocking, and closed by exec. A connection that was
 * aborted while it was queued is passed over. With -EMFILE or -ENFILE the connection stays queued, and the next accept
 * fails at once: so wait a while first, as by caw_sleep. Several may wait for one fd, and each connection goes to one
 * of them. Cancel-safe: where it ends with CAW_ECANCELED no connection was taken.
 *   any-thread · no-gil · borrows(fd) until the end · returns-new, NULL when out of memory · quiet */
CAW_API caw_future *caw_accept(int fd);

/* Connect a socket. It is the future's from now on, and made non-blocking by it; once connected it can be taken. In any
 * other case it is closed with the future, since a socket is of no use after a connect that failed or was given up. The
 * address is copied; it has at most 128 bytes. A Unix socket whose listener's queue is full is -EAGAIN at once, and can
 * be tried again with a new socket. Where it ends with CAW_ECANCELED the other end may have seen a connection.
 *   any-thread · no-gil · takes(fd), borrows(address) · returns-new, NULL when out of memory · quiet */
CAW_API caw_future *caw_connect(int fd, const struct sockaddr *address, size_t length);

/* The fd of the connection, once, after caw_accept or caw_connect has ended with 0: it is the caller's then. -1 when
 * there is none, or it was taken. What is not taken is closed when the future is destroyed.
 *   poller · no-gil · borrows(f), returns-new · never fails, -1: see above · quiet */
CAW_API int caw_accept_take(caw_future *f);
CAW_API int caw_connect_take(caw_future *f);

/* --- names --- */

/* getaddrinfo() on a worker. A NULL pool is the default one. All arguments are copied, and of the hints only flags,
 * family, socktype and protocol are used; node, service, and hints may each be NULL, as there. Where it fails in a way
 * that has no errno, such as a name that nobody knows, the status is CAW_EFAILED, and caw_getaddrinfo_error says which.
 * The call cannot be interrupted: a cancel ends the future at once, and the worker's result is freed when it comes.
 *   any-thread · no-gil · borrows(pool) · returns-new, NULL when out of memory · quiet */
CAW_API caw_future *caw_getaddrinfo(caw_pool *pool, const char *node, const char *service,
                                    const struct addrinfo *hints);

/* The list of addresses, once, after it has ended with 0: the caller frees it, by freeaddrinfo(). NULL when there is
 * none, or it was taken. What is not taken is freed with the future.
 *   poller · no-gil · borrows(f), returns-new · never fails · quiet */
CAW_API struct addrinfo *caw_getaddrinfo_take(caw_future *f);

/* What getaddrinfo() returned, for gai_strerror(): EAI_NONAME and so on; 0 where it was not called.
 *   poller · no-gil · borrows(f) · never fails · quiet */
CAW_API int caw_getaddrinfo_error(const caw_future *f);

CAW_END_DECLS

#endif
