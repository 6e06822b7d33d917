/* group.c: a future whose children are added while it runs.
 *
 * Promise. A member that was taken is polled when its turn has come and when it was woken, by the owner alone; it is
 * destroyed once. The future is ready when no member is left, and no more can come: the group is closed, or its members
 * are stopped. Members get their turns in the order in which they were added.
 *
 * Words and who may touch them (group_room.h and group_member.h have the structs):
 *
 *   closed, stopping, live, counted, running, waiting, rooms, and the line   under the lock of the set (wake_set.c)
 *   members, begun, missed, status, errors                                   the owner's
 *   what is in a member                                                      filled in before it is shared; then the
 *                                                                            owner's, but for `wake`; while it waits
 *                                                                            for its turn, `next` is under the lock
 *   adders                                                                   any thread, atomic
 *   memory                                                                   counted: one reference of the owner, one
 *                                                                            of the adders together, one of each
 *                                                                            member's memory, one of each room
 *
 * A member has memory of its own, with a reference of the owner and one of each clone of its waker. When it has ended
 * it leaves the line for good, so it may go at once, however long the group runs.
 *
 * Each change that may end the group is made under the lock, and the owner is pending only when it has found, under the
 * same lock, that the line is empty and that this is not the end; there it leaves its waker. So the last release of a
 * reference, on another thread, either comes before, or finds the waker.
 *
 * No function of an author's is called with the lock held: a member may add others when it is polled, cancelled or
 * destroyed.
 */
#include "core/combine/group.h"

#include "core/combine/group_member.h"

#include <stdlib.h>

/* So many members that are added while they are polled are polled too before the thread is let go. */
#define GROUP_RUN 128

static caw_group *
group_of(caw__combined *c)
{
    return CAW_CONTAINER_OF(c, caw_group, combined);
}

/* --- the end of a member, by the owner --- */

static void
group_unlink(caw_group *g, caw__group_member *m)
{
    *(m->previous ? &m->previous->next : &g->members) = m->next;
    if (m->next) {
        m->next->previous = m->previous;
    }
    g->begun--;
}

/* Its future, and the reference that went with a body. */
static void
group_destroy_future(caw__group_member *m)
{
    caw_future *future = m->future;
    m->future = NULL;
    caw_future_destroy(future);
    if (m->is_body) {
        caw_group_release(m->group);
    }
}

static void
group_leave(caw_group *g, caw__group_member *m)
{
    caw_waker waker = CAW_WAKER_NONE;
    if (caw__wake_set_lock(&g->set)) {
        caw__wake_set_leave(&g->set, &m->wake);
        g->live--;
        g->counted -= m->counts;
        g->running -= m->counts;
        caw__group_give_turns(g);
        waker = caw__group_pass_room(g);
        caw__wake_set_unlock(&g->set);
    }
    caw_waker_wake(waker);
}

/* Keep a failed member for caw_group_errors: the first one's is the group's own error. */
static void
group_keep_error(caw_group *g, caw__group_member *m, int status)
{
    caw__counted_retain(&m->memory);
    m->status = status;
    m->detail = caw__noted(status);
    m->next = NULL;
    *g->errors_end = m;
    g->errors_end = &m->next;
}

/* --- stopping --- */

static void
group_cancel_member(caw__group_member *m, caw__combined **more)
{
    if (m->cancelled) {
        return;
    }
    m->cancelled = true;
    if (more) {
        caw__combined_cancel_child(m->future, more);
    }
    else {
        caw_future_cancel(m->future);
    }
}

/* It has failed, or was cancelled. */
static bool
group_is_stopped(const caw_group *g)
{
    return g->status < 0 || g->combined.cancelled;
}

/* Cancel all that have begun, and have the others come, to be cancelled too: once. What is in `more` is left to the
 * caller; with NULL all is cancelled here. */
static void
group_stop(caw_group *g, caw__combined **more)
{
    if (caw__wake_set_lock(&g->set)) {
        g->stopping = true;
        caw__group_give_turns(g);
        caw__wake_set_unlock(&g->set);
    }
    caw__group_end_rooms(g);
    for (caw__group_member *m = g->members; m; m = m->next) {
        group_cancel_member(m, more);
    }
}

