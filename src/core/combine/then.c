/* then.c: futures around one other at a time: shield, map, then, lazy.
 *
 * Nothing here is shared between threads: who polls the outer future polls the inner one, with the same waker.
 */
#include "core/base/detail.h"
#include "core/combine/combined.h"

#include <stdlib.h>

typedef struct single {
    caw__combined combined;
    caw_future *children[2]; /* in the order in which they run; NULL: not there yet */
    bool begun;              /* it was polled */
    union {
        int (*map)(void *user, caw_future *done);
        caw_future *(*next)(void *user, caw_future *done);
        caw_future *(*make)(void *user);
    } call;
    void *user;
    void (*free)(void *user);
} single;

static single *
single_of(caw_future *f)
{
    return CAW_CONTAINER_OF(f, single, combined.future);
}

static single *
single_of_combined(caw__combined *c)
{
    return CAW_CONTAINER_OF(c, single, combined);
}

/* --- what is common to them --- */

/* The one that runs, or is to run next. */
static caw_future *
single_current(const single *s)
{
    return s->children[1] ? s->children[1] : s->children[0];
}

static void
single_cancel_children(caw__combined *c, caw__combined **more)
{
    caw_future *current = single_current(single_of_combined(c));
    if (current) {
        caw__combined_cancel_child(current, more);
    }
}

static void
single_destroy_children(caw__combined *c, caw__combined **more)
{
    single *s = single_of_combined(c);
    for (int i = 1; i >= 0 && *more == c; i--) { /* the second may use what is in the first, to its very end */
        caw_future *child = s->children[i];
        s->children[i] = NULL;
        if (child) {
            caw__combined_destroy_child(child, more);
        }
    }
}

static void
single_free(caw__combined *c)
{
    single *s = single_of_combined(c);
    if (s->free) {
        s->free(s->user);
    }
    free(s);
}

static caw_future *
single_child(const caw__combined *c, size_t i)
{
    const single *s = CAW_CONTAINER_OF(c, const single, combined);
    return i < 2 ? s->children[i] : NULL;
}

#define SINGLE_OPS(name_, poll_, cancel_)                                                                              \
    {{(name_), (poll_), (cancel_), caw__combined_destroy},                                                             \
     single_cancel_children,                                                                                           \
     single_destroy_children,                                                                                          \
     single_free,                                                                                                      \
     single_child}

/* NULL: out of memory, and the child is destroyed. */
static single *
single_new(const caw__combined_ops *ops, caw_future *child, void *user, void (*free_)(void *user))
{
    single *s = malloc(sizeof *s);
    if (!s) {
        caw_future_destroy(child);
        if (free_) {
            free_(user);
        }
        return NULL;
    }
    *s = (single){.children = {child, NULL}, .user = user, .free = free_};
    caw__combined_init(&s->combined, ops);
    return s;
}

/* The same around a child, which may be missing. There is a cancel only where the child has one. */
static single *
single_around(const caw__combined_ops *ops, const caw__combined_ops *ops_without_cancel, caw_future *child, void *user,
              void (*free_)(void *user))
{
    if (!child) {
        if (free_) {
            free_(user);
        }
        return NULL;
    }
    return single_new(child->ops->cancel ? ops : ops_without_cancel, child, user, free_);
}

/* --- shield --- */

static caw_poll
shield_poll(caw_future *f, caw_context *cx)
{
    caw_future *child = single_of(f)->children[0];
    if (caw_future_poll(child, cx) == CAW_PENDING) {
        return CAW_PENDING;
    }
    return caw_future_finish(f, child->status);
}

static const caw__combined_ops shield_ops = SINGLE_OPS("shield", shield_poll, NULL);

caw_future *
caw_shield(caw_future *child)
{
    single *s = single_around(&shield_ops, &shield_ops, child, NULL, NULL);
    return s ? &s->combined.future : NULL;
}

/* --- map --- */

static caw_poll
mapped_poll(caw_future *f, caw_context *cx)
{
    single *s = single_of(f);
    if (caw_future_poll(s->children[0], cx) == CAW_PENDING) {
        return CAW_PENDING;
    }
    s->children[0]->status = caw__note_end(cx, s->children[0]->status);
    int status = s->call.map(s->user, s->children[0]);
    return caw_future_finish(f, status == 0 ? 0 : caw_error_from_return(f->ops->name, "map", status));
}

static const caw__combined_ops mapped_ops = SINGLE_OPS("map", mapped_poll, caw__combined_cancel);
static const caw__combined_ops mapped_ops_without_cancel = SINGLE_OPS("map", mapped_poll, NULL);

caw_future *
caw_map(caw_future *child, int (*map)(void *user, caw_future *done), void *user, void (*free_)(void *user))
{
    single *s = single_around(&mapped_ops, &mapped_ops_without_cancel, child, user, free_);
    if (!s) {
        return NULL;
    }
    s->call.map = map;
    return &s->combined.future;
}

/* --- then --- */

/* The first has ended with 0: make the second. Afterwards it is there, or this is the end. */
static int
then_go_on(single *s)
{
    if (s->combined.cancelled) {
        return CAW_ECANCELED;
    }
    s->children[1] = s->call.next(s->user, s->children[0]);
    return s->children[1] ? 0 : CAW_ENOMEM;
}

static caw_poll
then_poll(caw_future *f, caw_context *cx)
{
    single *s = single_of(f);
    caw_future *first = s->children[0];
    if (!s->children[1]) {
        if (s->combined.cancelled && !s->begun && !first->ops->cancel) {
            return caw_future_finish(f, CAW_ECANCELED); /* it never begins */
        }
        s->begun = true;
        if (caw_future_poll(first, cx) == CAW_PENDING) {
            return CAW_PENDING;
        }
        int error = first->status < 0 ? first->status : then_go_on(s);
        if (error) {
            return caw_future_finish(f, error);
        }
    }
    if (caw_future_poll(s->children[1], cx) == CAW_PENDING) {
        return CAW_PENDING;
    }
    return caw_future_finish(f, s->children[1]->status);
}

static const caw__combined_ops then_ops = SINGLE_OPS("then", then_poll, caw__combined_cancel);

caw_future *
caw_then(caw_future *child, caw_future *(*next)(void *user, caw_future *done), void *user, void (*free_)(void *user))
{
    single *s = single_around(&then_ops, &then_ops, child, user, free_);
    if (!s) {
        return NULL;
    }
    s->call.next = next;
    return &s->combined.future;
}

/* --- lazy --- */

static caw_poll
lazy_poll(caw_future *f, caw_context *cx)
{
    single *s = single_of(f);
    if (!s->children[0]) {
        if (s->combined.cancelled) {
            return caw_future_finish(f, CAW_ECANCELED);
        }
        s->children[0] = s->call.make(s->user);
        if (!s->children[0]) {
            return caw_future_finish(f, CAW_ENOMEM);
        }
    }
    return shield_poll(f, cx);
}

static const caw__combined_ops lazy_ops = SINGLE_OPS("lazy", lazy_poll, caw__combined_cancel);

caw_future *
caw_lazy(caw_future *(*make)(void *user), void *user, void (*free_)(void *user))
{
    single *s = single_new(&lazy_ops, NULL, user, free_);
    if (!s) {
        return NULL;
    }
    s->call.make = make;
    return &s->combined.future;
}

#undef SINGLE_OPS
