/* group_room.c: those who wait until a group has room.
 *
 * All words of a room, but for `group`, are under the lock of the group's set. From LINE a room goes to ENDED once: by
 * its own poll, cancel or destroy, or by the end of the group; who does that takes it out of the line. Only the first
 * in line goes on.
 *
 * No wait is lost. A room that is woken keeps its place, and looks again when it is polled: another member may have
 * come meanwhile. Whenever there may be room the first in line is woken: when a member has ended, when a room is ready
 * and there is room for more than one, and when a room is cancelled or destroyed, which may have been the one that was
 * woken. So one that was woken and adds nothing does not keep the others waiting.
 */
#include "core/combine/group_room.h"

#include <stdlib.h>

typedef enum room_state { ROOM_NEW, ROOM_LINE, ROOM_ENDED } room_state;

struct caw__group_room {
    caw_future future;
    caw_group *group; /* a reference to its memory */
    caw__group_room *next, *previous;
    caw_waker waker; /* empty but in line, and there from when it is woken until it is polled */
    room_state state;
    int status; /* true once ended */
};

static caw__group_room *
room_of(caw_future *f)
{
    return CAW_CONTAINER_OF(f, caw__group_room, future);
}

/* --- the line, under the lock --- */

static bool
group_has_room(const caw_group *g, size_t n)
{
    return g->spec.limit == 0 || (g->counted < g->spec.limit && g->spec.limit - g->counted >= n);
}

static void
room_link(caw_group *g, caw__group_room *room)
{
    room->state = ROOM_LINE;
    room->next = NULL;
    room->previous = g->rooms ? g->rooms_end : NULL;
    *(g->rooms ? &g->rooms_end->next : &g->rooms) = room;
    g->rooms_end = room;
}

/* It ends with this status. Gives its waker, to be used after the lock is given back. */
static caw_waker
room_end(caw_group *g, caw__group_room *room, int status)
{
    caw_waker waker = room->waker;
    if (room->state == ROOM_LINE) {
        *(room->previous ? &room->previous->next : &g->rooms) = room->next;
        *(room->next ? &room->next->previous : &g->rooms_end) = room->previous;
    }
    room->state = ROOM_ENDED;
    room->status = status;
    room->waker = CAW_WAKER_NONE;
    return waker;
}

caw_waker
caw__group_pass_room(caw_group *g)
{
    caw_waker waker = CAW_WAKER_NONE;
    if (g->rooms && group_has_room(g, 1)) {
        waker = g->rooms->waker;
        g->rooms->waker = CAW_WAKER_NONE;
    }
    return waker;
}

void
caw__group_end_rooms(caw_group *g)
{
    bool more = true;
    while (more) {
        caw_waker waker = CAW_WAKER_NONE;
        more = caw__wake_set_lock(&g->set);
        if (more) {
            more = g->rooms != NULL;
            waker = more ? room_end(g, g->rooms, CAW_ECLOSED) : waker;
            caw__wake_set_unlock(&g->set);
        }
        caw_waker_wake(waker);
    }
}

/* --- the future --- */

/* Look whether it can end, and else wait. Gives the waker that is not needed any more. */
static caw_waker
room_look(caw_group *g, caw__group_room *room, caw_waker waker, caw_waker *other)
{
    if (g->closed || g->stopping) {
        return room_end(g, room, CAW_ECLOSED);
    }
    bool first = room->state == ROOM_LINE ? g->rooms == room : g->rooms == NULL;
    if (first && group_has_room(g, 1)) {
        caw_waker old = room_end(g, room, 0);
        *other = group_has_room(g, 2) ? caw__group_pass_room(g) : CAW_WAKER_NONE;
        return old;
    }
    if (room->state == ROOM_NEW) {
        room_link(g, room);
    }
    if (caw_waker_same(room->waker, waker)) {
        return CAW_WAKER_NONE;
    }
    caw_waker old = room->waker;
    room->waker = caw_waker_clone(waker);
    return old;
}

static caw_poll
room_poll(caw_future *f, caw_context *cx)
{
    caw__group_room *room = room_of(f);
    caw_group *g = room->group;
    if (!caw__wake_set_lock(&g->set)) {
        return caw_future_finish(f, CAW_EFORKED);
    }
    caw_waker old = CAW_WAKER_NONE, other = CAW_WAKER_NONE;
    if (room->state != ROOM_ENDED) {
        old = room_look(g, room, cx->waker, &other);
    }
    bool is_ready = room->state == ROOM_ENDED;
    int status = room->status;
    caw__wake_set_unlock(&g->set);
    caw_waker_drop(old);
    caw_waker_wake(other);
    return is_ready ? caw_future_finish(f, status) : CAW_PENDING;
}

static void
room_cancel(caw_future *f)
{
    caw__group_room *room = room_of(f);
    caw_group *g = room->group;
    caw_waker own = CAW_WAKER_NONE, other = CAW_WAKER_NONE;
    if (caw__wake_set_lock(&g->set)) {
        if (room->state != ROOM_ENDED) {
            own = room_end(g, room, CAW_ECANCELED);
            other = caw__group_pass_room(g);
        }
        caw__wake_set_unlock(&g->set);
    }
    caw_waker_wake(own);
    caw_waker_wake(other);
}

static void
room_destroy(caw_future *f)
{
    caw__group_room *room = room_of(f);
    caw_group *g = room->group;
    caw_waker own = CAW_WAKER_NONE, other = CAW_WAKER_NONE;
    if (caw__wake_set_lock(&g->set)) {
        own = room_end(g, room, CAW_ECANCELED);
        other = caw__group_pass_room(g);
        caw__wake_set_unlock(&g->set);
    }
    caw_waker_drop(own);
    caw_waker_wake(other);
    free(room);
    caw__counted_release(&g->memory);
}

static const caw_future_ops room_ops = {"room", room_poll, room_cancel, room_destroy};

caw_future *
caw_group_room(caw_group *group)
{
    caw__group_room *room = malloc(sizeof *room);
    if (!room) {
        return NULL;
    }
    *room = (caw__group_room){.group = group, .waker = CAW_WAKER_NONE, .state = ROOM_NEW};
    caw_future_init(&room->future, &room_ops);
    caw__counted_retain(&group->memory);
    return &room->future;
}
