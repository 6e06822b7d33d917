/* portable.c: for systems whose fds do not nest: a native thread poll()s, and rings a pipe; the pipe's read end
 * is the one fd.
 *
 * The thread starts with the first timer or fd. A reactor that is only woken has none: a wake is a byte in the pipe.
 *
 * The thread sleeps in poll() on a copy of the table, `polls`, and on a second pipe, by which it is woken when the
 * table or the alarm has changed. What it sees it writes into the table (`fired`), rings, and does not look at that
 * fd again until the turn has handled it: then the turn watches it anew (`watch`), as it does with an epoll fd in its
 * one-shot mode.
 *
 * Locks. The reactor's lock guards all of caw__portable but `polls`, `stamps`, `length`, which are the thread's
 * own. `spare` is filled by those who add an fd, so that the thread itself never needs memory.
 *
 * The race that looks bad: poll() returns with an fd that was forgotten, closed, opened again and added meanwhile. The
 * stamp in the copy is then not the one in the table, and the result is dropped; the table has changed, so the thread
 * polls again at once.
 */
#include "core/reactor/portable.h"

#include "core/os/pipe.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>

typedef struct portable_set {
    struct pollfd *polls; /* the first one is the pipe */
    unsigned *stamps;
    int capacity;
} portable_set;

struct caw__portable {
    int ring_fd;        /* unchanged; the write end of the one fd */
    int kick_fds[2];    /* unchanged; wakes the thread */
    caw__thread thread; /* true while started */
    bool started, stop;
    bool changed;       /* the thread's copy is out of date */
    int n_fired;        /* entries that fired and that no turn has collected */
    uint64_t deadline;  /* when to ring */
    portable_set set;   /* the thread's; `capacity` also read by others under the lock */
    int length;         /* the thread's */
    portable_set spare; /* bigger than `set`, or empty */
};

#define PORTABLE_FIRED_SHIFT 2 /* caw__fd.fired: events that fired; shifted by this once a turn has collected them */
#define PORTABLE_FIRED       (CAW_READABLE | CAW_WRITABLE)

static void
portable_set_fini(portable_set *set)
{
    free(set->polls);
    free(set->stamps);
    *set = (portable_set){NULL, NULL, 0};
}

static int
portable_set_init(portable_set *set, int capacity)
{
    set->polls = malloc((size_t)capacity * sizeof *set->polls);
    set->stamps = malloc((size_t)capacity * sizeof *set->stamps);
    set->capacity = capacity;
    if (!set->polls || !set->stamps) {
        portable_set_fini(set);
        return CAW_ENOMEM;
    }
    return 0;
}

/* Life. */

static void
portable_shut(caw_reactor *r, bool forked)
{
    struct caw__portable *p = r->at.portable;
    caw__pipe_close(r->fd);
    caw__pipe_close(p->ring_fd);
    caw__pipe_close(p->kick_fds[0]);
    caw__pipe_close(p->kick_fds[1]);
    if (!forked) { /* else: the thread may have been writing them */
        portable_set_fini(&p->set);
        portable_set_fini(&p->spare);
    }
    free(p);
}

static int
portable_open(caw_reactor *r)
{
    struct caw__portable *p = calloc(1, sizeof *p);
    if (!p) {
        return CAW_ENOMEM;
    }
    int ring[2], error = portable_set_init(&p->set, 8);
    if (!error) {
        error = caw__pipe_open(ring);
    }
    if (error) {
        portable_set_fini(&p->set);
        free(p);
        return error;
    }
    error = caw__pipe_open(p->kick_fds);
    if (error) {
        caw__pipe_close(ring[0]);
        caw__pipe_close(ring[1]);
        portable_set_fini(&p->set);
        free(p);
        return error;
    }
    p->changed = true; /* the copy is not made yet */
    p->deadline = CAW__NO_ALARM;
    p->ring_fd = ring[1];
    r->fd = ring[0];
    r->at.portable = p;
    return 0;
}

static void
portable_ring(caw_reactor *r)
{
    caw__pipe_ring(r->at.portable->ring_fd);
}

static void
portable_stop(caw_reactor *r)
{
    struct caw__portable *p = r->at.portable;
    (void)caw__reactor_lock(r);
    bool started = p->started;
    p->stop = true;
    caw__reactor_unlock(r);
    if (started) {
        caw__pipe_ring(p->kick_fds[1]);
        caw__thread_join(p->thread);
    }
}

/* The thread. */

/* Copy the table. */
static void
portable_refresh(caw_reactor *r)
{
    struct caw__portable *p = r->at.portable;
    if (p->spare.polls) {
        portable_set_fini(&p->set);
        p->set = p->spare;
        p->spare = (portable_set){NULL, NULL, 0};
    }
    p->set.polls[0] = (struct pollfd){p->kick_fds[0], POLLIN, 0};
    p->length = 1;
    for (int fd = 0; fd < r->n_fds; fd++) {
        const caw__fd *entry = &r->fds[fd];
        if (entry->armed && !entry->fired) {
            int readable = entry->armed & CAW_READABLE ? POLLIN : 0,
                writable = entry->armed & CAW_WRITABLE ? POLLOUT : 0;
            p->set.polls[p->length] = (struct pollfd){fd, (short)(readable | writable), 0};
            p->set.stamps[p->length++] = entry->stamp;
        }
    }
    p->changed = false;
}

static unsigned
portable_events(const struct pollfd *poll)
{
    if (poll->revents & (POLLERR | POLLHUP | POLLNVAL)) {
        return CAW_READABLE | CAW_WRITABLE;
    }
    return (poll->revents & POLLIN ? CAW_READABLE : 0u) | (poll->revents & POLLOUT ? CAW_WRITABLE : 0u);
}

