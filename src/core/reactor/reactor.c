/* reactor.c: a reactor's life, its wake queue, and its turn.
 *
 * The wake queue. Promise: a node that was pushed is handed out by exactly one take, in order of pushing per thread;
 * after a push that found the queue empty, a turn that sleeps wakes up; a push costs one compare-and-swap, and a
 * system call only when the queue was empty.
 *
 * One word, `head`:
 *   NULL                    empty. Set by take
 *   &reactor_closed_mark    closed. Set once, by close; never changes again
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
 *
 * References. Relaxed increments (who retains has a reference already); each release is a release and acquire
 * decrement, so that the last one sees all that the others did.
 */
#include "core/reactor/shared.h"

#include "core/os/fork.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>

static caw__wake_node reactor_closed_mark;

uint64_t
caw_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

uint64_t
caw__deadline_after(uint64_t now, uint64_t duration_ns)
{
    return duration_ns < CAW__NO_ALARM - now ? now + duration_ns : CAW__NO_ALARM;
}

uint64_t
caw__reactor_now(const caw_reactor *r)
{
    return r->manual ? r->manual_now : caw_now_ns();
}

void
caw__reactor_set_clock(caw_reactor *r, uint64_t now)
{
    if (caw__reactor_lock(r)) {
        r->manual = true;
        r->manual_now = now;
        caw__reactor_unlock(r);
    }
}

int
caw__milliseconds_until(uint64_t deadline)
{
    if (deadline == CAW__NO_ALARM) {
        return -1;
    }
    uint64_t now = caw_now_ns();
    if (deadline <= now) {
        return 0;
    }
    uint64_t milliseconds = (deadline - now - 1) / 1000000 + 1;
    return milliseconds < INT_MAX ? (int)milliseconds : INT_MAX;
}

int
caw__wakes_send(caw__wakes *wakes)
{
    int n = wakes->length;
    wakes->length = 0;
    for (int i = 0; i < n; i++) {
        caw_waker_wake(wakes->wakers[i]);
    }
    return n;
}

bool
caw__reactor_forked(const caw_reactor *r)
{
    return r->generation != caw__fork_count();
}

bool
caw__reactor_lock(caw_reactor *r)
{
    if (caw__reactor_forked(r)) {
        return false;
    }
    pthread_mutex_lock(&r->lock);
    return true;
}

void
caw__reactor_unlock(caw_reactor *r)
{
    pthread_mutex_unlock(&r->lock);
}

/* Birth and death. */

static const caw__backend *
reactor_backend(caw_reactor_kind kind)
{
    switch (kind) {
    case CAW_REACTOR_DEFAULT:
#ifdef CAW_REACTOR_USE_PORTABLE
        return caw__backend_portable();
#else
        return caw__backend_epoll() ? caw__backend_epoll() : caw__backend_portable();
#endif
    case CAW_REACTOR_EPOLL:
        return caw__backend_epoll();
    case CAW_REACTOR_PORTABLE:
        return caw__backend_portable();
    }
    return NULL;
}

static void
reactor_init(caw_reactor *r, const caw__backend *backend)
{
    r->backend = backend;
    r->fd = -1;
    r->generation = caw__fork_count();
    atomic_init(&r->references, 1);
    atomic_init(&r->head, NULL);
    r->alarm = CAW__NO_ALARM;
}

static int
reactor_open(caw_reactor *r)
{
    int error = -pthread_mutex_init(&r->lock, NULL);
    if (error) {
        return error;
    }
    error = -pthread_cond_init(&r->called, NULL);
    if (!error) {
        error = r->backend->open(r);
        if (!error) {
            return 0;
        }
        pthread_cond_destroy(&r->called);
    }
    pthread_mutex_destroy(&r->lock);
    return error;
}

int
caw_reactor_new(caw_reactor_kind kind, caw_reactor **out)
{
    *out = NULL;
    const caw__backend *backend = reactor_backend(kind);
    if (!backend) {
        return CAW_EINVAL;
    }
    int error = caw__fork_watch();
    if (error) {
        return error;
    }
    caw_reactor *r = calloc(1, sizeof *r);
    if (!r) {
        return CAW_ENOMEM;
    }
    reactor_init(r, backend);
    error = reactor_open(r);
    if (error) {
        free(r);
        return error;
    }
    *out = r;
    return 0;
}

caw_reactor *
caw_reactor_retain(caw_reactor *r)
{
    atomic_fetch_add_explicit(&r->references, 1, memory_order_relaxed);
    return r;
}

/* In a forked child the lock may be held by a thread that is not here, which may also have been half way through
 * growing the tables: those are left as they are. */
static void
reactor_free(caw_reactor *r)
{
    bool forked = caw__reactor_forked(r);
    r->backend->shut(r, forked);
    if (!forked) {
        pthread_cond_destroy(&r->called);
        pthread_mutex_destroy(&r->lock);
        caw__timer_heap_fini(&r->timers);
        free(r->fds);
    }
    free(r);
}

void
caw_reactor_release(caw_reactor *r)
{
    if (atomic_fetch_sub_explicit(&r->references, 1, memory_order_acq_rel) == 1) {
        caw_reactor_close(r);
        reactor_free(r);
    }
}

/* End timers and fds until `wakes` is full. False when none are left. */
static bool
reactor_close_some(caw_reactor *r, caw__wakes *wakes)
{
    caw__timer *timer;
    while (!caw__wakes_full(wakes) && (timer = caw__timer_heap_first(&r->timers)) != NULL) {
        caw__timer_heap_remove(&r->timers, timer);
        caw__wait_end(caw__sleep_wait(timer), CAW_ECLOSED, wakes);
    }
    return caw__fds_close(r, wakes);
}

