/* group_member.h: the members of a group, and their turns. */
#ifndef CAWAIT_CORE_COMBINE_GROUP_MEMBER_H
#define CAWAIT_CORE_COMBINE_GROUP_MEMBER_H

#include "core/combine/group_room.h"

CAW__INTERNAL_BEGIN

/* See group.c for who may touch what. */
struct caw__group_member {
    caw__wake_child wake;
    caw__counted memory;
    caw_group *group;
    caw_future *future; /* NULL once it is destroyed */
    const char *name;
    int status;          /* of an error */
    caw__detail *detail; /* of an error: a reference, or NULL */
    bool counts, is_body;
    bool seen;      /* it is in `members` */
    bool cancelled; /* once */
    caw__group_member *next, *previous;
};

/* Those that have waited longest get their turns, as far as there is room for them.
 *   locked · no-gil · borrows(g) · never fails · quiet */
void caw__group_give_turns(caw_group *g);

CAW__INTERNAL_END

#endif
