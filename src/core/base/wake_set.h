/* wake_set.h: many children of one poller, each with a waker of its own, and the line of those to be polled; see
 * wake_set.c.
 *
 *     for (...) {
 *         caw__wake_child *child = caw__wake_set_next(&set, NULL, cx->waker, &error);
 *         if (!child) { return error ? ... : CAW_PENDING; }
 *         caw_context own = caw__wake_child_context(child, cx);
 *         ...poll what the child stands for, with &own...
 *     }
 */
#ifndef CAWAIT_CORE_BASE_WAKE_SET_H
#define CAWAIT_CORE_BASE_WAKE_SET_H

#include "cawait/future.h"

#include "core/os/fork.h"
#include "core/os/mutex.h"

#include <stdatomic.h>

CAW__INTERNAL_BEGIN

/* Memory that is freed with its last reference. */
typedef struct caw__counted caw__counted;
struct caw__counted {
    _Atomic uint32_t refs;
    void (*free)(caw__counted *memory); /* by the last reference, on any thread */
};

typedef struct caw__wake_child caw__wake_child;
typedef struct caw__wake_set caw__wake_set;

/* The wakers of children; their data is the child. */
extern const caw_waker_ops caw__wake_child_ops;

/* All but the first two is under the set's lock. */
struct caw__wake_child {
    caw__wake_set *set;
    caw__counted *memory;             /* which the child lies in; each of its wakers has a reference */
    caw__wake_child *next, *previous; /* true while queued */
    bool queued;                      /* in line to be polled */
    bool left;                        /* it is never queued again */
};

struct caw__wake_set {
    unsigned forks; /* caw__fork_count when it was made */
    caw__mutex lock;
    caw__wake_child *line, *line_end; /* line_end: true while line is not NULL */
    caw_waker waker;                  /* the owner's: empty unless it is pending */
    bool closed;                      /* nobody is polled any more */
};

/* Make counted memory, with one reference; one more; and one less.
 *   init / any-thread · no-gil · borrows(memory) / takes(one reference) · never fails · quiet */
static inline void
caw__counted_init(caw__counted *memory, void (*free_)(caw__counted *memory))
{
    atomic_init(&memory->refs, 1);
    memory->free = free_;
}

static inline void
caw__counted_retain(caw__counted *memory)
{
    atomic_fetch_add_explicit(&memory->refs, 1, memory_order_relaxed); /* relaxed: the caller has a reference */
}

static inline void
caw__counted_release(caw__counted *memory)
{
    /* acq_rel: all uses by others, before their release, come before the free. */
    if (atomic_fetch_sub_explicit(&memory->refs, 1, memory_order_acq_rel) == 1) {
        memory->free(memory);
    }
}

/* Make an empty set, in memory that is counted; and end it, when that is freed.
 *   init / any-thread · no-gil · borrows(set) · init fails(-errno), fini never · quiet */
int caw__wake_set_init(caw__wake_set *set);
void caw__wake_set_fini(caw__wake_set *set);

/* Make a child. Its memory holds that of the set, or is the same.
 *   init · no-gil · borrows(child, set, memory) · never fails · quiet */
static inline void
caw__wake_child_init(caw__wake_child *child, caw__wake_set *set, caw__counted *memory)
{
    *child = (caw__wake_child){.set = set, .memory = memory};
}

/* Lock the set; false in a forked child, where it may be locked for ever. And unlock it.
 *   any-thread · no-gil · borrows(set) · false: see above · quiet */
static inline bool
caw__wake_set_lock(caw__wake_set *set)
{
    if (set->forks != caw__fork_count()) {
        return false;
    }
    caw__mutex_lock(&set->lock);
    return true;
}

static inline void
caw__wake_set_unlock(caw__wake_set *set)
{
    caw__mutex_unlock(&set->lock);
}

