/* shared.h: the inside of a reactor, for the files that make it up.
 *
 *   reactor.c            lifecycle, wake queue, turn
 *   reactor/fd_table.c             the table of fds: who waits for which, and calling them
 *   wait.c, sleep.c, reactor/readiness.c   the futures that wait on a reactor
 *   reactor/epoll.c, reactor/portable.c   the two backends, behind caw__backend
 */
#ifndef CAWAIT_CORE_REACTOR_SHARED_H
#define CAWAIT_CORE_REACTOR_SHARED_H

#include "cawait/reactor.h"

#include "core/reactor/timer_heap.h"
#include "core/reactor/wake_queue.h"

#include <pthread.h>
#include <stdatomic.h>

CAW__INTERNAL_BEGIN

#define CAW__NO_ALARM   UINT64_MAX
#define CAW__TURN_BATCH 64 /* fd events per turn; what is left is there again at the next one */

/* One fd number in a reactor's table. Guarded by the reactor's lock. */
typedef struct caw__fd {
    caw_fd_source *first; /* who waits, in order of arrival; linked by links[0] */
    unsigned stamp;       /* tells this use of the fd number from earlier ones, whose events may still come */
    unsigned char armed;  /* the events that the backend was asked for and has not reported */
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
    atomic_uint references;
    _Atomic(caw__wake_node *) head; /* the wake queue; see reactor.c */
    caw__wake_node *left;           /* the turning thread's: what was queued when the reactor was closed */
    bool alarm_rang;                /* the turning thread's */

    pthread_mutex_t lock; /* guards all that follows, and every caw__wait and caw_fd_source of this reactor */
    bool closed;
    bool manual;         /* time moves by caw__reactor_set_clock alone, and there is no alarm */
    uint64_t manual_now; /* true while manual */
    uint64_t alarm;      /* when the backend will ring; CAW__NO_ALARM when it will not */
    caw__timer_heap timers;
    caw__fd *fds; /* by fd number */
    int n_fds;
    unsigned last_stamp;
    caw_fd_source *calling; /* the source whose callback runs; NULL when none */
    pthread_t caller;       /* true while calling: who runs it */
    pthread_cond_t called;

    union {
        struct {
            int event_fd, timer_fd; /* unchanged */
        } epoll;
        caw__portable *portable; /* unchanged */
    } at;
};

/* NULL where the system has no epoll. */
const caw__backend *caw__backend_epoll(void);
const caw__backend *caw__backend_portable(void);

/* Take the lock. False in a forked child, where another thread may hold it for ever: then nothing was locked, and the
 * reactor is to be treated as closed.
 *   any-thread · no-gil · borrows(r) · - · quiet */
bool caw__reactor_lock(caw_reactor *r);
void caw__reactor_unlock(caw_reactor *r);

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
uint64_t caw__reactor_now(const caw_reactor *r);

/* From now on its time is this one until the next call, whatever the clock says; the next turn expires what is due by then.
 * The first call comes before the reactor is shared.
 *   any-thread, not locked · no-gil · borrows(r) · never fails · quiet */
void caw__reactor_set_clock(caw_reactor *r, uint64_t now);

/* Wakers taken out under a lock, to be woken when it is no longer held. */
typedef struct caw__wakes {
    int length;
    caw_waker wakers[64];
} caw__wakes;

static inline bool
caw__wakes_full(const caw__wakes *wakes)
{
    return wakes->length == (int)(sizeof wakes->wakers / sizeof *wakes->wakers);
}

/* Wake them all and forget them. Returns how many.
 *   any-thread, not locked · no-gil · takes(the wakers) · never fails · wakes */
int caw__wakes_send(caw__wakes *wakes);

/* A future that waits on a reactor: the first member of what malloc() gave. Before the first poll `reactor` is NULL and the poller owns all of it;
 * then the reactor's lock guards `waker`, `status`, `phase`. */
typedef enum caw__wait_phase { CAW__WAIT_NEW, CAW__WAIT_WAITING, CAW__WAIT_ENDED } caw__wait_phase;

typedef struct caw__wait caw__wait;

typedef struct caw__wait_ops {
    int (*enter)(caw__wait *w);  /* locked: begin; 0, or 1: ready already, or an error */
    void (*leave)(caw__wait *w); /* locked: undo that */
} caw__wait_ops;

struct caw__wait {
    caw_future future;
    const caw__wait_ops *ops;
    caw_reactor *reactor; /* retained */
    caw_waker waker;      /* true while waiting */
    int status;           /* true once ended */
    caw__wait_phase phase;
};

void caw__wait_init(caw__wait *w, const caw_future_ops *future_ops, const caw__wait_ops *ops);

/* The functions of such a future.
 *   poller · no-gil · borrows, destroy takes(f) · never fails · quiet, cancel wakes */
caw_poll caw__wait_poll(caw_future *f, caw_context *cx);
void caw__wait_cancel(caw_future *f);
void caw__wait_destroy(caw_future *f);

/* It has left the reactor for good: end it, and collect its waker.
 *   locked · no-gil · takes(its waker, into `wakes`) · never fails · quiet */
void caw__wait_end(caw__wait *w, int status, caw__wakes *wakes);

/* The wait of a timer in the heap, and of a source that is not a foreign one (its `ready` is NULL). */
caw__wait *caw__sleep_wait(caw__timer *timer);
caw__wait *caw__io_wait(caw_fd_source *source);

/* Add a source or the source of a caw__wait; 1 when its fd is always ready, and then it was not added.
 *   locked · no-gil · borrows(source) · fails(CAW_EBADF, CAW_ENOMEM, -EEXIST, -errno) · quiet */
int caw__fds_add(caw_reactor *r, caw_fd_source *source);

/* Take it out. Nothing happens when it is not in.
 *   locked · no-gil · - · never fails · quiet */
void caw__fds_remove(caw_reactor *r, caw_fd_source *source);

/* Do what an event asks for. Returns how many were woken or called.
 *   turning thread, not locked · no-gil · - · never fails · wakes, calls-user */
int caw__fds_dispatch(caw_reactor *r, const caw__fd_event *event);

/* Take out sources, end waits with CAW_ECLOSED, until `wakes` is full. False when there are none left.
 *   locked · no-gil · - · never fails · quiet */
bool caw__fds_close(caw_reactor *r, caw__wakes *wakes);

CAW__INTERNAL_END

#endif
