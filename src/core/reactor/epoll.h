/* epoll.h: the backend of systems that have epoll. */
#ifndef CAWAIT_CORE_REACTOR_EPOLL_H
#define CAWAIT_CORE_REACTOR_EPOLL_H

#include "core/reactor/shared.h"

CAW__INTERNAL_BEGIN

/* NULL where the system has none.
 *   any-thread · no-gil · returns-borrowed · never fails · quiet */
const caw__backend *caw__backend_epoll(void);

CAW__INTERNAL_END

#endif
