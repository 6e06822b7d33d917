/* block.h: what stands still while a thread sleeps in a call of this library, and so cannot answer it.
 *
 * A thread that blocks may be the one that runs the loop it waits for, or a worker whose pool needs it, or have the
 * lock without which no loop goes on. The core knows no Python: the bridge registers how a thread's loop and lock are
 * found, a pool says what a worker is, and both are asked here.
 */
#ifndef CAWAIT_CORE_BASE_BLOCK_H
#define CAWAIT_CORE_BASE_BLOCK_H

#include "cawait/waker.h"

#include <stdatomic.h>

CAW__INTERNAL_BEGIN

/* A loop, as a thread sees it that waits for it. All but `thread` is filled in before it is shared. */
typedef struct caw__loop_id {
    const void *loop;         /* the loop: compared, never used */
    const void *lock;         /* the lock under which it runs: compared, never used */
    bool stays;               /* it ends in the thread that it began in */
    _Atomic uintptr_t thread; /* where it was seen last: caw__thread_number(). Relaxed, always: it guards nothing */
} caw__loop_id;

/* What a thread that sleeps holds up. */
typedef struct caw__held_up {
    uintptr_t thread; /* the thread, and with it the loops that stay there */
    const void *loop; /* the loop that runs there and may move, or NULL */
    const void *lock; /* the lock that it has, or NULL */
} caw__held_up;

/* How they are found out, of the thread that calls. Both give NULL where there is none. */
typedef struct caw__loop_ops {
    const void *(*lock)(void); /* cheap */
    const void *(*loop)(void); /* may wait for the lock; something else than NULL also for a loop that stays */
} caw__loop_ops;

/* A thread that works off a queue. */
typedef struct caw__worker caw__worker;

typedef struct caw__worker_ops {
    /* It is about to sleep until this waker, which is borrowed until `go_on`: others are to do its work. An error where
     * nobody would: then it does not count as asleep. */
    int (*sleep)(caw__worker *worker, caw_waker waker);
    void (*go_on)(caw__worker *worker);
    /* Whether a thread that runs this loop waits for the worker. */
    bool (*is_awaited)(const caw__worker *worker, const caw__loop_id *loop);
} caw__worker_ops;

struct caw__worker {
    const caw__worker_ops *ops;
    unsigned asleep;  /* how many calls it sleeps in, inside each other: its own */
    atomic_int error; /* why nobody does its work any more, while it sleeps, or 0; it is woken after that was set, which
                         orders the two */
};

/* Say how loops and locks are found. The table is static; the last one counts.
 *   any-thread · no-gil · borrows(ops) · never fails · quiet */
void caw__block_watch(const caw__loop_ops *ops);

/* Say that this thread is a worker, or (NULL) that it is none any more; and who it is.
 *   any-thread · no-gil · borrows(worker) · never fails · quiet */
void caw__block_set_worker(caw__worker *worker);
caw__worker *caw__block_worker(void);

/* This thread is in a call that sleeps, from now on; and no longer. They may be inside each other.
 *   any-thread · no-gil · - · never fails · quiet */
void caw__block_begin(void);
void caw__block_end(void);

/* Whether it is in one.
 *   any-thread · no-gil · - · never fails · quiet */
bool caw__block_is_inside(void);

/* In such a call: before it sleeps, the first time. CAW_EDEADLOCK where this thread has the lock; a debug build aborts
 * then, naming `call`. A worker is replaced until caw__block_go_on; only after success.
 *   any-thread · no-gil · borrows(waker) until then · fails(CAW_EDEADLOCK, -errno) · quiet */
int caw__block_sleep(const char *call, caw_waker waker);
void caw__block_go_on(void);

/* After a wake, before it sleeps again. An error where nobody does the worker's work any more; it then ends the call.
 *   any-thread · no-gil · - · fails(-errno) · quiet */
int caw__block_sleep_on(void);

/* Whether this thread, which polls something that the loop has to do, waits in vain: it sleeps itself where the loop
 * runs, or whoever runs the loop waits for it.
 *   any-thread · no-gil · borrows(loop) · never fails · quiet */
bool caw__block_is_vain(const caw__loop_id *loop);

/* The same for what any loop of this thread would have to do: whether it sleeps in a call, and a loop runs here. */
bool caw__block_is_in_loop(void);

/* What this thread would hold up; and whether that holds up the loop. */
void caw__block_look(caw__held_up *out);
bool caw__block_holds_up(const caw__held_up *by, const caw__loop_id *loop);

CAW__INTERNAL_END

#endif
