/* block_on.c: a future on this thread.
 *
 * The thread sleeps on a condition, until the future needs a reactor, for a timer or an fd: then it sleeps in that
 * one. The waker is a reference to the sleeper, which outlives the call as long as somebody may wake it.
 *
 * Words: `refs` any thread, atomic. `notified` is set under the lock, and cleared by the sleeping thread at any time,
 * atomic. `reactor` under the lock; set once, by the sleeping thread, and goes with the sleeper. A wake that comes
 * before the thread sleeps leaves `notified`, and the thread looks at that before it sleeps: in the condition under the
 * lock, in the reactor because a ring is not lost either.
 *
 * A call that ends by its time limit leaves a future that may wait on the reactor, and may be blocked on again. So the
 * thread keeps such a reactor, for all its later calls, until it ends.
 *
 * To get a sleeping thread going on another core takes tens of microseconds, often longer than what it waits for. So
 * the thread looks for a wake a while before it sleeps in the condition. Where that was in vain it sleeps at once the
 * next two times, and twice as many after each failure more: what waits long, or for something that needs this very
 * core, spends nearly nothing on it.
 */
#include "core/run/block_on.h"

#include "core/base/block.h"
#include "core/base/detail.h"
#include "core/base/error.h"
#include "core/os/clock.h"
#include "core/os/compiler.h"
#include "core/os/condition.h"
#include "core/os/once.h"
#include "core/os/thread_value.h"
#include "core/reactor/wake_queue.h"

#include <stdatomic.h>
#include <stdlib.h>

#define SPIN_NS            50000u
#define SPIN_MOST_FAILURES 8u

/* Of this thread: how often it has looked for a wake in vain, in a row, and how often it is to sleep at once now. */
static CAW__THREAD_LOCAL struct {
    unsigned failures, sleeps_left;
} spin;

/* Of this thread: the reactor that it keeps, a reference, or NULL; the same for its end, which drops it. */
static CAW__THREAD_LOCAL caw_reactor *kept_reactor;
static caw__thread_value kept_at_end;
static caw__once kept_once = CAW__ONCE_INIT;
static bool kept_can_be; /* there is such a value */

struct caw__sleeper {
    _Atomic uint32_t refs;
    caw__mutex lock;
    caw__condition wakeup;
    _Atomic bool notified;
    caw_reactor *reactor; /* a reference, or NULL */
};

static caw__sleeper *
sleeper_alloc(void)
{
    caw__sleeper *s = malloc(sizeof *s);
    if (s) {
        atomic_init(&s->refs, 1);
        caw__mutex_init(&s->lock);
        caw__condition_init(&s->wakeup);
        atomic_init(&s->notified, false);
        s->reactor = NULL;
    }
    return s;
}

static void
sleeper_retain(void *data)
{
    atomic_fetch_add_explicit(&((caw__sleeper *)data)->refs, 1, memory_order_relaxed); /* relaxed: the caller has one */
}

static void
sleeper_release(void *data)
{
    caw__sleeper *s = data;
    /* acq_rel: all uses by others, before their release, come before the free. */
    if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1) {
        if (s->reactor) {
            caw_reactor_release(s->reactor);
        }
        caw__condition_fini(&s->wakeup);
        caw__mutex_fini(&s->lock);
        free(s);
    }
}

static void
sleeper_wake(void *data)
{
    caw__sleeper *s = data;
    caw__mutex_lock(&s->lock);
    atomic_store_explicit(&s->notified, true, memory_order_release); /* release: for who looks without the lock */
    if (s->reactor) {
        caw_reactor_ring(s->reactor);
    }
    else {
        caw__condition_signal(&s->wakeup);
    }
    caw__mutex_unlock(&s->lock);
    sleeper_release(s);
}

static const caw_waker_ops sleeper_waker_ops = {sleeper_retain, sleeper_wake, sleeper_release};

/* Take the wake, if there is one. */
static bool
sleeper_take(caw__sleeper *s)
{
    /* Relaxed: the exchange decides, and acquires. */
    return atomic_load_explicit(&s->notified, memory_order_relaxed) &&
           atomic_exchange_explicit(&s->notified, false, memory_order_acquire);
}

/* Look for a wake without sleeping. */
static bool
sleeper_spin(caw__sleeper *s)
{
    if (spin.sleeps_left > 0) {
        spin.sleeps_left--;
        return false;
    }
    for (uint64_t end = caw__now_ns() + SPIN_NS; caw__now_ns() < end;) {
        if (sleeper_take(s)) {
            spin.failures = 0;
            return true;
        }
    }
    spin.failures += spin.failures < SPIN_MOST_FAILURES;
    spin.sleeps_left = 1u << spin.failures;
    return false;
}

/* A reactor may have a source of the future's own, which ends the wait. */
bool
caw__sleeper_is_lost(const caw__sleeper *s)
{
    /* Acquire: who has used the last clone up by a wake has set `notified` before. */
    return atomic_load_explicit(&s->refs, memory_order_acquire) == 1 && !s->reactor &&
           !atomic_load_explicit(&s->notified, memory_order_relaxed);
}

/* In the condition, until a wake, a reactor's being there, or the deadline. */
static bool
sleeper_sleep_in_condition(caw__sleeper *s, uint64_t deadline)
{
    bool notified, in_time = true;
    caw__mutex_lock(&s->lock);
    while (!(notified = sleeper_take(s)) && !s->reactor && in_time) {
        if (deadline == CAW__NO_DEADLINE) {
            caw__condition_wait(&s->wakeup, &s->lock);
        }
        else {
            in_time = caw__condition_wait_until(&s->wakeup, &s->lock, deadline);
        }
    }
    caw__mutex_unlock(&s->lock);
    return notified;
}

