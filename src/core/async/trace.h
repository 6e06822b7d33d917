/* trace.h: async functions that wait for each other, looked at from outside. */
#ifndef CAWAIT_CORE_ASYNC_TRACE_H
#define CAWAIT_CORE_ASYNC_TRACE_H

#include "core/async/failed.h"

CAW__INTERNAL_BEGIN

/* One function of those that wait for each other, or any other future at the end. */
typedef struct caw__async_place {
    const char *name;
    const caw_point *point; /* as that of caw__async_point */
    const caw_future *next; /* private, as the next */
    const caw__failed *below;
} caw__async_place;

/* Begin at `first`; then, with NULL for it, at what that one waits for, or has waited for where it failed. False: there
 * is no other. All of it holds until one of them is polled, cancelled or destroyed.
 *   poller · no-gil · borrows(place, first) · never fails · quiet */
bool caw__async_walk(caw__async_place *place, const caw_future *first);

CAW__INTERNAL_END

#endif
