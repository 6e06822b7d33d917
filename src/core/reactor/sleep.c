/* sleep.c: a future that waits for a time. */
#include "core/reactor/sleep.h"

#include <stdlib.h>

typedef struct sleep_future {
    caw__wait wait;
    caw__timer timer;
    uint64_t time_ns; /* how long, or until when */
} sleep_future;

caw__wait *
caw__sleep_wait(caw__timer *timer)
{
    return &CAW_CONTAINER_OF(timer, sleep_future, timer)->wait;
}

static sleep_future *
sleep_of(caw__wait *w)
{
    return CAW_CONTAINER_OF(w, sleep_future, wait);
}

static int
sleep_begin(caw__wait *w, uint64_t deadline)
{
    sleep_future *s = sleep_of(w);
    s->timer.deadline = deadline;
    int error = caw__timer_heap_add(&w->reactor->timers, &s->timer);
    if (error) {
        return error;
    }
    error = caw__reactor_set_alarm(w->reactor);
    if (error) {
        caw__timer_heap_remove(&w->reactor->timers, &s->timer);
    }
    return error;
}

static int
sleep_enter_for(caw__wait *w)
{
    uint64_t duration_ns = sleep_of(w)->time_ns;
    return duration_ns == 0 ? 1 : sleep_begin(w, caw__deadline_after(caw__reactor_now(w->reactor), duration_ns));
}

static int
sleep_enter_until(caw__wait *w)
{
    uint64_t when_ns = sleep_of(w)->time_ns;
    return when_ns <= caw__reactor_now(w->reactor) ? 1 : sleep_begin(w, when_ns);
}

static void
sleep_leave(caw__wait *w)
{
    caw__timer_heap_remove(&w->reactor->timers, &sleep_of(w)->timer);
}

static const caw__wait_ops sleep_for_ops = {sleep_enter_for, sleep_leave};
static const caw__wait_ops sleep_until_ops = {sleep_enter_until, sleep_leave};

static const caw_future_ops sleep_ops = {"sleep", caw__wait_poll, caw__wait_cancel, caw__wait_destroy};

static caw_future *
sleep_new(const caw__wait_ops *ops, uint64_t time_ns)
{
    sleep_future *s = malloc(sizeof *s);
    if (!s) {
        return NULL;
    }
    caw__wait_init(&s->wait, &sleep_ops, ops);
    s->time_ns = time_ns;
    return &s->wait.future;
}

caw_future *
caw_sleep(uint64_t duration_ns)
{
    return sleep_new(&sleep_for_ops, duration_ns);
}

caw_future *
caw__sleep_until(uint64_t when_ns)
{
    return sleep_new(&sleep_until_ops, when_ns);
}
