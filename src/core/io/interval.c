/* interval.c: a tick every so often. Between two ticks there is a sleep until the next one's own time: so it does not
 * matter how long whoever polls has been busy. Nothing here is shared between threads. */
#include "cawait/interval.h"

#include "core/base/future.h"

#include <stdlib.h>

typedef struct interval {
    caw_stream stream;
    uint64_t period_ns;
    uint64_t due_ns;      /* of the next tick; true once started */
    uint64_t missed;      /* left out so far */
    caw_future *until;    /* owned: while it waits for `due_ns` */
    caw_missed_ticks way; /* of dealing with those that were missed */
    bool started;         /* `due_ns` is true */
    bool cancelled;
} interval;

static interval *
interval_of(caw_stream *s)
{
    return CAW_CONTAINER_OF(s, interval, stream);
}

static uint64_t
interval_after(uint64_t time_ns, uint64_t duration_ns)
{
    return duration_ns < UINT64_MAX - time_ns ? time_ns + duration_ns : UINT64_MAX;
}

static void
tick_destroy(caw_item *item)
{
    free(CAW_CONTAINER_OF(item, caw_tick_item, item));
}

/* The tick that is due, and when the next one is. */
static void
interval_tick(interval *i, uint64_t now, caw_tick_item *tick)
{
    uint64_t late = now - i->due_ns, periods = late / i->period_ns;
    *tick = (caw_tick_item){.item = {.destroy = tick_destroy}, .due_ns = i->due_ns, .late_ns = late};
    switch (i->way) {
    case CAW_TICKS_BURST:
        i->due_ns = interval_after(i->due_ns, i->period_ns);
        return;
    case CAW_TICKS_DELAY:
        i->due_ns = interval_after(now, i->period_ns);
        break;
    case CAW_TICKS_SKIP:
        i->due_ns = interval_after(now - late % i->period_ns, i->period_ns);
        break;
    }
    tick->missed = periods;
    i->missed += periods;
}

/* Wait for the next tick. 0: it is due at `now`; 1: pending; below 0: an error. */
static int
interval_wait(interval *i, caw_context *cx, uint64_t *now)
{
    for (;;) {
        int status = caw__future_wait(&i->until, cx);
        status = status ? status : caw_context_now(cx, now);
        if (status) {
            return status;
        }
        if (!i->started) {
            i->started = true;
            i->due_ns = *now;
        }
        if (*now >= i->due_ns) {
            return 0;
        }
        i->until = caw_sleep_until(i->due_ns);
        if (!i->until) {
            return CAW_ENOMEM;
        }
    }
}

static bool
interval_is_valid(const interval *i)
{
    return i->period_ns > 0 && (unsigned)i->way <= CAW_TICKS_SKIP;
}

static caw_poll
interval_poll_next(caw_stream *s, caw_context *cx, caw_item **out)
{
    interval *i = interval_of(s);
    if (i->cancelled || !interval_is_valid(i)) {
        return caw_stream_finish(s, i->cancelled ? CAW_ECANCELED : CAW_EINVAL, out);
    }
    uint64_t now;
    int waiting = interval_wait(i, cx, &now);
    if (waiting > 0) {
        return CAW_PENDING;
    }
    caw_tick_item *tick = waiting == 0 ? malloc(sizeof *tick) : NULL;
    if (!tick) {
        return caw_stream_finish(s, waiting < 0 ? waiting : CAW_ENOMEM, out);
    }
    interval_tick(i, now, tick);
    *out = &tick->item;
    return CAW_READY;
}

static void
interval_cancel(caw_stream *s)
{
    interval *i = interval_of(s);
    i->cancelled = true;
    if (i->until) {
        caw_future_cancel(i->until);
    }
}

static void
interval_destroy(caw_stream *s)
{
    interval *i = interval_of(s);
    caw_future_destroy(i->until);
    free(i);
}

static const caw_stream_ops interval_ops = {"interval", interval_poll_next, interval_cancel, interval_destroy, NULL};

static interval *
interval_new(uint64_t period_ns, caw_missed_ticks missed)
{
    interval *i = malloc(sizeof *i);
    if (i) {
        *i = (interval){.period_ns = period_ns, .way = missed};
        caw_stream_init(&i->stream, &interval_ops);
    }
    return i;
}

caw_stream *
caw_interval(uint64_t period_ns, caw_missed_ticks missed)
{
    interval *i = interval_new(period_ns, missed);
    return i ? &i->stream : NULL;
}

caw_stream *
caw_interval_at(uint64_t first_ns, uint64_t period_ns, caw_missed_ticks missed)
{
    interval *i = interval_new(period_ns, missed);
    if (!i) {
        return NULL;
    }
    i->due_ns = first_ns;
    i->started = true;
    return &i->stream;
}

uint64_t
caw_interval_missed(const caw_stream *ticks)
{
    return CAW_CONTAINER_OF(ticks, const interval, stream)->missed;
}
