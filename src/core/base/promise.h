/* promise.h: resolving with a detail. */
#ifndef CAWAIT_CORE_BASE_PROMISE_H
#define CAWAIT_CORE_BASE_PROMISE_H

#include "cawait/promise.h"

#include "core/base/detail.h"

CAW__INTERNAL_BEGIN

/* As caw_promise_resolve, with this detail or, for NULL, with none.
 *   any-thread · no-gil · takes(producer's side, detail) · never fails · wakes */
void caw__promise_resolve_with(caw_promise *p, int status, caw__detail *detail);

/* Note the detail of a promise that is resolved, as its poll does.
 *   poller · no-gil · borrows(p) · never fails · calls-user */
void caw__promise_note(const caw_promise *p, const caw_context *cx);

/* The detail of a promise that is resolved: borrowed from it, or NULL.
 *   poller · no-gil · returns-borrowed · never fails · quiet */
caw__detail *caw__promise_detail(const caw_promise *p);

CAW__INTERNAL_END

#endif
