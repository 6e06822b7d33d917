/* shared.h: the inside of a reactor, for the files that make it up: the struct, its lock, its clock, its references.
 *
 *   timer_heap.c            which timer is due first
 *   wake_queue.c            the queue that any thread pushes to
 *   wait.c                  what the futures that wait on a reactor have in common
 *   sleep.c, readiness.c    those futures
 *   fd_table.c              who waits for which fd, and calling them
 *   epoll.c, portable.c     the two backends, behind caw__backend
 *   reactor.c               birth, close, and the turn
 */
#ifndef CAWAIT_CORE_REACTOR_SHARED_H
#define CAWAIT_CORE_REACTOR_SHARED_H

#include "cawait/reactor.h"

#include "core/os/clock.h"
#include "core/os/condition.h"
#include "core/os/fork.h"
#include "core/os/thread.h"
#include "core/reactor/timer_heap.h"

#include <stdatomic.h>

CAW__INTERNAL_BEGIN

#define CAW__NO_ALARM   UINT64_MAX
#define CAW__TURN_BATCH 64 /* fd events per turn; what is left is there again at the next one */

/* One fd number in a reactor's table. Guarded by the reactor's lock. */
typedef struct caw__fd {
    caw_fd_source *first; /* who waits, in order of arrival; linked by links[0] */
    unsigned stamp;       /* of this use of the fd number; events of earlier uses, with other stamps, may still come */
    unsigned char armed;  /* the events that the backend watches for and has not reported */
    unsigned char known;  /* private to the backend */
    unsigned char fired;  /* private to the backend; cleared when its event was handled */
} caw__fd;

/* What a backend's wait saw. */
typedef struct caw__fd_event {
    int fd;
    unsigned stamp;
    unsigned events;
} caw__fd_event;

/* What differs between kinds. "locked": called with the reactor's lock held; the others without. None is called in a
 * forked child but `shut`. */
typedef struct caw__backend {
    int (*open)(caw_reactor *r);               /* make the fds; on failure nothing is left over */
    void (*stop)(caw_reactor *r);              /* at close: end the threads; later rings are allowed, and do no harm */
    void (*shut)(caw_reactor *r, bool forked); /* at the last reference: close the fds, free what is sure to be whole */
    void (*ring)(caw_reactor *r);              /* any thread */
    /* Sleep until there is something (-1: for ever); at most CAW__TURN_BATCH events into `out`. Returns their number,
     * which is 0 after a ring; -ETIMEDOUT, -EINTR, or another -errno. Sets r->alarm_rang. */
    int (*sleep)(caw_reactor *r, int milliseconds, caw__fd_event *out);
    int (*set_alarm)(caw_reactor *r, uint64_t deadline); /* locked; wait returns then; replaces an earlier alarm */
    /* locked: report one event out of entry->armed, once. 1: the fd needs no waiting, it is always ready. */
    int (*watch)(caw_reactor *r, int fd, caw__fd *entry);
    void (*forget)(caw_reactor *r, int fd, caw__fd *entry); /* locked: report nothing more, the fd may be closed */
} caw__backend;

typedef struct caw__portable caw__portable;

struct caw_reactor {
    const caw__backend *backend; /* unchanged */
    int fd;                      /* unchanged; the one fd */
    unsigned generation;         /* unchanged; caw__fork_count() when made */
    void (*end)(caw_reactor *r); /* unchanged; called by the last release: close it, and free it */
    atomic_uint references;
    _Atomic(struct caw__wake_node *) head; /* the wake queue; see wake_queue.c */
    struct caw__wake_node *left;           /* the turning thread's: what was queued when the reactor was closed */
    bool alarm_rang;                       /* the turning thread's */

    caw__mutex lock; /* guards all that follows, and every caw__wait and caw_fd_source of this reactor */
    bool closed;
    bool manual;         /* time moves by caw__reactor_set_clock alone, and there is no alarm */
    uint64_t manual_now; /* true while manual */
    uint64_t alarm;      /* when the backend will ring; CAW__NO_ALARM when it will not */
    caw__timer_heap timers;
    caw__fd *fds; /* by fd number */
    int n_fds;
    unsigned last_stamp;
    caw_fd_source *calling; /* the source whose callback runs; NULL when none */
    caw__thread caller;     /* true while calling: who runs it */
    caw__condition called;

