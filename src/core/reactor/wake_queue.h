/* wake_queue.h: the queue inside a reactor that any thread pushes to and the turning thread empties; see
 * wake_queue.c. */
#ifndef CAWAIT_CORE_REACTOR_WAKE_QUEUE_H
#define CAWAIT_CORE_REACTOR_WAKE_QUEUE_H

#include "cawait/reactor.h"

CAW__INTERNAL_BEGIN

typedef struct caw__wake_node {
    struct caw__wake_node *next; /* true while queued */
} caw__wake_node;

/* Put a node in, and ring the reactor if the queue was empty. False, and nothing done, when the reactor is closed.
 *   any-thread · no-gil · takes(node) on true · never fails otherwise · quiet */
bool caw__reactor_push(caw_reactor *r, caw__wake_node *node);

/* All nodes, first in first out; NULL when there are none.
 *   turning thread · no-gil · returns-new · never fails · quiet */
caw__wake_node *caw__reactor_take(caw_reactor *r);

/* Whether it was made before a fork() that this process is the child of.
 *   any-thread · no-gil · borrows(r) · never fails · quiet */
bool caw__reactor_forked(const caw_reactor *r);

/* What the queue is now. Empty is out of date at once, for all but the turning thread.
 *   any-thread · no-gil · borrows(r) · never fails · quiet */
typedef enum caw__wake_queue { WAKE_QUEUE_EMPTY, WAKE_QUEUE_FULL, WAKE_QUEUE_CLOSED } caw__wake_queue;
caw__wake_queue caw__reactor_queue(const caw_reactor *r);

/* From now on nothing goes in. What is in is given by the next take.
 *   turning thread · no-gil · borrows(r) · never fails · quiet */
void caw__reactor_close_queue(caw_reactor *r);

CAW__INTERNAL_END

#endif
