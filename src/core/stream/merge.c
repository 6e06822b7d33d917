/* merge.c: the items of many streams, each as it comes.
 *
 * Promise. A child is polled first when the merge is, and after that only when it was woken or has just given an item.
 * Whoever gave an item goes to the end of the line, so each that has one gives one in n. The first error ends the
 * merge, and the others are cancelled and destroyed in that same poll.
 *
 * The line is a wake set, whose essay (wake_set.c) says what threads share. All else is the owner's. The set, its
 * children and the merge are one block of memory, which stays as long as there are wakers of the children.
 *
 * In a forked child a merge ends with CAW_EFORKED.
 */
#include "cawait/stream.h"

#include "core/base/detail.h"
#include "core/base/wake_set.h"

#include <stdlib.h>

typedef struct merge merge;

typedef struct merge_child {
    caw__wake_child wake;
    caw_stream *stream; /* NULL once it has ended, or was given up */
    bool cancelled;     /* cancel was called */
} merge_child;

struct merge {
    caw_stream stream;
    caw__counted memory; /* one reference of the owner, one of each clone of a child's waker */
    caw__wake_set set;
    caw__wake_child *again; /* has given an item: goes to the end of the line with the next poll */
    bool cancelled;
    size_t live, n;      /* children that have a stream; and all of them */
    merge *next_in_list; /* while one that this is a part of is cancelled or destroyed */
    merge_child children[];
};

static void
merge_free(caw__counted *memory)
{
    merge *m = CAW_CONTAINER_OF(memory, merge, memory);
    caw__wake_set_fini(&m->set);
    free(m);
}

static merge *
merge_of(caw_stream *s)
{
    return CAW_CONTAINER_OF(s, merge, stream);
}

static void
merge_leave(merge *m, merge_child *child)
{
    caw_stream *stream = child->stream;
    child->stream = NULL;
    m->live--;
    caw_stream_destroy(stream);
}

static void
merge_cancel_child(merge_child *child)
{
    if (!child->cancelled) {
        child->cancelled = true;
        caw_stream_cancel(child->stream);
    }
}

/* The first error: the others are not polled again. All are cancelled before the first is destroyed, to stop at the
 * same time. */
static caw_poll
merge_fail(merge *m, int status, caw_item **out)
{
    for (size_t i = 0; i < m->n; i++) {
        if (m->children[i].stream) {
            merge_cancel_child(&m->children[i]);
        }
    }
    for (size_t i = 0; i < m->n; i++) {
        if (m->children[i].stream) {
            merge_leave(m, &m->children[i]);
        }
    }
    return caw_stream_finish(&m->stream, status, out);
}

/* Poll one child. CAW_PENDING: nothing came of it. */
static caw_poll
merge_poll_child(merge *m, merge_child *child, const caw_context *cx, caw_item **out)
{
    caw_context own = caw__wake_child_context(&child->wake, cx);
    if (!child->stream || caw_stream_poll_next(child->stream, &own, out) == CAW_PENDING) {
        return CAW_PENDING; /* no stream: a wake that came after its end */
    }
    if (*out) {
        m->again = &child->wake;
        return CAW_READY;
    }
    int status = caw__note_end(cx, child->stream->status);
    merge_leave(m, child);
    return status < 0 && !m->cancelled ? merge_fail(m, status, out) : CAW_PENDING;
}

static caw_poll
merge_poll_next(caw_stream *s, caw_context *cx, caw_item **out)
{
    merge *m = merge_of(s);
    /* Each once, and one more look at the line: children that wake themselves would keep this thread for ever. */
    for (size_t i = 0; m->live > 0 && i <= m->n; i++) {
        int error = 0;
        caw__wake_child *next = caw__wake_set_next(&m->set, m->again, cx->waker, &error);
        m->again = NULL;
        if (!next) {
            return error ? merge_fail(m, error, out) : CAW_PENDING;
        }
        if (merge_poll_child(m, CAW_CONTAINER_OF(next, merge_child, wake), cx, out) == CAW_READY) {
            return CAW_READY;
        }
    }
    if (m->live == 0) {
        return caw_stream_finish(s, m->cancelled ? CAW_ECANCELED : 0, out);
    }
    caw_waker_wake_by_ref(cx->waker);
    return CAW_PENDING;
}

