/* around.c: streams around one other stream: map, take, chunk.
 *
 * Nothing here is shared between threads: who polls the outer stream polls the inner one, with the same waker. The
 * inner stream is destroyed as soon as it is not polled again, and not first with the outer one, so that what it holds
 * (a channel, whose producers are to stop) does not wait for the owner.
 *
 * A poll that gives nothing, because map leaves items out or a chunk is not full, takes the next item at once. A stream
 * that always has one would never let go of the thread: after AROUND_RUN items the poll wakes itself and is pending.
 *
 * A stream may be around another one of these, and that one around the next. One call cancels or destroys all of them,
 * which needs no more C stack for many than for one.
 */
#include "core/stream/around.h"

#include "core/base/detail.h"

#include <stdlib.h>

#define AROUND_RUN 128

typedef struct around around;
struct around {
    caw_stream stream;
    caw_stream *inner;       /* NULL once it has ended, or was given up */
    bool cancelled;          /* inner was cancelled: that is done once */
    void (*free)(around *a); /* the inner stream is destroyed: free the rest */
};

static around *
around_of(caw_stream *s)
{
    return CAW_CONTAINER_OF(s, around, stream);
}

static void around_destroy(caw_stream *s);

static bool
around_is(const caw_stream *s)
{
    return s->ops->destroy == around_destroy;
}

/* Two tables for each: there is a cancel only where the inner stream has one. */
static void
around_init(around *a, caw_stream *inner, const caw_stream_ops *ops, const caw_stream_ops *ops_without_cancel,
            void (*free_)(around *a))
{
    caw_stream_init(&a->stream, inner->ops->cancel ? ops : ops_without_cancel);
    a->inner = inner;
    a->cancelled = false;
    a->free = free_;
}

/* The innermost stream first. On the way to it `inner` points to the outer one. */
static void
around_destroy(caw_stream *s)
{
    around *outer = NULL;
    while (s && around_is(s)) {
        around *a = around_of(s);
        s = a->inner;
        a->inner = outer ? &outer->stream : NULL;
        outer = a;
    }
    caw_stream_destroy(s);
    while (outer) {
        around *a = outer;
        outer = a->inner ? around_of(a->inner) : NULL;
        a->free(a);
    }
}

static void
around_cancel(caw_stream *s)
{
    around *a = around_of(s);
    while (a->inner && !a->cancelled) {
        a->cancelled = true;
        if (!around_is(a->inner)) {
            caw_stream_cancel(a->inner);
            return;
        }
        a = around_of(a->inner);
    }
}

/* The inner stream is not polled again. `stops`: it has not come to its end, and is cancelled. */
static void
around_leave(around *a, bool stops)
{
    if (stops) {
        around_cancel(&a->stream);
    }
    caw_stream *inner = a->inner;
    a->inner = NULL;
    caw_stream_destroy(inner);
}

/* The inner stream has ended: so does the outer. */
static caw_poll
around_finish(around *a, caw_item **out)
{
    int status = a->inner->status;
    around_leave(a, false);
    return caw_stream_finish(&a->stream, status, out);
}

/* The outer stream ends before the inner one. */
static caw_poll
around_fail(around *a, int status, caw_item **out)
{
    around_leave(a, true);
    return caw_stream_finish(&a->stream, status, out);
}

/* This poll has gone on for long enough. */
static caw_poll
around_yield(const caw_context *cx)
{
    caw_waker_wake_by_ref(cx->waker);
    return CAW_PENDING;
}

/* --- map --- */

typedef struct map {
    around around;
    int (*map)(void *user, caw_item *item, caw_item **out);
    void *user;
    void (*free)(void *user);
} map;

static caw_poll
map_poll_next(caw_stream *s, caw_context *cx, caw_item **out)
{
    map *m = CAW_CONTAINER_OF(around_of(s), map, around);
    for (int i = 0; i < AROUND_RUN; i++) {
        caw_item *item, *made = NULL;
        if (caw_stream_poll_next(m->around.inner, cx, &item) == CAW_PENDING) {
            return CAW_PENDING;
        }
        if (!item) {
            return around_finish(&m->around, out);
        }
        int status = m->map(m->user, item, &made);
        if (status != 0) {
            caw_item_destroy(made);
            return around_fail(&m->around, caw_error_from_return(s->ops->name, "map", status), out);
        }
        if (made) {
            *out = made;
            return CAW_READY;
        }
    }
    return around_yield(cx);
}

static void
map_free(around *a)
{
    map *m = CAW_CONTAINER_OF(a, map, around);
    if (m->free) {
        m->free(m->user);
    }
    free(m);
}

static const caw_stream_ops map_ops = {"map", map_poll_next, around_cancel, around_destroy, NULL};
static const caw_stream_ops map_ops_without_cancel = {"map", map_poll_next, NULL, around_destroy, NULL};

caw_stream *
caw_stream_map(caw_stream *stream, int (*map_)(void *user, caw_item *item, caw_item **out), void *user,
               void (*free_)(void *user))
{
    map *m = stream ? malloc(sizeof *m) : NULL;
    if (!m) {
        caw_stream_destroy(stream);
        if (free_) {
            free_(user);
        }
        return NULL;
    }
    around_init(&m->around, stream, &map_ops, &map_ops_without_cancel, map_free);
    m->map = map_;
    m->user = user;
    m->free = free_;
    return &m->around.stream;
}

/* --- take --- */

typedef struct take {
    around around;
    size_t left;
} take;

