/* address_lock.h: a lock for whatever has an address and no room for a lock of its own. */
#ifndef CAWAIT_CORE_OS_ADDRESS_LOCK_H
#define CAWAIT_CORE_OS_ADDRESS_LOCK_H

#include "cawait/base.h"

CAW__INTERNAL_BEGIN

/* See to it that forks find these locks free; before one of them is needed to wait for something.
 *   any-thread · no-gil · - · fails(CAW_ENOMEM) · quiet */
int caw__address_watch(void);

/* Take the lock of an address, waiting for it; and give it back. Only the number counts: nothing need be there. A
 * thread has one of them at a time, since two addresses may have the same lock. In a forked child they are free, and
 * what they guard is whole: fork() takes all of them before, and gives them back on both sides.
 *   any-thread · no-gil · - · never fails · quiet */
void caw__address_lock(const void *address);
void caw__address_unlock(const void *address);

CAW__INTERNAL_END

#endif