static void merge_destroy(caw_stream *s);

/* A merge of merges: those go into a list, so that many inside each other need no more C stack than one. */
static bool
merge_is(const caw_stream *s)
{
    return s->ops->destroy == merge_destroy;
}

/* Children that have a cancel end by themselves; those that have none may never end, and nothing more is wanted of
 * them. Those that are merges come before `rest` in the list that is returned. */
static merge *
merge_cancel_all(merge *m, merge *rest)
{
    m->cancelled = true;
    for (size_t i = 0; i < m->n; i++) {
        merge_child *child = &m->children[i];
        if (child->stream && !child->stream->ops->cancel) {
            merge_leave(m, child);
        }
        else if (child->stream && merge_is(child->stream) && !merge_of(child->stream)->cancelled) {
            child->cancelled = true;
            merge_of(child->stream)->next_in_list = rest;
            rest = merge_of(child->stream);
        }
        else if (child->stream) {
            merge_cancel_child(child);
        }
    }
    if (m->live == 0) {
        caw__wake_set_wake(&m->set); /* nobody else will */
    }
    return rest;
}

static void
merge_cancel(caw_stream *s)
{
    merge *m = merge_of(s);
    m->next_in_list = NULL;
    while (m && !m->cancelled) {
        m = merge_cancel_all(m, m->next_in_list);
    }
}

/* Destroy the streams that are left. Those that are merges come before `rest` in the list that is returned. */
static merge *
merge_leave_all(merge *m, merge *rest)
{
    for (size_t i = 0; i < m->n; i++) {
        caw_stream *stream = m->children[i].stream;
        if (stream && merge_is(stream)) {
            m->children[i].stream = NULL;
            m->live--;
            merge_of(stream)->next_in_list = rest;
            rest = merge_of(stream);
        }
        else if (stream) {
            merge_leave(m, &m->children[i]);
        }
    }
    return rest;
}

static void
merge_destroy(caw_stream *s)
{
    merge *m = merge_of(s);
    m->next_in_list = NULL;
    while (m) {
        merge *next = merge_leave_all(m, m->next_in_list);
        caw__wake_set_close(&m->set);
        caw__counted_release(&m->memory);
        m = next;
    }
}

static const caw_stream_ops merge_ops = {"merge", merge_poll_next, merge_cancel, merge_destroy, NULL};
static const caw_stream_ops merge_ops_without_cancel = {"merge", merge_poll_next, NULL, merge_destroy, NULL};

/* --- birth --- */

/* The memory, with an empty set in it. NULL: none, or one of the streams is missing. */
static merge *
merge_new(caw_stream *const *streams, size_t n)
{
    merge *m;
    bool is_whole = n <= (SIZE_MAX - sizeof *m) / sizeof *m->children;
    for (size_t i = 0; is_whole && i < n; i++) {
        is_whole = streams[i] != NULL;
    }
    m = is_whole ? malloc(sizeof *m + n * sizeof *m->children) : NULL;
    if (m && caw__wake_set_init(&m->set) != 0) {
        free(m);
        return NULL;
    }
    return m;
}

caw_stream *
caw_stream_merge(caw_stream *const *streams, size_t n)
{
    merge *m = merge_new(streams, n);
    if (!m) {
        for (size_t i = 0; i < n; i++) {
            caw_stream_destroy(streams[i]);
        }
        return NULL;
    }
    bool has_cancel = false;
    caw__counted_init(&m->memory, merge_free);
    m->again = NULL;
    m->cancelled = false;
    m->live = m->n = n;
    for (size_t i = 0; i < n; i++) {
        merge_child *child = &m->children[i];
        *child = (merge_child){.stream = streams[i]};
        caw__wake_child_init(&child->wake, &m->set, &m->memory);
        caw__wake_set_queue(&m->set, &child->wake);
        has_cancel = has_cancel || streams[i]->ops->cancel;
    }
    caw_stream_init(&m->stream, has_cancel ? &merge_ops : &merge_ops_without_cancel);
    return &m->stream;
}
