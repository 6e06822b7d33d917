/* group_room.h: a group as its two files share it, and the line of those who wait for room in it. */
#ifndef CAWAIT_CORE_COMBINE_GROUP_ROOM_H
#define CAWAIT_CORE_COMBINE_GROUP_ROOM_H

#include "cawait/group.h"

#include "core/base/detail.h"
#include "core/base/wake_set.h"
#include "core/combine/combined.h"

CAW__INTERNAL_BEGIN

typedef struct caw__group_member caw__group_member;
typedef struct caw__group_room caw__group_room;

/* See group.c for who may touch what. */
struct caw_group {
    caw__combined combined;
    caw__counted memory;
    _Atomic uint32_t adders;
    caw__wake_set set;
    caw_group_spec spec;

    /* under the set's lock */
    bool closed;    /* no more members are taken */
    bool stopping;  /* members that are added are cancelled */
    size_t live;    /* members that have not ended */
    size_t counted; /* of these, those that count for the limit */
    size_t running; /* of these, those whose turn has come */
    caw__group_member *waiting, **waiting_end;
    caw__group_room *rooms, *rooms_end; /* rooms_end: true while rooms is not NULL */

    /* the owner's */
    caw__group_member *members; /* those that have begun */
    size_t begun;               /* how many these are */
    bool missed;                /* after a cancel: a member has ended without a value, or the group was open */
    int status;                 /* the first failure's: the end; or 0 */
    caw__group_member *errors, **errors_end;
};

/* There may be room now: the waker of the first in line, to be woken after the lock is given back.
 *   locked · no-gil · returns-new · never fails · quiet */
caw_waker caw__group_pass_room(caw_group *g);

/* Members are not run any more (`closed` or `stopping` says so): all that wait for room end.
 *   any-thread, not locked · no-gil · borrows(g) · never fails · wakes */
void caw__group_end_rooms(caw_group *g);

CAW__INTERNAL_END

#endif