static caw_poll
take_poll_next(caw_stream *s, caw_context *cx, caw_item **out)
{
    take *t = CAW_CONTAINER_OF(around_of(s), take, around);
    if (t->left == 0) {
        return around_fail(&t->around, 0, out);
    }
    if (caw_stream_poll_next(t->around.inner, cx, out) == CAW_PENDING) {
        return CAW_PENDING;
    }
    if (!*out) {
        return around_finish(&t->around, out);
    }
    if (--t->left == 0) {
        around_leave(&t->around, true);
    }
    return CAW_READY;
}

static size_t
take_ready_items(caw_stream *s, size_t most, caw_item **first)
{
    take *t = CAW_CONTAINER_OF(around_of(s), take, around);
    if (t->left == 0 || !t->around.inner) {
        return 0;
    }
    size_t n = caw_stream_take_ready(t->around.inner, most < t->left ? most : t->left, first);
    t->left -= n;
    if (t->left == 0) {
        around_leave(&t->around, true);
    }
    return n;
}

static void
take_free(around *a)
{
    free(CAW_CONTAINER_OF(a, take, around));
}

static const caw_stream_ops take_ops = {"take", take_poll_next, around_cancel, around_destroy, take_ready_items};
static const caw_stream_ops take_ops_without_cancel = {"take", take_poll_next, NULL, around_destroy, take_ready_items};

caw_stream *
caw_stream_take(caw_stream *stream, size_t n)
{
    take *t = stream ? malloc(sizeof *t) : NULL;
    if (!t) {
        caw_stream_destroy(stream);
        return NULL;
    }
    around_init(&t->around, stream, &take_ops, &take_ops_without_cancel, take_free);
    t->left = n;
    return &t->around.stream;
}

/* --- chunk --- */

typedef struct chunk {
    around around;
    size_t size;
    caw_chunk_item *items; /* those that wait for the others; NULL: none */
    caw_item **last;       /* where the next one goes; with items */
    caw__detail *detail;   /* of the end that is still to be told: a reference, or NULL */
} chunk;

static void
items_destroy(caw_item *item)
{
    caw_chunk_item *items = CAW_CONTAINER_OF(item, caw_chunk_item, item);
    caw_item_destroy_all(items->first);
    free(items);
}

/* Have a group to put items in. */
static bool
chunk_begin(chunk *c)
{
    if (!c->items) {
        c->items = malloc(sizeof *c->items);
        if (!c->items) {
            return false;
        }
        *c->items = (caw_chunk_item){.item = {.destroy = items_destroy}};
        c->last = &c->items->first;
    }
    return true;
}

static void
chunk_put(chunk *c, caw_item *item)
{
    item->next = NULL;
    *c->last = item;
    c->last = &item->next;
    c->items->length++;
}

static caw_poll
chunk_give(chunk *c, caw_item **out)
{
    *out = &c->items->item;
    c->items = NULL;
    return CAW_READY;
}

/* The inner stream has ended. The poll that gives what came before is not the one that says so. */
static caw_poll
chunk_end(chunk *c, caw_item **out)
{
    c->around.stream.status = c->around.inner->status;
    around_leave(&c->around, false);
    if (c->items->length > 0) {
        c->detail = c->around.stream.status < 0 ? caw__noted(c->around.stream.status) : NULL;
        return chunk_give(c, out);
    }
    return caw_stream_finish(&c->around.stream, c->around.stream.status, out);
}

static caw_poll
chunk_poll_next(caw_stream *s, caw_context *cx, caw_item **out)
{
    chunk *c = CAW_CONTAINER_OF(around_of(s), chunk, around);
    if (!c->around.inner) {
        if (c->detail) {
            caw__note(cx, c->detail, s->status);
        }
        return caw_stream_finish(s, s->status, out);
    }
    if (c->size == 0) {
        return around_fail(&c->around, CAW_EINVAL, out);
    }
    if (!chunk_begin(c)) {
        return around_fail(&c->around, CAW_ENOMEM, out);
    }
    for (int i = 0; i < AROUND_RUN; i++) {
        caw_item *item;
        if (caw_stream_poll_next(c->around.inner, cx, &item) == CAW_PENDING) {
            return CAW_PENDING;
        }
        if (!item) {
            return chunk_end(c, out);
        }
        chunk_put(c, item);
        if (c->items->length == c->size) {
            return chunk_give(c, out);
        }
    }
    return around_yield(cx);
}

static void
chunk_free(around *a)
{
    chunk *c = CAW_CONTAINER_OF(a, chunk, around);
    caw_item_destroy(c->items ? &c->items->item : NULL);
    caw__detail_release(c->detail);
    free(c);
}

static const caw_stream_ops chunk_ops = {"chunk", chunk_poll_next, around_cancel, around_destroy, NULL};
static const caw_stream_ops chunk_ops_without_cancel = {"chunk", chunk_poll_next, NULL, around_destroy, NULL};

caw_stream *
caw_stream_chunk(caw_stream *stream, size_t n)
{
    chunk *c = stream ? malloc(sizeof *c) : NULL;
    if (!c) {
        caw_stream_destroy(stream);
        return NULL;
    }
    around_init(&c->around, stream, &chunk_ops, &chunk_ops_without_cancel, chunk_free);
    c->size = n;
    c->items = NULL;
    c->detail = NULL;
    return &c->around.stream;
}

caw_stream *
caw__around_inner(caw_stream *s)
{
    return around_is(s) ? around_of(s)->inner : NULL;
}
