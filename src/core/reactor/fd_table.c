/* fd_table.c: the table of fds of a reactor, and the foreign sources in it.
 *
 * Each fd number has a list of those who wait for it: foreign sources, and those of waits (whose `ready` is NULL). The
 * backend reports an fd once, and has to watch it again if somebody still waits: so there is one rule for both kinds,
 * and nothing spins on an fd that nobody handles yet.
 *
 * A source is called without the lock, so its callback may add and remove sources, itself too. What is still to be
 * called for this event is marked in the sources (links[1]), not remembered by the turn; a source that was
 * removed, and perhaps freed, is simply not found any more. `calling` lets a remover on another thread wait for
 * the callback that is running.
 *
 * The race that looks bad: an event was taken from the kernel, and before the turn has the lock, its fd is
 * removed, closed, opened by someone else under the same number and added. Each first addition gives the number a new
 * stamp, an event carries the stamp of its time, and one with an old stamp is ignored.
 */
#include "core/reactor/fd_table.h"

#include "core/os/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Make room for an fd. What is not an fd must not make a table of its size. */
static int
fds_reserve(caw_reactor *r, int fd)
{
    if (fd < r->n_fds) {
        return fd < 0 ? CAW_EBADF : 0;
    }
    if (!caw__fd_is_open(fd)) {
        return CAW_EBADF;
    }
    int n = r->n_fds > 0 ? r->n_fds : 16;
    while (n <= fd) {
        n = n < (1 << 30) ? 2 * n : fd + 1;
    }
    caw__fd *fds = realloc(r->fds, (size_t)n * sizeof *fds);
    if (!fds) {
        return CAW_ENOMEM;
    }
    memset(fds + r->n_fds, 0, (size_t)(n - r->n_fds) * sizeof *fds);
    r->fds = fds;
    r->n_fds = n;
    return 0;
}

static caw__wait *
fds_wait_of(caw_fd_source *source)
{
    return &CAW_CONTAINER_OF(source, caw__fd_wait, source)->wait;
}

static caw_fd_source *
source_next(const caw_fd_source *source)
{
    return source->links[0];
}

/* The end of the list, or the source itself when it is in. */
static caw_fd_source *
fds_last(caw__fd *entry, const caw_fd_source *source)
{
    caw_fd_source *last = entry->first;
    while (last && last != source && source_next(last)) {
        last = source_next(last);
    }
    return last;
}

/* Take a source out of its list. False when it is not in. */
static bool
fds_unlink(caw__fd *entry, caw_fd_source *source)
{
    caw_fd_source *previous = NULL, *at = entry->first;
    while (at && at != source) {
        previous = at;
        at = source_next(at);
    }
    if (!at) {
        return false;
    }
    if (previous) {
        previous->links[0] = source->links[0];
    }
    else {
        entry->first = source_next(source);
    }
    return true;
}

int
caw__fds_add(caw_reactor *r, caw_fd_source *source)
{
    int error = fds_reserve(r, source->fd);
    if (error) {
        return error;
    }
    caw__fd *entry = &r->fds[source->fd];
    caw_fd_source *last = fds_last(entry, source);
    if (last == source) {
        return -EEXIST;
    }
    if (!last) {
        entry->stamp = ++r->last_stamp;
    }
    /* Also when the events are armed already: if the fd was closed behind our back, this puts it right. */
    unsigned char before = entry->armed;
    entry->armed = (unsigned char)(before | source->events);
    int result = r->backend->watch(r, source->fd, entry);
    if (result != 0) {
        entry->armed = before;
        return result;
    }
    source->links[0] = source->links[1] = NULL;
    if (last) {
        last->links[0] = source;
    }
    else {
        entry->first = source;
    }
    return 0;
}

void
caw__fds_remove(caw_reactor *r, caw_fd_source *source)
{
    if (source->fd < 0 || source->fd >= r->n_fds) {
        return;
    }
    caw__fd *entry = &r->fds[source->fd];
    if (fds_unlink(entry, source) && !entry->first) {
        r->backend->forget(r, source->fd, entry);
        entry->armed = 0;
    }
}

/* Mark whom these events concern. Who comes while they are handled is not marked. */
static void
fds_mark(caw__fd *entry, unsigned events)
{
    for (caw_fd_source *source = entry->first; source; source = source_next(source)) {
        source->links[1] = source->events & events ? source : NULL;
    }
}

/* End the waits that are marked, until `wakes` is full. False when it is full. */
static bool
fds_end_waits(caw__fd *entry, int status, caw__wakes *wakes)
{
    caw_fd_source *next;
    for (caw_fd_source *source = entry->first; source; source = next) {
        next = source_next(source);
        if (source->ready || !source->links[1]) {
            continue;
        }
        if (caw__wakes_full(wakes)) {
            return false;
        }
        (void)fds_unlink(entry, source);
        caw__wait_end(fds_wait_of(source), status, wakes);
    }
    return true;
}

