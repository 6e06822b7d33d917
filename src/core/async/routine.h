/* routine.h: async functions, as others see them: made by a copy, and where they are suspended. */
#ifndef CAWAIT_CORE_ASYNC_ROUTINE_H
#define CAWAIT_CORE_ASYNC_ROUTINE_H

#include "cawait/async.h"

CAW__INTERNAL_BEGIN

/* The status of what an author's function could not make: that of the exception that is set in the place of the
 * poll, or CAW_ENOMEM.
 *   poller · no-gil · borrows(cx) · never fails · quiet */
int caw__async_missing(const caw_context *cx);

/* Put aside the detail of the body's error, before the final part waits or yields.
 *   poller · no-gil · borrows(a, cx) · never fails · quiet */
void caw__routine_keep(caw_async *a, const caw_context *cx);

/* A copy of the frame on the heap. When out of memory the final part of the frame itself runs.
 *   any-thread · no-gil · takes(what the frame has) · returns-new, NULL when out of memory · calls-user */
caw_async *caw__async_copy(const caw_async *frame);

/* The async function that a future is, or NULL.
 *   any-thread · no-gil · returns-borrowed · never fails · quiet */
const caw_async *caw__async_of(const caw_future *f);

/* Where it is suspended, or after its end where it failed; NULL: it has not begun, or has not failed.
 *   poller · no-gil · returns-borrowed · never fails · quiet */
const caw_point *caw__async_point(const caw_async *a);

CAW__INTERNAL_END

#endif