void
caw_reactor_close(caw_reactor *r)
{
    if (!caw__reactor_lock(r)) {
        return;
    }
    bool closed = r->closed, more = !closed;
    r->closed = true; /* from here on nothing enters */
    while (more) {
        caw__wakes wakes = {.length = 0};
        more = reactor_close_some(r, &wakes);
        caw__reactor_unlock(r);
        caw__wakes_send(&wakes);
        (void)caw__reactor_lock(r);
    }
    caw__reactor_unlock(r);
    if (closed) {
        return;
    }
    r->backend->stop(r);
    /* After the wakes above, so that they still find the queue open. Acquire: pairs with push, as in take. */
    r->left = atomic_exchange_explicit(&r->head, &reactor_closed_mark, memory_order_acquire);
    caw__fd_event events[CAW__TURN_BATCH];
    (void)r->backend->sleep(r, 0, events); /* use up the last rings: a loop that still watches the fd does not spin */
}

int
caw_reactor_fd(const caw_reactor *r)
{
    return r->fd;
}

void
caw_reactor_ring(caw_reactor *r)
{
    /* Relaxed: the mark carries nothing. When close comes between this and the ring, the ring does no harm. */
    if (!caw__reactor_forked(r) && atomic_load_explicit(&r->head, memory_order_relaxed) != &reactor_closed_mark) {
        r->backend->ring(r);
    }
}

/* The wake queue. */

bool
caw__reactor_push(caw_reactor *r, caw__wake_node *node)
{
    if (caw__reactor_forked(r)) {
        return false;
    }
    bool retained = false;
    caw__wake_node *head = atomic_load_explicit(&r->head, memory_order_relaxed); /* checked by the exchange below */
    do {
        if (head == &reactor_closed_mark) {
            break;
        }
        if (head == NULL && !retained) {
            caw_reactor_retain(r); /* for the ring; see above */
            retained = true;
        }
        node->next = head;
        /* Release: publishes the node and what was written before the wake; pairs with the acquire in take. */
    } while (!atomic_compare_exchange_weak_explicit(&r->head, &head, node, memory_order_release, memory_order_relaxed));
    bool pushed = head != &reactor_closed_mark;
    if (retained) {
        if (head == NULL) {
            r->backend->ring(r);
        }
        caw_reactor_release(r);
    }
    return pushed;
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
    if (head == &reactor_closed_mark) {
        head = r->left;
        r->left = NULL;
    }
    else if (head) {
        /* Acquire: pairs with push. All pushes are exchanges, so this one pairs with each of them. */
        head = atomic_exchange_explicit(&r->head, NULL, memory_order_acquire);
    }
    return wake_queue_reversed(head);
}

/* The turn. */

int
caw__reactor_set_alarm(caw_reactor *r)
{
    caw__timer *first = caw__timer_heap_first(&r->timers);
    if (!first || first->deadline >= r->alarm || r->manual) {
        return 0; /* an alarm that is too early costs one turn, less than setting it back */
    }
    int error = r->backend->set_alarm(r, first->deadline);
    if (!error) {
        r->alarm = first->deadline;
    }
    return error;
}

/* Take out what is due until `wakes` is full; then the alarm is set to what is due next. False when `wakes` is full. */
static bool
reactor_expire_some(caw_reactor *r, caw__wakes *wakes)
{
    uint64_t now = caw__reactor_now(r);
    caw__timer *timer;
    while ((timer = caw__timer_heap_first(&r->timers)) != NULL && timer->deadline <= now) {
        if (caw__wakes_full(wakes)) {
            return false;
        }
        caw__timer_heap_remove(&r->timers, timer);
        caw__wait_end(caw__sleep_wait(timer), 0, wakes);
    }
    if (r->alarm_rang || r->alarm <= now) {
        r->alarm = CAW__NO_ALARM;
    }
    (void)caw__reactor_set_alarm(r); /* cannot fail: it was set before */
    return true;
}

static int
reactor_expire(caw_reactor *r)
{
    int done = 0;
    for (bool all = false; !all && caw__reactor_lock(r);) {
        caw__wakes wakes = {.length = 0};
        all = reactor_expire_some(r, &wakes);
        caw__reactor_unlock(r);
        done += caw__wakes_send(&wakes);
    }
    return done;
}

/* As the backend's sleep, but to the end of the time: signals, and times beyond INT_MAX, do not shorten it. */
static int
reactor_sleep(caw_reactor *r, int64_t timeout_ns, caw__fd_event *events)
{
    /* Only a wait that has an end needs to know what time it is. */
    uint64_t deadline = timeout_ns > 0 ? caw__deadline_after(caw_now_ns(), (uint64_t)timeout_ns) : CAW__NO_ALARM;
    for (;;) {
        int n = r->backend->sleep(r, timeout_ns == 0 ? 0 : caw__milliseconds_until(deadline), events);
        if (n != -ETIMEDOUT && n != -EINTR) {
            return n;
        }
        if (timeout_ns == 0 || caw_now_ns() >= deadline) {
            return 0;
        }
    }
}

int
caw_reactor_turn(caw_reactor *r, int64_t timeout_ns)
{
    /* Relaxed: this thread itself closes; and a node that is there already was rung for, or keeps us awake here. */
    caw__wake_node *head = atomic_load_explicit(&r->head, memory_order_relaxed);
    if (caw__reactor_forked(r) || head == &reactor_closed_mark) {
        return CAW_ECLOSED;
    }
    caw__fd_event events[CAW__TURN_BATCH];
    r->alarm_rang = false;
    int n = reactor_sleep(r, head ? 0 : timeout_ns, events);
    if (n < 0) {
        return n;
    }
    int done = reactor_expire(r);
    for (int i = 0; i < n; i++) {
        done += caw__fds_dispatch(r, &events[i]);
    }
    return done;
}
