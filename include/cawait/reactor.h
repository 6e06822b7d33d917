/* cawait/reactor.h: a thing with one file descriptor.
 *
 * A reactor holds timers, file descriptors that are waited for, foreign sources, and a queue of wakes. All of it stands
 * behind one fd: when that is readable, call caw_reactor_turn. A loop of any kind watches the fd and nothing else.
 *
 * caw_reactor_new makes it, with one reference. One thread at a time turns it. Any thread may ring it, and futures on
 * it may be destroyed on any thread. caw_reactor_close ends it: what still waits on it becomes ready with CAW_ECLOSED,
 * and later rings do nothing. The memory and the fd go with the last reference. Whoever may still ring holds a
 * reference, so a late ring never meets a reused fd number.
 *
 * On Linux the fd is an epoll fd. The portable kind is for systems whose fds do not nest: a native thread poll()s and
 * rings a pipe, and the pipe is the one fd. Linux can use it too, and so it is tested there. After fork() a reactor of
 * the parent is closed in the child.
 */
#ifndef CAWAIT_REACTOR_H
#define CAWAIT_REACTOR_H

#include "cawait/future.h"

typedef enum caw_reactor_kind {
    CAW_REACTOR_DEFAULT = 0, /* the best one here; the portable one in a build with -DCAW_REACTOR_USE_PORTABLE */
    CAW_REACTOR_EPOLL,
    CAW_REACTOR_PORTABLE,
} caw_reactor_kind;

/* What an fd is waited for, and what it has become: a set. An fd with an error or a hang-up is both. */
typedef enum caw_events { CAW_READABLE = 1, CAW_WRITABLE = 2 } caw_events;

/* A foreign source: an fd with a callback, such as another library's own loop. It stays until it is removed. */
typedef struct caw_fd_source caw_fd_source;
struct caw_fd_source {
    void (*ready)(caw_fd_source *source, unsigned events); /* public; called by the turn, may add and remove sources */
    void *user;                                            /* public */
    int fd;                                                /* public; unchanged while added */
    unsigned events;                                       /* public; unchanged while added */
    void *links[3];                                        /* private; true while added */
};

CAW_BEGIN_DECLS

/* Nanoseconds on the clock that timers use: monotonic, from an arbitrary start.
 *   any-thread · no-gil · - · never fails · quiet */
CAW_API uint64_t caw_now_ns(void);

/* A reactor with one reference in *out.
 *   any-thread · no-gil · returns-new · fails(CAW_ENOMEM, CAW_EINVAL: no such kind here, -errno) · quiet */
CAW_API int caw_reactor_new(caw_reactor_kind kind, caw_reactor **out);

/* One more reference; and one less. The last one frees, and closes first if that was not done.
 *   any-thread · no-gil · borrows(r) / takes(one reference) · never fails · quiet / wakes */
CAW_API caw_reactor *caw_reactor_retain(caw_reactor *r);
CAW_API void caw_reactor_release(caw_reactor *r);

/* End it: what waits on it becomes ready with CAW_ECLOSED; sources are removed without a call. A second call does
 * nothing.
 *   the turning thread, not during a turn · no-gil · borrows(r) · never fails · wakes */
CAW_API void caw_reactor_close(caw_reactor *r);

/* The one fd: readable when a turn has something to do. Watch it level-triggered, or for edges: a turn that leaves
 * something to do makes a new one. Do not read it, and take it out of your loop before you release your reference.
 *   any-thread · no-gil · borrows(r) · never fails · quiet */
CAW_API int caw_reactor_fd(const caw_reactor *r);

/* Wait up to timeout_ns (0: not at all; < 0: for ever) for the first thing to do, then do all that is due: expire
 * timers, call sources, wake futures. Returns how many things it did, 0 on time-out or after a bare ring.
 *   one thread at a time · no-gil · borrows(r) · fails(CAW_ECLOSED, -errno) · wakes, calls-user (sources) */
CAW_API int caw_reactor_turn(caw_reactor *r, int64_t timeout_ns);

/* Make the running turn, or else the next one, return at once.
 *   any-thread · no-gil · borrows(r) · never fails · quiet */
CAW_API void caw_reactor_ring(caw_reactor *r);

/* Add a source; and take one out, before its fd is closed. Regular files cannot be waited for. A removal on another
 * thread than the turning one waits until a callback of this source that is running has returned.
 *   any-thread · no-gil · borrows(source) until removed · add fails(CAW_EINVAL, CAW_EBADF, CAW_ECLOSED, CAW_ENOMEM,
 *   -EEXIST: already added, -errno); remove never fails · quiet */
CAW_API int caw_reactor_add(caw_reactor *r, caw_fd_source *source);
CAW_API void caw_reactor_remove(caw_reactor *r, caw_fd_source *source);

/* A future that is ready when the time has passed, counted from its first poll. A cancel ends it at once.
 *   any-thread · no-gil · returns-new, NULL when out of memory · quiet */
CAW_API caw_future *caw_sleep(uint64_t duration_ns);

/* The same for a point in time, on the clock of the place where it is polled (caw_context_now): for what has to end by
 * then, however many awaits it is made of. A time that is past, such as 0, is ready at the first poll, and UINT64_MAX
 * is never.
 *   any-thread · no-gil · returns-new, NULL when out of memory · quiet */
CAW_API caw_future *caw_sleep_until(uint64_t when_ns);

/* What time it is for the timers of the place where this poll happens: caw_now_ns(), but a test may move it
 * (testing_tools.h). On failure *out_ns is 0.
 *   poller · no-gil · borrows(cx) · fails(CAW_ENOREACTOR, CAW_ENOMEM, CAW_ECLOSED in a forked child, -errno) · quiet */
CAW_API int caw_context_now(const caw_context *cx, uint64_t *out_ns);

/* A future that is ready when the fd can be read or written without blocking, has an error, or is hung up. It ends with
 * CAW_EBADF when the fd is not open. A regular file is always ready. The fd must stay open until the future is ready or
 * destroyed. If it is closed earlier the future may wait for ever, since the kernel reports nothing more of a closed
 * fd. Several futures may wait for one fd. A cancel ends a future at once.
 *   any-thread · no-gil · returns-new, NULL when out of memory · quiet */
CAW_API caw_future *caw_readable(int fd);
CAW_API caw_future *caw_writable(int fd);

CAW_END_DECLS

#endif