/* A member has ended with an error. */
static void
group_fail(caw_group *g, caw__group_member *m, int status)
{
    bool is_first = !group_is_stopped(g);
    if (is_first) {
        g->status = status;
    }
    else {
        g->missed = true;
    }
    if (is_first || status != CAW_ECANCELED) {
        group_keep_error(g, m, status);
    }
    if (is_first) {
        group_stop(g, NULL); /* last: the members that it cancels may note other details */
    }
}

/* --- polling --- */

/* The owner sees it for the first time. */
static void
group_see(caw_group *g, caw__group_member *m)
{
    m->seen = true;
    m->previous = NULL;
    m->next = g->members;
    if (m->next) {
        m->next->previous = m;
    }
    g->members = m;
    g->begun++;
}

/* Poll it. CAW_READY with its status: it has ended, or it is not to begin. */
static caw_poll
group_poll_future(caw_group *g, caw__group_member *m, const caw_context *cx, int *status)
{
    bool begins = !m->seen;
    if (begins) {
        group_see(g, m);
    }
    if (group_is_stopped(g)) {
        group_cancel_member(m, NULL);
        if (begins && !m->future->ops->cancel) {
            *status = CAW_ECANCELED;
            return CAW_READY;
        }
    }
    caw_context own = caw__wake_child_context(&m->wake, cx);
    if (caw_future_poll(m->future, &own) == CAW_PENDING) {
        return CAW_PENDING;
    }
    *status = m->future->status = caw__note_end(cx, m->future->status);
    if (g->spec.ended) {
        int counts = g->spec.ended(g->spec.user, m->future);
        *status = counts == 0 ? 0 : caw_error_from_return(m->name, "ended", counts);
    }
    return CAW_READY;
}

static void
group_poll_member(caw_group *g, caw__group_member *m, const caw_context *cx)
{
    int status = 0;
    if (group_poll_future(g, m, cx, &status) == CAW_PENDING) {
        return;
    }
    group_unlink(g, m);
    if (status < 0) {
        group_fail(g, m, status);
    }
    group_destroy_future(m);
    group_leave(g, m);
    caw__counted_release(&m->memory);
}

/* Who is to be polled next. NULL: nobody, and the waker is there; or it is over, or *error says why not. */
static caw__wake_child *
group_next(caw_group *g, caw_waker waker, bool *is_over, int *error)
{
    if (!caw__wake_set_lock(&g->set)) {
        *error = CAW_EFORKED;
        return NULL;
    }
    caw_waker old = CAW_WAKER_NONE;
    caw__wake_child *next = caw__wake_set_take(&g->set);
    if (!next && g->live == 0 && (g->closed || g->stopping)) {
        *is_over = true;
        g->missed = g->missed || !g->closed;
        g->closed = true;
    }
    else if (!next) {
        old = caw__wake_set_wait(&g->set, waker);
    }
    caw__wake_set_unlock(&g->set);
    caw_waker_drop(old);
    return next;
}

static caw_poll
group_finish(caw_group *g, const caw_context *cx)
{
    if (g->status < 0 && g->errors->detail) {
        caw__note(cx, g->errors->detail, g->status);
    }
    int status = g->combined.cancelled && g->missed ? CAW_ECANCELED : 0;
    return caw_future_finish(&g->combined.future, g->status < 0 ? g->status : status);
}

static caw_poll
group_poll(caw_future *f, caw_context *cx)
{
    caw_group *g = CAW_CONTAINER_OF(f, caw_group, combined.future);
    /* Each once, and some that come meanwhile: members that wake themselves would keep this thread for ever. */
    for (size_t left = g->begun + GROUP_RUN; left > 0; left--) {
        bool is_over = false;
        int error = 0;
        caw__wake_child *next = group_next(g, cx->waker, &is_over, &error);
        if (next) {
            group_poll_member(g, CAW_CONTAINER_OF(next, caw__group_member, wake), cx);
        }
        else if (is_over) {
            return group_finish(g, cx);
        }
        else {
            return error ? caw_future_finish(f, error) : CAW_PENDING;
        }
    }
    caw_waker_wake_by_ref(cx->waker);
    return CAW_PENDING;
}

/* --- cancelling and destroying --- */

