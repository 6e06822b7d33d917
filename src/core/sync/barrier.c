/* barrier.c: all go on when so many have come. Who waits is counted by the line, so one that leaves is not counted. */
#include "core/sync/waiters.h"

static caw_barrier_op *
barrier_op_of_waiter(caw_waiter *w)
{
    return CAW_CONTAINER_OF(w, caw_barrier_op, waiter);
}

static int
barrier_begin(caw_waiter *w, caw_line *woken)
{
    caw_barrier *barrier = CAW_CONTAINER_OF(w->waits, caw_barrier, waiters);
    if (barrier->parties == 0) {
        return CAW_EINVAL;
    }
    if (w->waits->waiting.length + 1 < barrier->parties) {
        return CAW__BEGIN_WAITS;
    }
    size_t index = 0;
    for (caw_waiter *other; (other = caw__waiters_first(w->waits)) != NULL;) {
        barrier_op_of_waiter(other)->index = index++;
        caw__waiters_end(other, 0, woken);
    }
    barrier_op_of_waiter(w)->index = index;
    return CAW__BEGIN_OVER;
}

static const caw__waiter_ops barrier_wait_ops = {barrier_begin, NULL};

void
caw_barrier_init(caw_barrier *barrier, size_t parties)
{
    caw__waiters_init(&barrier->waiters);
    barrier->parties = parties;
}

void
caw_barrier_fini(caw_barrier *barrier)
{
    caw__waiters_fini(&barrier->waiters);
}

/* --- the future --- */

static caw_barrier_op *
barrier_op_of(caw_future *f)
{
    return CAW_CONTAINER_OF(f, caw_barrier_op, future);
}

static caw_poll
barrier_poll(caw_future *f, caw_context *cx)
{
    return caw__waiter_poll(&barrier_op_of(f)->waiter, cx, &barrier_wait_ops, &f->status);
}

static void
barrier_cancel(caw_future *f)
{
    caw__waiter_cancel(&barrier_op_of(f)->waiter, &barrier_wait_ops);
}

static void
barrier_destroy(caw_future *f)
{
    caw__waiter_leave(&barrier_op_of(f)->waiter, &barrier_wait_ops);
}

static const caw_future_ops barrier_ops = {"barrier.wait", barrier_poll, barrier_cancel, barrier_destroy};

caw_future *
caw_barrier_wait(caw_barrier_op *op, caw_barrier *barrier)
{
    caw_future_init(&op->future, &barrier_ops);
    caw__waiter_init(&op->waiter, &barrier->waiters);
    op->index = 0;
    return &op->future;
}
