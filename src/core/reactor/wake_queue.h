/* wake_queue.h: the queue inside a reactor that any thread pushes to and the turning thread empties (see reactor.c). */
#ifndef CAWAIT_CORE_REACTOR_WAKE_QUEUE_H
#define CAWAIT_CORE_REACTOR_WAKE_QUEUE_H

#include "cawait/reactor.h"

CAW__INTERNAL_BEGIN

typedef struct caw__wake_node {
    struct caw__wake_node *next; /* true while queued */
} caw__wake_node;

/* Made before a fork() that this process is the child of. */
bool caw__reactor_forked(const caw_reactor *r);

/* Put a node in, and ring the reactor if the queue was empty. False, and nothing done, when the reactor is closed.
 *   any-thread · no-gil · takes(node) on true · never fails otherwise · quiet */
bool caw__reactor_push(caw_reactor *r, caw__wake_node *node);

/* All nodes, first in first out; NULL when there are none.
 *   turning thread · no-gil · returns-new · never fails · quiet */
caw__wake_node *caw__reactor_take(caw_reactor *r);

CAW__INTERNAL_END

#endif
