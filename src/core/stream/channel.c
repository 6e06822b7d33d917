/* channel.c: the channel and its consumer's end; see stream/channel_shared.h for what the two sides share. */
#include "core/stream/channel_shared.h"

#include "core/os/fork.h"

#include <stdlib.h>

/* --- the lock, and the two sides --- */

bool
caw__channel_forked(const caw_channel *c)
{
    return c->forks != caw__fork_count();
}

bool
caw__channel_lock(caw_channel *c)
{
    if (caw__channel_forked(c)) {
        return false;
    }
    caw__mutex_lock(&c->lock);
    return true;
}

bool
caw__channel_lock_to_end(caw_channel *c)
{
    return caw__channel_lock(c) || caw__mutex_try_lock(&c->lock);
}

void
caw__channel_unlock(caw_channel *c)
{
    caw__mutex_unlock(&c->lock);
}

static void
channel_unref(caw_channel *c)
{
    /* acq_rel: all uses by others, before their release, come before the free. */
    if (atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    if (caw__channel_lock_to_end(c)) {
        caw_item_destroy_all(c->first);
        caw__channel_unlock(c);
        caw__mutex_fini(&c->lock);
    }
    if (c->spec.free) {
        c->spec.free(c->spec.user);
    }
    free(c);
}

/* --- pause and resume --- */

bool
caw__channel_turn(caw_channel *c, bool paused)
{
    c->paused = paused;
    bool tells = c->paused != c->told && !c->telling;
    c->telling |= tells;
    return tells;
}

void
caw__channel_tell(caw_channel *c)
{
    while (caw__channel_lock(c)) {
        bool paused = c->paused;
        if (paused == c->told || c->shut) {
            c->telling = false;
            caw__channel_unlock(c);
            return;
        }
        c->told = paused;
        caw__channel_unlock(c);
        void (*call)(void *) = paused ? c->spec.pause : c->spec.resume;
        if (call) {
            call(c->spec.user);
        }
    }
}

/* --- sending, under the lock --- */

void
caw__channel_look(caw_channel *c)
{
    /* seq_cst: see the race above. */
    c->seen = atomic_load_explicit(&c->received, memory_order_seq_cst);
}

bool
caw__channel_has_room(caw_channel *c)
{
    if (caw__channel_seen_length(c) >= c->spec.capacity) {
        caw__channel_look(c);
    }
    return caw__channel_seen_length(c) < c->spec.capacity;
}

void
caw__channel_watch(caw_channel *c)
{
    atomic_store_explicit(&c->watched, true, memory_order_seq_cst); /* seq_cst: see the race above */
    caw__channel_look(c);
}

void
caw__channel_append(caw_channel *c, caw_item *item, bool *tells)
{
    item->next = NULL;
    *c->last = item;
    c->last = &item->next;
    c->sent++;
    if (caw__channel_seen_length(c) < c->spec.high || c->paused || !(c->spec.pause || c->spec.resume)) {
        return;
    }
    caw__channel_look(c);
    if (caw__channel_seen_length(c) >= c->spec.high) {
        caw__channel_watch(c);
        *tells |= caw__channel_turn(c, caw__channel_seen_length(c) > c->spec.low);
    }
}

caw_waker
caw__channel_take_waker(caw_channel *c)
{
    caw_waker waker = caw__channel_forked(c) ? CAW_WAKER_NONE : c->waker;
    c->waker = CAW_WAKER_NONE;
    return waker;
}

int
caw_channel_try_send(caw_channel *c, caw_item *item)
{
    if (!caw__channel_lock(c)) {
        return CAW_EFORKED;
    }
    bool tells = false;
    caw_waker waker = CAW_WAKER_NONE;
    int status = c->closed ? CAW_ECLOSED : c->waiting || !caw__channel_has_room(c) ? -EAGAIN : 0;
    if (status == 0) {
        caw__channel_append(c, item, &tells);
        waker = caw__channel_take_waker(c);
    }
    caw__channel_unlock(c);
    caw_waker_wake(waker);
    if (tells) {
        caw__channel_tell(c);
    }
    return status;
}

/* --- the end --- */

/* Nothing goes in any more. False when that was so. `shuts`: by the consumer, who wants no items either. */
static bool
channel_end(caw_channel *c, int status, bool shuts, caw_item **rest)
{
    if (!(shuts ? caw__channel_lock_to_end(c) : caw__channel_lock(c))) {
        return false;
    }
    bool ends = !c->closed;
    if (ends) {
        c->closed = true;
        c->status = status;
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
    caw__channel_serve(c);
    return ends;
}

bool
caw_channel_close(caw_channel *c, int status)
{
    return channel_end(c, status, false, NULL);
}

/* --- the consumer's side --- */

static caw_channel *
channel_of(caw_stream *s)
{
    return CAW_CONTAINER_OF(s, caw_channel, stream);
}

/* There is nothing in `taken`: take what was sent. CAW_PENDING: there is nothing, and the waker is there. */
static caw_poll
channel_take(caw_channel *c, caw_waker waker, int *status)
{
    if (!caw__channel_lock(c)) {
        *status = CAW_EFORKED;
        return CAW_READY;
    }
    caw_poll poll = CAW_READY;
    caw_waker old = CAW_WAKER_NONE;
    c->taken = c->first;
    *status = c->status;
    if (c->first) {
        c->first = NULL;
        c->last = &c->first;
    }
    else if (!c->closed) {
        poll = CAW_PENDING;
        if (!caw_waker_same(c->waker, waker)) {
            old = c->waker;
            c->waker = caw_waker_clone(waker);
        }
    }
    caw__channel_unlock(c);
    caw_waker_drop(old);
    return poll;
}

/* The consumer has so many more: tell those who wait for room. */
static inline void
channel_receive(caw_channel *c, size_t n)
{
    size_t received = atomic_load_explicit(&c->received, memory_order_relaxed) + n; /* relaxed: only we write it */
    /* seq_cst, both: see the race in stream/channel_shared.h. */
    atomic_store_explicit(&c->received, received, memory_order_seq_cst);
    if (atomic_load_explicit(&c->watched, memory_order_seq_cst)) {
        caw__channel_serve(c);
    }
}

/* The first poll. */
static int
channel_start(caw_channel *c)
{
    c->starts = false;
    int status = c->spec.start(c, c->spec.user);
    if (status < 0) {
        (void)caw_channel_close(c, status);
        caw_channel_release(c);
    }
    return status < 0 ? status : 0;
}

static caw_poll
channel_poll_next(caw_stream *s, caw_context *cx, caw_item **out)
{
    caw_channel *c = channel_of(s);
    int status;
    if (c->starts && !caw__channel_forked(c) && (status = channel_start(c)) < 0) {
        return caw_stream_finish(s, status, out);
    }
    if (!c->taken) {
        if (channel_take(c, cx->waker, &status) == CAW_PENDING) {
            return CAW_PENDING;
        }
        if (!c->taken) {
            return caw_stream_finish(s, status, out);
        }
    }
    *out = c->taken;
    c->taken = c->taken->next;
    channel_receive(c, 1);
    return CAW_READY;
}

/* The consumer wants no more: destroy what is there. Twice is once. */
static void
channel_shut(caw_channel *c)
{
    caw_item *rest = NULL, *taken = c->taken;
    c->taken = NULL;
    bool ends = channel_end(c, CAW_ECANCELED, true, &rest);
    caw_item_destroy_all(taken);
    caw_item_destroy_all(rest);
    if (c->starts) {
        c->starts = false;
        caw_channel_release(c);
    }
    else if (ends && c->spec.cancel && !caw__channel_forked(c)) {
        c->spec.cancel(c->spec.user);
    }
}

static void
channel_cancel(caw_stream *s)
{
    channel_shut(channel_of(s));
}

static void
channel_destroy(caw_stream *s)
{
    channel_shut(channel_of(s));
    channel_unref(channel_of(s));
}

static const caw_stream_ops channel_ops = {"channel", channel_poll_next, channel_cancel, channel_destroy};

caw_item *
caw__channel_take_ready(caw_stream *s, size_t most, size_t *n, caw_item **end)
{
    caw_channel *c = channel_of(s);
    if (s->ops != &channel_ops || !c->taken) {
        return NULL;
    }
    caw_item *first = c->taken, *last = first;
    size_t taken = 1;
    for (; taken < most && last->next; taken++) {
        last = last->next;
    }
    c->taken = last->next;
    last->next = NULL;
    *n = taken;
    *end = last;
    channel_receive(c, taken);
    return first;
}

caw_stream *
caw_channel_stream(caw_channel *c)
{
    /* Relaxed, both: the reference is taken by who has one. */
    if (atomic_exchange_explicit(&c->has_consumer, true, memory_order_relaxed)) {
        return NULL;
    }
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return &c->stream;
}

/* --- birth, and the producers' references --- */

int
caw_channel_new(const caw_channel_spec *spec, caw_channel **out)
{
    bool has_marks = spec->high > 0 || spec->low > 0;
    if (spec->capacity == 0 || (has_marks && (spec->low >= spec->high || spec->high > spec->capacity))) {
        return CAW_EINVAL;
    }
    int error = caw__fork_watch();
    caw_channel *c = error ? NULL : calloc(1, sizeof *c);
    if (!c || caw__mutex_init(&c->lock) != 0) {
        free(c);
        return error ? error : CAW_ENOMEM;
    }
    c->spec = *spec;
    if (!has_marks) {
        c->spec.high = spec->capacity;
        c->spec.low = spec->capacity / 2;
    }
    c->forks = caw__fork_count();
    c->last = &c->first;
    c->starts = spec->start != NULL;
    caw_stream_init(&c->stream, &channel_ops);
    atomic_init(&c->refs, 1);
    atomic_init(&c->senders, 1);
    *out = c;
    return 0;
}

caw_channel *
caw_channel_retain(caw_channel *c)
{
    if (c) {
        atomic_fetch_add_explicit(&c->senders, 1, memory_order_relaxed); /* relaxed: the caller has a reference */
    }
    return c;
}

void
caw_channel_release(caw_channel *c)
{
    /* acq_rel: what the others sent comes before the close. */
    if (c && atomic_fetch_sub_explicit(&c->senders, 1, memory_order_acq_rel) == 1) {
        (void)caw_channel_close(c, 0);
        channel_unref(c);
    }
}

size_t
caw_channel_length(const caw_channel *channel)
{
    caw_channel *c = (caw_channel *)channel;
    size_t length = 0;
    if (caw__channel_lock(c)) {
        caw__channel_look(c);
        length = caw__channel_seen_length(c);
        caw__channel_unlock(c);
    }
    return length;
}
