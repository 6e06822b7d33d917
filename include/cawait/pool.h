/* cawait/pool.h: worker threads, for calls that block and for futures that should run elsewhere.
 *
 * Workers are native threads: they never touch Python. They start when there is work, up to the pool's number, with all
 * signals blocked but those of a crash. Where the system starts no more threads, those that there are do the work; it
 * is an error only where none is.
 *
 * A worker may sleep in caw_block_on, in caw_channel_send, or in caw_pool_close of another pool, also for what needs
 * its own pool: a call given to it, a callback whose coroutine awaits it. Meanwhile it does not count, and another
 * thread takes its place. So there may be as many threads more as workers sleep, up to what the system starts, and
 * 32768 in all; beyond that a worker does not sleep (future.h), and what is given to a pool whose workers all sleep is
 * refused. A worker that goes on does not wait for its turn. So for a while more calls may run than the pool's number,
 * and a pool of one thread is no lock for calls that sleep. A serial (serial.h) is one.
 *
 * A pool lives until its last reference is released and its work is done. After fork() the child has none of the
 * parent's threads. There, work given to a pool of the parent ends with CAW_EFORKED, and caw_pool_default() makes a new
 * pool.
 *
 * exit() does not wait for workers, but for calls of caw_finish_at_exit. In an extension or program that is linked with
 * C++ it is about to destroy static objects, which calls may use. There exit() stops all pools, as caw_pool_close does,
 * before it destroys the objects that were there when a pool was used first, and waits up to a second for the workers.
 * If one is still busy then, the process ends at once, with its exit code: a long call should look at
 * caw_work_cancelled. One that sleeps is left alone.
 */
#ifndef CAWAIT_POOL_H
#define CAWAIT_POOL_H

#include "cawait/promise.h"

typedef struct caw_pool caw_pool;

/* A blocking call with its inputs and outputs; embed it in your struct, like a promise. */
typedef struct caw_work caw_work;
struct caw_work {
    caw_promise promise;       /* public: &w->promise.future goes to the awaiter */
    int (*run)(caw_work *w);   /* read-only: on a worker; returns the status */
    void (*free)(caw_work *w); /* read-only: see caw_work_init */
    caw_pool *pool;            /* private: a reference, true from init to the end */
    caw_work *next, *previous; /* private: true while queued */
    bool finishes;             /* private: see caw_finish_at_exit */
    unsigned char place;       /* private: true while queued */
};

/* Something to be done on another thread; embed it in your struct. */
typedef struct caw_deferred caw_deferred;
struct caw_deferred {
    caw_work work;                /* private, true from caw_defer to the call */
    void *place[3];               /* private */
    void (*run)(caw_deferred *d); /* read-only: what is called */
};

CAW_BEGIN_DECLS

/* A pool of up to `threads` workers, with one reference in *out. 0: as many as this process may use processors, by its
 * affinity and the quota of its control group, and at least 4.
 *   any-thread · no-gil · returns-new · fails(CAW_ENOMEM, -errno) · quiet */
CAW_API int caw_pool_new(unsigned threads, caw_pool **out);

/* The process's own pool, made on first use and never freed. A forked child makes a new one.
 *   any-thread · no-gil · returns-borrowed, NULL when out of memory · quiet */
CAW_API caw_pool *caw_pool_default(void);

/* One more reference; and one less. With the last one the pool takes no more work, cancels what is queued, finishes
 * what runs, and ends its threads. caw_pool_release does not wait for that; caw_pool_close does.
 *   any-thread · no-gil · borrows(pool) / takes(one reference) · never fails · quiet / wakes */
CAW_API caw_pool *caw_pool_retain(caw_pool *pool);
CAW_API void caw_pool_release(caw_pool *pool);

/* Stop the pool. Queued work ends with CAW_ECANCELED, and spawned futures are cancelled. The call returns when every
 * worker has ended, so it waits for calls that run and for cancelled futures to end. Later work ends with CAW_ECLOSED.
 * Your reference stays yours. A second call waits for the same. On a worker of this pool, which would wait for itself,
 * it does not wait. Where this thread runs a Python loop, or holds the GIL, that loop stands still until the workers
 * have ended: what they, or spawned futures, wait for of it ends with CAW_EDEADLOCK.
 *   any-thread · no-gil · borrows(pool) · never fails · wakes, calls-user */
CAW_API void caw_pool_close(caw_pool *pool);

/* Make a piece of work in the caller's memory. A NULL pool is the default one. `run` is called on a worker at some time
 * after the first poll; never, if the work was cancelled while it was queued. Long runs look at caw_work_cancelled().
 * `free_` frees the struct when both sides have ended, on any thread, without the GIL; NULL: free(w).
 *   init · no-gil · borrows(pool), which is retained · never fails · quiet */
