/* shared.c: the parts of a reactor that all its files use: its clock, and wakers that were taken out under its lock. */
#include "core/reactor/shared.h"

#include <limits.h>

/* Time. */

uint64_t
caw_now_ns(void)
{
    return caw__now_ns();
}

uint64_t
caw__deadline_after(uint64_t now, uint64_t duration_ns)
{
    return duration_ns < CAW__NO_ALARM - now ? now + duration_ns : CAW__NO_ALARM;
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
    uint64_t now = caw__now_ns();
    if (deadline <= now) {
        return 0;
    }
    uint64_t milliseconds = (deadline - now - 1) / 1000000 + 1;
    return milliseconds < INT_MAX ? (int)milliseconds : INT_MAX;
}

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

/* Wakers. */

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

/* References. */

caw_reactor *
caw_reactor_retain(caw_reactor *r)
{
    caw__reactor_hold(r);
    return r;
}

void
caw_reactor_release(caw_reactor *r)
{
    caw__reactor_drop(r);
}
