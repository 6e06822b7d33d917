/* queue.h: what is queued in a pool: first in, first out, and bounded where the pool wants that.
 *
 * A bound counts calls, not tasks. A call for which there is no room waits for it in the same list, behind those that
 * have room, and so in its order; `room` and `waiting` say where the one kind ends. A call to be finished at exit is
 * never refused, and is not counted once the queue has closed.
 *
 * Guarded, all of it, by the lock of the pool: pool's lock · no-gil · borrows(both) · never fails · quiet.
 */
#ifndef CAWAIT_CORE_RUN_QUEUE_H
#define CAWAIT_CORE_RUN_QUEUE_H

#include "cawait/pool.h"

CAW__INTERNAL_BEGIN

/* A caw_work's place. */
enum {
    CAW__QUEUE_UNCOUNTED,
    CAW__QUEUE_COUNTED, /* it takes up room */
    CAW__QUEUE_WAITS    /* there was no room for it */
};

typedef struct caw__queue {
    caw_work *first, *last; /* linked by next and previous */
    unsigned length;
    bool bounded, refuses; /* unchanged; what there is no room for is refused */
    size_t room;           /* how many more calls it takes, where it is bounded */
    caw_work *waiting;     /* the first that waits for room, or NULL */
} caw__queue;

/* Put something at the end, whatever the bound. */
void caw__queue_append(caw__queue *q, caw_work *w);

/* The same for what is new. False: it is refused. */
bool caw__queue_offer(caw__queue *q, caw_work *w);

/* Take it out, and let one in that waits; whether it is in. */
void caw__queue_unlink(caw__queue *q, caw_work *w);
bool caw__queue_has(const caw__queue *q, const caw_work *w);

/* Whether it is in, and waits for room. */
bool caw__queue_waits(const caw__queue *q, const caw_work *w);

/* The queue closes. Takes calls out, but for those to be finished at exit: all, or those that wait for room. Takes
 * everything out. Both give it linked by next. */
caw_work *caw__queue_close(caw__queue *q, bool all);
caw_work *caw__queue_take_all(caw__queue *q);

CAW__INTERNAL_END

#endif
