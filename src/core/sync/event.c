/* event.c: a switch that can be waited for. */
#include "core/sync/waiters.h"

static int
event_begin(caw_waiter *w, caw_line *woken)
{
    (void)woken;
    return CAW_CONTAINER_OF(w->waits, caw_event, waiters)->is_set ? CAW__BEGIN_OVER : CAW__BEGIN_WAITS;
}

static const caw__waiter_ops event_wait_ops = {event_begin, NULL};

void
caw_event_init(caw_event *event)
{
    caw__waiters_init(&event->waiters);
    event->is_set = false;
}

void
caw_event_fini(caw_event *event)
{
    caw__waiters_fini(&event->waiters);
}

static void
event_turn(caw_event *event, bool is_set)
{
    caw_line woken = CAW__LINE_EMPTY;
    caw__waiters_lock(&event->waiters);
    event->is_set = is_set;
    if (is_set) {
        caw__waiters_end_all(&event->waiters, 0, &woken);
    }
    caw__waiters_unlock(&event->waiters, &woken);
}

void
caw_event_set(caw_event *event)
{
    event_turn(event, true);
}

void
caw_event_clear(caw_event *event)
{
    event_turn(event, false);
}

bool
caw_event_is_set(const caw_event *event)
{
    caw__address_lock(&event->waiters);
    bool is_set = event->is_set;
    caw__address_unlock(&event->waiters);
    return is_set;
}

/* --- the future --- */

static caw_event_op *
event_op_of(caw_future *f)
{
    return CAW_CONTAINER_OF(f, caw_event_op, future);
}

static caw_poll
event_poll(caw_future *f, caw_context *cx)
{
    return caw__waiter_poll(&event_op_of(f)->waiter, cx, &event_wait_ops, &f->status);
}

static void
event_cancel(caw_future *f)
{
    caw__waiter_cancel(&event_op_of(f)->waiter, &event_wait_ops);
}

static void
event_destroy(caw_future *f)
{
    caw__waiter_leave(&event_op_of(f)->waiter, &event_wait_ops);
}

static const caw_future_ops event_ops = {"event.wait", event_poll, event_cancel, event_destroy};

caw_future *
caw_event_wait(caw_event_op *op, caw_event *event)
{
    caw_future_init(&op->future, &event_ops);
    caw__waiter_init(&op->waiter, &event->waiters);
    return &op->future;
}
