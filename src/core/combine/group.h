/* group.h: what a group's errors are, for those who make one error of them. */
#ifndef CAWAIT_CORE_COMBINE_GROUP_H
#define CAWAIT_CORE_COMBINE_GROUP_H

#include "cawait/group.h"

#include "core/base/detail.h"

CAW__INTERNAL_BEGIN

/* Whether caw_group_new has made this future.
 *   any-thread · no-gil · borrows(future) · never fails · quiet */
bool caw__is_group(const caw_future *future);

/* Called with each member that has failed: the name of its operation, its status, and its detail, or NULL, which are
 * borrowed. */
typedef void caw__group_visit(void *user, const char *name, int status, const caw__detail *detail);

/* Visit the errors of a group's future, in the order of caw_group_errors.
 *   poller, once the future is ready · no-gil · borrows(future) · never fails · calls-user */
void caw__group_visit_errors(const caw_future *future, caw__group_visit *visit, void *user);

CAW__INTERNAL_END

#endif
