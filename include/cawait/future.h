/* cawait/future.h: an operation that is polled until it is ready.
 *
 * A future is made by the function that makes the operation; nothing happens before the first poll. It has one owner at
 * a time. The owner polls it, may cancel it, and in the end destroys it, in whatever state it is. The owner may change
 * (and so may the thread), but poll, cancel and destroy never run at the same time. A future that returned CAW_READY is
 * not polled again.
 *
 * Owners are: a Python coroutine (python.h), a pool (pool.h: caw_spawn), caw_block_on, or another future.
 */
#ifndef CAWAIT_FUTURE_H
#define CAWAIT_FUTURE_H

#include "cawait/base.h"
#include "cawait/error.h"
#include "cawait/waker.h"

#ifdef __cplusplus
#  include <atomic>
typedef std::atomic<uint32_t> caw_atomic_word;
#else
#  include <stdatomic.h>
typedef _Atomic uint32_t caw_atomic_word;
#endif

typedef enum caw_poll { CAW_PENDING = 0, CAW_READY = 1 } caw_poll;

typedef struct caw_future caw_future;
typedef struct caw_reactor caw_reactor;
typedef struct caw_context caw_context;

typedef struct caw_future_ops {
    /* The operation's name, shown by repr() and the debug views. */
    const char *name;
    /* Returns CAW_READY with f->status set, by caw_future_finish; or CAW_PENDING, after it has cloned the context's
     * waker to where the wake will come from. The waker of the latest poll counts; earlier ones may be dropped.
     * Where nobody has a clone, and none was woken, nothing would wake the poller: a debug build warns of it. */
    caw_poll (*poll)(caw_future *f, caw_context *cx);
    /* Optional: a request to stop. Called at most once, never during a poll and never after CAW_READY. It may be called
     * before the first poll; then nothing should start. The future still becomes ready, with CAW_ECANCELED or with its
     * result. Must return soon; may wake. NULL: the operation cannot be cancelled. */
    void (*cancel)(caw_future *f);
    /* The last call, in any state except during a poll: the result is not needed any more. Memory that an operation in
     * flight still writes to stays until the operation is done (promise.h does this for you). */
    void (*destroy)(caw_future *f);
} caw_future_ops;

/* The first member of your struct; or found from there with CAW_CONTAINER_OF. */
struct caw_future {
    const caw_future_ops *ops; /* read-only */
    int status;                /* 0 or an error; true once poll returned CAW_READY */
    caw_atomic_word word;      /* for the operation's own use; it costs nothing, the place would be padding */
};

/* The place where a poll happens: a Python coroutine, a pool, caw_block_on. Needed only to write such a place. */
typedef struct caw_host {
    const char *name;
    caw_reactor *(*reactor)(const caw_context *cx, int *error); /* borrowed; NULL with *error set */
} caw_host;

/* What a poll is given. Valid during that poll only; the waker is borrowed. */
struct caw_context {
    caw_waker waker;      /* read-only: clone it to keep it */
    const caw_host *host; /* private */
    void *place;          /* private to the host */
};

CAW_BEGIN_DECLS

/* Make a future in the caller's memory. A static one is initialised with {.ops = &ops}.
 *   init · no-gil · borrows(f, ops) · never fails · quiet */
static inline void
caw_future_init(caw_future *f, const caw_future_ops *ops)
{
    f->ops = ops;
    f->status = 0;
#ifdef __cplusplus
    std::atomic_init(&f->word, 0u);
#else
    atomic_init(&f->word, 0u);
#endif
}

/* How a poll function says that the future is ready: `return caw_future_finish(f, 0);`
 *   poller · no-gil · borrows(f) · never fails · quiet */
static inline caw_poll
caw_future_finish(caw_future *f, int status)
{
    f->status = status;
    return CAW_READY;
}

/* Poll a future. CAW_READY: f->status says how it ended. A poll function that returns an error in place of
 * CAW_READY has ended it with that (error.h).
 *   poller · no-gil · borrows(f) · never fails · calls-user */
static inline caw_poll
caw_future_poll(caw_future *f, caw_context *cx)
{
    caw_poll poll = f->ops->poll(f, cx);
    if (poll != CAW_PENDING && poll != CAW_READY) {
        return caw_future_finish(f, caw_error_from_return(f->ops->name, "poll", CAW__INT(poll)));
    }
    return poll;
}

/* Request a future to stop; it still becomes ready. Does nothing where there is no `cancel`.
 *   poller · no-gil · borrows(f) · never fails · calls-user */
static inline void
caw_future_cancel(caw_future *f)
{
    if (f->ops->cancel) {
        f->ops->cancel(f);
    }
}

/* Destroy a future, in any state. NULL is allowed.
 *   poller · no-gil · takes(f) · never fails · calls-user */
static inline void
caw_future_destroy(caw_future *f)
{
    if (f) {
        f->ops->destroy(f);
    }
}

/* The reactor of the place where this poll happens, for timers and fds. It is made when there is none yet.
 *   poller · no-gil · returns-borrowed · fails(CAW_ENOREACTOR, CAW_ENOMEM, -errno) by NULL and *error · quiet */
CAW_API caw_reactor *caw_context_reactor(const caw_context *cx, int *error);

/* A future that is ready at its first poll, with this status.
 *   any-thread · no-gil · returns-new, NULL when out of memory · quiet */
CAW_API caw_future *caw_ready(int status);

/* Poll a future on this thread until it is ready, and return its status. The future is not destroyed: read its result,
 * then destroy it. Timers and fds work: the call makes a reactor of its own when the future needs one.
 *
 * The thread sleeps in this call, so it must not be the one that the future waits for. What can be seen of that ends at
 * once with CAW_EDEADLOCK:
 *   - What a Python loop of this very thread would have to do: a call, an await, an iteration or a byte stream of
 *     python.h, and a send to a channel whose consumer has waited last on that loop. The future itself ends with it.
 *   - This thread holds the GIL, and would sleep. A debug build (without NDEBUG) aborts with a message instead. A
 *     future that is ready at its first poll does no harm. (Not seen in a subinterpreter before Python 3.12.)
 *   - On a worker: another thread closes the pool, and runs the loop, or holds the GIL, that the worker waits for.
 *   - On the thread of a serial (serial.h): a call, or another future, that this very thread would have to run.
 * What goes through others cannot be seen: a promise, a call of a pool, a pipe, or a producer of a channel that waits
 * for this thread in its turn.
 *
 * A worker of a pool is replaced while it sleeps (pool.h). Where that cannot be done, and no other worker is awake for
 * what there is to do, it does not sleep, or not on: -EAGAIN, or another -errno. After an error of the call itself the
 * future may be in flight: destroy it, or block on it again.
 *   any-thread · no-gil · borrows(f) · fails(the future's status, CAW_EDEADLOCK, -errno, CAW_ENOMEM, CAW_EINVAL for
 *   NULL) · calls-user */
CAW_API int caw_block_on(caw_future *f);

/* The same, for no longer than so many nanoseconds; 0: one poll. CAW_ETIMEDOUT: the future is not ready, and is as it
 * was: not cancelled, and what it has begun goes on. Block on it again, in this thread where it waits for a timer or an
 * fd; or cancel it, and block on it until it has ended; or destroy it. A future that itself ends with CAW_ETIMEDOUT
 * looks the same. For the timers and fds of the future the thread keeps a reactor from then on, until it ends.
 *   any-thread · no-gil · borrows(f) · fails(CAW_ETIMEDOUT, and as caw_block_on) · calls-user */
CAW_API int caw_block_on_for(caw_future *f, uint64_t limit_ns);

CAW_END_DECLS

#endif
