/* wait.h: what the futures that wait on a reactor have in common; see wait.c. */
#ifndef CAWAIT_CORE_REACTOR_WAIT_H
#define CAWAIT_CORE_REACTOR_WAIT_H

#include "core/reactor/shared.h"

CAW__INTERNAL_BEGIN

/* A future that waits on a reactor: the first member of what malloc() gave. Before the first poll `reactor` is NULL and
 * the poller owns all of it; then the reactor's lock guards `waker`, `status`, `phase`. */
typedef enum caw__wait_phase { CAW__WAIT_NEW, CAW__WAIT_WAITING, CAW__WAIT_ENDED } caw__wait_phase;

typedef struct caw__wait caw__wait;

typedef struct caw__wait_ops {
    int (*enter)(caw__wait *w);  /* locked: begin; 0, or 1: ready already, or an error */
    void (*leave)(caw__wait *w); /* locked: undo that */
} caw__wait_ops;

struct caw__wait {
    caw_future future;
    const caw__wait_ops *ops;
    caw_reactor *reactor; /* retained */
    caw_waker waker;      /* true while waiting */
    int status;           /* true once ended */
    caw__wait_phase phase;
};

/* Make one of caller's memory.
 *   init · no-gil · borrows(w, both tables) · never fails · quiet */
void caw__wait_init(caw__wait *w, const caw_future_ops *future_ops, const caw__wait_ops *ops);

/* The functions of such a future.
 *   poller · no-gil · borrows, destroy takes(f) · never fails · quiet, cancel wakes */
caw_poll caw__wait_poll(caw_future *f, caw_context *cx);
void caw__wait_cancel(caw_future *f);
void caw__wait_destroy(caw_future *f);

/* It has left the reactor for good: end it, and collect its waker.
 *   locked · no-gil · takes(its waker, into `wakes`) · never fails · quiet */
void caw__wait_end(caw__wait *w, int status, caw__wakes *wakes);

CAW__INTERNAL_END

#endif
