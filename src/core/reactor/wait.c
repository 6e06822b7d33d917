/* wait.c: the part that all futures which wait on a reactor share.
 *
 * A wait has a poller and, while WAITING, a reactor that will end it. The reactor's lock decides: under it the phase
 * goes from WAITING to ENDED exactly once, and whoever did that takes the waker out and wakes it after unlocking. From
 * ENDED on the reactor does not know the wait any more, so the poller may free it at any moment.
 *
 * In a forked child the lock may be held for ever, and what it guards may be half written: there a wait is ready with
 * CAW_ECLOSED, its waker is neither woken nor dropped, and destroying it touches nothing of the parent's.
 */
#include "core/reactor/wait.h"

#include <stdlib.h>

static caw__wait *
wait_of(caw_future *f)
{
    return CAW_CONTAINER_OF(f, caw__wait, future);
}

void
caw__wait_init(caw__wait *w, const caw_future_ops *future_ops, const caw__wait_ops *ops)
{
    *w = (caw__wait){.ops = ops, .phase = CAW__WAIT_NEW};
    caw_future_init(&w->future, future_ops);
}

/* Enter the reactor of this place. 0: now WAITING, and the reactor may end it at once. */
static int
wait_enter(caw__wait *w, caw_reactor *r, caw_waker waker)
{
    if (!caw__reactor_lock(r)) {
        return CAW_ECLOSED;
    }
    w->reactor = r;
    int result = r->closed ? CAW_ECLOSED : w->ops->enter(w);
    if (result == 0) {
        w->waker = waker;
        w->phase = CAW__WAIT_WAITING;
    }
    else {
        w->reactor = NULL;
    }
    caw__reactor_unlock(r);
    return result;
}

static caw_poll
wait_begin(caw__wait *w, caw_context *cx)
{
    caw_future *f = &w->future;
    if (w->phase == CAW__WAIT_ENDED) { /* cancelled before it began */
        return caw_future_finish(f, w->status);
    }
    int error = CAW_ENOREACTOR;
    caw_reactor *r = caw_context_reactor(cx, &error);
    if (!r) {
        return caw_future_finish(f, error);
    }
    caw_waker waker = caw_waker_clone(cx->waker);
    int result = wait_enter(w, r, waker);
    if (result == 0) {
        caw_reactor_retain(r);
        return CAW_PENDING;
    }
    caw_waker_drop(waker);
    return caw_future_finish(f, result > 0 ? 0 : result);
}

caw_poll
caw__wait_poll(caw_future *f, caw_context *cx)
{
    caw__wait *w = wait_of(f);
    if (!w->reactor) {
        return wait_begin(w, cx);
    }
    caw_waker waker = caw_waker_clone(cx->waker);
    int status = CAW_ECLOSED;
    bool waiting = false;
    if (caw__reactor_lock(w->reactor)) {
        waiting = w->phase == CAW__WAIT_WAITING;
        status = w->status;
        if (waiting) {
            caw_waker old = w->waker;
            w->waker = waker;
            waker = old;
        }
        caw__reactor_unlock(w->reactor);
    }
    caw_waker_drop(waker);
    return waiting ? CAW_PENDING : caw_future_finish(f, status);
}

void
caw__wait_end(caw__wait *w, int status, caw__wakes *wakes)
{
    w->status = status;
    w->phase = CAW__WAIT_ENDED;
    wakes->wakers[wakes->length++] = w->waker;
    w->waker = CAW_WAKER_NONE;
}

void
caw__wait_cancel(caw_future *f)
{
    caw__wait *w = wait_of(f);
    if (!w->reactor) {
        w->status = CAW_ECANCELED;
        w->phase = CAW__WAIT_ENDED;
        return;
    }
    caw__wakes wakes;
    caw__wakes_init(&wakes);
    if (caw__reactor_lock(w->reactor)) {
        if (w->phase == CAW__WAIT_WAITING) {
            w->ops->leave(w);
            caw__wait_end(w, CAW_ECANCELED, &wakes);
        }
        caw__reactor_unlock(w->reactor);
    }
    caw__wakes_send(&wakes);
}

static void
wait_leave(caw__wait *w)
{
    caw_waker waker = CAW_WAKER_NONE;
    if (caw__reactor_lock(w->reactor)) {
        if (w->phase == CAW__WAIT_WAITING) {
            w->ops->leave(w);
            waker = w->waker;
        }
        caw__reactor_unlock(w->reactor);
    }
    caw_waker_drop(waker);
    caw_reactor_release(w->reactor);
}

void
caw__wait_destroy(caw_future *f)
{
    caw__wait *w = wait_of(f);
    if (w->reactor) {
        wait_leave(w);
    }
    free(w);
}
