/* epoll.c: the reactor's fd is an epoll fd. Inside are
 *
 *   an eventfd, edge-triggered: each write is an edge, so a ring needs no read() to be forgotten, and a turn is one
 *   system call. (epoll(7): with EPOLLET an eventfd reports each write, also when its counter was above 0 before.)
 *   a timerfd, edge-triggered likewise, set to the first timer.
 *   the fds that are waited for, with EPOLLONESHOT: the kernel itself stops watching when it has reported.
 *
 * Seen from outside the epoll fd is level-triggered: readable from the first event until epoll_wait took the last one.
 * An fd stays in the kernel's set after its report, disarmed, because the next wait for it is then one EPOLL_CTL_MOD.
 * If it was closed meanwhile the kernel has forgotten it (ENOENT), and it is added anew.
 */
#include "core/reactor/epoll.h"

#include "core/os/compiler.h"

#if CAW__HAS_EPOLL

#  include <errno.h>
#  include <limits.h>
#  include <sys/epoll.h>
#  include <sys/eventfd.h>
#  include <sys/timerfd.h>
#  include <unistd.h>

/* epoll_data: the fd in the low half and its stamp in the high half; these two have no fd. */
#  define EPOLL_DATA_RING  UINT64_MAX
#  define EPOLL_DATA_ALARM (UINT64_MAX - 1)

static void
epoll_shut(caw_reactor *r, bool forked)
{
    (void)forked; /* close() takes nothing out of the set that the parent shares */
    int fds[] = {r->fd, r->at.epoll.event_fd, r->at.epoll.timer_fd};
    for (int i = 0; i < 3; i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
}

static int
epoll_add_edge(caw_reactor *r, int fd, uint64_t data)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = data};
    return epoll_ctl(r->fd, EPOLL_CTL_ADD, fd, &event);
}

static int
epoll_open(caw_reactor *r)
{
    r->at.epoll.event_fd = r->at.epoll.timer_fd = -1;
    if ((r->fd = epoll_create1(EPOLL_CLOEXEC)) < 0 ||
        (r->at.epoll.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0 ||
        (r->at.epoll.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) < 0 ||
        epoll_add_edge(r, r->at.epoll.event_fd, EPOLL_DATA_RING) < 0 ||
        epoll_add_edge(r, r->at.epoll.timer_fd, EPOLL_DATA_ALARM) < 0) {
        int error = -errno;
        epoll_shut(r, false);
        return error;
    }
    return 0;
}

static void
epoll_stop(caw_reactor *r)
{
    (void)r; /* there is no thread */
}

static void
epoll_ring(caw_reactor *r)
{
    int before = errno; /* a wake may come in any code */
    uint64_t one = 1;
    while (write(r->at.epoll.event_fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
    errno = before; /* EAGAIN: nobody has turned for 2^64 rings */
}

static int
epoll_set_alarm(caw_reactor *r, uint64_t deadline)
{
    uint64_t seconds = deadline / 1000000000;
    struct itimerspec alarm = {.it_value.tv_sec = seconds < INT_MAX ? (time_t)seconds : INT_MAX,
                               .it_value.tv_nsec = (long)(deadline % 1000000000)};
    return timerfd_settime(r->at.epoll.timer_fd, TFD_TIMER_ABSTIME, &alarm, NULL) < 0 ? -errno : 0;
}

static int
epoll_watch(caw_reactor *r, int fd, caw__fd *entry)
{
    struct epoll_event event = {.events = EPOLLONESHOT, .data.u64 = (uint64_t)entry->stamp << 32 | (unsigned)fd};
    event.events |= entry->armed & CAW_READABLE ? EPOLLIN : 0u;
    event.events |= entry->armed & CAW_WRITABLE ? EPOLLOUT : 0u;
    int result = epoll_ctl(r->fd, entry->known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    if (result < 0 && errno == (entry->known ? ENOENT : EEXIST)) {
        result = epoll_ctl(r->fd, entry->known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
    }
    entry->known = result == 0;
    if (result == 0) {
        return 0;
    }
    return errno == EPERM ? 1 : -errno; /* EPERM: a kind of file that epoll does not know, because it is always ready */
}

static void
epoll_forget(caw_reactor *r, int fd, caw__fd *entry)
{
    if (entry->known) {
        struct epoll_event unused = {.events = 0};
        (void)epoll_ctl(r->fd, EPOLL_CTL_DEL, fd, &unused); /* fails when the fd was closed; then it is gone already */
        entry->known = 0;
    }
}

/* Sort what epoll_wait saw into events of fds and our own two. */
static int
epoll_sort(caw_reactor *r, const struct epoll_event *seen, int n, caw__fd_event *out)
{
    int length = 0;
    for (int i = 0; i < n; i++) {
        uint64_t data = seen[i].data.u64;
        if (data == EPOLL_DATA_RING) {
            continue;
        }
        if (data == EPOLL_DATA_ALARM) {
            r->alarm_rang = true;
            continue;
        }
        unsigned both = seen[i].events & (EPOLLERR | EPOLLHUP) ? CAW_READABLE | CAW_WRITABLE : 0;
        unsigned readable = seen[i].events & EPOLLIN ? CAW_READABLE : 0;
        unsigned writable = seen[i].events & EPOLLOUT ? CAW_WRITABLE : 0;
        out[length++] = (caw__fd_event){(int)(data & UINT32_MAX), (unsigned)(data >> 32), both | readable | writable};
    }
    return length;
}

static int
epoll_sleep(caw_reactor *r, int milliseconds, caw__fd_event *out)
{
    struct epoll_event seen[CAW__TURN_BATCH];
    int n = epoll_wait(r->fd, seen, CAW__TURN_BATCH, milliseconds);
    return n > 0 ? epoll_sort(r, seen, n, out) : n < 0 ? -errno : -ETIMEDOUT;
}

const caw__backend *
caw__backend_epoll(void)
{
    static const caw__backend epoll_backend = {
        .open = epoll_open,
        .stop = epoll_stop,
        .shut = epoll_shut,
        .ring = epoll_ring,
        .sleep = epoll_sleep,
        .set_alarm = epoll_set_alarm,
        .watch = epoll_watch,
        .forget = epoll_forget,
    };
    return &epoll_backend;
}

#  undef EPOLL_DATA_RING
#  undef EPOLL_DATA_ALARM

#else

const caw__backend *
caw__backend_epoll(void)
{
    return NULL;
}

#endif