/* The same for all of them, the wakes included. The lock is given up meanwhile; false when it is gone for good. */
static bool
fds_wake_waits(caw_reactor *r, int fd, int status, int *done)
{
    for (bool all = false; !all;) {
        caw__wakes wakes;
        caw__wakes_init(&wakes);
        all = fds_end_waits(&r->fds[fd], status, &wakes);
        if (wakes.length == 0) {
            break;
        }
        caw__reactor_unlock(r);
        *done += caw__wakes_send(&wakes);
        if (!caw__reactor_lock(r)) {
            return false;
        }
    }
    return true;
}

static caw_fd_source *
fds_marked_source(const caw__fd *entry)
{
    caw_fd_source *source = entry->first;
    while (source && !(source->ready && source->links[1])) {
        source = source_next(source);
    }
    return source;
}

/* Call the sources of this event. The lock is given up meanwhile; false when it is gone for good. */
static bool
fds_call_sources(caw_reactor *r, int fd, unsigned events, int *done)
{
    caw_fd_source *source;
    while ((source = fds_marked_source(&r->fds[fd])) != NULL) {
        source->links[1] = NULL;
        r->calling = source;
        r->caller = caw__thread_current();
        caw__reactor_unlock(r);
        source->ready(source, events & source->events);
        ++*done;
        if (!caw__reactor_lock(r)) {
            return false; /* the callback forked, and this is the child */
        }
        r->calling = NULL;
        caw__condition_broadcast(&r->called);
    }
    return true;
}

/* Watch what is still waited for. 0, or why that cannot be: then nobody would ever be woken. */
static int
fds_rearm(caw_reactor *r, int fd)
{
    caw__fd *entry = &r->fds[fd];
    unsigned wanted = 0;
    for (caw_fd_source *source = entry->first; source; source = source_next(source)) {
        wanted |= source->events;
    }
    entry->armed = (unsigned char)wanted;
    return wanted ? r->backend->watch(r, fd, entry) : 0;
}

int
caw__fds_dispatch(caw_reactor *r, const caw__fd_event *event)
{
    if (!caw__reactor_lock(r)) {
        return 0;
    }
    int done = 0, fd = event->fd;
    bool locked = true;
    if (fd < r->n_fds && r->fds[fd].stamp == event->stamp && r->fds[fd].armed) {
        r->fds[fd].armed = r->fds[fd].fired = 0;
        fds_mark(&r->fds[fd], event->events);
        locked = fds_wake_waits(r, fd, 0, &done) && fds_call_sources(r, fd, event->events, &done);
        int error = locked ? fds_rearm(r, fd) : 0;
        if (error < 0) {
            fds_mark(&r->fds[fd], CAW_READABLE | CAW_WRITABLE);
            locked = fds_wake_waits(r, fd, error, &done);
        }
    }
    if (locked) {
        caw__reactor_unlock(r);
    }
    return done;
}

bool
caw__fds_close(caw_reactor *r, caw__wakes *wakes)
{
    for (int fd = 0; fd < r->n_fds; fd++) {
        caw__fd *entry = &r->fds[fd];
        if (!entry->first) {
            continue;
        }
        fds_mark(entry, CAW_READABLE | CAW_WRITABLE);
        if (!fds_end_waits(entry, CAW_ECLOSED, wakes)) {
            return true;
        }
        entry->first = NULL; /* only sources are left */
        entry->armed = 0;
        r->backend->forget(r, fd, entry);
    }
    return caw__timer_heap_first(&r->timers) != NULL;
}

int
caw_reactor_add(caw_reactor *r, caw_fd_source *source)
{
    unsigned both = CAW_READABLE | CAW_WRITABLE;
    if (!source->ready || !(source->events & both) || (source->events & ~both)) {
        return CAW_EINVAL;
    }
    if (!caw__reactor_lock(r)) {
        return CAW_ECLOSED;
    }
    int result = r->closed ? CAW_ECLOSED : caw__fds_add(r, source);
    caw__reactor_unlock(r);
    return result > 0 ? CAW_EINVAL : result;
}

void
caw_reactor_remove(caw_reactor *r, caw_fd_source *source)
{
    if (!caw__reactor_lock(r)) {
        return;
    }
    caw__fds_remove(r, source);
    while (r->calling == source && !caw__thread_is_current(r->caller)) {
        caw__condition_wait(&r->called, &r->lock);
    }
    caw__reactor_unlock(r);
}
