/* many.c: futures around many children that run at once, each with a waker of its own.
 *
 * Promise. A child is polled when it was woken. The future is ready when all children have ended. A child that is not
 * needed any more is cancelled once, and waited for.
 *
 * The line of those to be polled is a wake set, whose essay (wake_set.c) says what threads share. All else is the
 * owner's. The set, the children's places and the struct are one block of memory, which stays as long as there are
 * wakers of the children; the children themselves go with the owner.
 *
 * The child that decides may end many polls before the last one does, and meanwhile others may end with the same
 * status. So the detail of its status (detail.h) is kept, and noted in the poll that ends the whole.
 */
#include "core/combine/many.h"

#include <stdlib.h>

static caw__many *
many_of(caw_future *f)
{
    return CAW_CONTAINER_OF(f, caw__many, combined.future);
}

static caw__many *
many_of_combined(caw__combined *c)
{
    return CAW_CONTAINER_OF(c, caw__many, combined);
}

/* --- the end of children --- */

/* What is in `more` is left to the caller; with NULL all is cancelled here. */
static void
many_cancel_child(caw__many *m, caw__many_child *child, caw__combined **more)
{
    if (child->ended || child->cancelled) {
        return;
    }
    child->cancelled = true;
    if (child->future->ops->cancel) {
        if (more) {
            caw__combined_cancel_child(child->future, more);
        }
        else {
            caw_future_cancel(child->future);
        }
    }
    else if (!child->begun) {
        child->ended = true;
        child->future->status = CAW_ECANCELED;
        m->live--;
        m->missed = true;
    }
}

void
caw__many_keep(caw__many *m, int status, caw__detail *detail)
{
    caw__detail *old = m->detail;
    m->status = status;
    m->detail = detail;
    caw__detail_release(old);
}

void
caw__many_decide(caw__many *m, int status, caw__detail *detail)
{
    m->decided = true;
    caw__many_keep(m, status, detail);
    for (size_t i = 0; i < m->n; i++) {
        many_cancel_child(m, &m->children[i], NULL);
    }
}

void
caw__many_drop(caw__many *m, size_t i)
{
    caw__many_child *child = &m->children[i];
    caw_future *future = child->future;
    if (!child->ended) {
        child->ended = true;
        m->live--;
    }
    child->future = NULL;
    caw_future_destroy(future);
}

/* --- polling --- */

static void
many_poll_child(caw__many *m, caw__many_child *child, const caw_context *cx)
{
    if (child->ended) {
        return; /* a wake that came after its end */
    }
    child->begun = true;
    caw_context own = caw__wake_child_context(&child->wake, cx);
    if (caw_future_poll(child->future, &own) == CAW_READY) {
        child->future->status = caw__note_end(cx, child->future->status);
        child->ended = true;
        m->live--;
        m->kind->ended(m, (size_t)(child - m->children));
    }
}

static caw_poll
many_finish(caw__many *m, const caw_context *cx)
{
    int status = m->kind->status(m);
    if (m->detail && status == m->status) {
        caw__note(cx, m->detail, status);
    }
    return caw_future_finish(&m->combined.future, status);
}

caw_poll
caw__many_poll(caw_future *f, caw_context *cx)
{
    caw__many *m = many_of(f);
    /* Each once, and one more look at the line: children that wake themselves would keep this thread for ever. */
    for (size_t i = 0; m->live > 0 && i <= m->n; i++) {
        int error = 0;
        caw__wake_child *next = caw__wake_set_next(&m->set, NULL, cx->waker, &error);
        if (!next) {
            return error ? caw_future_finish(f, error) : CAW_PENDING;
        }
        many_poll_child(m, CAW_CONTAINER_OF(next, caw__many_child, wake), cx);
    }
    if (m->live == 0) {
        return many_finish(m, cx);
    }
    caw_waker_wake_by_ref(cx->waker);
    return CAW_PENDING;
}

/* --- the other functions --- */

/* Nobody is woken here: children that never begin are left out only before the first poll, and even then not all of
 * them, because one has a cancel. The end of that one wakes. */
void
caw__many_cancel_children(caw__combined *c, caw__combined **more)
{
    caw__many *m = many_of_combined(c);
    for (size_t i = 0; i < m->n; i++) {
        many_cancel_child(m, &m->children[i], more);
    }
}

void
caw__many_destroy_children(caw__combined *c, caw__combined **more)
{
    caw__many *m = many_of_combined(c);
    for (size_t i = 0; i < m->n; i++) {
        caw_future *future = m->children[i].future;
        m->children[i].future = NULL;
        if (future) {
            caw__combined_destroy_child(future, more);
        }
    }
}

void
caw__many_free(caw__combined *c)
{
    caw__many *m = many_of_combined(c);
    caw__wake_set_close(&m->set);
    caw__detail_release(m->detail);
    caw__counted_release(&m->memory);
}

caw_future *
caw__many_child_at(const caw__combined *c, size_t i)
{
    const caw__many *m = CAW_CONTAINER_OF(c, const caw__many, combined);
    return i < m->n - m->kind->hidden ? m->children[i].future : NULL;
}

const caw__many *
caw__many_of(const caw_future *f)
{
    return f->ops->poll == caw__many_poll ? CAW_CONTAINER_OF(f, const caw__many, combined.future) : NULL;
}

/* --- birth --- */

static void
many_free_memory(caw__counted *memory)
{
    caw__many *m = CAW_CONTAINER_OF(memory, caw__many, memory);
    caw__wake_set_fini(&m->set);
    free(m);
}

/* The memory, with an empty set in it. NULL: none, or a child is missing. */
static caw__many *
many_allocate(caw_future *const *children, size_t n)
{
    caw__many *m;
    bool is_whole = n <= (SIZE_MAX - sizeof *m) / sizeof *m->children;
    for (size_t i = 0; is_whole && i < n; i++) {
        is_whole = children[i] != NULL;
    }
    m = is_whole ? malloc(sizeof *m + n * sizeof *m->children) : NULL;
    if (m && caw__wake_set_init(&m->set) != 0) {
        free(m);
        return NULL;
    }
    return m;
}

caw_future *
caw__many_new(const caw__many_kind *kind, caw_future *const *children, size_t n)
{
    caw__many *m = many_allocate(children, n);
    if (!m) {
        for (size_t i = 0; i < n; i++) {
            caw_future_destroy(children[i]);
        }
        return NULL;
    }
    bool has_cancel = false;
    caw__counted_init(&m->memory, many_free_memory);
    m->kind = kind;
    m->n = m->live = n;
    m->winner = SIZE_MAX;
    m->detail = NULL;
    m->status = 0;
    m->decided = m->missed = false;
    for (size_t i = 0; i < n; i++) {
        m->children[i] = (caw__many_child){.future = children[i]};
        caw__wake_child_init(&m->children[i].wake, &m->set, &m->memory);
        caw__wake_set_queue(&m->set, &m->children[i].wake);
        has_cancel = has_cancel || (i < n - kind->hidden && children[i]->ops->cancel);
    }
    caw__combined_init(&m->combined, has_cancel ? &kind->ops : &kind->ops_without_cancel);
    return &m->combined.future;
}
