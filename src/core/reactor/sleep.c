/* sleep.c: a future that waits for a time. */
#include "core/reactor/sleep.h"

#include <stdlib.h>

typedef struct sleep_future {
    caw__wait wait;
    caw__timer timer;
    uint64_t duration_ns;
} sleep_future;

caw__wait *
caw__sleep_wait(caw__timer *timer)
{
    return &CAW_CONTAINER_OF(timer, sleep_future, timer)->wait;
}

static int
sleep_enter(caw__wait *w)
{
    sleep_future *s = CAW_CONTAINER_OF(w, sleep_future, wait);
    if (s->duration_ns == 0) {
        return 1;
    }
    s->timer.deadline = caw__deadline_after(caw__reactor_now(w->reactor), s->duration_ns);
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

static void
sleep_leave(caw__wait *w)
{
    caw__timer_heap_remove(&w->reactor->timers, &CAW_CONTAINER_OF(w, sleep_future, wait)->timer);
}

static const caw__wait_ops sleep_wait_ops = {sleep_enter, sleep_leave};

static const caw_future_ops sleep_ops = {"sleep", caw__wait_poll, caw__wait_cancel, caw__wait_destroy};

caw_future *
caw_sleep(uint64_t duration_ns)
{
    sleep_future *s = malloc(sizeof *s);
    if (!s) {
        return NULL;
    }
    caw__wait_init(&s->wait, &sleep_ops, &sleep_wait_ops);
    s->duration_ns = duration_ns;
    return &s->wait.future;
}
