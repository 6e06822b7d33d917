/* send.c: sends that wait for room; see stream/channel_shared.h. */
#include "core/stream/channel_shared.h"

#define SEND_WAITING   1u
#define SEND_CANCELLED 2u

static void
send_link(caw_channel *c, caw_send_op *send)
{
    send->next = NULL;
    send->previous = c->waiting_last;
    *(c->waiting_last ? &c->waiting_last->next : &c->waiting) = send;
    c->waiting_last = send;
    atomic_store_explicit(&send->future.word, SEND_WAITING, memory_order_relaxed); /* relaxed: under the lock */
}

/* Its end, under the lock: the waker is the caller's to wake or drop; an empty one in a forked child. From the unlock on the
 * send may be gone. */
static caw_waker
send_unlink(caw_channel *c, caw_send_op *send, int status)
{
    *(send->previous ? &send->previous->next : &c->waiting) = send->next;
    *(send->next ? &send->next->previous : &c->waiting_last) = send->previous;
    send->future.status = status;
    atomic_store_explicit(&send->future.word, 0, memory_order_relaxed); /* relaxed: under the lock */
    caw_waker waker = caw__channel_forked(c) ? CAW_WAKER_NONE : send->waker;
    send->waker = CAW_WAKER_NONE;
    return waker;
}

/* Serve the send that waits longest, if it can be: under the lock. */
static bool
channel_serve_one(caw_channel *c, caw_waker *waker, bool *tells)
{
    caw_send_op *send = c->waiting;
    if (!send || (!c->closed && !caw__channel_has_room(c))) {
        return false;
    }
    if (!c->closed) {
        caw__channel_append(c, send->item, tells);
        send->item = NULL;
    }
    *waker = send_unlink(c, send, c->closed ? CAW_ECLOSED : 0);
    return true;
}

void
caw__channel_serve(caw_channel *c)
{
    bool served = true;
    while (served && caw__channel_lock(c)) {
        caw_waker waker = CAW_WAKER_NONE;
        bool tells = false;
        caw__channel_look(c);
        served = channel_serve_one(c, &waker, &tells); /* an item is for the consumer, which is who calls this */
        if (c->paused && caw__channel_seen_length(c) <= c->spec.low) {
            tells |= caw__channel_turn(c, false);
        }
        if (!c->waiting && !c->paused) {
            atomic_store_explicit(&c->watched, false, memory_order_seq_cst); /* seq_cst: as in caw__channel_watch */
        }
        caw__channel_unlock(c);
        caw_waker_wake(waker);
        if (tells) {
            caw__channel_tell(c);
        }
    }
}

/* The first poll, under the lock. CAW_PENDING: it waits from now on. */
static caw_poll
send_begin(caw_send_op *send, caw_waker waker, caw_waker *consumer, bool *tells)
{
    caw_channel *c = send->channel;
    if (c->closed) {
        return caw_future_finish(&send->future, CAW_ECLOSED);
    }
    if (c->waiting || !caw__channel_has_room(c)) {
        caw__channel_watch(c);
        if (c->waiting || !caw__channel_has_room(c)) {
            send->waker = caw_waker_clone(waker);
            send_link(c, send);
            return CAW_PENDING;
        }
    }
    caw__channel_append(c, send->item, tells);
    send->item = NULL;
    *consumer = caw__channel_take_waker(c);
    return caw_future_finish(&send->future, 0);
}

static caw_poll
send_poll(caw_future *f, caw_context *cx)
{
    caw_send_op *send = CAW_CONTAINER_OF(f, caw_send_op, future);
    caw_channel *c = send->channel;
    if (atomic_load_explicit(&f->word, memory_order_relaxed) & SEND_CANCELLED) { /* relaxed: set by this side */
        return caw_future_finish(f, CAW_ECANCELED);
    }
    if (!caw__channel_lock(c)) {
        return caw_future_finish(f, CAW_EFORKED);
    }
    caw_poll poll = CAW_READY;
    caw_waker consumer = CAW_WAKER_NONE, old = CAW_WAKER_NONE;
    bool tells = false;
    if (atomic_load_explicit(&f->word, memory_order_relaxed) & SEND_WAITING) { /* relaxed: under the lock */
        poll = CAW_PENDING;
        if (!caw_waker_same(send->waker, cx->waker)) {
            old = send->waker;
            send->waker = caw_waker_clone(cx->waker);
        }
    }
    else if (send->item && f->status == 0) {
        poll = send_begin(send, cx->waker, &consumer, &tells);
    }
    caw__channel_unlock(c);
    caw_waker_drop(old);
    caw_waker_wake(consumer);
    if (tells) {
        caw__channel_tell(c);
    }
    return poll;
}

/* Take it out of those that wait: the waker to wake or drop. */
static caw_waker
send_leave(caw_send_op *send, int status)
{
    caw_waker waker = CAW_WAKER_NONE;
    if (caw__channel_lock_to_end(send->channel)) {
        if (atomic_load_explicit(&send->future.word, memory_order_relaxed) & SEND_WAITING) { /* under the lock */
            waker = send_unlink(send->channel, send, status);
        }
        caw__channel_unlock(send->channel);
    }
    return waker;
}

static void
send_cancel(caw_future *f)
{
    caw_send_op *send = CAW_CONTAINER_OF(f, caw_send_op, future);
    caw_waker waker = send_leave(send, CAW_ECANCELED);
    if (f->status == 0 && send->item && !waker.ops) {
        atomic_store_explicit(&f->word, SEND_CANCELLED, memory_order_relaxed); /* before its first poll */
    }
    caw_waker_wake(waker);
}

static void
send_destroy(caw_future *f)
{
    caw_send_op *send = CAW_CONTAINER_OF(f, caw_send_op, future);
    caw_channel *c = send->channel;
    caw_waker_drop(send_leave(send, CAW_ECANCELED));
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
