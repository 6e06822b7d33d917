/* oneshot.c: one item from one sender to one receiver, each in memory of its own.
 *
 * Promise. An item that is sent is received or destroyed, once. Whoever ends first leaves nothing behind that leads to
 * its memory.
 *
 * Words. All are guarded by the lock of the receiver's address, but for `forks` of both and the sender's `address`,
 * which are constant. The two ends point to each other until one of them has ended, which clears both pointers.
 *
 * The race that looks bad: the sender looks for the receiver while that is destroyed, and its memory goes. The sender
 * reads its pointer under a lock that it finds by the address alone, so either it finds NULL, or the receiver waits for
 * that lock before it goes.
 *
 * In a forked child the other end may be on the stack of a thread that is not there: nobody looks at it.
 */
#include "cawait/exchange.h"

#include "core/os/address_lock.h"
#include "core/os/fork.h"

/* --- under the lock --- */

/* The pair is parted: the receiver's wait is over with this result. Gives its waker. */
static caw_waker
oneshot_part(caw_oneshot *o, int result)
{
    if (o->sender) {
        o->sender->receiver = NULL;
        o->sender = NULL;
    }
    o->is_over = true;
    o->result = result;
    caw_waker waker = o->waker;
    o->waker = CAW_WAKER_NONE;
    return waker;
}

/* --- the receiver --- */

static caw_oneshot *
oneshot_of(caw_future *f)
{
    return CAW_CONTAINER_OF(f, caw_oneshot, future);
}

static caw_poll
oneshot_poll(caw_future *f, caw_context *cx)
{
    caw_oneshot *o = oneshot_of(f);
    int error = caw__fork_watch();
    error = error ? error : caw__address_watch();
    if (error || o->forks != caw__fork_count()) {
        return caw_future_finish(f, error ? error : CAW_EFORKED);
    }
    caw_waker old = CAW_WAKER_NONE;
    caw__address_lock(o);
    bool is_over = o->is_over;
    f->status = o->result;
    if (!is_over && !caw_waker_same(o->waker, cx->waker)) {
        old = o->waker;
        o->waker = caw_waker_clone(cx->waker);
    }
    caw__address_unlock(o);
    caw_waker_drop(old);
    return is_over ? CAW_READY : CAW_PENDING;
}

/* Gives the waker, to wake or drop. */
static caw_waker
oneshot_leave(caw_oneshot *o)
{
    caw_waker waker = CAW_WAKER_NONE;
    if (o->forks == caw__fork_count()) {
        caw__address_lock(o);
        if (!o->is_over) {
            waker = oneshot_part(o, CAW_ECANCELED);
        }
        caw__address_unlock(o);
    }
    return waker;
}

static void
oneshot_cancel(caw_future *f)
{
    caw_waker_wake(oneshot_leave(oneshot_of(f)));
}

static void
oneshot_destroy(caw_future *f)
{
    caw_oneshot *o = oneshot_of(f);
    caw_waker_drop(oneshot_leave(o));
    caw_item *item = o->item;
    o->item = NULL;
    caw_item_destroy(item);
}

static const caw_future_ops oneshot_ops = {"oneshot", oneshot_poll, oneshot_cancel, oneshot_destroy};

/* --- both --- */

caw_future *
caw_oneshot_init(caw_oneshot *o, caw_oneshot_sender *sender)
{
    caw_future_init(&o->future, &oneshot_ops);
    o->item = NULL;
    o->sender = sender;
    o->waker = CAW_WAKER_NONE;
    o->result = 0;
    o->forks = sender->forks = caw__fork_count();
    o->is_over = false;
    sender->receiver = o;
    sender->address = o;
    return &o->future;
}

/* --- the sender --- */

/* End it, with an item or without. False: there is no receiver. */
static bool
sender_end(caw_oneshot_sender *sender, caw_item *item)
{
    caw_waker waker = CAW_WAKER_NONE;
    const void *address = sender->address;
    caw__address_lock(address);
    caw_oneshot *o = sender->receiver;
    if (o) {
        o->item = item;
        waker = oneshot_part(o, item ? 0 : CAW_ECLOSED);
    }
    caw__address_unlock(address);
    caw_waker_wake(waker);
    return o != NULL;
}

int
caw_oneshot_send(caw_oneshot_sender *sender, caw_item *item)
{
    int error = !item ? CAW_EINVAL : CAW_ECLOSED;
    if (sender->address && sender->forks != caw__fork_count()) {
        error = CAW_EFORKED;
    }
    else if (sender->address && sender_end(sender, item) && item) {
        error = 0;
    }
    sender->address = NULL;
    if (error) {
        caw_item_destroy(item);
    }
    return error;
}

void
caw_oneshot_drop(caw_oneshot_sender *sender)
{
    if (sender->address && sender->forks == caw__fork_count()) {
        (void)sender_end(sender, NULL);
    }
    sender->address = NULL;
}

bool
caw_oneshot_is_abandoned(const caw_oneshot_sender *sender)
{
    bool is_abandoned = true;
    if (sender->address && sender->forks == caw__fork_count()) {
        caw__address_lock(sender->address);
        is_abandoned = !sender->receiver;
        caw__address_unlock(sender->address);
    }
    return is_abandoned;
}
