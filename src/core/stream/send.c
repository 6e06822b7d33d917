/* send.c: the producers' side: an item that is sent at once or not at all, and one that waits for room. */
#include "core/stream/send.h"

#include "core/base/block.h"
#include "core/os/thread.h"
#include "core/stream/channel_shared.h"

static inline int
send_try(caw_channel *c, caw_item *item, bool may_wait)
{
    if (!caw__channel_lock(c)) {
        return CAW_EFORKED;
    }
    bool signals = false;
    caw_waker waker = CAW_WAKER_NONE;
    int status = c->closed ? CAW_ECLOSED : c->waiting || !caw__channel_has_room(c) ? -EAGAIN : 0;
    if (status == -EAGAIN && !may_wait && caw__channel_goes_over(c)) {
        status = 0;
    }
    if (status == 0) {
        caw__channel_append(c, item, &signals);
        waker = caw__channel_take_waker(c);
    }
    caw__channel_unlock(c);
    caw_waker_wake(waker);
    if (signals) {
        caw__channel_signal(c);
    }
    return status;
}

int
caw_channel_try_send(caw_channel *c, caw_item *item)
{
    return send_try(c, item, false);
}

int
caw__channel_try(caw_channel *c, caw_item *item)
{
    return send_try(c, item, true);
}

/* --- sends that wait --- */

static uint32_t
send_state(const caw_send_op *send)
{
    return atomic_load_explicit(&send->future.word, memory_order_relaxed); /* relaxed: under the lock, or NEW */
}

/* It ends without having waited. */
static caw_poll
send_end(caw_send_op *send, int status)
{
    atomic_store_explicit(&send->future.word, CAW__SEND_ENDED, memory_order_relaxed); /* relaxed: it was NEW */
    return caw_future_finish(&send->future, status);
}

/* The first poll, under the lock. CAW_PENDING: it waits from now on. */
static caw_poll
send_begin(caw_send_op *send, caw_waker waker, caw_waker *consumer, bool *signals)
{
    caw_channel *c = send->channel;
    if (c->closed) {
        return send_end(send, CAW_ECLOSED);
    }
    if (c->waiting || !caw__channel_has_room(c)) {
        caw__channel_watch(c);
        if (c->waiting || !caw__channel_has_room(c)) {
            send->waker = caw_waker_clone(waker);
            caw__channel_link(c, send);
            return CAW_PENDING;
        }
    }
    caw__channel_append(c, send->item, signals);
    send->item = NULL;
    *consumer = caw__channel_take_waker(c);
    return send_end(send, 0);
}

/* A later poll while it waits, under the lock. Gives the earlier waker, to drop after it. */
static caw_waker
send_wait_on(caw_send_op *send, caw_waker waker)
{
    caw_waker old = CAW_WAKER_NONE;
    if (!caw_waker_same(send->waker, waker)) {
        old = send->waker;
        send->waker = caw_waker_clone(waker);
    }
    return old;
}

/* It waits in vain, unless it was served just now. */
static caw_poll
send_give_up(caw_send_op *send, int status)
{
    caw_waker waker = CAW_WAKER_NONE;
    if (caw__channel_lock(send->channel)) {
        if (send_state(send) == CAW__SEND_WAITING) {
            waker = caw__channel_unlink(send->channel, send, status);
        }
        caw__channel_unlock(send->channel);
    }
    caw_waker_drop(waker);
    return CAW_READY;
}

static caw_poll
send_poll(caw_future *f, caw_context *cx)
{
    caw_send_op *send = CAW_CONTAINER_OF(f, caw_send_op, future);
    caw_channel *c = send->channel;
    if (!caw__channel_lock(c)) {
        return caw_future_finish(f, CAW_EFORKED);
    }
    caw_poll poll = CAW_READY;
    caw_waker consumer = CAW_WAKER_NONE, old = CAW_WAKER_NONE;
    bool signals = false;
    switch (send_state(send)) {
    case CAW__SEND_NEW:
        poll = send_begin(send, cx->waker, &consumer, &signals);
        break;
    case CAW__SEND_WAITING:
        poll = CAW_PENDING;
        old = send_wait_on(send, cx->waker);
        break;
    default: /* CAW__SEND_ENDED */
        break;
    }
    bool is_poller = c->poller == caw__thread_number();
    caw__channel_unlock(c);
    caw_waker_drop(old);
    caw_waker_wake(consumer);
    if (signals) {
        caw__channel_signal(c);
    }
    if (poll == CAW_PENDING && is_poller && caw__block_is_in_loop()) {
        return send_give_up(send, CAW_EDEADLOCK); /* this thread sleeps, and the consumer is on its loop */
    }
    return poll;
}

/* If it waits it does so no longer. Gives its waker, to wake or drop. */
static caw_waker
send_leave(caw_send_op *send)
{
    caw_waker waker = CAW_WAKER_NONE;
    if (caw__channel_lock_to_end(send->channel)) {
        if (send_state(send) == CAW__SEND_WAITING) {
            waker = caw__channel_unlink(send->channel, send, CAW_ECANCELED);
        }
        caw__channel_unlock(send->channel);
    }
    return waker;
}

static void
send_cancel(caw_future *f)
{
    caw_send_op *send = CAW_CONTAINER_OF(f, caw_send_op, future);
    if (send_state(send) == CAW__SEND_NEW) {
        (void)send_end(send, CAW_ECANCELED);
    }
    else {
        caw_waker_wake(send_leave(send));
    }
}

static void
send_destroy(caw_future *f)
{
    caw_send_op *send = CAW_CONTAINER_OF(f, caw_send_op, future);
    caw_channel *c = send->channel;
    caw_waker_drop(send_leave(send));
    caw_item *item = send->item;
    send->item = NULL;
    caw_item_destroy(item);
    caw_channel_release(c);
}

static const caw_future_ops send_ops = {"channel.send", send_poll, send_cancel, send_destroy};

void
caw_send_init(caw_send_op *send, caw_channel *channel, caw_item *item)
{
    caw_future_init(&send->future, &send_ops);
    send->channel = caw_channel_retain(channel);
    send->item = item;
    send->waker = CAW_WAKER_NONE;
    send->next = send->previous = NULL;
}

caw_item *
caw_send_reclaim(caw_send_op *send)
{
    caw_item *item = send->item;
    send->item = NULL;
    return item;
}
