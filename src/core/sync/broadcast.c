/* broadcast.c: items to many readers, each of which gets all that it can keep up with.
 *
 * Promise. Each reader gets the items that are sent while it is there, in order, but for those that were overwritten
 * before it came to them, and these are counted. An item is destroyed once, when nobody can get it any more and all who
 * got it have let it go. A send allocates, and a receive does not: so nothing is lost for want of memory.
 *
 * Words. All of a broadcast, and `taken` of a slot, are guarded by the lock of the broadcast's address, but for `refs`
 * and `senders`, which are atomic. `at` and `cancelled` are the reader's own.
 *
 * A slot has an item for each reader that there was when it was sent. One that gets it takes the next of them, which is
 * then a reference to the slot; the last one takes over the ring's. A reader that is destroyed, or misses it, takes
 * none, and the slot stays in the ring until it is overwritten. Readers that come later begin behind it. So whoever
 * looks for the item of a slot finds one.
 */
#include "cawait/exchange.h"

#include "core/sync/waiters.h"

#include <stdatomic.h>
#include <stdlib.h>

struct caw_broadcast_slot {
    _Atomic uint32_t refs;
    caw_item *value;
    size_t n, taken; /* items: for how many readers; and how many are given */
    caw_broadcast_item items[];
};

struct caw_broadcast {
    caw_waiters waiters; /* readers that wait for an item */
    unsigned forks;      /* caw__fork_count when it was made */
    _Atomic uint32_t refs, senders;
    size_t readers;
    uint64_t sent; /* how many ever; the next goes to this place, modulo the capacity */
    int status;    /* with closed */
    bool closed;
    size_t capacity;
    caw_broadcast_slot *ring[];
};

typedef struct broadcast_reader {
    caw_stream stream;
    caw_waiter waiter; /* idle unless it is pending */
    caw_broadcast *broadcast;
    uint64_t at; /* which item is next */
    bool cancelled;
} broadcast_reader;

/* --- slots --- */

static caw_broadcast_slot *
slot_new(size_t n)
{
    caw_broadcast_slot *slot = NULL;
    if (n <= (SIZE_MAX - sizeof *slot) / sizeof *slot->items) {
        slot = malloc(sizeof *slot + n * sizeof *slot->items);
    }
    if (slot) {
        atomic_init(&slot->refs, 1);
        slot->value = NULL;
        slot->n = n;
        slot->taken = 0;
    }
    return slot;
}

/* NULL is allowed. */
static void
slot_release(caw_broadcast_slot *slot)
{
    /* acq_rel: all uses by others, before their release, come before the free. */
    if (slot && atomic_fetch_sub_explicit(&slot->refs, 1, memory_order_acq_rel) == 1) {
        caw_item_destroy(slot->value);
        free(slot);
    }
}

static void
slot_item_destroy(caw_item *item)
{
    slot_release(CAW_CONTAINER_OF(item, caw_broadcast_item, item)->slot);
}

/* --- the broadcast --- */

static bool
broadcast_is_foreign(const caw_broadcast *b)
{
    return b->forks != caw__fork_count();
}

static void
broadcast_unref(caw_broadcast *b)
{
    /* acq_rel: all uses by others, before their release, come before the free. */
    if (atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < b->capacity; i++) {
        slot_release(b->ring[i]);
    }
    free(b);
}

int
caw_broadcast_new(size_t capacity, caw_broadcast **out)
{
    caw_broadcast *b = NULL;
    *out = NULL;
    if (capacity == 0) {
        return CAW_EINVAL;
    }
    if (capacity <= (SIZE_MAX - sizeof *b) / sizeof *b->ring && caw__fork_watch() == 0 && caw__address_watch() == 0) {
        b = calloc(1, sizeof *b + capacity * sizeof *b->ring);
    }
    if (!b) {
        return CAW_ENOMEM;
    }
    caw__waiters_init(&b->waiters);
    b->forks = caw__fork_count();
    atomic_init(&b->refs, 1);
    atomic_init(&b->senders, 1);
    b->capacity = capacity;
    *out = b;
    return 0;
}

caw_broadcast *
caw_broadcast_retain(caw_broadcast *b)
{
    if (b) {
        atomic_fetch_add_explicit(&b->senders, 1, memory_order_relaxed); /* relaxed: the caller has a reference */
    }
    return b;
}

void
caw_broadcast_release(caw_broadcast *b)
{
    /* acq_rel: what the others sent comes before the close. */
    if (b && atomic_fetch_sub_explicit(&b->senders, 1, memory_order_acq_rel) == 1) {
        (void)caw_broadcast_close(b, 0);
        broadcast_unref(b);
    }
}

bool
caw_broadcast_close(caw_broadcast *b, int status)
{
    caw_line woken = CAW__LINE_EMPTY;
    caw__waiters_lock(&b->waiters);
    bool closes = !b->closed;
    if (closes) {
        b->closed = true;
        b->status = status;
        caw__waiters_end_all(&b->waiters, 0, &woken);
    }
    caw__waiters_unlock(&b->waiters, &woken);
    return closes;
}

/* --- to send --- */

/* Put the slot into the ring: under the lock. Gives the one that was there. */
static caw_broadcast_slot *
broadcast_put(caw_broadcast *b, caw_broadcast_slot *slot, caw_item *value, caw_line *woken)
{
    slot->value = value;
    slot->n = b->readers; /* some may have gone since it was made */
    caw_broadcast_slot **place = &b->ring[b->sent++ % b->capacity], *old = *place;
    *place = slot;
    caw__waiters_end_all(&b->waiters, 0, woken);
    return old;
}

