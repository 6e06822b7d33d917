/* process.c: the end of a child process.
 *
 * The child is reaped in the poll that ends the future, and in no other. So whoever gives up the wait, at any moment,
 * leaves the child to the next one. That poll comes when the child's pidfd is readable, or, where there is none, after
 * a sleep. Nothing here is shared between threads.
 */
#include "cawait/process.h"

#include "cawait/reactor.h"

#include "core/base/future.h"
#include "core/os/fd.h"
#include "core/os/process.h"

#include <stdlib.h>

#define PROCESS_SLEEP_MIN_NS UINT64_C(1000000)
#define PROCESS_SLEEP_MAX_NS UINT64_C(64000000)

typedef struct process_wait {
    caw_future future;
    int pid;
    int fd;      /* owned; -1: not yet, or none */
    bool sleeps; /* there is no fd to be had */
    bool cancelled;
    caw__process_end end;
    uint64_t sleep_ns; /* the next time */
    caw_future *wait;  /* owned: for the fd, or for the time */
} process_wait;

static process_wait *
process_of(caw_future *f)
{
    return CAW_CONTAINER_OF(f, process_wait, future);
}

/* What it waits for now. The child was there a moment ago, and only this future may reap it: so the fd, when there is
 * one, is the child's. */
static caw_future *
process_wait_new(process_wait *p)
{
    if (p->fd < 0 && !p->sleeps) {
        p->fd = caw__process_fd(p->pid);
        p->sleeps = p->fd < 0;
    }
    if (!p->sleeps) {
        return caw_readable(p->fd);
    }
    uint64_t sleep_ns = p->sleep_ns;
    p->sleep_ns = sleep_ns < PROCESS_SLEEP_MAX_NS ? 2 * sleep_ns : sleep_ns;
    return caw_sleep(sleep_ns);
}

static caw_poll
process_poll(caw_future *f, caw_context *cx)
{
    process_wait *p = process_of(f);
    if (p->pid <= 0) {
        return caw_future_finish(f, CAW_EINVAL);
    }
    for (;;) {
        int status = p->cancelled ? CAW_ECANCELED : caw__future_wait(&p->wait, cx);
        if (status > 0) {
            return CAW_PENDING;
        }
        int ended = status ? status : caw__process_reap(p->pid, &p->end);
        if (ended) {
            return caw_future_finish(f, ended > 0 ? 0 : ended);
        }
        p->sleeps = p->sleeps || p->fd >= 0; /* its fd is readable, but somebody who traces it keeps it */
        p->wait = process_wait_new(p);
        if (!p->wait) {
            return caw_future_finish(f, CAW_ENOMEM);
        }
    }
}

static void
process_cancel(caw_future *f)
{
    process_wait *p = process_of(f);
    p->cancelled = true;
    if (p->wait) {
        caw_future_cancel(p->wait);
    }
}

static void
process_destroy(caw_future *f)
{
    process_wait *p = process_of(f);
    caw_future_destroy(p->wait); /* before the close: the reactor forgets the fd */
    caw__fd_close(p->fd);
    free(p);
}

static const caw_future_ops process_ops = {"process_wait", process_poll, process_cancel, process_destroy};

caw_future *
caw_process_wait(int pid)
{
    process_wait *p = malloc(sizeof *p);
    if (!p) {
        return NULL;
    }
    *p = (process_wait){.pid = pid, .fd = -1, .end = {.exit_code = -1}, .sleep_ns = PROCESS_SLEEP_MIN_NS};
    caw_future_init(&p->future, &process_ops);
    return &p->future;
}

int
caw_process_exit_code(const caw_future *f)
{
    return CAW_CONTAINER_OF(f, const process_wait, future)->end.exit_code;
}

int
caw_process_signal(const caw_future *f)
{
    return CAW_CONTAINER_OF(f, const process_wait, future)->end.signal;
}
