/* reactor.c: a reactor whose clock the test moves, as a place to poll futures in. */
#include "cawait/testing_tools.h"

#include "core/reactor/shared.h"

#include <stdlib.h>

struct caw_test_reactor {
    caw_reactor *reactor;
    uint64_t now;
};

static caw_reactor *
testing_host_reactor(const caw_context *cx, int *error)
{
    (void)error;
    return ((caw_test_reactor *)cx->place)->reactor;
}

static const caw_host testing_host = {"testing", testing_host_reactor};

int
caw_test_reactor_new(caw_test_reactor **out)
{
    *out = NULL;
    caw_test_reactor *t = malloc(sizeof *t);
    if (!t) {
        return CAW_ENOMEM;
    }
    t->now = 0;
    int error = caw_reactor_new(CAW_REACTOR_DEFAULT, &t->reactor);
    if (error) {
        free(t);
        return error;
    }
    caw__reactor_set_clock(t->reactor, 0);
    *out = t;
    return 0;
}

void
caw_test_reactor_free(caw_test_reactor *t)
{
    if (t) {
        caw_reactor_close(t->reactor); /* others may hold it: futures that are not destroyed yet */
        caw_reactor_release(t->reactor);
        free(t);
    }
}

caw_poll
caw_test_reactor_poll(caw_test_reactor *t, caw_future *f, caw_test_waker *waker)
{
    caw_context cx = {waker ? caw_test_waker_get(waker) : CAW_WAKER_NONE, &testing_host, t};
    return caw_future_poll(f, &cx);
}

uint64_t
caw_test_reactor_now(const caw_test_reactor *t)
{
    return t->now;
}

uint64_t
caw_test_reactor_until_timer(const caw_test_reactor *t)
{
    uint64_t until = UINT64_MAX;
    if (caw__reactor_lock(t->reactor)) {
        caw__timer *first = caw__timer_heap_first(&t->reactor->timers);
        if (first) {
            until = first->deadline > t->now ? first->deadline - t->now : 0;
        }
        caw__reactor_unlock(t->reactor);
    }
    return until;
}

int
caw_test_reactor_advance(caw_test_reactor *t, uint64_t duration_ns)
{
    t->now = caw__deadline_after(t->now, duration_ns);
    caw__reactor_set_clock(t->reactor, t->now);
    return caw_reactor_turn(t->reactor, 0);
}

int
caw_test_reactor_run(caw_test_reactor *t, caw_future *f, caw_test_waker *waker)
{
    for (;;) {
        int before = caw_test_waker_wakes(waker);
        if (caw_test_reactor_poll(t, f, waker) == CAW_READY) {
            return f->status;
        }
        while (caw_test_waker_wakes(waker) == before) {
            int done = caw_test_reactor_advance(t, 0);
            uint64_t until = caw_test_reactor_until_timer(t);
            if (done == 0) {
                done = until < UINT64_MAX ? caw_test_reactor_advance(t, until) : -EDEADLK;
            }
            if (done < 0) {
                return done;
            }
        }
    }
}