/* Take the lock when there is a slot in *slot that is large enough; or an error, or no readers. */
static int
broadcast_prepare(caw_broadcast *b, caw_broadcast_slot **slot)
{
    for (;;) {
        caw__waiters_lock(&b->waiters);
        size_t n = b->readers;
        if (b->closed) {
            return CAW_ECLOSED;
        }
        if (n == 0 || (*slot && (*slot)->n >= n)) {
            return 0;
        }
        caw__address_unlock(&b->waiters);
        slot_release(*slot);
        *slot = slot_new(n);
        if (!*slot) {
            caw__waiters_lock(&b->waiters);
            return CAW_ENOMEM;
        }
    }
}

int
caw_broadcast_send(caw_broadcast *b, caw_item *item)
{
    if (broadcast_is_foreign(b)) {
        caw_item_destroy(item);
        return CAW_EFORKED;
    }
    caw_line woken = CAW__LINE_EMPTY;
    caw_broadcast_slot *slot = NULL;
    int error = broadcast_prepare(b, &slot);
    if (!error && b->readers > 0) {
        slot = broadcast_put(b, slot, item, &woken);
        item = NULL;
    }
    caw__waiters_unlock(&b->waiters, &woken);
    slot_release(slot); /* the one before it, or one that is not needed */
    caw_item_destroy(item);
    return error;
}

/* --- readers --- */

static broadcast_reader *
reader_of(caw_stream *s)
{
    return CAW_CONTAINER_OF(s, broadcast_reader, stream);
}

/* The next item, or NULL: under the lock. */
static caw_item *
reader_take(broadcast_reader *r)
{
    caw_broadcast *b = r->broadcast;
    uint64_t missed = b->sent - r->at > b->capacity ? b->sent - r->at - b->capacity : 0;
    r->at += missed;
    if (r->at == b->sent) {
        return NULL;
    }
    caw_broadcast_slot **place = &b->ring[r->at++ % b->capacity], *slot = *place;
    caw_broadcast_item *item = &slot->items[slot->taken++];
    *item = (caw_broadcast_item){{NULL, slot_item_destroy}, slot->value, missed, slot};
    if (slot->taken == slot->n) {
        *place = NULL;
    }
    else {
        atomic_fetch_add_explicit(&slot->refs, 1, memory_order_relaxed); /* relaxed: the ring has a reference */
    }
    return &item->item;
}

static int
reader_begin(caw_waiter *w, caw_line *woken)
{
    (void)woken;
    const broadcast_reader *r = CAW_CONTAINER_OF(w, broadcast_reader, waiter);
    return r->at == r->broadcast->sent && !r->broadcast->closed ? CAW__BEGIN_WAITS : CAW__BEGIN_OVER;
}

static const caw__waiter_ops reader_wait_ops = {reader_begin, NULL};

/* CAW_READY, with an item or at the end; or nothing is there. */
static caw_poll
reader_look(broadcast_reader *r, caw_item **out)
{
    caw_broadcast *b = r->broadcast;
    caw__waiters_lock(&b->waiters);
    *out = reader_take(r);
    bool is_closed = b->closed;
    int status = b->status;
    caw__address_unlock(&b->waiters);
    if (!*out && is_closed) {
        return caw_stream_finish(&r->stream, status, out);
    }
    return *out ? CAW_READY : CAW_PENDING;
}

static caw_poll
reader_poll_next(caw_stream *s, caw_context *cx, caw_item **out)
{
    broadcast_reader *r = reader_of(s);
    if (r->cancelled || broadcast_is_foreign(r->broadcast)) {
        return caw_stream_finish(s, r->cancelled ? CAW_ECANCELED : CAW_EFORKED, out);
    }
    while (reader_look(r, out) == CAW_PENDING) {
        int status;
        if (!r->waiter.waits) {
            caw__waiter_init(&r->waiter, &r->broadcast->waiters);
        }
        if (caw__waiter_poll(&r->waiter, cx, &reader_wait_ops, &status) == CAW_PENDING) {
            return CAW_PENDING;
        }
        caw__waiter_leave(&r->waiter, &reader_wait_ops);
    }
    return CAW_READY;
}

static void
reader_cancel(caw_stream *s)
{
    broadcast_reader *r = reader_of(s);
    r->cancelled = true;
    if (r->waiter.waits) {
        caw__waiter_cancel(&r->waiter, &reader_wait_ops);
    }
}

static void
reader_destroy(caw_stream *s)
{
    broadcast_reader *r = reader_of(s);
    caw_broadcast *b = r->broadcast;
    caw__waiter_leave(&r->waiter, &reader_wait_ops);
    caw__address_lock(&b->waiters);
    b->readers--;
    caw__address_unlock(&b->waiters);
    free(r);
    broadcast_unref(b);
}

static const caw_stream_ops reader_ops = {"broadcast", reader_poll_next, reader_cancel, reader_destroy, NULL};

caw_stream *
caw_broadcast_reader(caw_broadcast *b)
{
    broadcast_reader *r = broadcast_is_foreign(b) ? NULL : calloc(1, sizeof *r);
    if (!r) {
        return NULL;
    }
    caw_stream_init(&r->stream, &reader_ops);
    r->broadcast = b;
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed); /* relaxed: the caller has a reference */
    caw__waiters_lock(&b->waiters);
    b->readers++;
    r->at = b->sent;
    caw__address_unlock(&b->waiters);
    return &r->stream;
}
