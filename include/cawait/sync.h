/* cawait/sync.h: waiting for each other: a mutex, a semaphore, an event, a condition, a barrier, a once.
 *
 *     static caw_mutex mutex = CAW_MUTEX_INIT;              // anywhere; shared by any threads, loops and pools
 *     ...
 *     caw_lock lock;                                        // in the frame of whoever waits
 *     int error = caw_block_on(caw_mutex_lock(&lock, &mutex));
 *     ...                                                   // from 0 on the mutex is held
 *     caw_lock_release(&lock);                              // so does caw_future_destroy of its future
 *
 * They are for futures: whoever waits is a future that is pending, and no thread sleeps. They may be held while other
 * futures are awaited, and released on another thread than the one that took them.
 *
 * Where they live. All structs are in your memory, and nothing is allocated. An object has a static initialiser, or an
 * init function. A wait is made by the function that returns its future; nothing happens before the first poll. It
 * borrows the object, and does not move. It has one owner, as any future (future.h), and its owner ends it by
 * caw_future_destroy, or, where something is held, by a release, which is the same. After that the struct can be used
 * for the next wait. A release of a struct that is all zero bytes, or has been released before, is nothing.
 *
 * Order. First come, first served, counted from the first poll. What is released is handed to the next in line: nobody
 * can overtake, and one that waits for much is not starved by those that want less.
 *
 * Ends. All waits are cancel-safe: one that ends with CAW_ECANCELED, or is destroyed while it is pending, has left the
 * line and changed nothing; if it had just been handed something it has passed that on. Other errors: CAW_ECLOSED,
 * where the object has ended; CAW_EFORKED (below); CAW_ENOMEM, at the first wait of a process only, where the system
 * cannot note that this library has to know of forks.
 *
 * The end of an object. Nothing need be done where nobody waits and nobody holds it: its memory can just go. Otherwise
 * its fini function comes first. Who waits then ends with CAW_ECLOSED, and what is held is not held any more; waits
 * and what was held may be polled and released later than that, when the memory of the object is gone. A wait that was
 * made and not yet polled may only be destroyed. Until its memory goes or it is made again, an object that has ended
 * gives CAW_ECLOSED to all who come.
 *
 * In a forked child an object is as it was at the fork, but that nobody is in line, and works there. A wait that was
 * made in the parent ends in the child with CAW_EFORKED, and its waker, which is the parent's, is neither woken nor
 * dropped. What was held at the fork is held in the child for ever, and to release it there changes nothing, since what
 * it guards may be half changed: a wait for it ends at once with CAW_EFORKED. An init function makes the object new.
 * (None of this is for memory that processes share.)
 *
 * Each extension has a copy of this library of its own. An object is used by one copy: others reach it through
 * functions of that extension.
 *
 * Threads. The functions on an object may be called on any thread, at any time; the wakers of those that wait are
 * called by whoever makes them go on, without a lock.
 */
#ifndef CAWAIT_SYNC_H
#define CAWAIT_SYNC_H

#include "cawait/future.h"

/* --- what is in all of them; private --- */

typedef struct caw_link caw_link;
struct caw_link {
    caw_link *next, *previous;
};

typedef struct caw_line {
    caw_link *first, *last;
    size_t length;
} caw_line;

typedef struct caw_waiters {
    caw_line waiting; /* who is in line */
    caw_line given;   /* who has it */
    unsigned forks;   /* which side of a fork these are on */
    bool lost;        /* something was held at a fork */
    bool closed;      /* it has ended */
} caw_waiters;

typedef struct caw_waiter {
    caw_waker waker;
    caw_link place;     /* in one of the lines of the object */
    caw_link woken;     /* true with `batch` */
    caw_line *batch;    /* who goes on together with it, until its waker has been called */
    caw_waiters *waits; /* the object; NULL: idle */
    int status;
    unsigned state;
    unsigned forks;
} caw_waiter;

#define CAW_WAITERS_INIT {{NULL, NULL, 0}, {NULL, NULL, 0}, 0, false, false}

/* --- objects; their members are private --- */

/* One at a time. */
typedef struct caw_mutex {
    caw_waiters waiters;
} caw_mutex;

#define CAW_MUTEX_INIT {CAW_WAITERS_INIT}

/* So many at a time. */
typedef struct caw_semaphore {
    caw_waiters waiters;
    size_t permits; /* that nobody has */
} caw_semaphore;

#define CAW_SEMAPHORE_INIT(permits_) {CAW_WAITERS_INIT, (permits_)}

/* A switch that can be waited for. */
typedef struct caw_event {
    caw_waiters waiters;
    bool is_set;
} caw_event;

#define CAW_EVENT_INIT {CAW_WAITERS_INIT, false}

/* To wait for a change of what a mutex guards. */
typedef struct caw_condition {
    caw_waiters waiters;
} caw_condition;

#define CAW_CONDITION_INIT {CAW_WAITERS_INIT}