/* Write what poll() saw into the table. Returns whether there is something for the turn. */
static bool
portable_record(caw_reactor *r)
{
    struct caw__portable *p = r->at.portable;
    bool any = false;
    for (int i = 1; i < p->length; i++) {
        caw__fd *entry = &r->fds[p->set.polls[i].fd];
        unsigned events = portable_events(&p->set.polls[i]);
        if (!events || !entry->armed || entry->fired || entry->stamp != p->set.stamps[i]) {
            continue;
        }
        entry->fired = (unsigned char)events;
        p->n_fired++;
        p->changed = any = true;
    }
    if (p->deadline <= caw__now_ns()) {
        p->deadline = CAW__NO_ALARM;
        any = true;
    }
    return any;
}

static void *
portable_main(void *user)
{
    caw_reactor *r = user;
    struct caw__portable *p = r->at.portable;
    caw__mutex_lock(&r->lock);
    while (!p->stop) {
        if (p->changed) {
            portable_refresh(r);
        }
        uint64_t deadline = p->deadline;
        caw__mutex_unlock(&r->lock);
        int n = poll(p->set.polls, (nfds_t)p->length, caw__milliseconds_until(deadline));
        if (n > 0 && p->set.polls[0].revents) {
            caw__pipe_drain(p->kick_fds[0]); /* before the lock: what changes after it kicks again */
        }
        caw__mutex_lock(&r->lock);
        if (n >= 0 && portable_record(r)) {
            portable_ring(r);
        }
    }
    caw__mutex_unlock(&r->lock);
    return NULL;
}

/* Wake the thread after a change; start it if there is none. */
static int
portable_kick(caw_reactor *r)
{
    struct caw__portable *p = r->at.portable;
    if (p->started) {
        caw__pipe_ring(p->kick_fds[1]);
        return 0;
    }
    int error = caw__thread_start(portable_main, r, &p->thread);
    p->started = !error;
    return error;
}

/* What the reactor calls. */

static int
portable_set_alarm(caw_reactor *r, uint64_t deadline)
{
    r->at.portable->deadline = deadline;
    return portable_kick(r);
}

static int
portable_reserve(caw_reactor *r)
{
    struct caw__portable *p = r->at.portable;
    if (p->set.capacity > r->n_fds || p->spare.capacity > r->n_fds) {
        return 0;
    }
    portable_set spare;
    int error = portable_set_init(&spare, r->n_fds + 1);
    if (!error) {
        portable_set_fini(&p->spare);
        p->spare = spare;
    }
    return error;
}

static int
portable_watch(caw_reactor *r, int fd, caw__fd *entry)
{
    (void)entry;
    struct stat status;
    if (fstat(fd, &status) < 0) {
        return -errno;
    }
    if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)) {
        return 1;
    }
    int error = portable_reserve(r);
    if (!error) {
        r->at.portable->changed = true;
        error = portable_kick(r);
    }
    return error;
}

static void
portable_forget(caw_reactor *r, int fd, caw__fd *entry)
{
    (void)fd;
    struct caw__portable *p = r->at.portable;
    if (entry->fired & PORTABLE_FIRED) {
        p->n_fired--;
    }
    entry->fired = 0;
    entry->armed = 0;
    p->changed = true;
    if (p->started) {
        caw__pipe_ring(p->kick_fds[1]);
    }
}

/* Hand fired entries to the turn. They stay marked, so that the thread leaves them alone until they are handled. */
static int
portable_collect(caw_reactor *r, caw__fd_event *out)
{
    int n = 0;
    struct caw__portable *p = r->at.portable;
    if (!caw__reactor_lock(r)) {
        return 0;
    }
    for (int fd = 0; fd < r->n_fds && p->n_fired > 0 && n < CAW__TURN_BATCH; fd++) {
        caw__fd *entry = &r->fds[fd];
        if (entry->fired & PORTABLE_FIRED) {
            out[n++] = (caw__fd_event){fd, entry->stamp, entry->fired};
            entry->fired = (unsigned char)(entry->fired << PORTABLE_FIRED_SHIFT);
            p->n_fired--;
        }
    }
    bool more = p->n_fired > 0;
    r->alarm_rang = p->deadline == CAW__NO_ALARM; /* it has rung, or was not set */
    caw__reactor_unlock(r);
    if (more) {
        portable_ring(r);
    }
    return n;
}

static int
portable_sleep(caw_reactor *r, int milliseconds, caw__fd_event *out)
{
    struct pollfd ring = {r->fd, POLLIN, 0};
    int n = poll(&ring, 1, milliseconds);
    if (n <= 0) {
        return n < 0 ? -errno : -ETIMEDOUT;
    }
    caw__pipe_drain(r->fd); /* before looking: who rings after this finds the pipe empty, and it stays readable */
    r->alarm_rang = true;   /* which of the rings it was is not known; asking for the alarm again costs little */
    return portable_collect(r, out);
}

const caw__backend *
caw__backend_portable(void)
{
    static const caw__backend portable_backend = {
        .open = portable_open,
        .stop = portable_stop,
        .shut = portable_shut,
        .ring = portable_ring,
        .sleep = portable_sleep,
        .set_alarm = portable_set_alarm,
        .watch = portable_watch,
        .forget = portable_forget,
    };
    return &portable_backend;
}

#undef PORTABLE_FIRED_SHIFT
#undef PORTABLE_FIRED
