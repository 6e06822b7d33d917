/* merge.c: the items of many streams, each as it comes.
 *
 * Promise. A child is polled first when the merge is, and after that only when it was woken or has just given an item.
 * No wake of a child is lost. Whoever gave an item goes to the end of the line, so each that has one gives one in n.
 * The first error ends the merge, and the others are cancelled and destroyed in that same poll.
 *
 * Each child has a waker of its own, since a wake has to say whose it is, and since a child may want its waker to
 * itself (an awaitable of Python finds its poller by it). The wakers may be cloned, woken and dropped on any thread,
 * also when the merge has been destroyed: so the struct is counted.
 *
 * Words and who may touch them:
 *
 *   line, line_end, next and queued of each child, waker     under `lock`
 *   refs               any thread, atomic: one of the owner, one of each clone of a child's waker
 *   stream and cancelled of each child, live, cancelled      the owner's
 *
 * The race that looks bad: a child is woken while it is polled, or after its poll and before the merge is pending. A
 * child is taken out of the line before it is polled, so a wake during its poll puts it in again; and the merge is
 * pending only when it finds the line empty, and leaves its waker there under the same lock. So a wake either comes
 * before, and the line is not empty, or after, and finds the waker.
 *
 * In a forked child the lock may be held for ever: there a merge ends with CAW_EFORKED, and its waker is neither woken
 * nor dropped.
 */
#include "cawait/stream.h"

#include "core/os/fork.h"
#include "core/os/mutex.h"

#include <stdlib.h>

typedef struct merge merge;

typedef struct merge_child {
    merge *merge;
    caw_stream *stream;       /* NULL once it has ended, or was given up */
    struct merge_child *next; /* true while queued */
    bool queued;              /* in line to be polled */
    bool cancelled;           /* cancel was called */
} merge_child;

struct merge {
    caw_stream stream;
    _Atomic uint32_t refs;
    unsigned forks; /* caw__fork_count when it was made */
    caw__mutex lock;
    merge_child *line, **line_end;
    caw_waker waker; /* the owner's: empty unless it is pending */
    bool cancelled;
    size_t live, n;      /* children that have a stream; and all of them */
    merge *next_in_list; /* while one that this is a part of is cancelled or destroyed */
    merge_child children[];
};

/* False in a forked child. */
static bool
merge_lock(merge *m)
{
    if (m->forks != caw__fork_count()) {
        return false;
    }
    caw__mutex_lock(&m->lock);
    return true;
}

static void
merge_release(merge *m)
{
    /* acq_rel: all uses by others, before their release, come before the free. */
    if (atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) == 1) {
        caw__mutex_fini(&m->lock);
        free(m);
    }
}

/* --- the line, under the lock --- */

static void
merge_queue(merge *m, merge_child *child)
{
    if (!child->queued) {
        child->queued = true;
        child->next = NULL;
        *m->line_end = child;
        m->line_end = &child->next;
    }
}

static merge_child *
merge_first(merge *m)
{
    merge_child *child = m->line;
    if (child) {
        child->queued = false;
        m->line = child->next;
        if (!m->line) {
            m->line_end = &m->line;
        }
    }
    return child;
}

static caw_waker
merge_take_waker(merge *m)
{
    caw_waker waker = m->waker;
    m->waker = CAW_WAKER_NONE;
    return waker;
}

/* --- the wakers of the children --- */

static void
merge_waker_clone(void *data)
{
    /* Relaxed: the caller has a reference. */
    atomic_fetch_add_explicit(&((merge_child *)data)->merge->refs, 1, memory_order_relaxed);
}

static void
merge_waker_drop(void *data)
{
    merge_release(((merge_child *)data)->merge);
}

static void
merge_waker_wake(void *data)
{
    merge_child *child = data;
    merge *m = child->merge;
    caw_waker waker = CAW_WAKER_NONE;
    if (merge_lock(m)) {
        merge_queue(m, child);
        waker = merge_take_waker(m);
        caw__mutex_unlock(&m->lock);
    }
    merge_release(m);
    caw_waker_wake(waker);
}

