/* failed.h: where an async function is suspended, or failed, and what goes with its error. */
#ifndef CAWAIT_CORE_ASYNC_FAILED_H
#define CAWAIT_CORE_ASYNC_FAILED_H

#include "cawait/async.h"

CAW__INTERNAL_BEGIN

enum { CAW__FAILED_KEPT = 32 }; /* a flag: there is something that is kept */

typedef struct caw__failed caw__failed;

/* The child, NULL if it is no async function, has ended with an error, and may be destroyed: where that was, for the
 * case that the function fails by it.
 *   poller · no-gil · borrows(a, child, point) · never fails · quiet */
void caw__failed_in(caw_async *a, caw_async *child, const caw_point *point);

/* It has failed there: for ever, since the first error is kept. And nothing is kept any more: it has not, or is being
 * destroyed.
 *   poller · no-gil · borrows(a, point) · never fails · quiet */
void caw__failed_at(caw_async *a, const caw_point *point);
void caw__failed_forget(caw_async *a);

/* Put aside the detail of the body's error, before the final part waits or yields; and note it again.
 *   poller · no-gil · borrows(a, cx) · never fails · quiet */
void caw__failed_keep_detail(caw_async *a, const caw_context *cx);
void caw__failed_note(const caw_async *a, const caw_context *cx);

/* Where it is suspended, or after its end where it failed; NULL: it has not begun, or has not failed.
 *   poller · no-gil · returns-borrowed · never fails · quiet */
const caw_point *caw__async_point(const caw_async *a);

/* What is kept of a function that has ended: the one that failed in it, or NULL. Its name, and its place; and the next.
 *   poller · no-gil · returns-borrowed · never fails · quiet */
const caw__failed *caw__failed_below(const caw_async *a);
const caw__failed *caw__failed_look(const caw__failed *below, const char **name, const caw_point **point);

CAW__INTERNAL_END

#endif
