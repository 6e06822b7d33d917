/* channel.c: the birth of a channel, its references, and its consumer's end. */
#include "core/base/block.h"
#include "core/os/thread.h"
#include "core/stream/channel_shared.h"

#include "core/os/compiler.h"

#include <stdlib.h>

/* --- the consumer's side --- */

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
    caw__detail_release(c->detail);
    free(c);
}

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
        c->poller = caw__block_worker() ? 0 : caw__thread_number();
        if (!caw_waker_same(c->waker, waker)) {
            old = c->waker;
            c->waker = caw_waker_clone(waker);
        }
    }
    caw__channel_unlock(c);
    caw_waker_drop(old);
    return poll;
}

/* It was closed with this status, and is empty. Nothing changes `detail` any more. */
static CAW__APART caw_poll
channel_finish(caw_channel *c, const caw_context *cx, int status, caw_item **out)
{
    if (status < 0 && status != CAW_EFORKED && c->detail) {
        caw__note(cx, c->detail, status);
    }
    return caw_stream_finish(&c->stream, status, out);
}

/* The consumer has so many more. True: somebody waits for room, and has to be served. */
static inline bool
channel_receive(caw_channel *c, size_t n)
{
    /* seq_cst, both: see the race in stream/channel_shared.h. */
    atomic_fetch_add_explicit(&c->received, n, memory_order_seq_cst);
    return atomic_load_explicit(&c->watched, memory_order_seq_cst);
}

/* The first poll. */
static int
channel_start(caw_channel *c)
{
    c->starts = false;
    int status = c->spec.start(c, c->spec.user);
    if (status != 0) {
        status = caw_error_from_return(c->stream.ops->name, "start", status);
        (void)caw_channel_close(c, status);
        caw_channel_release(c);
    }
    return status;
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
            return channel_finish(c, cx, status, out);
        }
    }
    *out = c->taken;
    c->taken = c->taken->next;
    if (channel_receive(c, 1)) {
        caw__channel_serve(c);
    }
    return CAW_READY;
}

/* The consumer takes no more: destroy what is there. Twice is once. */
static void
channel_shut(caw_channel *c)
{
    caw_item *rest = NULL, *taken = c->taken;
    c->taken = NULL;
    bool ends = caw__channel_end(c, CAW_ECANCELED, true, &rest);
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

/* Apart, so that what comes before it saves no registers. */
static CAW__SLOW size_t
channel_serve_after(caw_channel *c, size_t n)
{
    caw__channel_serve(c);
    return n;
}

/* Of what the consumer has taken out of the list: for more, the lock is needed. */
static size_t
channel_take_ready(caw_stream *s, size_t most, caw_item **first)
{
    caw_channel *c = channel_of(s);
    caw_item *last = c->taken;
    if (!last) {
        return 0;
    }
    *first = last;
    size_t n = 1;
    for (; n < most && last->next; n++) {
        last = last->next;
    }
    c->taken = last->next;
    last->next = NULL;
    return channel_receive(c, n) ? channel_serve_after(c, n) : n;
}

static const caw_stream_ops channel_ops = {"channel", channel_poll_next, channel_cancel, channel_destroy,
                                           channel_take_ready};

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

static bool
channel_has_marks(const caw_channel_spec *spec)
{
    return spec->high > 0 || spec->low > 0;
}

static bool
channel_spec_is_valid(const caw_channel_spec *spec)
{
    bool marks_are_valid = spec->low < spec->high && spec->high <= spec->capacity;
    return spec->capacity > 0 && (marks_are_valid || !channel_has_marks(spec));
}

/* The memory, with a lock in it. */
static int
channel_alloc(const caw_channel_spec *spec, caw_channel **out)
{
    int error = caw__fork_watch();
    if (error) {
        return error;
    }
    caw_channel *c = calloc(1, sizeof *c + (spec->pause ? CAW__CHANNEL_LATE * sizeof *c->late : 0));
    error = c ? caw__mutex_init(&c->lock) : CAW_ENOMEM;
    if (error) {
        free(c);
        return error;
    }
    c->late = spec->pause ? (const char **)(void *)(c + 1) : NULL;
    *out = c;
    return 0;
}

int
caw_channel_new(const caw_channel_spec *spec, caw_channel **out)
{
    *out = NULL;
    caw_channel *c = NULL;
    int error = channel_spec_is_valid(spec) ? channel_alloc(spec, &c) : CAW_EINVAL;
    if (error) {
        if (spec->free) {
            spec->free(spec->user);
        }
        return error;
    }
    c->spec = *spec;
    if (!channel_has_marks(spec)) {
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
