/* fd_table.h: who waits for which fd of a reactor; see fd_table.c. */
#ifndef CAWAIT_CORE_REACTOR_FD_TABLE_H
#define CAWAIT_CORE_REACTOR_FD_TABLE_H

#include "core/reactor/wait.h"

CAW__INTERNAL_BEGIN

/* A wait for an fd. Its source has no `ready`, as every foreign one has. */
typedef struct caw__fd_wait {
    caw__wait wait;
    caw_fd_source source;
} caw__fd_wait;

/* Add a foreign source, or that of a caw__fd_wait; 1 when its fd is always ready, and then it was not added.
 *   locked · no-gil · borrows(source) · fails(CAW_EBADF, CAW_ENOMEM, -EEXIST, -errno) · quiet */
int caw__fds_add(caw_reactor *r, caw_fd_source *source);

/* Take it out. Nothing happens when it is not in.
 *   locked · no-gil · - · never fails · quiet */
void caw__fds_remove(caw_reactor *r, caw_fd_source *source);

/* Handle an event. Returns how many were woken or called.
 *   turning thread, not locked · no-gil · - · never fails · wakes, calls-user */
int caw__fds_dispatch(caw_reactor *r, const caw__fd_event *event);

/* Take out sources, end waits with CAW_ECLOSED, until `wakes` is full. False when there are none left.
 *   locked · no-gil · - · never fails · quiet */
bool caw__fds_close(caw_reactor *r, caw__wakes *wakes);

CAW__INTERNAL_END

#endif