/* All go on when so many have come. */
typedef struct caw_barrier {
    caw_waiters waiters;
    size_t parties;
} caw_barrier;

#define CAW_BARRIER_INIT(parties_) {CAW_WAITERS_INIT, (parties_)}

/* Something that is done once. */
typedef struct caw_once {
    caw_waiters waiters;
    bool is_done;
} caw_once;

#define CAW_ONCE_INIT {CAW_WAITERS_INIT, false}

/* --- waits --- */

/* A mutex that is held, or waited for. */
typedef struct caw_lock {
    caw_future future; /* public */
    caw_waiter waiter; /* private */
} caw_lock;

/* Permits of a semaphore that are held, or waited for. */
typedef struct caw_permit {
    caw_future future; /* public */
    caw_waiter waiter; /* private */
    size_t n;          /* read-only: how many */
} caw_permit;

typedef struct caw_event_op {
    caw_future future; /* public */
    caw_waiter waiter; /* private */
} caw_event_op;

typedef struct caw_condition_op {
    caw_future future; /* public */
    caw_waiter waiter; /* private */
    caw_lock *held;    /* private: borrowed */
    caw_mutex *mutex;  /* private: true while the lock is given up */
    unsigned step;     /* private */
} caw_condition_op;

typedef struct caw_barrier_op {
    caw_future future; /* public */
    caw_waiter waiter; /* private */
    size_t index;      /* public: true once ready with 0. From 0 up, in the order in which they came */
} caw_barrier_op;

typedef struct caw_once_op {
    caw_future future;               /* public */
    caw_waiter waiter;               /* private */
    caw_future *(*make)(void *user); /* private */
    void *user;                      /* private */
    caw_future *child;               /* private: while it is this one that does it */
} caw_once_op;

CAW_BEGIN_DECLS

/* --- mutex --- */

/* Make one, in place of the static initialiser; and end one, as said above.
 *   init / any-thread · no-gil · borrows(mutex) · never fails · quiet / wakes */
CAW_API void caw_mutex_init(caw_mutex *mutex);
CAW_API void caw_mutex_fini(caw_mutex *mutex);

/* Wait for the mutex. From the poll that ends with 0 it is held, until the future is destroyed or the lock is released:
 * so it goes with its frame, also where that is cancelled or dropped. Who has it and locks it again waits for itself.
 *   init · no-gil · borrows(lock, mutex), returns-borrowed · never fails · quiet */
CAW_API caw_future *caw_mutex_lock(caw_lock *lock, caw_mutex *mutex);

/* Take the mutex if that needs no waiting. On failure there is nothing to release.
 *   any-thread · no-gil · borrows(lock, mutex) · fails(-EAGAIN: it is held, CAW_ECLOSED, CAW_EFORKED, CAW_ENOMEM) ·
 *   quiet */
CAW_API int caw_mutex_try_lock(caw_lock *lock, caw_mutex *mutex);

/* Give the mutex to the next in line; or leave the line.
 *   poller · no-gil · borrows(lock) · never fails · wakes */
CAW_API void caw_lock_release(caw_lock *lock);

/* Whether the mutex is held by this lock.
 *   poller · no-gil · borrows(lock) · never fails · quiet */
CAW_API bool caw_lock_is_held(const caw_lock *lock);

/* --- semaphore --- */

/* Make one with so many permits; and end one.
 *   init / any-thread · no-gil · borrows(semaphore) · never fails · quiet / wakes */
CAW_API void caw_semaphore_init(caw_semaphore *semaphore, size_t permits);
CAW_API void caw_semaphore_fini(caw_semaphore *semaphore);

/* Wait for n permits, which are had all at once. They are held as a lock is. 0 are had without waiting.
 *   init · no-gil · borrows(permit, semaphore), returns-borrowed · never fails · quiet */
CAW_API caw_future *caw_semaphore_acquire(caw_permit *permit, caw_semaphore *semaphore, size_t n);

/* Take n permits if they are there and nobody waits. On failure there is nothing to release.
 *   any-thread · no-gil · borrows(permit, semaphore) · fails(-EAGAIN, CAW_ECLOSED, CAW_EFORKED, CAW_ENOMEM) · quiet */
CAW_API int caw_semaphore_try_acquire(caw_permit *permit, caw_semaphore *semaphore, size_t n);

/* Give them back; or leave the line.
 *   poller · no-gil · borrows(permit) · never fails · wakes */
CAW_API void caw_permit_release(caw_permit *permit);

/* End a permit without giving them back: there are fewer from now on. One that waits leaves the line.
 *   poller · no-gil · borrows(permit) · never fails · wakes */
CAW_API void caw_permit_forget(caw_permit *permit);

/* Add n permits. With caw_permit_forget this is a count that one side raises and another lowers. There are never more
 * than SIZE_MAX.
 *   any-thread · no-gil · borrows(semaphore) · never fails · wakes */
