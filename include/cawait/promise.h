/* cawait/promise.h: the push side, for libraries with callbacks.
 *
 *     struct job { caw_promise promise; ...inputs, outputs... };          // yours, on the heap
 *
 *     static int start(caw_promise *p) { return lib_submit(..., on_done, p) == 0 ? 0 : CAW_EFAILED; }
 *     static void on_done(void *p, ...) { ...store the outputs...; caw_promise_resolve(p, 0); }   // any thread
 *
 *     static const caw_promise_ops ops = CAW_PROMISE_OPS("lib.submit", start, NULL, NULL);
 *
 *     caw_promise_init(&job->promise, &ops);
 *     return &job->promise.future;                                        // to the awaiter
 *
 * A promise has two sides. The consumer polls the future and destroys it. The producer begins when `start` returns 0,
 * and ends with caw_promise_resolve, which it calls exactly once, cancelled or not. The struct is freed when both sides
 * have ended. So an operation that is not awaited any more can still write its outputs.
 *
 * Nothing here allocates. Resolving is three atomic operations and a wake.
 */
#ifndef CAWAIT_PROMISE_H
#define CAWAIT_PROMISE_H

#include "cawait/future.h"

typedef struct caw_promise caw_promise;

typedef struct caw_promise_ops {
    caw_future_ops future; /* filled in by CAW_PROMISE_OPS */
    /* Begins the operation. Called at the first poll, by the poller. Returns 0: the promise will be resolved, exactly
     * once, perhaps before this returns. Or an error: it will never be resolved, and the future ends with that
     * error. */
    int (*start)(caw_promise *p);
    /* Optional: a request to stop. Called by the poller, at most once, after `start` and before the consumer has seen
     * the promise resolved; another thread may be resolving it at that moment. The producer still resolves. */
    void (*on_cancel)(caw_promise *p);
    /* Frees the struct. Called once, when both sides have ended, by the side that ends last: so on any thread, and
     * without the GIL. NULL: free(p).
     *
     * A trap: where the consumer has gone, caw_promise_resolve calls this, on the library's callback thread. If it
     * closes a handle whose close joins that thread, the thread waits for itself. Such a free is deferred to a pool, by
     * caw_defer (pool.h), or to the loop with the GIL, by the release of a caw_py_ref of a capsule whose destructor it
     * is (caw_py_hold of python_await.h). */
    void (*free)(caw_promise *p);
} caw_promise_ops;

/* 40 bytes on a 64-bit machine. The first member of your struct; or found from there with CAW_CONTAINER_OF, and then a
 * free function is needed. */
struct caw_promise {
    caw_future future; /* public: &p->future goes to the awaiter; its word is the promise's */
    caw_waker waker;   /* private: true while the word says ARMED */
    void *detail;      /* private: true while the word says DETAILED */
};

CAW_BEGIN_DECLS

/* The functions that CAW_PROMISE_OPS puts into a table; not called by hand.
 *   poller · no-gil · borrows(f); destroy takes(f) · never fails · calls-user */
CAW_API caw_poll caw_promise_poll(caw_future *f, caw_context *cx);
CAW_API void caw_promise_cancel(caw_future *f);
CAW_API void caw_promise_destroy(caw_future *f);

/* A table for operations that cannot be cancelled; and one for those that can. */
#define CAW_PROMISE_OPS(name_, start_, free_)                                                                          \
    {{(name_), caw_promise_poll, NULL, caw_promise_destroy}, (start_), NULL, (free_)}
#define CAW_PROMISE_OPS_CANCEL(name_, start_, on_cancel_, free_)                                                       \
    {{(name_), caw_promise_poll, caw_promise_cancel, caw_promise_destroy}, (start_), (on_cancel_), (free_)}

/* Make a promise in the caller's memory. `ops` must live as long as the promise.
 *   init · no-gil · borrows(ops) · never fails · quiet */
CAW_API void caw_promise_init(caw_promise *p, const caw_promise_ops *ops);

/* Complete a promise and wake the poller of its future. `status` is 0 or an error. The first resolve wins. What was
 * written before it is visible to the poll that returns CAW_READY. A second one, while the struct still lives, is
 * ignored; a debug build (without NDEBUG) aborts with a message. NULL is ignored. CAW_EPYTHON that a poll or a
 * caw_block_on of this thread has just ended with takes its exception along (python_await.h).
 *   any-thread · no-gil · takes(producer's side: do not touch p afterwards) · never fails · wakes */
CAW_API void caw_promise_resolve(caw_promise *p, int status);

/* Whether the result is not needed any more: the future was cancelled or destroyed. Long work may stop early; it still
 * resolves.
 *   any-thread · no-gil · borrows(p), by the producer, before it resolves · never fails · quiet */
CAW_API bool caw_promise_abandoned(const caw_promise *p);

CAW_END_DECLS

#endif
