/* cawait/waker.h: how a future says "poll me again".
 *
 * A waker is two words: a table and a pointer. A poll is given one, borrowed (future.h). Code that will wake later
 * clones it, keeps the clone, and in the end either wakes it or drops it. Both use the clone up.
 *
 * A wake may come from any thread, at any time, twice, late, during a poll, after the loop or the interpreter is gone.
 * It never fails, blocks, allocates, or calls back into the code that wakes. Several wakes before the next poll may
 * become one poll. None is lost: a poll that starts after a wake sees all that was written before that wake.
 */
#ifndef CAWAIT_WAKER_H
#define CAWAIT_WAKER_H

#include "cawait/base.h"

typedef struct caw_waker_ops {
    void (*clone)(void *data); /* one more reference to data */
    void (*wake)(void *data);  /* wakes, and gives one reference back */
    void (*drop)(void *data);  /* gives one reference back */
} caw_waker_ops;               /* all three: any thread, never fail, never block */

typedef struct caw_waker {
    const caw_waker_ops *ops; /* read-only; NULL in an empty waker */
    void *data;               /* private to ops */
} caw_waker;

/* The empty waker: a wake does nothing; it may be cloned, woken and dropped. */
#ifdef __cplusplus
#  define CAW_WAKER_NONE (caw_waker())
#else
#  define CAW_WAKER_NONE ((caw_waker){NULL, NULL})
#endif

/* Another waker of the same data. The source stays as it is.
 *   any-thread · no-gil · returns-new · never fails · quiet */
static inline caw_waker
caw_waker_clone(caw_waker waker)
{
    if (waker.ops) {
        waker.ops->clone(waker.data);
    }
    return waker;
}

/* Request a poll, and use the waker up.
 *   any-thread · no-gil · takes(waker) · never fails · wakes */
static inline void
caw_waker_wake(caw_waker waker)
{
    if (waker.ops) {
        waker.ops->wake(waker.data);
    }
}

/* Request a poll, and keep the waker.
 *   any-thread · no-gil · borrows(waker) · never fails · wakes */
static inline void
caw_waker_wake_by_ref(caw_waker waker)
{
    caw_waker_wake(caw_waker_clone(waker));
}

/* Use the waker up without a wake.
 *   any-thread · no-gil · takes(waker) · never fails · quiet */
static inline void
caw_waker_drop(caw_waker waker)
{
    if (waker.ops) {
        waker.ops->drop(waker.data);
    }
}

/* Whether both wake the same poller. A stored waker then need not be replaced.
 *   any-thread · no-gil · borrows(both) · never fails · quiet */
static inline bool
caw_waker_same(caw_waker a, caw_waker b)
{
    return a.ops == b.ops && a.data == b.data;
}

#endif
