/* wake_target.c: see loop/wake_target.h for what a node is and why its words are safe. */
#include "python/loop/job.h"

#include <stdlib.h>

caw__inbox *
caw__inbox_new(caw__late *late, int *error)
{
    caw__inbox *inbox = malloc(sizeof *inbox);
    if (!inbox) {
        *error = CAW_ENOMEM;
        return NULL;
    }
    *error = caw_reactor_new(CAW_REACTOR_DEFAULT, &inbox->reactor);
    if (*error < 0) {
        free(inbox);
        return NULL;
    }
    atomic_init(&inbox->refs, 1);
    inbox->late = caw__late_retain(late);
    inbox->hub = NULL;
    return inbox;
}

caw__inbox *
caw__inbox_retain(caw__inbox *inbox)
{
    atomic_fetch_add_explicit(&inbox->refs, 1, memory_order_relaxed); /* relaxed: the caller has a reference */
    return inbox;
}

void
caw__inbox_release(caw__inbox *inbox)
{
    /* acq_rel: all uses by others, before their release, come before the free. */
    if (atomic_fetch_sub_explicit(&inbox->refs, 1, memory_order_acq_rel) == 1) {
        caw_reactor_release(inbox->reactor);
        caw__late_release(inbox->late);
        free(inbox);
    }
}

static void
node_free(caw__node *node)
{
    if (node->inbox) {
        caw__inbox_release(node->inbox);
    }
    free(node);
}

void
caw__node_release(caw__node *node)
{
    /* acq_rel: as in caw__inbox_release. */
    if (atomic_fetch_sub_explicit(&node->refs, 1, memory_order_acq_rel) == 1) {
        node_free(node);
    }
}

static void
node_waker_clone(void *data)
{
    caw__node *node = data;
    atomic_fetch_add_explicit(&node->refs, 1, memory_order_relaxed); /* relaxed: the caller has a reference */
}

static void
node_waker_wake(void *data)
{
    caw__node *node = data;
    /* Release: what the waker did before is visible to the drain, which clears QUEUED with acquire. Acquire: pairs with
     * caw__node_bind, for `inbox`. */
    uint32_t flags = atomic_fetch_or_explicit(&node->flags, CAW__NODE_QUEUED, memory_order_acq_rel);
    if ((flags & (CAW__NODE_QUEUED | CAW__NODE_UNBOUND)) || !caw__reactor_push(node->inbox->reactor, &node->link)) {
        caw__node_release(node); /* else the queue has the waker's reference now */
    }
}

static void
node_waker_drop(void *data)
{
    caw__node_release(data);
}

static const caw_waker_ops node_waker_ops = {node_waker_clone, node_waker_wake, node_waker_drop};

caw_waker
caw__node_waker(caw__node *node)
{
    return (caw_waker){&node_waker_ops, node};
}

caw__node *
caw__node_new(caw__coroutine *owner)
{
    caw__node *node = malloc(sizeof *node);
    if (node) {
        atomic_init(&node->refs, 1);
        atomic_init(&node->flags, CAW__NODE_UNBOUND);
        node->inbox = NULL;
        node->owner = owner;
    }
    return node;
}

bool
caw__node_reset(caw__node *node)
{
    /* Acquire: if the count is 1 nobody else has the node, and what the others did to it is over. */
    if (atomic_load_explicit(&node->refs, memory_order_acquire) != 1) {
        node->owner = NULL;
        caw__node_release(node);
        return false;
    }
    if (node->inbox) {
        caw__inbox_release(node->inbox);
        node->inbox = NULL;
    }
    atomic_store_explicit(&node->flags, CAW__NODE_UNBOUND, memory_order_relaxed); /* relaxed: nobody else has it */
    return true;
}

void
caw__node_bind(caw__node *node, caw__inbox *inbox)
{
    node->inbox = caw__inbox_retain(inbox);
    /* Release: publishes `inbox` to a wake. Acquire: pairs with a wake that came first. */
    uint32_t flags = atomic_fetch_and_explicit(&node->flags, ~CAW__NODE_UNBOUND, memory_order_acq_rel);
    if (flags & CAW__NODE_QUEUED) {
        node_waker_clone(node);
        if (!caw__reactor_push(inbox->reactor, &node->link)) {
            caw__node_release(node);
        }
    }
}

void
caw__node_wake(caw__node *node)
{
    caw_waker_wake_by_ref(caw__node_waker(node));
}

void
caw__node_rearm(caw__node *node)
{
    /* Acquire: pairs with the wake, so that the poll which follows sees what the waker did. Release: the drain is through with
     * `link`, which the next wake that queues the node writes. */
    atomic_fetch_and_explicit(&node->flags, ~CAW__NODE_QUEUED, memory_order_acq_rel);
}