static int64_t
sleeper_time_left(uint64_t deadline)
{
    if (deadline == CAW__NO_DEADLINE) {
        return -1;
    }
    uint64_t now = caw__now_ns(), left = now < deadline ? deadline - now : 0;
    return left < INT64_MAX ? (int64_t)left : -1;
}

int
caw__sleeper_sleep(caw__sleeper *s, uint64_t deadline)
{
    if (!s->reactor && sleeper_spin(s)) {
        return 0;
    }
    bool notified = sleeper_sleep_in_condition(s, deadline);
    int turned = 0;
    if (s->reactor) {
        turned = caw_reactor_turn(s->reactor, notified ? 0 : sleeper_time_left(deadline));
        notified = sleeper_take(s) || notified;
    }
    if (turned < 0) {
        return turned;
    }
    return !notified && deadline != CAW__NO_DEADLINE && caw__now_ns() >= deadline ? CAW_ETIMEDOUT : 0;
}

static caw_reactor *
sleeper_reactor(const caw_context *cx, int *error)
{
    return caw__sleeper_reactor(cx->place, error);
}

caw_reactor *
caw__sleeper_reactor(caw__sleeper *s, int *error)
{
    if (!s->reactor) { /* only this thread sets it */
        caw_reactor *r;
        *error = caw_reactor_new(CAW_REACTOR_DEFAULT, &r);
        if (*error < 0) {
            return NULL;
        }
        caw__mutex_lock(&s->lock);
        s->reactor = r;
        caw__mutex_unlock(&s->lock);
    }
    return s->reactor;
}

static const caw_host sleeper_host = {"block_on", sleeper_reactor};

caw__sleeper *
caw__sleeper_new(void)
{
    caw__sleeper *s = sleeper_alloc();
    if (!s) {
        return NULL;
    }
    if (kept_reactor && caw__reactor_forked(kept_reactor)) {
        kept_reactor = NULL; /* the parent's: what belongs to it stays where it is */
        (void)caw__thread_value_set(kept_at_end, NULL);
    }
    /* From the first poll on: the future may wait on it already. */
    s->reactor = kept_reactor ? caw_reactor_retain(kept_reactor) : NULL;
    caw__block_begin();
    return s;
}

caw_waker
caw__sleeper_waker(caw__sleeper *s)
{
    return (caw_waker){&sleeper_waker_ops, s};
}

static void
sleeper_drop_kept(void *reactor)
{
    caw_reactor_close(reactor);
    caw_reactor_release(reactor);
}

static void
sleeper_make_kept(void)
{
    kept_can_be = caw__thread_value_init(&kept_at_end, sleeper_drop_kept) == 0;
}

/* Where it cannot be dropped at the thread's end, it is not kept. */
static void
sleeper_keep_reactor(const caw__sleeper *s)
{
    if (s->reactor && !kept_reactor && caw__once_call(&kept_once, sleeper_make_kept) == 0 && kept_can_be &&
        caw__thread_value_set(kept_at_end, s->reactor) == 0) {
        kept_reactor = caw_reactor_retain(s->reactor);
    }
}

void
caw__sleeper_end(caw__sleeper *s, bool keeps)
{
    if (keeps) {
        sleeper_keep_reactor(s);
    }
    if (s->reactor && s->reactor != kept_reactor) {
        caw_reactor_close(s->reactor);
    }
    caw__block_end();
    sleeper_release(s);
}

/* The future is pending: say so where nobody can wake this thread. */
static void
block_on_check(const caw__sleeper *s, const caw_future *f)
{
#ifndef NDEBUG
    if (caw__sleeper_is_lost(s)) {
        caw__error_say_never_woken(f->ops->name);
    }
#else
    (void)s;
    (void)f;
#endif
}

static int
block_on_until(const char *call, caw_future *f, uint64_t deadline)
{
    caw__sleeper *s = f ? caw__sleeper_new() : NULL;
    if (!s) {
        return f ? CAW_ENOMEM : CAW_EINVAL;
    }
    caw_context cx = {caw__sleeper_waker(s), &sleeper_host, s};
    caw__notes notes = {.detail = NULL};
    caw__notes_enter(&notes);
    int result = 0;
    bool asleep = false;
    while (result == 0 && caw_future_poll(f, &cx) == CAW_PENDING) {
        block_on_check(s, f);
        result = asleep ? caw__block_sleep_on() : caw__block_sleep(call, cx.waker);
        asleep = asleep || result == 0;
        result = result ? result : caw__sleeper_sleep(s, deadline);
    }
    if (asleep) {
        caw__block_go_on();
    }
    result = result < 0 ? result : f->status;
    caw__notes_leave(&notes);
    caw__notes_hand_over(&notes, result);
    caw__sleeper_end(s, result == CAW_ETIMEDOUT && deadline != CAW__NO_DEADLINE);
    return result;
}

int
caw_block_on(caw_future *f)
{
    return block_on_until("caw_block_on", f, CAW__NO_DEADLINE);
}

int
caw_block_on_for(caw_future *f, uint64_t limit_ns)
{
    uint64_t now = caw__now_ns();
    return block_on_until("caw_block_on_for", f, limit_ns < CAW__NO_DEADLINE - now ? now + limit_ns : CAW__NO_DEADLINE);
}

#undef SPIN_NS
#undef SPIN_MOST_FAILURES
