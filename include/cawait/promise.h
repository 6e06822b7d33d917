/* cawait/promise.h: the push side, for libraries with callbacks.
 *
 *     struct job { caw_promise promise; ...inputs, outputs... };          // yours, on the heap
 *
 *     static int start(caw_promise *p) { return lib_submit(..., on_done, p) == 0 ? 0 : -EIO; }
 *     static void on_done(void *p, ...) { ...store the outputs...; caw_promise_resolve(p, 0); }   // any thread
 *
 *     static const caw_promise_ops ops = CAW_PROMISE_OPS("lib.submit", start, NULL, NULL);
 *
 *     caw_promise_init(&job->promise, &ops);
 *     return &job->promise.future;                                        // to whoever awaits
 *
 * A promise has two sides. The consumer polls the future and destroys it. The producer begins when `start` returns 0
 * and ends with caw_promise_resolve, which it calls exactly once, cancelled or not. The struct is freed when both
 * sides are through, so an operation that nobody awaits any more can still write its outputs.
 *
 * Nothing here allocates; resolving is three atomic operations and a wake.
 */
#ifndef CAWAIT_PROMISE_H
#define CAWAIT_PROMISE_H

#include "cawait/future.h"

typedef struct caw_promise caw_promise;

typedef struct caw_promise_ops {
    caw_future_ops future; /* filled in by CAW_PROMISE_OPS */
    /* Begin the operation; called at the first poll, by the poller. 0: it will be resolved, exactly once, perhaps
     * already before this returns. An error: it never will be; the future ends with that error. */
    int (*start)(caw_promise *p);
    /* Optional: please stop. Called by the poller, at most once, only between start and resolve as the consumer sees
     * them: a resolve may be under way on another thread. The producer still resolves. */
    void (*on_cancel)(caw_promise *p);
    /* Free the struct; called once, when both sides are through, by the side that is last, so on any thread and
     * without the GIL. NULL: free(p). */
    void (*free)(caw_promise *p);
} caw_promise_ops;

/* 32 bytes on a 64-bit machine. The first member of your struct, or found from there with CAW_CONTAINER_OF (then give a
 * free function). */
struct caw_promise {
    caw_future
        future;      /* public: hand &p->future to whoever awaits; its word is the promise's, see src/core/promise.c */
    caw_waker waker; /* private: true while the word says ARMED */
};

CAW_BEGIN_DECLS

/* The functions that CAW_PROMISE_OPS puts into a table; not called by hand.
 *   poller · no-gil · borrows(f); destroy takes(f) · never fails · calls-user */
CAW_API caw_poll caw_promise_poll(caw_future *f, caw_context *cx);
CAW_API void caw_promise_cancel(caw_future *f);
CAW_API void caw_promise_destroy(caw_future *f);

/* A table for operations that nobody can stop; and one for those that take a request to. */
#define CAW_PROMISE_OPS(name_, start_, free_)                                                                          \
    {{(name_), caw_promise_poll, NULL, caw_promise_destroy}, (start_), NULL, (free_)}
#define CAW_PROMISE_OPS_CANCEL(name_, start_, on_cancel_, free_)                                                       \
    {{(name_), caw_promise_poll, caw_promise_cancel, caw_promise_destroy}, (start_), (on_cancel_), (free_)}

/* Make a promise of caller's memory. `ops` lives as long as the promise.
 *   init · no-gil · borrows(ops) · never fails · quiet */
CAW_API void caw_promise_init(caw_promise *p, const caw_promise_ops *ops);

/* Complete a promise and wake whoever polls its future. status is 0 or an error.
 *   any-thread · no-gil · takes(producer's side: do not touch p afterwards) · never fails · wakes
 * The first resolve wins. What was written before it is visible to the poll that returns CAW_READY. A second one, while
 * the struct still lives, is ignored (a debug build, one without NDEBUG, aborts with a message). NULL is ignored. */
CAW_API void caw_promise_resolve(caw_promise *p, int status);

/* Whether nobody wants the result any more: cancelled, or dropped. Long work may stop early; it still resolves.
 *   any-thread · no-gil · borrows(p), by the producer, before it resolves · never fails · quiet */
CAW_API bool caw_promise_abandoned(const caw_promise *p);

CAW_END_DECLS

#endif
