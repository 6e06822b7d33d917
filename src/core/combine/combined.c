/* combined.c: futures made of other futures, which may be inside each other.
 *
 * Nothing here is shared between threads. A cancel or destroy that went from each to its children by calls would need
 * C stack for each level. So the children that are combined themselves go into a list, and one loop takes them out.
 *
 * Destroying goes into a child that is combined before it goes on, as calls would, and frees each after all that was
 * inside it: what an author gave to an outer one (`user` of caw_then) may be used by an inner one until its end, and
 * the second of caw_then may use what is in the first. So the list is a stack: one that puts children there is looked
 * at again when these are gone.
 */
#include "core/combine/combined.h"

static caw__combined *
combined_of(caw_future *f)
{
    return CAW_CONTAINER_OF(f, caw__combined, future);
}

static const caw__combined_ops *
combined_ops(const caw_future *f)
{
    return CAW_CONTAINER_OF(f->ops, const caw__combined_ops, future);
}

static bool
combined_is(const caw_future *f)
{
    return f->ops->destroy == caw__combined_destroy;
}

static void
combined_push(caw__combined **list, caw__combined *c)
{
    c->next = *list;
    *list = c;
}

static caw__combined *
combined_pop(caw__combined **list)
{
    caw__combined *c = *list;
    *list = c->next;
    return c;
}

void
caw__combined_cancel_child(caw_future *child, caw__combined **more)
{
    if (!combined_is(child)) {
        caw_future_cancel(child);
    }
    else if (child->ops->cancel && !combined_of(child)->cancelled) {
        combined_of(child)->cancelled = true;
        combined_push(more, combined_of(child));
    }
}

void
caw__combined_cancel(caw_future *f)
{
    caw__combined *more = NULL;
    caw__combined_cancel_child(f, &more);
    while (more) {
        caw__combined *c = combined_pop(&more);
        combined_ops(&c->future)->cancel_children(c, &more);
    }
}

void
caw__combined_destroy_child(caw_future *child, caw__combined **more)
{
    if (combined_is(child)) {
        combined_push(more, combined_of(child));
    }
    else {
        caw_future_destroy(child);
    }
}

void
caw__combined_destroy(caw_future *f)
{
    caw__combined *more = NULL;
    combined_push(&more, combined_of(f));
    while (more) {
        caw__combined *c = more;
        combined_ops(&c->future)->destroy_children(c, &more);
        if (more == c) { /* nothing is left inside it */
            (void)combined_pop(&more);
            combined_ops(&c->future)->free(c);
        }
    }
}

caw_future *
caw_child(const caw_future *combined, size_t i)
{
    if (!combined_is(combined) || !combined_ops(combined)->child) {
        return NULL;
    }
    return combined_ops(combined)->child(CAW_CONTAINER_OF(combined, const caw__combined, future), i);
}