/* Put a child at the end of the line, unless it is there, or has left. The owner is not woken.
 *   locked, or before the set is shared · no-gil · borrows(child) · never fails · quiet */
static inline void
caw__wake_set_queue(caw__wake_set *set, caw__wake_child *child)
{
    if (child->queued || child->left || set->closed) {
        return;
    }
    child->queued = true;
    child->next = NULL;
    child->previous = set->line ? set->line_end : NULL;
    *(set->line ? &set->line_end->next : &set->line) = child;
    set->line_end = child;
}

/* Take a child that is queued out of the line.
 *   locked · no-gil · borrows(child) · never fails · quiet */
static inline void
caw__wake_set_unlink(caw__wake_set *set, caw__wake_child *child)
{
    child->queued = false;
    *(child->previous ? &child->previous->next : &set->line) = child->next;
    *(child->next ? &child->next->previous : &set->line_end) = child->previous;
}

/* A child is never queued again: it may be freed when its wakers are gone.
 *   locked · no-gil · borrows(child) · never fails · quiet */
void caw__wake_set_leave(caw__wake_set *set, caw__wake_child *child);

/* Take out the owner's waker, to be used after the lock is given back.
 *   locked · no-gil · returns-new · never fails · quiet */
static inline caw_waker
caw__wake_set_take_waker(caw__wake_set *set)
{
    caw_waker waker = set->waker;
    set->waker = CAW_WAKER_NONE;
    return waker;
}

/* The two halves of caw__wake_set_next: who is to be polled next, or NULL; and leave a clone of the owner's waker,
 * where nobody is. Gives the earlier waker, to be dropped after the lock is given back.
 *   locked, by the poller · no-gil · returns-borrowed / borrows(waker), returns-new · never fails · quiet */
static inline caw__wake_child *
caw__wake_set_take(caw__wake_set *set)
{
    caw__wake_child *child = set->line;
    if (child) {
        caw__wake_set_unlink(set, child);
    }
    return child;
}

static inline caw_waker
caw__wake_set_wait(caw__wake_set *set, caw_waker waker)
{
    caw_waker old = CAW_WAKER_NONE;
    if (!caw_waker_same(set->waker, waker)) {
        old = set->waker;
        set->waker = caw_waker_clone(waker);
    }
    return old;
}

/* Who is to be polled next; it is not in line any more. `again`, unless it is NULL, is put at the end of the line
 * before. NULL: nobody, and the set has a clone of the waker, or *error is CAW_EFORKED.
 *   poller · no-gil · borrows(waker), returns-borrowed · fails(CAW_EFORKED) · quiet */
static inline caw__wake_child *
caw__wake_set_next(caw__wake_set *set, caw__wake_child *again, caw_waker waker, int *error)
{
    if (!caw__wake_set_lock(set)) {
        *error = CAW_EFORKED;
        return NULL;
    }
    if (again) {
        caw__wake_set_queue(set, again);
    }
    caw__wake_child *child = caw__wake_set_take(set);
    caw_waker old = child ? CAW_WAKER_NONE : caw__wake_set_wait(set, waker);
    caw__wake_set_unlock(set);
    caw_waker_drop(old);
    return child;
}

/* Wake the owner, if it is pending.
 *   any-thread · no-gil · borrows(set) · never fails · wakes */
void caw__wake_set_wake(caw__wake_set *set);

/* The owner polls no more: the line is empty from now on, and wakes do nothing.
 *   poller · no-gil · borrows(set) · never fails · quiet */
void caw__wake_set_close(caw__wake_set *set);

/* The context for the poll of a child: with the child's own waker, borrowed.
 *   poller · no-gil · borrows(child, cx) · never fails · quiet */
static inline caw_context
caw__wake_child_context(caw__wake_child *child, const caw_context *cx)
{
    return (caw_context){.waker = {&caw__wake_child_ops, child}, .host = cx->host, .place = cx->place};
}

CAW__INTERNAL_END

#endif
