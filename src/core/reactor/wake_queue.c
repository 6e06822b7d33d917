/* wake_queue.c: the queue of a reactor that any thread pushes to and the turning thread empties.
 *
 * Promise: a node that was pushed is handed out by exactly one take, in order of pushing per thread; after a push that
 * found the queue empty, a turn that sleeps wakes up; a push costs one compare-and-swap, and a system call only when
 * the queue was empty.
 *
 * One word, `head`:
 *   NULL                    empty. Set by take
 *   &wake_queue_closed      closed. Set once, by close; never changes again
 *   else                    the node that was pushed last, the first of a list that runs backwards through `next`
 *
 * Access. Any thread pushes, holding a reference to the reactor (often: inside the node). Only the turning thread takes
 * and closes, so nothing but a push changes the word between its load and its exchange. A node's `next` is written by
 * its pusher before the compare-and-swap and belongs to the taker afterwards.
 *
 * Paths. push: load, link, compare-and-swap with release; it pairs with the acquire in take, which makes what
 * the pusher wrote before visible to the turning thread. take: one acquire exchange with NULL, then the list is turned
 * round. close: one exchange with the mark; what it finds goes into `left`, and the next take hands it out.
 *
 * Two pushes at once: one compare-and-swap fails and is repeated. That the node it saw was meanwhile taken and pushed
 * again (ABA) does no harm: push needs the word to be equal to what it linked to, not to have been so all the time.
 *
 * The race that looks bad: push makes the queue non-empty; the turning thread, awake for another reason, takes the
 * node, finishes with it, and so gives back the last reference to the reactor, which is freed; then the pusher
 * rings it. So a push that saw an empty queue takes a reference of its own *before* the node is visible, and gives
 * it back after the ring; that may be the last one, and then the pusher frees. A push that saw a non-empty
 * queue does not touch the reactor after the compare-and-swap.
 *
 * The other one: the ring of a push is used up by a turn before the node is there. It cannot be: the ring comes after
 * the node. The ring may come after the node was taken: then one turn returns with nothing to do.
 */
#include "core/reactor/wake_queue.h"

#include "core/os/compiler.h"
#include "core/reactor/shared.h"

static caw__wake_node wake_queue_closed;

/* The queue was seen empty: as below, and who finds it empty still, rings. */
static CAW__APART bool
wake_queue_push_and_ring(caw_reactor *r, caw__wake_node *node)
{
    caw__reactor_hold(r); /* before the node is visible; see above */
    caw__wake_node *head = NULL;
    do {
        node->next = head;
    } while (
        !atomic_compare_exchange_weak_explicit(&r->head, &head, node, memory_order_release, memory_order_relaxed) &&
        head != &wake_queue_closed);
    if (!head) {
        r->backend->ring(r);
    }
    caw__reactor_drop(r);
    return head != &wake_queue_closed;
}

bool
caw__reactor_push(caw_reactor *r, caw__wake_node *node)
{
    if (caw__reactor_is_of_parent(r)) {
        return false;
    }
    caw__wake_node *head = atomic_load_explicit(&r->head, memory_order_relaxed); /* checked by the exchange below */
    while (head) {
        if (head == &wake_queue_closed) {
            return false;
        }
        node->next = head;
        /* Release: publishes the node and what was written before the wake; pairs with the acquire in take. */
        if (atomic_compare_exchange_weak_explicit(&r->head, &head, node, memory_order_release, memory_order_relaxed)) {
            return true;
        }
    }
    return wake_queue_push_and_ring(r, node);
}

static caw__wake_node *
wake_queue_reversed(caw__wake_node *last)
{
    caw__wake_node *first = NULL;
    while (last) {
        caw__wake_node *next = last->next;
        last->next = first;
        first = last;
        last = next;
    }
    return first;
}

caw__wake_node *
caw__reactor_take(caw_reactor *r)
{
    /* Relaxed: only this thread empties or closes; a node that comes a moment later rings. */
    caw__wake_node *head = atomic_load_explicit(&r->head, memory_order_relaxed);
    if (head == &wake_queue_closed) {
        head = r->left;
        r->left = NULL;
    }
    else if (head) {
        /* Acquire: pairs with push. All pushes are exchanges, so this one pairs with each of them. */
        head = atomic_exchange_explicit(&r->head, NULL, memory_order_acquire);
    }
    return wake_queue_reversed(head);
}

bool
caw__reactor_forked(const caw_reactor *r)
{
    return caw__reactor_is_of_parent(r);
}

caw__wake_queue
caw__reactor_queue(const caw_reactor *r)
{
    /* Relaxed: the word is only looked at. */
    const caw__wake_node *head = atomic_load_explicit(&r->head, memory_order_relaxed);
    return !head ? WAKE_QUEUE_EMPTY : head == &wake_queue_closed ? WAKE_QUEUE_CLOSED : WAKE_QUEUE_FULL;
}

void
caw__reactor_close_queue(caw_reactor *r)
{
    /* Acquire: pairs with push, as in take. */
    r->left = atomic_exchange_explicit(&r->head, &wake_queue_closed, memory_order_acquire);
}
