/* points.h: a future that is interrupted at each of its suspension points in turn. */
#ifndef CAWAIT_TEST_POINTS_H
#define CAWAIT_TEST_POINTS_H

#include "cawait/core.h"
#include "cawait/testing_tools.h"

#include "test.h"

#include <unistd.h>

/* What is done to it: nothing; a cancel, and it is polled to its end; it is destroyed; a cancel, a poll, and destroyed;
 * a cancel, and destroyed. */
enum interruption { NOT_AT_ALL, CANCEL, DESTROY, CANCEL_POLL_DESTROY, CANCEL_DESTROY, INTERRUPTIONS };

/* Let there be a wake: move the clock on to the next timer, or let the kernel pass on what was written. */
static inline void
wait_for_a_wake(caw_test_reactor *r)
{
    uint64_t until = caw_test_reactor_until_timer(r), give_up = caw_now_ns() + 30 * UINT64_C(1000000000);
    int done = caw_test_reactor_advance(r, 0);
    while (done == 0 && until == UINT64_MAX && caw_now_ns() < give_up) {
        (void)usleep(100);
        done = caw_test_reactor_advance(r, 0);
    }
    CHECK(done > 0 || until != UINT64_MAX); /* else nobody would ever wake it */
    if (done == 0) {
        CHECK(caw_test_reactor_advance(r, until) >= 0);
    }
}

/* Poll it up to so many times, each time after a wake. Whether it is ready. */
static inline bool
poll_times(caw_test_reactor *r, caw_future *f, caw_test_waker *waker, int times)
{
    for (int i = 0; i < times; i++) {
        int wakes = caw_test_waker_wakes(waker);
        if (caw_test_reactor_poll(r, f, waker) == CAW_READY) {
            return true;
        }
        if (caw_test_waker_wakes(waker) == wakes) {
            wait_for_a_wake(r);
        }
    }
    return false;
}

/* Make it, let it suspend n times, and interrupt it; then destroy it. Its status, or -EINPROGRESS where it was
 * destroyed before its end. */
static inline int
interrupt(caw_future *f, int n, enum interruption how, bool *was_ready)
{
    caw_test_reactor *r;
    caw_test_waker waker;
    CHECK(f && caw_test_reactor_new(&r) == 0);
    caw_test_waker_init(&waker);
    bool ready = poll_times(r, f, &waker, n);
    *was_ready = ready;
    if (!ready && how != NOT_AT_ALL && how != DESTROY) {
        caw_future_cancel(f);
    }
    if (!ready && (how == CANCEL || how == NOT_AT_ALL)) {
        ready = poll_times(r, f, &waker, 10000);
        CHECK(ready);
    }
    if (!ready && how == CANCEL_POLL_DESTROY) {
        ready = poll_times(r, f, &waker, 1);
    }
    int status = ready ? f->status : -EINPROGRESS;
    caw_future_destroy(f);
    caw_test_reactor_free(r);
    CHECK_INT(caw_test_waker_references(&waker), 0);
    return status;
}

/* All interruptions at all points. `make` is called for each, `check` after each with the status. */
static inline void
interrupt_everywhere(caw_future *(*make)(void), void (*check)(enum interruption how, int n, int status))
{
    for (int how = NOT_AT_ALL; how < INTERRUPTIONS; how++) {
        bool was_ready = false;
        for (int n = 0; !was_ready; n++) {
            int status = interrupt(make(), n, (enum interruption)how, &was_ready);
            check((enum interruption)how, n, status);
        }
    }
}

#endif
