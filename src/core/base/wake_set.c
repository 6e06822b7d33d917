/* wake_set.c: the line of the children that are to be polled by their one owner.
 *
 * Promise. A child is in line from when it is queued or woken until the owner takes it out, and then it is polled once,
 * however often it was woken. Who came first is polled first. No wake of a child is lost. A child that has left, or
 * whose set is closed, is never queued again.
 *
 * Each child has a waker of its own, since a wake has to say whose it is, and since a child may want its waker to
 * itself (an awaitable of Python finds its poller by it). The wakers may be cloned, woken and dropped on any thread,
 * also when the owner has gone: so a child lies in counted memory, of which each waker has a reference. Children that
 * come and go have memory of their own, with a reference to that of the set; others share the set's.
 *
 * Words and who may touch them:
 *
 *   line, waker, closed of the set; next, previous, queued, left of each child      under `lock`
 *   set, memory, forks                                                              filled in before they are shared
 *   refs of the memory                                                              any thread, atomic
 *
 * The race that looks bad: a child is woken while it is polled, or after its poll and before the owner is pending. A
 * child is taken out of the line before it is polled, so a wake during its poll puts it in again; and the owner is
 * pending only when it finds the line empty, and leaves its waker there under the same lock. So a wake either comes
 * before, and the line is not empty, or after, and finds the waker.
 *
 * Wakers of others are woken and dropped without the lock: they may free what they point to, and with it this set.
 *
 * In a forked child the lock may be held for ever: there the owner gets CAW_EFORKED, and its waker is neither woken nor
 * dropped.
 */
#include "core/base/wake_set.h"

int
caw__wake_set_init(caw__wake_set *set)
{
    *set = (caw__wake_set){.waker = CAW_WAKER_NONE};
    int error = caw__fork_watch();
    error = error ? error : caw__mutex_init(&set->lock);
    set->forks = caw__fork_count();
    return error;
}

void
caw__wake_set_fini(caw__wake_set *set)
{
    caw__mutex_fini(&set->lock);
}

void
caw__wake_set_leave(caw__wake_set *set, caw__wake_child *child)
{
    child->left = true;
    if (child->queued && !set->closed) {
        caw__wake_set_unlink(set, child);
    }
}

void
caw__wake_set_wake(caw__wake_set *set)
{
    caw_waker waker = CAW_WAKER_NONE;
    if (caw__wake_set_lock(set)) {
        waker = caw__wake_set_take_waker(set);
        caw__wake_set_unlock(set);
    }
    caw_waker_wake(waker);
}

void
caw__wake_set_close(caw__wake_set *set)
{
    caw_waker waker = CAW_WAKER_NONE;
    if (caw__wake_set_lock(set)) {
        waker = caw__wake_set_take_waker(set);
        set->closed = true; /* those in line stay marked as queued, and are not touched again */
        set->line = NULL;
        caw__wake_set_unlock(set);
    }
    caw_waker_drop(waker);
}

/* --- the wakers of the children --- */

static void
wake_child_clone(void *data)
{
    caw__counted_retain(((caw__wake_child *)data)->memory);
}

static void
wake_child_drop(void *data)
{
    caw__counted_release(((caw__wake_child *)data)->memory);
}

static void
wake_child_wake(void *data)
{
    caw__wake_child *child = data;
    caw__wake_set *set = child->set;
    caw_waker waker = CAW_WAKER_NONE;
    if (caw__wake_set_lock(set)) {
        caw__wake_set_queue(set, child);
        if (child->queued) {
            waker = caw__wake_set_take_waker(set);
        }
        caw__wake_set_unlock(set);
    }
    caw__counted_release(child->memory);
    caw_waker_wake(waker);
}

const caw_waker_ops caw__wake_child_ops = {wake_child_clone, wake_child_wake, wake_child_drop};