CAW_API void caw_work_init(caw_work *w, caw_pool *pool, int (*run)(caw_work *w), void (*free_)(caw_work *w));

/* Whether the result is not needed any more: the work was cancelled, its future was destroyed, or the pool is being
 * closed.
 *   any-thread, from run · no-gil · borrows(w) · never fails · quiet */
CAW_API bool caw_work_cancelled(const caw_work *w);

/* The short form of caw_work: fn(arg) on a worker; its return value is the status. A NULL pool is the default one.
 * `free_arg`, when not NULL, is called once with arg, on any thread, when both sides have ended; at once, when NULL is
 * returned for want of memory.
 *   any-thread · no-gil · borrows(pool), takes(arg) · returns-new, NULL when out of memory · quiet */
CAW_API caw_future *caw_blocking(caw_pool *pool, int (*fn)(void *arg), void *arg, void (*free_arg)(void *arg));

/* The same with a copy: `size` bytes at `arg` are copied into the memory of the call, aligned for any type, and fn is
 * called with the copy. So whoever holds the future may be destroyed, with its own, while the worker runs; what
 * pointers in it point to is not copied. A NULL `arg` stands for that many zeros. When the future is ready, what fn has
 * written is read from caw_blocking_arg; it is freed with the future, or, where that was destroyed before, when fn has
 * returned.
 *   any-thread · no-gil · borrows(pool, arg) · returns-new, NULL when out of memory · quiet */
CAW_API caw_future *caw_blocking_copy(caw_pool *pool, int (*fn)(void *arg), const void *arg, size_t size);

/* The arg of a future that caw_blocking made; the copy, of caw_blocking_copy. While fn runs, what is there is fn's.
 *   poller · no-gil · borrows(f) · never fails · quiet */
CAW_API void *caw_blocking_arg(const caw_future *f);

/* Have this work, once it has started, run to its end also where the process ends, by exit() or a return from main: for
 * a write that must be complete. exit() runs what is queued, on its own thread, and waits for what runs, for ever if
 * that does not end. In Python the same happens before the interpreter is finalized, if the spec says finish_at_exit.
 * A cancel, and the end of the pool, are told to the running call (caw_work_cancelled), and take nothing out of the
 * queue. Where the process ends in another way, as by a signal or _exit, and in a child of fork, nothing is finished.
 * `f` is of caw_work_init or caw_blocking, and was not polled yet; NULL is allowed. Returns f.
 *   init · no-gil · borrows(f), returns-borrowed · never fails · quiet */
CAW_API caw_future *caw_finish_at_exit(caw_future *f);

/* Call run(d) on a worker of the pool, and never on this thread: for a `free` that must not run where it is called
 * (promise.h). The worker does not touch the struct any more, so `run` may free it. A NULL pool is the default one; so
 * is a pool that is closed or was made before a fork. Where no thread can be started the call waits for the next one
 * that can. Without memory for the default pool it is never called.
 *   any-thread · no-gil · borrows(pool), takes(d) until it is called · never fails · quiet */
CAW_API void caw_defer(caw_pool *pool, caw_deferred *d, void (*run)(caw_deferred *d));

/* Run a future on the pool, from now on. It is polled by one worker at a time, and may use timers and fds (the pool
 * then has a reactor, on a thread of its own). The join future ends with the child's status. To cancel the join future
 * cancels the child. To destroy it cancels the child too, which then ends by itself. A NULL pool is the default one.
 *   any-thread · no-gil · takes(child) · returns-new, NULL when out of memory or where child is NULL · wakes */
CAW_API caw_future *caw_spawn(caw_pool *pool, caw_future *child);

/* The same for a future whose end is not waited for. It runs to its end, and a worker destroys it then. A pool that is
 * closed, or released for the last time, cancels it like any other. On failure it never ran, and is destroyed.
 *   any-thread · no-gil · takes(child) · fails(CAW_ENOMEM, CAW_EINVAL where child is NULL, CAW_ECLOSED, CAW_EFORKED,
 *   -errno) · wakes */
CAW_API int caw_spawn_detached(caw_pool *pool, caw_future *child);

/* Destroy a join future without cancelling the child. From now on it is as if caw_spawn_detached had made it. A child
 * that was cancelled already stays cancelled. NULL is allowed.
 *   poller · no-gil · takes(join) · never fails · calls-user */
CAW_API void caw_spawn_detach(caw_future *join);

/* The child of a future that caw_spawn made, to read its result: from when the join future is ready until it is
 * destroyed.
 *   poller · no-gil · returns-borrowed · never fails · quiet */
CAW_API caw_future *caw_spawn_child(const caw_future *join);

CAW_END_DECLS

#endif
