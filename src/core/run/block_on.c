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
 * To get a sleeping thread going on another core takes tens of microseconds, often longer than what it waits for. So
 * the thread looks for a wake a while before it sleeps in the condition. Where that was in vain it sleeps at once the
 * next two times, and twice as many after each failure more: what waits long, or for something that needs this very
 * core, spends nearly nothing on it.
 */
#include "cawait/future.h"
#include "cawait/reactor.h"

#include "core/os/clock.h"
#include "core/os/compiler.h"
#include "core/os/condition.h"

#include <stdatomic.h>
#include <stdlib.h>

#define SPIN_NS            50000u
#define SPIN_MOST_FAILURES 8u

/* Of this thread: how often it has looked for a wake in vain, in a row, and how often it is to sleep at once now. */
static CAW__THREAD_LOCAL struct {
    unsigned failures, sleeps_left;
} spin;

typedef struct sleeper {
    _Atomic uint32_t refs;
    caw__mutex lock;
    caw__condition wakeup;
    _Atomic bool notified;
    caw_reactor *reactor; /* a reference, or NULL */
} sleeper;

static sleeper *
sleeper_new(void)
{
    sleeper *s = malloc(sizeof *s);
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
    atomic_fetch_add_explicit(&((sleeper *)data)->refs, 1, memory_order_relaxed); /* relaxed: the caller has one */
}

static void
sleeper_release(void *data)
{
    sleeper *s = data;
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
    sleeper *s = data;
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
sleeper_take(sleeper *s)
{
    /* Relaxed: the exchange decides, and acquires. */
    return atomic_load_explicit(&s->notified, memory_order_relaxed) &&
           atomic_exchange_explicit(&s->notified, false, memory_order_acquire);
}

/* Look for a wake without sleeping. */
static bool
sleeper_spin(sleeper *s)
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

/* Until a wake. An error when the reactor fails. */
static int
sleeper_sleep(sleeper *s)
{
    if (!s->reactor && sleeper_spin(s)) {
        return 0;
    }
    caw__mutex_lock(&s->lock);
    bool notified;
    while (!(notified = sleeper_take(s)) && !s->reactor) {
        caw__condition_wait(&s->wakeup, &s->lock);
    }
    caw__mutex_unlock(&s->lock);
    int turned = s->reactor ? caw_reactor_turn(s->reactor, notified ? 0 : -1) : 0;
    return turned < 0 ? turned : 0;
}

static caw_reactor *
block_on_reactor(const caw_context *cx, int *error)
{
    sleeper *s = cx->place;
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

static const caw_host block_on_host = {"block_on", block_on_reactor};

int
caw_block_on(caw_future *f)
{
    if (!f) {
        return CAW_EINVAL;
    }
    sleeper *s = sleeper_new();
    if (!s) {
        return CAW_ENOMEM;
    }
    caw_context cx = {{&sleeper_waker_ops, s}, &block_on_host, s};
    int result = 0;
    while (result == 0 && caw_future_poll(f, &cx) == CAW_PENDING) {
        result = sleeper_sleep(s);
    }
    result = result < 0 ? result : f->status;
    if (s->reactor) {
        caw_reactor_close(s->reactor);
    }
    sleeper_release(s);
    return result;
}
