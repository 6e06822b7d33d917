/* combined.c: futures around others, and streams around another one, as an author would write them. */
#include "ext.h"

#include <stdlib.h>

/* --- several children, each polled with the waker of the whole, which is all right for calls --- */

typedef struct several {
    caw_future future;
    char kind; /* 'r'ace: the first that ends; 'j'oin: all, with the first error */
    int status;
    caw_future *children[2];
} several;

static caw_poll
several_poll(caw_future *f, caw_context *cx)
{
    several *s = CAW_CONTAINER_OF(f, several, future);
    bool pending = false;
    for (int i = 0; i < 2; i++) {
        if (s->children[i] && caw_future_poll(s->children[i], cx) == CAW_READY) {
            int status = s->children[i]->status;
            s->status = s->status < 0 ? s->status : status;
            if (s->kind == 'r') {
                return caw_future_finish(f, status);
            }
            caw_future_destroy(s->children[i]);
            s->children[i] = NULL;
        }
        pending = pending || s->children[i];
    }
    return pending ? CAW_PENDING : caw_future_finish(f, s->status);
}

static void
several_destroy(caw_future *f)
{
    several *s = CAW_CONTAINER_OF(f, several, future);
    caw_future_destroy(s->children[0]);
    caw_future_destroy(s->children[1]);
    free(s);
    atomic_fetch_sub(&ext_live_futures, 1);
}

static const caw_future_ops several_ops = {"test.several", several_poll, NULL, several_destroy};

caw_future *
ext_several(char kind, caw_future *first, caw_future *second)
{
    several *s = calloc(1, sizeof *s);
    if (!s || !first || !second) {
        abort();
    }
    caw_future_init(&s->future, &several_ops);
    s->kind = kind;
    s->children[0] = first;
    s->children[1] = second;
    atomic_fetch_add(&ext_live_futures, 1);
    return &s->future;
}

/* --- streams --- */

/* The next item of a stream that it owns: the first after `skip` others. */
typedef struct owning_next {
    caw_future future;
    caw_stream *stream;
    int skip;
} owning_next;

static caw_poll
owning_next_poll(caw_future *f, caw_context *cx)
{
    owning_next *n = CAW_CONTAINER_OF(f, owning_next, future);
    for (;;) {
        caw_item *item;
        if (caw_stream_poll_next(n->stream, cx, &item) == CAW_PENDING) {
            return CAW_PENDING;
        }
        if (!item || n->skip-- == 0) {
            int status = item ? 0 : n->stream->status;
            caw_item_destroy(item);
            return caw_future_finish(f, status);
        }
        caw_item_destroy(item);
    }
}

static void
owning_next_destroy(caw_future *f)
{
    owning_next *n = CAW_CONTAINER_OF(f, owning_next, future);
    caw_stream_destroy(n->stream);
    free(n);
    atomic_fetch_sub(&ext_live_futures, 1);
}

static const caw_future_ops owning_next_ops = {"test.next", owning_next_poll, NULL, owning_next_destroy};

caw_future *
ext_next_of(caw_stream *stream)
{
    owning_next *n = malloc(sizeof *n);
    if (!n || !stream) {
        abort();
    }
    caw_future_init(&n->future, &owning_next_ops);
    n->stream = stream;
    n->skip = 8;
    atomic_fetch_add(&ext_live_futures, 1);
    return &n->future;
}

static int
map_through(void *Py_UNUSED(user), caw_item *item, caw_item **out)
{
    *out = item;
    return 0;
}

/* Three streams around one. With chunks the end comes after a last one that is not full. */
caw_stream *
ext_around(caw_stream *stream)
{
    caw_stream *mapped = caw_stream_map(stream, map_through, NULL, NULL);
    return caw_stream_take(caw_stream_chunk(caw_stream_merge(&mapped, 1), 2), 100);
}
