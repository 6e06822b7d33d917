/* channel_shared.c: a channel's lock, sends that wait, pause and resume, and close: what both its sides use. */
#include "core/stream/channel_shared.h"

#include "core/os/compiler.h"

/* --- pause and resume --- */

const char *
caw__channel_thread(void)
{
    static CAW__THREAD_LOCAL char mark;
    return &mark;
}

/* Change `paused`. True: the caller has to call caw__channel_signal, after the lock. */
static bool
channel_turn(caw_channel *c, bool paused)
{
    c->paused = paused;
    bool signals = paused != c->signalled && !c->signalling;
    if (signals) {
        c->signalling = true;
        c->signaller = caw__channel_thread();
    }
    return signals;
}

/* The last call has returned: under the lock. If it was `pause`, the threads that send are told. */
static void
channel_tell(caw_channel *c)
{
    if (c->late && c->signalled && !c->told) {
        c->told = true;
        c->late[0] = c->signaller;
        c->n_late = 1;
    }
}

/* Whether this thread may have looked before `pause` returned. Once: it knows from then on. */
static bool
channel_is_late(caw_channel *c)
{
    const char *self = caw__channel_thread();
    for (uint32_t i = 0; i < c->n_late; i++) {
        if (c->late[i] == self) {
            return false;
        }
    }
    if (c->n_late == CAW__CHANNEL_LATE) {
        return false;
    }
    c->late[c->n_late++] = self;
    return true;
}

bool
caw__channel_goes_over(caw_channel *c)
{
    if (!c->late) {
        return false;
    }
    if (c->signalling && c->signaller == caw__channel_thread()) { /* in one of the callbacks */
        return caw__channel_seen_length(c) < c->spec.capacity + CAW__CHANNEL_INSIDE;
    }
    return !c->told || channel_is_late(c);
}

void
caw__channel_signal(caw_channel *c)
{
    while (caw__channel_lock(c)) {
        bool paused = c->paused;
        channel_tell(c);
        if (paused == c->signalled || c->shut) {
            c->signalling = false;
            caw__channel_unlock(c);
            return;
        }
        c->signalled = paused;
        c->told = false;
        caw__channel_unlock(c);
        void (*call)(void *) = paused ? c->spec.pause : c->spec.resume;
        if (call) {
            call(c->spec.user);
        }
    }
}

void
caw__channel_watch(caw_channel *c)
{
    atomic_store_explicit(&c->watched, true, memory_order_seq_cst); /* seq_cst: see the race in the header */
    caw__channel_look(c);
}

bool
caw__channel_fill(caw_channel *c)
{
    if (c->paused || !(c->spec.pause || c->spec.resume)) {
        return false;
    }
    caw__channel_look(c);
    if (caw__channel_seen_length(c) < c->spec.high) {
        return false;
    }
    caw__channel_watch(c);
    return channel_turn(c, caw__channel_seen_length(c) > c->spec.low);
}

/* --- sends that wait --- */

void
caw__channel_link(caw_channel *c, caw_send_op *send)
{
    send->next = NULL;
    send->previous = c->waiting_last;
    *(c->waiting_last ? &c->waiting_last->next : &c->waiting) = send;
    c->waiting_last = send;
    atomic_store_explicit(&send->future.word, CAW__SEND_WAITING, memory_order_relaxed); /* relaxed: under the lock */
}

caw_waker
caw__channel_unlink(caw_channel *c, caw_send_op *send, int status)
{
    *(send->previous ? &send->previous->next : &c->waiting) = send->next;
    *(send->next ? &send->next->previous : &c->waiting_last) = send->previous;
    send->future.status = status;
    atomic_store_explicit(&send->future.word, CAW__SEND_ENDED, memory_order_relaxed); /* relaxed: under the lock */
    caw_waker waker = caw__channel_forked(c) ? CAW_WAKER_NONE : send->waker;
    send->waker = CAW_WAKER_NONE;
    return waker;
}

/* Serve the send that waits longest, if it can be: under the lock. */
static bool
channel_serve_one(caw_channel *c, caw_waker *waker, bool *signals)
{
    caw_send_op *send = c->waiting;
    if (!send || (!c->closed && !caw__channel_has_room(c))) {
        return false;
    }
    if (!c->closed) {
        caw__channel_append(c, send->item, signals);
        send->item = NULL;
    }
    *waker = caw__channel_unlink(c, send, c->closed ? CAW_ECLOSED : 0);
    return true;
}

void
caw__channel_serve(caw_channel *c)
{
    bool served = true;
    while (served && caw__channel_lock(c)) {
        caw_waker waker = CAW_WAKER_NONE;
        bool signals = false;
        caw__channel_look(c);
        served = channel_serve_one(c, &waker, &signals); /* an item is for the consumer, which is who calls this */
        if (c->paused && caw__channel_seen_length(c) <= c->spec.low) {
            signals |= channel_turn(c, false);
        }
        if (!c->waiting && !c->paused) {
            atomic_store_explicit(&c->watched, false, memory_order_seq_cst); /* seq_cst: as in caw__channel_watch */
        }
        caw__channel_unlock(c);
        caw_waker_wake(waker);
        if (signals) {
            caw__channel_signal(c);
        }
    }
}

/* --- the end --- */

bool
caw__channel_end(caw_channel *c, int status, bool shuts, caw_item **rest)
{
    caw__detail *detail = status == CAW_EPYTHON ? caw__noted(status) : NULL; /* before the lock: it may call Python */
    if (!(shuts ? caw__channel_lock_to_end(c) : caw__channel_lock(c))) {
        caw__detail_release(detail);
        return false;
    }
    bool ends = !c->closed;
    if (ends) {
        c->closed = true;
        c->status = status;
        c->detail = detail;
    }
    if (shuts) {
        c->shut = true;
        *rest = c->first;
        c->first = NULL;
        c->last = &c->first;
        /* relaxed: who reads it for its effect has the lock */
        atomic_store_explicit(&c->received, c->sent, memory_order_relaxed);
    }
    caw_waker waker = caw__channel_take_waker(c);
    caw__channel_unlock(c);
    caw_waker_wake(waker);
    if (!ends) {
        caw__detail_release(detail);
    }
    caw__channel_serve(c);
    return ends;
}

bool
caw_channel_close(caw_channel *c, int status)
{
    return caw__channel_end(c, status, false, NULL);
}
