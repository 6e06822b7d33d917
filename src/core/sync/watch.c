/* watch.c: a value that changes: readers see the latest, and wait for a newer one. */
#include "cawait/exchange.h"

#include "core/sync/waiters.h"

#include <string.h>

static int
watch_begin(caw_waiter *w, caw_line *woken)
{
    (void)woken;
    const caw_watch_op *op = CAW_CONTAINER_OF(w, caw_watch_op, waiter);
    return CAW_CONTAINER_OF(w->waits, caw_watch, waiters)->version > op->seen ? CAW__BEGIN_OVER : CAW__BEGIN_WAITS;
}

static const caw__waiter_ops watch_wait_ops = {watch_begin, NULL};

void
caw_watch_init(caw_watch *watch, void *value, size_t size)
{
    caw__waiters_init(&watch->waiters);
    watch->value = value;
    watch->size = size;
    watch->version = 1;
}

void
caw_watch_fini(caw_watch *watch)
{
    caw__waiters_fini(&watch->waiters);
}

uint64_t
caw_watch_set(caw_watch *watch, const void *value)
{
    caw_line woken = CAW__LINE_EMPTY;
    caw__waiters_lock(&watch->waiters);
    memcpy(watch->value, value, watch->size);
    uint64_t version = ++watch->version;
    /* Who waits has seen the one before, or was told to wait for a later one. */
    for (caw_link *link = watch->waiters.waiting.first, *next; link; link = next) {
        next = link->next;
        caw_waiter *w = CAW_CONTAINER_OF(link, caw_waiter, place);
        if (version > CAW_CONTAINER_OF(w, caw_watch_op, waiter)->seen) {
            caw__waiters_end(w, 0, &woken);
        }
    }
    caw__waiters_unlock(&watch->waiters, &woken);
    return version;
}

uint64_t
caw_watch_get(const caw_watch *watch, void *out)
{
    caw__address_lock(&watch->waiters);
    uint64_t version = watch->version;
    if (out) {
        memcpy(out, watch->value, watch->size);
    }
    caw__address_unlock(&watch->waiters);
    return version;
}

/* --- the future --- */

static caw_watch_op *
watch_op_of(caw_future *f)
{
    return CAW_CONTAINER_OF(f, caw_watch_op, future);
}

static caw_poll
watch_poll(caw_future *f, caw_context *cx)
{
    return caw__waiter_poll(&watch_op_of(f)->waiter, cx, &watch_wait_ops, &f->status);
}

static void
watch_cancel(caw_future *f)
{
    caw__waiter_cancel(&watch_op_of(f)->waiter, &watch_wait_ops);
}

static void
watch_destroy(caw_future *f)
{
    caw__waiter_leave(&watch_op_of(f)->waiter, &watch_wait_ops);
}

static const caw_future_ops watch_ops = {"watch.changed", watch_poll, watch_cancel, watch_destroy};

caw_future *
caw_watch_changed(caw_watch_op *op, caw_watch *watch, uint64_t seen)
{
    caw_future_init(&op->future, &watch_ops);
    caw__waiter_init(&op->waiter, &watch->waiters);
    op->seen = seen;
    return &op->future;
}
