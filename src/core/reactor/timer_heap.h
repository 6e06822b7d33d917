/* timer_heap.h: which timer is due first. A binary heap; each timer has its place, so it can be taken out from the
 * middle. Not locked: its reactor's lock guards it. */
#ifndef CAWAIT_CORE_REACTOR_TIMER_HEAP_H
#define CAWAIT_CORE_REACTOR_TIMER_HEAP_H

#include "cawait/base.h"

#include <stddef.h>
#include <stdint.h>

CAW__INTERNAL_BEGIN

typedef struct caw__timer {
    uint64_t deadline; /* caw_now_ns(); unchanged while in a heap */
    size_t index;      /* true while in a heap */
} caw__timer;

typedef struct caw__timer_heap {
    caw__timer **timers; /* the first one is due first */
    size_t length, capacity;
} caw__timer_heap; /* zeroed: empty */

/* Put a timer in.
 *   reactor's lock · no-gil · borrows(timer) until removed · fails(CAW_ENOMEM) · quiet */
int caw__timer_heap_add(caw__timer_heap *heap, caw__timer *timer);

/* Take out a timer that is in.
 *   reactor's lock · no-gil · - · never fails · quiet */
void caw__timer_heap_remove(caw__timer_heap *heap, caw__timer *timer);

/* The timer that is due first, left in; NULL when there is none.
 *   reactor's lock · no-gil · returns-borrowed · never fails · quiet */
static inline caw__timer *
caw__timer_heap_first(const caw__timer_heap *heap)
{
    return heap->length > 0 ? heap->timers[0] : NULL;
}

/* Free the heap's own memory; the timers are not its.
 *   reactor's lock · no-gil · - · never fails · quiet */
void caw__timer_heap_fini(caw__timer_heap *heap);

CAW__INTERNAL_END

#endif
