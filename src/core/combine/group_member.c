/* group_member.c: how members come into a group: the side of those who add. What threads share is said in group.c. */
#include "core/combine/group_member.h"

#include <stdlib.h>

/* --- members and turns, under the lock --- */

static void
group_give_turn(caw_group *g, caw__group_member *m)
{
    g->running += m->counts;
    caw__wake_set_queue(&g->set, &m->wake);
}

static bool
group_has_turn(const caw_group *g)
{
    return g->spec.limit == 0 || g->stopping || g->running < g->spec.limit;
}

void
caw__group_give_turns(caw_group *g)
{
    while (g->waiting && group_has_turn(g)) {
        caw__group_member *m = g->waiting;
        g->waiting = m->next;
        if (!m->next) {
            g->waiting_end = &g->waiting;
        }
        group_give_turn(g, m);
    }
}

static void
group_enter(caw_group *g, caw__group_member *m)
{
    g->live++;
    g->counted += m->counts;
    if (!m->counts || group_has_turn(g)) {
        group_give_turn(g, m);
    }
    else {
        m->next = NULL;
        *g->waiting_end = m;
        g->waiting_end = &m->next;
    }
}

/* --- the adders' side --- */

caw_group *
caw_group_retain(caw_group *group)
{
    if (group) {
        atomic_fetch_add_explicit(&group->adders, 1, memory_order_relaxed); /* relaxed: the caller has a reference */
    }
    return group;
}

void
caw_group_close(caw_group *group)
{
    caw_waker waker = CAW_WAKER_NONE;
    if (caw__wake_set_lock(&group->set)) {
        group->closed = true;
        waker = caw__wake_set_take_waker(&group->set);
        caw__wake_set_unlock(&group->set);
    }
    caw__group_end_rooms(group);
    caw_waker_wake(waker);
}

void
caw_group_release(caw_group *group)
{
    /* acq_rel: all adds by others, before their release, come before the close. */
    if (group && atomic_fetch_sub_explicit(&group->adders, 1, memory_order_acq_rel) == 1) {
        caw_group_close(group);
        caw__counted_release(&group->memory);
    }
}

static void
group_free_member(caw__counted *memory)
{
    caw__group_member *m = CAW_CONTAINER_OF(memory, caw__group_member, memory);
    caw__counted *of_group = &m->group->memory;
    free(m);
    caw__counted_release(of_group);
}

static caw__group_member *
group_member_new(caw_group *g, caw_future *future, bool is_body)
{
    caw__group_member *m = malloc(sizeof *m);
    if (m) {
        *m = (caw__group_member){
            .group = g, .future = future, .name = future->ops->name, .counts = !is_body, .is_body = is_body};
        caw__counted_init(&m->memory, group_free_member);
        caw__counted_retain(&g->memory);
        caw__wake_child_init(&m->wake, &g->set, &m->memory);
    }
    return m;
}

static int
group_take(caw_group *g, caw__group_member *m)
{
    if (!caw__wake_set_lock(&g->set)) {
        return CAW_EFORKED;
    }
    bool is_closed = g->closed;
    caw_waker waker = CAW_WAKER_NONE;
    if (!is_closed) {
        group_enter(g, m);
        waker = caw__wake_set_take_waker(&g->set);
    }
    caw__wake_set_unlock(&g->set);
    caw_waker_wake(waker);
    return is_closed ? CAW_ECLOSED : 0;
}

static int
group_add(caw_group *g, caw_future *future, bool is_body)
{
    caw__group_member *m = future ? group_member_new(g, future, is_body) : NULL;
    int error = m ? group_take(g, m) : CAW_ENOMEM;
    if (error) {
        caw_future_destroy(future);
        if (is_body) {
            caw_group_release(g);
        }
        if (m) {
            caw__counted_release(&m->memory);
        }
    }
    return error;
}

int
caw_group_add(caw_group *group, caw_future *member)
{
    return group_add(group, member, false);
}

int
caw_group_add_body(caw_group *group, caw_future *body)
{
    return group_add(group, body, true);
}
