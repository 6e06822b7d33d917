/* wake_target.c: what wakers of the bridge point to; wake_target.h says why its words are safe. */
#include "python/loop/wake_target.h"

#include <stdlib.h>

static void
wake_target_free(caw__wake_target *target)
{
    if (target->inbox) {
        caw__inbox_release(target->inbox);
    }
    free(target);
}

void
caw__wake_target_release(caw__wake_target *target)
{
    /* acq_rel: as in caw__inbox_release. */
    if (atomic_fetch_sub_explicit(&target->refs, 1, memory_order_acq_rel) == 1) {
        wake_target_free(target);
    }
}

static void
wake_target_waker_clone(void *data)
{
    caw__wake_target *target = data;
    atomic_fetch_add_explicit(&target->refs, 1, memory_order_relaxed); /* relaxed: the caller has a reference */
}

static void
wake_target_waker_wake(void *data)
{
    caw__wake_target *target = data;
    /* Release: what the waker did before is visible to the drain, which clears QUEUED with acquire. Acquire: pairs with
     * caw__wake_target_bind, for `inbox`. */
    uint32_t flags = atomic_fetch_or_explicit(&target->flags, CAW__TARGET_QUEUED, memory_order_acq_rel);
    if ((flags & (CAW__TARGET_QUEUED | CAW__TARGET_UNBOUND)) ||
        !caw__reactor_push(target->inbox->reactor, &target->link)) {
        caw__wake_target_release(target); /* else the queue has the waker's reference now */
    }
}

static void
wake_target_waker_drop(void *data)
{
    caw__wake_target_release(data);
}

static const caw_waker_ops wake_target_waker_ops = {wake_target_waker_clone, wake_target_waker_wake,
                                                    wake_target_waker_drop};

caw_waker
caw__wake_target_waker(caw__wake_target *target)
{
    return (caw_waker){&wake_target_waker_ops, target};
}

caw__wake_target *
caw__wake_target_new(caw__waiter *owner)
{
    caw__wake_target *target = malloc(sizeof *target);
    if (target) {
        atomic_init(&target->refs, 1);
        atomic_init(&target->flags, CAW__TARGET_UNBOUND);
        target->inbox = NULL;
        target->owner = owner;
    }
    return target;
}

bool
caw__wake_target_reset(caw__wake_target *target)
{
    /* Acquire: if the count is 1 nobody else has the target, and what the others did to it is over. */
    if (atomic_load_explicit(&target->refs, memory_order_acquire) != 1) {
        target->owner = NULL;
        caw__wake_target_release(target);
        return false;
    }
    if (target->inbox) {
        caw__inbox_release(target->inbox);
        target->inbox = NULL;
    }
    atomic_store_explicit(&target->flags, CAW__TARGET_UNBOUND, memory_order_relaxed); /* relaxed: nobody else has it */
    return true;
}

void
caw__wake_target_bind(caw__wake_target *target, caw__inbox *inbox)
{
    target->inbox = caw__inbox_retain(inbox);
    /* Release: publishes `inbox` to a wake. Acquire: pairs with a wake that came first. */
    uint32_t flags = atomic_fetch_and_explicit(&target->flags, ~CAW__TARGET_UNBOUND, memory_order_acq_rel);
    if (flags & CAW__TARGET_QUEUED) {
        wake_target_waker_clone(target);
        if (!caw__reactor_push(inbox->reactor, &target->link)) {
            caw__wake_target_release(target);
        }
    }
}

void
caw__wake_target_wake(caw__wake_target *target)
{
    caw_waker_wake_by_ref(caw__wake_target_waker(target));
}

caw__waiter *
caw__wake_target_take(caw__wake_target *target)
{
    caw__wake_target_rearm(target);
    caw__waiter *owner = target->owner;
    caw__wake_target_release(target);
    return owner;
}
