/* once.c: something that is done once, by the first who asks for it. Who does it is `given`, alone; the others wait.
 *
 * Who does it polls its future without a lock. When that has ended, the lock is taken to say so: with 0 all go on, with
 * an error the next in line has it. If the object has ended meanwhile, there is nothing to say: the state of the waiter
 * tells.
 */
#include "core/sync/waiters.h"

static caw_once *
once_of(caw_waiter *w)
{
    return CAW_CONTAINER_OF(w->waits, caw_once, waiters);
}

static int
once_begin(caw_waiter *w, caw_line *woken)
{
    (void)woken;
    if (once_of(w)->is_done) {
        return CAW__BEGIN_OVER;
    }
    return w->waits->given.first ? CAW__BEGIN_WAITS : CAW__BEGIN_HAS;
}

static const caw__waiter_ops once_wait_ops = {once_begin, caw__waiters_pass_on};

void
caw_once_init(caw_once *once)
{
    caw__waiters_init(&once->waiters);
    once->is_done = false;
}

void
caw_once_fini(caw_once *once)
{
    caw__waiters_fini(&once->waiters);
}

bool
caw_once_is_done(const caw_once *once)
{
    caw__address_lock(&once->waiters);
    bool is_done = once->is_done;
    caw__address_unlock(&once->waiters);
    return is_done;
}

/* --- the future --- */

static caw_once_op *
once_op_of(caw_future *f)
{
    return CAW_CONTAINER_OF(f, caw_once_op, future);
}

/* It was done by this one. If the object has ended meanwhile it may be gone: then there is nothing to say. */
static void
once_tell(caw_waiter *w)
{
    caw_line woken = CAW__LINE_EMPTY;
    caw__address_lock(w->waits);
    if (caw__waiters_keep(w)) {
        once_of(w)->is_done = true;
        caw__waiters_end_all(w->waits, 0, &woken);
    }
    caw__waiters_unlock(w->waits, &woken);
}

/* Poll the child. When it has ended it is destroyed before the others hear of it. */
static caw_poll
once_run(caw_once_op *op, caw_context *cx)
{
    if (caw_future_poll(op->child, cx) == CAW_PENDING) {
        return CAW_PENDING;
    }
    int status = op->child->status;
    caw_future_destroy(op->child);
    op->child = NULL;
    if (status == 0) {
        once_tell(&op->waiter);
    }
    else {
        caw__waiter_cancel(&op->waiter, &once_wait_ops);
    }
    return caw_future_finish(&op->future, status);
}

static caw_poll
once_poll(caw_future *f, caw_context *cx)
{
    caw_once_op *op = once_op_of(f);
    if (caw__waiter_is_foreign(&op->waiter)) {
        return caw_future_finish(f, CAW_EFORKED);
    }
    if (!op->child) {
        if (caw__waiter_poll(&op->waiter, cx, &once_wait_ops, &f->status) == CAW_PENDING) {
            return CAW_PENDING;
        }
        if (!caw__waiter_has(&op->waiter)) {
            return caw_future_finish(f, op->waiter.status);
        }
        op->child = op->make(op->user);
        if (!op->child) {
            caw__waiter_cancel(&op->waiter, &once_wait_ops);
            return caw_future_finish(f, CAW_ENOMEM);
        }
    }
    return once_run(op, cx);
}

static void
once_cancel(caw_future *f)
{
    caw_once_op *op = once_op_of(f);
    if (op->child) {
        caw_future_cancel(op->child);
    }
    else {
        caw__waiter_cancel(&op->waiter, &once_wait_ops);
    }
}

/* The child goes before the next in line begins. */
static void
once_destroy(caw_future *f)
{
    caw_once_op *op = once_op_of(f);
    caw_future *child = op->child;
    op->child = NULL;
    caw_future_destroy(child);
    caw__waiter_leave(&op->waiter, &once_wait_ops);
}

static const caw_future_ops once_ops = {"once.do", once_poll, once_cancel, once_destroy};

caw_future *
caw_once_do(caw_once_op *op, caw_once *once, caw_future *(*make)(void *user), void *user)
{
    caw_future_init(&op->future, &once_ops);
    caw__waiter_init(&op->waiter, &once->waiters);
    op->make = make;
    op->user = user;
    op->child = NULL;
    return &op->future;
}
