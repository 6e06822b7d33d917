/* wake_target.h: the native half of a suspended coroutine, which wakers point to.
 *
 * Promise. A waker may be used on any thread, after the coroutine, the loop and the interpreter are gone. So it must
 * not point to a Python object: it points to a target, plain memory that is counted and touches nothing of Python. A
 * target belongs to one coroutine; each clone of the coroutine's waker and the wake queue hold a reference more. If
 * nobody else has it when the coroutine is closed, it stays with the coroutine's memory, for the next coroutine that
 * lives there: so a future that is ready at its first poll costs no target.
 *
 * Words and who may touch them:
 *
 *   link     the queue's while QUEUED
 *   refs     any thread, atomic
 *   flags    any thread, atomic:
 *     QUEUED   a wake has happened, and the drain has not come to it. Set by wake; cleared by the drain
 *              before the coroutine is resumed, so that a wake from then on queues the target again
 *     UNBOUND  there is no inbox yet: the first poll is running. Cleared by the poller when it has suspended
 *     JOB      it is a job's (job.h), not a waiter's. Never changes
 *   inbox    written by the poller before it clears UNBOUND (release); read by a wake that saw UNBOUND clear (acquire);
 *            never changed after that while anybody else holds a reference
 *   owner    the coroutine, borrowed; NULL once it has released its reference. Protected by the GIL
 *
 * The race that looks bad: an operation completes on another thread during the first poll, before it is certain which
 * loop will have to be woken. The wake sets QUEUED, sees UNBOUND, and leaves. The poller clears UNBOUND afterwards,
 * sees QUEUED, and pushes the target itself. Both words are one atomic, so one of the two always sees the other.
 */
#ifndef CAWAIT_PYTHON_LOOP_WAKE_TARGET_H
#define CAWAIT_PYTHON_LOOP_WAKE_TARGET_H

#include "python/loop/inbox.h"

CAW__INTERNAL_BEGIN

/* A target with one reference, unbound; NULL when out of memory. */
caw__wake_target *caw__wake_target_new(caw__waiter *owner);

/* The owner no longer needs the target. True: nobody else has it, it is as new. False: others may still wake it, so the
 * owner's reference was given back. */
bool caw__wake_target_reset(caw__wake_target *target);

/* Whether a wake is in the queue. */
static inline bool
caw__wake_target_is_queued(const caw__wake_target *target)
{
    /* relaxed: nothing is read after it */
    return atomic_load_explicit(&target->flags, memory_order_relaxed) & CAW__TARGET_QUEUED;
}

/* Whether somebody may still wake it: a waker was cloned that is not used up, unlike the one in the queue. Only the
 * owner calls this, so nobody else can begin to have one. */
static inline bool
caw__wake_target_is_shared(const caw__wake_target *target)
{
    /* relaxed, both: nothing is read after it */
    uint32_t flags = atomic_load_explicit(&target->flags, memory_order_relaxed);
    uint32_t in_queue = (flags & (CAW__TARGET_QUEUED | CAW__TARGET_UNBOUND)) == CAW__TARGET_QUEUED;
    return atomic_load_explicit(&target->refs, memory_order_relaxed) > 1 + in_queue;
}

/* Whether nobody can wake it, as a poll returns: no waker of it is left, and none was woken. Only the owner calls this,
 * so nobody else can begin to have one. */
static inline bool
caw__wake_target_is_alone(const caw__wake_target *target)
{
    /* Acquire: who has used the last waker up by a wake has set QUEUED before. */
    return atomic_load_explicit(&target->refs, memory_order_acquire) == 1 && !caw__wake_target_is_queued(target);
}

/* A waker of the target, borrowed from the owner's reference. */
caw_waker caw__wake_target_waker(caw__wake_target *target);

/* From now on wakes go to this inbox; queues the target if a wake came before. Once per target. */
void caw__wake_target_bind(caw__wake_target *target, caw__inbox *inbox);

/* Put a target into its inbox, as a wake does. */
void caw__wake_target_wake(caw__wake_target *target);

/* Give a reference back. Any thread, no GIL. */
void caw__wake_target_release(caw__wake_target *target);

/* Out of the queue: the next wake queues it again, and the queue's reference is given back. The owner: borrowed, or
 * NULL. */
caw__waiter *caw__wake_target_take(caw__wake_target *target);

CAW__INTERNAL_END

#endif