CAW_API void caw_semaphore_add(caw_semaphore *semaphore, size_t n);

/* How many nobody has, at this moment.
 *   any-thread · no-gil · borrows(semaphore) · never fails · quiet */
CAW_API size_t caw_semaphore_available(const caw_semaphore *semaphore);

/* --- event --- */

/* Make one that is not set; and end one.
 *   init / any-thread · no-gil · borrows(event) · never fails · quiet / wakes */
CAW_API void caw_event_init(caw_event *event);
CAW_API void caw_event_fini(caw_event *event);

/* Set it: all who wait go on, also if it is cleared at once. Clear it: those who come from now on wait.
 *   any-thread · no-gil · borrows(event) · never fails · wakes / quiet */
CAW_API void caw_event_set(caw_event *event);
CAW_API void caw_event_clear(caw_event *event);

/* Whether it is set, at this moment.
 *   any-thread · no-gil · borrows(event) · never fails · quiet */
CAW_API bool caw_event_is_set(const caw_event *event);

/* Wait until it is set. What was written before the set is visible to the poll that ends with 0.
 *   init · no-gil · borrows(op, event), returns-borrowed · never fails · quiet */
CAW_API caw_future *caw_event_wait(caw_event_op *op, caw_event *event);

/* --- condition --- */

/* Make one; and end one.
 *   init / any-thread · no-gil · borrows(condition) · never fails · quiet / wakes */
CAW_API void caw_condition_init(caw_condition *condition);
CAW_API void caw_condition_fini(caw_condition *condition);

/* Give up the lock, wait for a notify, and take the lock again. The first poll gives it up, when it is in line, so that
 * a notify by whoever has the mutex next is not missed. The future ends with 0 for a notify only; still, look at what
 * you wait for in a loop, since another may have come between:
 *
 *     while (!queue_has_items(q)) { ...await caw_condition_wait(&op, &q->changed, &lock)... }
 *
 * However it ends, the lock is held again, cancelled or not: so a cancel waits for the mutex, and is not asked twice. A
 * notify that was for one alone, which is cancelled before it has the lock, goes to the next in line. There are two
 * exceptions, where caw_lock_is_held is false: the future is destroyed while it is pending, which does not wait, and
 * leaves the lock released; or the mutex cannot be had, because it has ended, which is then the status.
 * CAW_EINVAL: the lock is not held at the first poll.
 *   init · no-gil · borrows(op, condition, held), returns-borrowed · never fails · quiet */
CAW_API caw_future *caw_condition_wait(caw_condition_op *op, caw_condition *condition, caw_lock *held);

/* Let the one go on that waits longest; or all that wait now. The mutex need not be held.
 *   any-thread · no-gil · borrows(condition) · never fails · wakes */
CAW_API void caw_condition_notify_one(caw_condition *condition);
CAW_API void caw_condition_notify_all(caw_condition *condition);

/* --- barrier --- */

/* Make one for so many, 1 or more; and end one.
 *   init / any-thread · no-gil · borrows(barrier) · never fails · quiet / wakes */
CAW_API void caw_barrier_init(caw_barrier *barrier, size_t parties);
CAW_API void caw_barrier_fini(caw_barrier *barrier);

/* Wait until `parties` wait, this one among them; then it begins anew, for the next so many. One that leaves before
 * does not count any more. Of each group, one has the index 0 and one `parties` - 1. CAW_EINVAL: for a barrier of 0.
 *   init · no-gil · borrows(op, barrier), returns-borrowed · never fails · quiet */
CAW_API caw_future *caw_barrier_wait(caw_barrier_op *op, caw_barrier *barrier);

/* --- once --- */

/* Make one; and end one. The end does not stop the future that does it.
 *   init / any-thread · no-gil · borrows(once) · never fails · quiet / wakes */
CAW_API void caw_once_init(caw_once *once);
CAW_API void caw_once_fini(caw_once *once);

/* Wait until it is done, and do it if nobody does. The first to be polled calls make(user), and awaits the future that
 * it gives; the others wait for that. When it has ended with 0 all end with 0, and those that come later at their first
 * poll. What it has written is visible to them. If it ends with an error, that is the status of this one alone, and the
 * next in line makes a future of its own; the same if this one is cancelled or destroyed. NULL from `make` is
 * CAW_ENOMEM. A made future that waits for the same once waits for itself. In a forked child, what was being done at
 * the fork is done anew. Cancel-safe where the made future is.
 *   init · no-gil · borrows(op, once, user), returns-borrowed · never fails · quiet; calls-user when polled */
CAW_API caw_future *caw_once_do(caw_once_op *op, caw_once *once, caw_future *(*make)(void *user), void *user);

/* Whether it is done, at this moment. If so, what was written is visible.
 *   any-thread · no-gil · borrows(once) · never fails · quiet */
CAW_API bool caw_once_is_done(const caw_once *once);

CAW_END_DECLS

#endif
