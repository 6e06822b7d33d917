/* sleep.c: a future that waits for a time. */
#include "core/reactor/sleep.h"

#include <stdlib.h>

/* There may be a million of these, so the deadline is where the duration was. */
typedef struct sleep_future {
    caw__wait wait;
    caw__timer timer; /* before the first poll `deadline` is what the maker was given */
} sleep_future;

caw__wait *
caw__sleep_wait(caw__timer *timer)
{
    return &CAW_CONTAINER_OF(timer, sleep_future, timer)->wait;
}

/* Wait for the deadline. */
static int
sleep_begin(sleep_future *s)
{
    caw_reactor *r = s->wait.reactor;
    int error = caw__timer_heap_add(&r->timers, &s->timer);
    if (error) {
        return error;
    }
    error = caw__reactor_set_alarm(r);
    if (error) {
        caw__timer_heap_remove(&r->timers, &s->timer);
    }
    return error;
}

static int
sleep_enter(caw__wait *w)
{
    sleep_future *s = CAW_CONTAINER_OF(w, sleep_future, wait);
    uint64_t duration_ns = s->timer.deadline;
    if (duration_ns == 0) {
        return 1;
    }
    s->timer.deadline = caw__deadline_after(caw__reactor_now(w->reactor), duration_ns);
    return sleep_begin(s);
}

static int
sleep_enter_until(caw__wait *w)
{
    sleep_future *s = CAW_CONTAINER_OF(w, sleep_future, wait);
    return s->timer.deadline <= caw__reactor_now(w->reactor) ? 1 : sleep_begin(s);
}

static void
sleep_leave(caw__wait *w)
{
    caw__timer_heap_remove(&w->reactor->timers, &CAW_CONTAINER_OF(w, sleep_future, wait)->timer);
}

static const caw__wait_ops sleep_wait_ops = {sleep_enter, sleep_leave};
static const caw__wait_ops sleep_until_wait_ops = {sleep_enter_until, sleep_leave};

static const caw_future_ops sleep_ops = {"sleep", caw__wait_poll, caw__wait_cancel, caw__wait_destroy};
static const caw_future_ops sleep_until_ops = {"sleep_until", caw__wait_poll, caw__wait_cancel, caw__wait_destroy};

static caw_future *
sleep_new(const caw_future_ops *ops, const caw__wait_ops *wait_ops, uint64_t time_ns)
{
    sleep_future *s = malloc(sizeof *s);
    if (!s) {
        return NULL;
    }
    caw__wait_init(&s->wait, ops, wait_ops);
    s->timer.deadline = time_ns;
    return &s->wait.future;
}

caw_future *
caw_sleep(uint64_t duration_ns)
{
    return sleep_new(&sleep_ops, &sleep_wait_ops, duration_ns);
}

caw_future *
caw_sleep_until(uint64_t when_ns)
{
    return sleep_new(&sleep_until_ops, &sleep_until_wait_ops, when_ns);
}

int
caw_context_now(const caw_context *cx, uint64_t *out_ns)
{
    int error = CAW_ENOREACTOR;
    *out_ns = 0;
    caw_reactor *r = caw_context_reactor(cx, &error);
    if (!r) {
        return error;
    }
    if (!caw__reactor_lock(r)) {
        return CAW_ECLOSED;
    }
    *out_ns = caw__reactor_now(r);
    caw__reactor_unlock(r);
    return 0;
}
