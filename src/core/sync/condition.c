/* condition.c: to wait for a change of what a mutex guards.
 *
 * A wait is two: one in the line of the condition, then one for the mutex, which is not cancelled. The condition and
 * the mutex have their locks one after the other, never at the same time. So a notify may come when the wait is in line
 * and the mutex is not given up yet: it then goes on to take the mutex that it has just released.
 *
 * One that notify_one has let go is in `given` until it has the mutex again. If it is cancelled or destroyed before
 * that, the notify goes to the next in line. One that notify_all has let go has nothing to pass on.
 */
#include "core/sync/waiters.h"

/* How far a wait is; its owner's. */
enum { CONDITION_NEW, CONDITION_WAITS, CONDITION_LOCKS, CONDITION_ENDED };

static int
condition_begin(caw_waiter *w, caw_line *woken)
{
    (void)w;
    (void)woken;
    return CAW__BEGIN_WAITS;
}

static const caw__waiter_ops condition_wait_ops = {condition_begin, caw__waiters_pass_on};

void
caw_condition_init(caw_condition *condition)
{
    caw__waiters_init(&condition->waiters);
}

void
caw_condition_fini(caw_condition *condition)
{
    caw__waiters_fini(&condition->waiters);
}

void
caw_condition_notify_one(caw_condition *condition)
{
    caw_line woken = CAW__LINE_EMPTY;
    caw__waiters_lock(&condition->waiters);
    caw_waiter *w = caw__waiters_first(&condition->waiters);
    if (w) {
        caw__waiters_give(w, &woken);
    }
    caw__waiters_unlock(&condition->waiters, &woken);
}

void
caw_condition_notify_all(caw_condition *condition)
{
    caw_line woken = CAW__LINE_EMPTY;
    caw__waiters_lock(&condition->waiters);
    caw__waiters_end_all(&condition->waiters, 0, &woken);
    caw__waiters_unlock(&condition->waiters, &woken);
}

/* --- the future --- */

static caw_condition_op *
condition_op_of(caw_future *f)
{
    return CAW_CONTAINER_OF(f, caw_condition_op, future);
}

/* Get in line, then give the mutex up. CAW_READY: it did not get in line, and the mutex is held as before. */
static caw_poll
condition_enter(caw_condition_op *op, caw_context *cx)
{
    if (!caw_lock_is_held(op->held)) {
        return caw_future_finish(&op->future, caw__waiter_is_foreign(&op->waiter) ? CAW_EFORKED : CAW_EINVAL);
    }
    if (caw__waiter_poll(&op->waiter, cx, &condition_wait_ops, &op->future.status) == CAW_READY) {
        return CAW_READY;
    }
    op->step = CONDITION_WAITS;
    op->mutex = CAW_CONTAINER_OF(op->held->waiter.waits, caw_mutex, waiters);
    caw_lock_release(op->held);
    return CAW_PENDING;
}

/* It has the mutex, or cannot have it. */
static caw_poll
condition_end(caw_condition_op *op)
{
    caw__waiter_keep(&op->waiter); /* from here on nobody else writes its status */
    int error = op->held->future.status, status = op->future.status;
    op->step = CONDITION_ENDED;
    return caw_future_finish(&op->future, error ? error : status ? status : op->waiter.status);
}

static caw_poll
condition_poll(caw_future *f, caw_context *cx)
{
    caw_condition_op *op = condition_op_of(f);
    if (op->step == CONDITION_NEW) {
        return condition_enter(op, cx);
    }
    if (op->step == CONDITION_WAITS) {
        if (caw__waiter_poll(&op->waiter, cx, &condition_wait_ops, &f->status) == CAW_PENDING) {
            return CAW_PENDING;
        }
        op->step = CONDITION_LOCKS;
        (void)caw_mutex_lock(op->held, op->mutex);
    }
    return caw_future_poll(&op->held->future, cx) == CAW_READY ? condition_end(op) : CAW_PENDING;
}

/* The wait for the mutex goes on. */
static void
condition_cancel(caw_future *f)
{
    caw__waiter_cancel(&condition_op_of(f)->waiter, &condition_wait_ops);
}

static void
condition_destroy(caw_future *f)
{
    caw_condition_op *op = condition_op_of(f);
    caw__waiter_leave(&op->waiter, &condition_wait_ops);
    if (op->step == CONDITION_LOCKS) {
        caw_lock_release(op->held);
    }
}

static const caw_future_ops condition_ops = {"condition.wait", condition_poll, condition_cancel, condition_destroy};

caw_future *
caw_condition_wait(caw_condition_op *op, caw_condition *condition, caw_lock *held)
{
    caw_future_init(&op->future, &condition_ops);
    caw__waiter_init(&op->waiter, &condition->waiters);
    op->held = held;
    op->mutex = NULL;
    op->step = CONDITION_NEW;
    return &op->future;
}
