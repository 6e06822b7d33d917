/* combined.h: what futures made of other futures have in common: one call cancels or destroys all that are inside each
 * other; see combined.c.
 */
#ifndef CAWAIT_CORE_COMBINE_COMBINED_H
#define CAWAIT_CORE_COMBINE_COMBINED_H

#include "cawait/combine.h"

CAW__INTERNAL_BEGIN

typedef struct caw__combined caw__combined;

typedef struct caw__combined_ops {
    caw_future_ops future; /* its destroy is caw__combined_destroy; its cancel caw__combined_cancel or NULL */
    /* Cancel the children, by caw__combined_cancel_child. Called at most once; `cancelled` is set. */
    void (*cancel_children)(caw__combined *c, caw__combined **more);
    /* Destroy the children, by caw__combined_destroy_child. `c` is the first in the list. Called again, when those that
     * were put before it are gone, until there is none. */
    void (*destroy_children)(caw__combined *c, caw__combined **more);
    /* Free the rest: all that was inside is destroyed. */
    void (*free)(caw__combined *c);
    /* The child with this index, or NULL. */
    caw_future *(*child)(const caw__combined *c, size_t i);
} caw__combined_ops;

struct caw__combined {
    caw_future future;
    caw__combined *next; /* while it is cancelled or destroyed: the next one in the list */
    bool cancelled;      /* by its owner */
};

/* Make one.
 *   init · no-gil · borrows(c, ops) · never fails · quiet */
static inline void
caw__combined_init(caw__combined *c, const caw__combined_ops *ops)
{
    caw_future_init(&c->future, &ops->future);
    c->next = NULL;
    c->cancelled = false;
}

/* The functions of such a future.
 *   poller · no-gil · borrows, destroy takes(f) · never fails · calls-user */
void caw__combined_cancel(caw_future *f);
void caw__combined_destroy(caw_future *f);

/* Cancel or destroy a child, which is not NULL. One that is combined too is put into the list `more`, and comes later.
 *   poller, in the functions of caw__combined_ops · no-gil · borrows / takes(child) · never fails · calls-user */
void caw__combined_cancel_child(caw_future *child, caw__combined **more);
void caw__combined_destroy_child(caw_future *child, caw__combined **more);

CAW__INTERNAL_END

#endif
