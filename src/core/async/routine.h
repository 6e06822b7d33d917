/* routine.h: async functions, made by a copy, and what they could not make. */
#ifndef CAWAIT_CORE_ASYNC_ROUTINE_H
#define CAWAIT_CORE_ASYNC_ROUTINE_H

#include "cawait/async.h"

CAW__INTERNAL_BEGIN

/* The status of what an author's function could not make: that of the exception that is set in the place of the
 * poll, or CAW_ENOMEM.
 *   poller · no-gil · borrows(cx) · never fails · quiet */
int caw__async_missing(const caw_context *cx);

/* A copy of the frame on the heap. When out of memory the final part of the frame itself runs.
 *   any-thread · no-gil · takes(what the frame has) · returns-new, NULL when out of memory · calls-user */
caw_async *caw__async_copy(const caw_async *frame);

/* The async function that a future is, or NULL.
 *   any-thread · no-gil · returns-borrowed · never fails · quiet */
const caw_async *caw__async_of(const caw_future *f);

CAW__INTERNAL_END

#endif
