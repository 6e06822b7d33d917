/* reactor.c: a reactor's close, birth, and turn. */
#include "core/reactor/epoll.h"
#include "core/reactor/fd_table.h"
#include "core/reactor/portable.h"
#include "core/reactor/sleep.h"
#include "core/reactor/wake_queue.h"

#include <errno.h>
#include <stdlib.h>

/* The end. */

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
        caw__wakes wakes;
        caw__wakes_init(&wakes);
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
    caw__reactor_close_queue(r); /* after the wakes above, so that they still find it open */
    caw__fd_event events[CAW__TURN_BATCH];
    (void)r->backend->sleep(r, 0, events); /* use up the last rings: a loop that still watches the fd does not spin */
}

/* In a forked child the lock may be held by a thread that is not here, which may also have been half way through
 * growing the tables: those are left as they are. */
static void
reactor_free(caw_reactor *r)
{
    bool forked = caw__reactor_is_of_parent(r);
    r->backend->shut(r, forked);
    if (!forked) {
        caw__condition_fini(&r->called);
        caw__mutex_fini(&r->lock);
        caw__timer_heap_fini(&r->timers);
        free(r->fds);
    }
    free(r);
}

static void
reactor_end(caw_reactor *r)
{
    caw_reactor_close(r);
    reactor_free(r);
}

/* Birth. */

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
    r->end = reactor_end;
    r->fd = -1;
    r->generation = caw__fork_count();
    atomic_init(&r->references, 1);
    atomic_init(&r->head, NULL);
    r->alarm = CAW__NO_ALARM;
}

static int
reactor_open(caw_reactor *r)
{
    int error = caw__mutex_init(&r->lock);
    if (error) {
        return error;
    }
    error = caw__condition_init(&r->called);
    if (!error) {
        error = r->backend->open(r);
        if (!error) {
            return 0;
        }
        caw__condition_fini(&r->called);
    }
    caw__mutex_fini(&r->lock);
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

/* The outside. */

int
caw_reactor_fd(const caw_reactor *r)
{
    return r->fd;
}

void
caw_reactor_ring(caw_reactor *r)
{
    if (!caw__reactor_is_of_parent(r) && caw__reactor_queue(r) != WAKE_QUEUE_CLOSED) {
        r->backend->ring(r); /* when close comes in between, it does no harm */
    }
}

/* The turn. */

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
        caw__wakes wakes;
        caw__wakes_init(&wakes);
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
    uint64_t deadline = timeout_ns > 0 ? caw__deadline_after(caw__now_ns(), (uint64_t)timeout_ns) : CAW__NO_ALARM;
    for (;;) {
        int n = r->backend->sleep(r, timeout_ns == 0 ? 0 : caw__milliseconds_until(deadline), events);
        if (n != -ETIMEDOUT && n != -EINTR) {
            return n;
        }
        if (timeout_ns == 0 || caw__now_ns() >= deadline) {
            return 0;
        }
    }
}

int
caw_reactor_turn(caw_reactor *r, int64_t timeout_ns)
{
    caw__wake_queue queue = caw__reactor_queue(r); /* this thread itself closes it; what comes after this rings */
    if (caw__reactor_is_of_parent(r) || queue == WAKE_QUEUE_CLOSED) {
        return CAW_ECLOSED;
    }
    caw__fd_event events[CAW__TURN_BATCH];
    r->alarm_rang = false;
    int n = reactor_sleep(r, queue == WAKE_QUEUE_FULL ? 0 : timeout_ns, events);
    if (n < 0) {
        return n;
    }
    int done = reactor_expire(r);
    for (int i = 0; i < n; i++) {
        done += caw__fds_dispatch(r, &events[i]);
    }
    if (n >= CAW__TURN_BATCH - 2) { /* two may have been the ring and the alarm. There may be more, and who looks for
                                       edges does not see that the fd is still readable */
        r->backend->ring(r);
    }
    return done;
}