static const caw_waker_ops merge_waker_ops = {merge_waker_clone, merge_waker_wake, merge_waker_drop};

/* --- the owner's side --- */

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

/* Who is to be polled next. NULL: nobody, and the waker is there; or, in a forked child, with an error. */
static merge_child *
merge_next(merge *m, caw_waker waker, int *error)
{
    if (!merge_lock(m)) {
        *error = CAW_EFORKED;
        return NULL;
    }
    caw_waker old = CAW_WAKER_NONE;
    merge_child *child = merge_first(m);
    if (!child && !caw_waker_same(m->waker, waker)) {
        old = m->waker;
        m->waker = caw_waker_clone(waker);
    }
    caw__mutex_unlock(&m->lock);
    caw_waker_drop(old);
    return child;
}

/* An item came: the child is polled again, after the others that are in line. */
static void
merge_again(merge *m, merge_child *child)
{
    if (merge_lock(m)) {
        merge_queue(m, child);
        caw__mutex_unlock(&m->lock);
    }
}

/* Poll one child. CAW_PENDING: nothing came of it. */
static caw_poll
merge_poll_child(merge *m, merge_child *child, const caw_context *cx, caw_item **out)
{
    caw_context own = {.waker = {&merge_waker_ops, child}, .host = cx->host, .place = cx->place};
    if (!child->stream || caw_stream_poll_next(child->stream, &own, out) == CAW_PENDING) {
        return CAW_PENDING; /* no stream: a wake that came after its end */
    }
    if (*out) {
        merge_again(m, child);
        return CAW_READY;
    }
    int status = child->stream->status;
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
        merge_child *child = merge_next(m, cx->waker, &error);
        if (!child) {
            return error ? merge_fail(m, error, out) : CAW_PENDING;
        }
        if (merge_poll_child(m, child, cx, out) == CAW_READY) {
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
    caw_waker waker = CAW_WAKER_NONE;
    if (m->live == 0 && merge_lock(m)) { /* nobody else will wake */
        waker = merge_take_waker(m);
        caw__mutex_unlock(&m->lock);
    }
    caw_waker_wake(waker);
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
merge_end(merge *m)
{
    caw_waker waker = CAW_WAKER_NONE;
    if (merge_lock(m)) {
        waker = merge_take_waker(m);
        caw__mutex_unlock(&m->lock);
    }
    caw_waker_drop(waker);
    merge_release(m);
}

static void
merge_destroy(caw_stream *s)
{
    merge *m = merge_of(s);
    m->next_in_list = NULL;
    while (m) {
        merge *next = merge_leave_all(m, m->next_in_list);
        merge_end(m);
        m = next;
    }
}

static const caw_stream_ops merge_ops = {"merge", merge_poll_next, merge_cancel, merge_destroy, NULL};
static const caw_stream_ops merge_ops_without_cancel = {"merge", merge_poll_next, NULL, merge_destroy, NULL};

/* --- birth --- */

/* The memory, with a lock in it. NULL: none, or one of the streams is missing. */
static merge *
merge_new(caw_stream *const *streams, size_t n)
{
    merge *m;
    bool is_whole = n <= (SIZE_MAX - sizeof *m) / sizeof *m->children;
    for (size_t i = 0; is_whole && i < n; i++) {
        is_whole = streams[i] != NULL;
    }
    m = is_whole && caw__fork_watch() == 0 ? malloc(sizeof *m + n * sizeof *m->children) : NULL;
    if (m && caw__mutex_init(&m->lock) != 0) {
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
    atomic_init(&m->refs, 1);
    m->forks = caw__fork_count();
    m->line = NULL;
    m->line_end = &m->line;
    m->waker = CAW_WAKER_NONE;
    m->cancelled = false;
    m->live = m->n = n;
    for (size_t i = 0; i < n; i++) {
        m->children[i] = (merge_child){.merge = m, .stream = streams[i]};
        merge_queue(m, &m->children[i]);
        has_cancel = has_cancel || streams[i]->ops->cancel;
    }
    caw_stream_init(&m->stream, has_cancel ? &merge_ops : &merge_ops_without_cancel);
    return &m->stream;
}