    union {
        struct {
            int event_fd, timer_fd; /* unchanged */
        } epoll;
        caw__portable *portable; /* unchanged */
    } at;
};

/* Whether it was made before a fork() that this process is the child of.
 *   any-thread · no-gil · borrows(r) · never fails · quiet */
static inline bool
caw__reactor_is_of_parent(const caw_reactor *r)
{
    return r->generation != caw__fork_count();
}

/* Take the lock; and give it back. False in a forked child, where another thread may hold it for ever: then nothing was
 * locked, and the reactor is to be treated as closed.
 *   any-thread · no-gil · borrows(r) · - · quiet */
static inline bool
caw__reactor_lock(caw_reactor *r)
{
    if (caw__reactor_is_of_parent(r)) {
        return false;
    }
    caw__mutex_lock(&r->lock);
    return true;
}

static inline void
caw__reactor_unlock(caw_reactor *r)
{
    caw__mutex_unlock(&r->lock);
}

/* caw_reactor_retain and caw_reactor_release. Relaxed: whoever retains has a reference already. Release and acquire:
 * the last one sees all that the others did.
 *   any-thread · no-gil · borrows(r) / takes(one reference) · never fails · quiet / wakes */
static inline void
caw__reactor_hold(caw_reactor *r)
{
    atomic_fetch_add_explicit(&r->references, 1, memory_order_relaxed);
}

static inline void
caw__reactor_drop(caw_reactor *r)
{
    if (atomic_fetch_sub_explicit(&r->references, 1, memory_order_acq_rel) == 1) {
        r->end(r);
    }
}

/* Set the alarm to the first timer. locked; fails only where the alarm was never set before.
 *   any-thread · no-gil · - · fails(-errno) · quiet */
int caw__reactor_set_alarm(caw_reactor *r);

/* Milliseconds from now to the deadline, rounded up, for poll() and epoll_wait(); -1 for CAW__NO_ALARM.
 *   any-thread · no-gil · - · never fails · quiet */
int caw__milliseconds_until(uint64_t deadline);

/* now + duration; CAW__NO_ALARM when that is beyond all clocks.
 *   any-thread · no-gil · - · never fails · quiet */
uint64_t caw__deadline_after(uint64_t now, uint64_t duration_ns);

/* What time it is for the timers of this reactor.
 *   locked · no-gil · borrows(r) · never fails · quiet */
static inline uint64_t
caw__reactor_now(const caw_reactor *r)
{
    return r->manual ? r->manual_now : caw__now_ns();
}

/* From now on its time is this one until the next call, whatever the clock says; the next turn expires what is due by
 * then. The first call comes before the reactor is shared.
 *   any-thread, not locked · no-gil · borrows(r) · never fails · quiet */
void caw__reactor_set_clock(caw_reactor *r, uint64_t now);

/* Wakers taken out under a lock, to be woken when it is no longer held. */
typedef struct caw__wakes {
    int length;
    caw_waker wakers[64];
} caw__wakes;

/* None yet. The array stays as it is: to clear it would cost more than most turns.
 *   init · no-gil · borrows(wakes) · never fails · quiet */
static inline void
caw__wakes_init(caw__wakes *wakes)
{
    wakes->length = 0;
}

/* Whether there is no room for another one.
 *   any-thread · no-gil · borrows(wakes) · never fails · quiet */
static inline bool
caw__wakes_full(const caw__wakes *wakes)
{
    return wakes->length == (int)(sizeof wakes->wakers / sizeof *wakes->wakers);
}

/* Wake them all and forget them. Returns how many.
 *   any-thread, not locked · no-gil · takes(the wakers) · never fails · wakes */
int caw__wakes_send(caw__wakes *wakes);

CAW__INTERNAL_END

#endif