static void
group_cancel_members(caw__combined *c, caw__combined **more)
{
    caw_group *g = group_of(c);
    if (g->status == 0) {
        group_stop(g, more);
    }
    caw__wake_set_wake(&g->set); /* there may be nobody else who does */
}

/* Close it for good, and put the members that have not begun to the others. */
static void
group_see_all(caw_group *g)
{
    if (!caw__wake_set_lock(&g->set)) {
        return; /* in a forked child the lists may be half written */
    }
    g->closed = true;
    caw__group_member *waiting = g->waiting;
    g->waiting = NULL;
    g->waiting_end = &g->waiting;
    for (caw__wake_child *child; (child = caw__wake_set_take(&g->set));) {
        caw__group_member *m = CAW_CONTAINER_OF(child, caw__group_member, wake);
        if (!m->seen) {
            group_see(g, m);
        }
    }
    caw__wake_set_unlock(&g->set);
    while (waiting) {
        caw__group_member *m = waiting;
        waiting = m->next;
        group_see(g, m);
    }
}

static void
group_destroy_members(caw__combined *c, caw__combined **more)
{
    caw_group *g = group_of(c);
    group_see_all(g);
    caw__wake_set_close(&g->set);
    caw__group_end_rooms(g);
    for (caw__group_member *m = g->members; m; m = m->next) {
        caw_future *future = m->future;
        m->future = NULL;
        if (future) {
            caw__combined_destroy_child(future, more);
        }
    }
}

/* Their futures are destroyed: the references that went with bodies, and the memory. */
static void
group_free_members(caw_group *g)
{
    for (caw__group_member *m; (m = g->members);) {
        g->members = m->next;
        if (m->is_body) {
            caw_group_release(g);
        }
        caw__counted_release(&m->memory);
    }
}

static void
group_free(caw__combined *c)
{
    caw_group *g = group_of(c);
    group_free_members(g);
    for (caw__group_member *m; (m = g->errors);) {
        g->errors = m->next;
        caw__detail_release(m->detail);
        caw__counted_release(&m->memory);
    }
    if (g->spec.free) {
        g->spec.free(g->spec.user);
    }
    caw__counted_release(&g->memory);
}

static const caw__combined_ops group_ops = {
    {"group", group_poll, caw__combined_cancel, caw__combined_destroy},
    group_cancel_members,
    group_destroy_members,
    group_free,
    NULL,
};

/* --- birth, and what is left at the end --- */

static void
group_free_memory(caw__counted *memory)
{
    caw_group *g = CAW_CONTAINER_OF(memory, caw_group, memory);
    caw__wake_set_fini(&g->set);
    free(g);
}

int
caw_group_new(const caw_group_spec *spec, caw_group **out, caw_future **future)
{
    caw_group *g = malloc(sizeof *g);
    *out = NULL;
    *future = NULL;
    if (g) {
        *g = (caw_group){.spec = *spec};
    }
    if (!g || caw__wake_set_init(&g->set) != 0) {
        free(g);
        if (spec->free) {
            spec->free(spec->user);
        }
        return CAW_ENOMEM;
    }
    caw__combined_init(&g->combined, &group_ops);
    caw__counted_init(&g->memory, group_free_memory);
    caw__counted_retain(&g->memory); /* one of the owner, one of the adders */
    atomic_init(&g->adders, 1);
    g->waiting_end = &g->waiting;
    g->errors_end = &g->errors;
    *out = g;
    *future = &g->combined.future;
    return 0;
}

void
caw__group_visit_errors(const caw_future *future, caw__group_visit *visit, void *user)
{
    const caw_group *g = CAW_CONTAINER_OF(future, const caw_group, combined.future);
    for (const caw__group_member *m = g->errors; m; m = m->next) {
        visit(user, m->name, m->status, m->detail);
    }
}

bool
caw__is_group(const caw_future *future)
{
    return future->ops == &group_ops.future;
}

size_t
caw_group_errors(const caw_future *future, caw_group_error *out, size_t n)
{
    const caw_group *g = CAW_CONTAINER_OF(future, const caw_group, combined.future);
    size_t length = 0;
    for (const caw__group_member *m = g->errors; m; m = m->next) {
        if (length < n) {
            out[length] = (caw_group_error){m->name, m->status};
        }
        length++;
    }
    return length;
}

#undef GROUP_RUN
