/* probe.h: a future that follows a script, for the tests of futures around others. */
#ifndef CAWAIT_TEST_PROBE_H
#define CAWAIT_TEST_PROBE_H

#include "place.h"

/* It does one thing at each poll: p: is pending; y: is pending, and woken before the poll returns; e: ends with -EIO;
 * t: ends with -EPIPE; c: ends with CAW_ECANCELED; 0: ends with 0; w: the same, and woken before. After the last step
 * it is pending for ever. Once it was cancelled it follows `after`. It lies in the test's memory. */
typedef struct probe {
    caw_future future;
    const char *steps, *after;
    int polls, cancels, destroys;
    bool ended;
    caw_waker waker;
} probe;

static inline probe *
probe_of(caw_future *f)
{
    return CAW_CONTAINER_OF(f, probe, future);
}

static inline void
probe_wake(probe *p)
{
    wake_kept(&p->waker);
}

static inline caw_poll
probe_finish(probe *p, int status)
{
    p->ended = true;
    return caw_future_finish(&p->future, status);
}

static inline caw_poll
probe_poll(caw_future *f, caw_context *cx)
{
    probe *p = probe_of(f);
    CHECK_INT(p->destroys, 0);
    CHECK(!p->ended);
    p->polls++;
    switch (*p->steps ? *p->steps++ : 'p') {
    case '0':
        return probe_finish(p, 0);
    case 'w':
        caw_waker_wake_by_ref(cx->waker);
        return probe_finish(p, 0);
    case 'e':
        return probe_finish(p, -EIO);
    case 't':
        return probe_finish(p, -EPIPE);
    case 'c':
        return probe_finish(p, CAW_ECANCELED);
    case 'y':
        caw_waker_wake_by_ref(cx->waker);
        break;
    default:
        keep_waker(&p->waker, cx->waker);
    }
    return CAW_PENDING;
}

static inline void
probe_cancel(caw_future *f)
{
    probe *p = probe_of(f);
    CHECK(!p->ended);
    CHECK_INT(p->destroys, 0);
    p->cancels++;
    p->steps = p->after;
    probe_wake(p);
}

static inline void
probe_destroy(caw_future *f)
{
    probe *p = probe_of(f);
    p->destroys++;
    caw_waker waker = p->waker;
    p->waker = CAW_WAKER_NONE;
    caw_waker_drop(waker);
}

static const caw_future_ops probe_ops = {"probe", probe_poll, probe_cancel, probe_destroy};
static const caw_future_ops deaf_probe_ops = {"deaf probe", probe_poll, NULL, probe_destroy};

static inline caw_future *
probe_init(probe *p, const char *steps)
{
    *p = (probe){.steps = steps, .after = "c"};
    caw_future_init(&p->future, &probe_ops);
    return &p->future;
}

/* One that does this after a cancel. */
static inline caw_future *
probe_init_after(probe *p, const char *steps, const char *after)
{
    probe_init(p, steps);
    p->after = after;
    return &p->future;
}

/* One without a cancel. */
static inline caw_future *
probe_init_deaf(probe *p, const char *steps)
{
    *p = (probe){.steps = steps};
    caw_future_init(&p->future, &deaf_probe_ops);
    return &p->future;
}

static inline bool
is_pending(caw_future *f, counter *c)
{
    return poll_at(f, NULL, c) == CAW_PENDING;
}

/* Poll once: it is ready; its status. */
static inline int
status_of(caw_future *f, counter *c)
{
    return status_at(f, NULL, c);
}

/* Poll it for as long as it is woken. False: it is pending, and nobody has woken it. */
static inline bool
run_while_woken(caw_future *f, caw_reactor *r, counter *c)
{
    do {
        c->wakes = 0;
        if (poll_at(f, r, c) == CAW_READY) {
            return true;
        }
    } while (c->wakes > 0);
    return false;
}

static inline void
probes_are_destroyed(const probe *probes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        CHECK_INT(probes[i].destroys, 1);
        CHECK(probes[i].cancels <= 1);
    }
}

static inline void
end_future(caw_future *f, const counter *c)
{
    caw_future_destroy(f);
    CHECK_INT(c->references, 0);
}

#endif
