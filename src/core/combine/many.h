/* many.h: futures around many children that run at once; see many.c. */
#ifndef CAWAIT_CORE_COMBINE_MANY_H
#define CAWAIT_CORE_COMBINE_MANY_H

#include "core/base/detail.h"
#include "core/base/wake_set.h"
#include "core/combine/combined.h"

CAW__INTERNAL_BEGIN

typedef struct caw__many caw__many;

/* What differs between them. */
typedef struct caw__many_kind {
    caw__combined_ops ops, ops_without_cancel; /* by CAW__MANY_OPS */
    size_t hidden;                             /* the last so many children are not the author's */
    void (*ended)(caw__many *m, size_t i);     /* this child has become ready */
    int (*status)(const caw__many *m);         /* all have ended: the status of the whole */
} caw__many_kind;

typedef struct caw__many_child {
    caw__wake_child wake;
    caw_future *future; /* NULL: dropped */
    bool begun;         /* it was polled */
    bool cancelled;     /* once */
    bool ended;         /* it is not polled any more */
} caw__many_child;

struct caw__many {
    caw__combined combined;
    caw__counted memory; /* one reference of the owner, one of each clone of a child's waker */
    caw__wake_set set;
    const caw__many_kind *kind;
    size_t n, live;      /* children; and those that have not ended */
    size_t winner;       /* SIZE_MAX: none */
    caw__detail *detail; /* of `status`: a reference, or NULL */
    int status;
    bool decided; /* `status` is the end */
    bool missed;  /* after a cancel: a child has ended without a value */
    caw__many_child children[];
};

/* The functions of such a future.
 *   poller · no-gil · borrows, takes(m) to free · never fails · calls-user */
caw_poll caw__many_poll(caw_future *f, caw_context *cx);
void caw__many_cancel_children(caw__combined *c, caw__combined **more);
void caw__many_destroy_children(caw__combined *c, caw__combined **more);
void caw__many_free(caw__combined *c);
caw_future *caw__many_child_at(const caw__combined *c, size_t i);

#define CAW__MANY_OPS(name_, cancel_)                                                                                  \
    {{(name_), caw__many_poll, (cancel_), caw__combined_destroy},                                                      \
     caw__many_cancel_children,                                                                                        \
     caw__many_destroy_children,                                                                                       \
     caw__many_free,                                                                                                   \
     caw__many_child_at}

/* Make one. NULL: out of memory, or a child is missing; the children are destroyed.
 *   any-thread · no-gil · borrows(kind), takes(children) · returns-new · quiet */
caw_future *caw__many_new(const caw__many_kind *kind, caw_future *const *children, size_t n);

/* The struct of a future that caw__many_new has made.
 *   poller · no-gil · returns-borrowed, NULL: it is another one · never fails · quiet */
const caw__many *caw__many_of(const caw_future *f);

/* Keep what a status stands for, for the end.
 *   poller, in `ended` · no-gil · takes(detail) · never fails · quiet */
void caw__many_keep(caw__many *m, int status, caw__detail *detail);

/* That is the end, as soon as all have ended: cancel the others.
 *   poller, in `ended` · no-gil · takes(detail) · never fails · calls-user */
void caw__many_decide(caw__many *m, int status, caw__detail *detail);

/* Destroy a child that is not needed, without waiting for it.
 *   poller, in `ended` · no-gil · - · never fails · calls-user */
void caw__many_drop(caw__many *m, size_t i);

CAW__INTERNAL_END

#endif
