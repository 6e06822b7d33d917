/* semaphore.c: permits, for as many at a time. Who waits longest is served first, also when others behind want less:
 * so there may be permits that nobody has while some wait. Who has some is in `given`.
 */
#include "core/sync/waiters.h"

static caw_semaphore *
semaphore_of(caw_waiter *w)
{
    return CAW_CONTAINER_OF(w->waits, caw_semaphore, waiters);
}

static caw_permit *
permit_of_waiter(caw_waiter *w)
{
    return CAW_CONTAINER_OF(w, caw_permit, waiter);
}

/* --- under the lock --- */

static void
semaphore_put(caw_semaphore *s, size_t n)
{
    s->permits = n <= SIZE_MAX - s->permits ? s->permits + n : SIZE_MAX;
}

/* Give to those in line as long as there is enough for the first. */
static void
semaphore_serve(caw_semaphore *s, caw_line *woken)
{
    caw_waiter *w = caw__waiters_first(&s->waiters);
    while (w && permit_of_waiter(w)->n <= s->permits) {
        s->permits -= permit_of_waiter(w)->n;
        caw__waiters_give(w, woken);
        w = caw__waiters_first(&s->waiters);
    }
}

/* What was held at a fork does not come back: whether n could never be had without that. */
static bool
semaphore_has_lost(caw_semaphore *s, size_t n)
{
    size_t all = s->permits;
    for (caw_link *link = s->waiters.given.first; s->waiters.lost && link && all < n; link = link->next) {
        all += permit_of_waiter(CAW_CONTAINER_OF(link, caw_waiter, place))->n;
    }
    return s->waiters.lost && all < n;
}

static int
semaphore_begin(caw_waiter *w, caw_line *woken)
{
    (void)woken;
    caw_semaphore *s = semaphore_of(w);
    size_t n = permit_of_waiter(w)->n;
    if (n == 0 || (!s->waiters.waiting.first && n <= s->permits)) {
        s->permits -= n;
        return CAW__BEGIN_HAS;
    }
    return semaphore_has_lost(s, n) ? CAW_EFORKED : CAW__BEGIN_WAITS;
}

/* One that waited is out of the way of those behind; one that had permits has put them back. */
static void
semaphore_left(caw_waiter *w, caw_line *woken)
{
    if (w->state == CAW__WAITER_GIVEN) {
        semaphore_put(semaphore_of(w), permit_of_waiter(w)->n);
    }
    semaphore_serve(semaphore_of(w), woken);
}

static const caw__waiter_ops semaphore_wait_ops = {semaphore_begin, semaphore_left};

/* --- the object --- */

void
caw_semaphore_init(caw_semaphore *s, size_t permits)
{
    caw__waiters_init(&s->waiters);
    s->permits = permits;
}

void
caw_semaphore_fini(caw_semaphore *s)
{
    caw__waiters_fini(&s->waiters);
}

void
caw_semaphore_add(caw_semaphore *s, size_t n)
{
    caw_line woken = CAW__LINE_EMPTY;
    caw__waiters_lock(&s->waiters);
    semaphore_put(s, n);
    semaphore_serve(s, &woken);
    caw__waiters_unlock(&s->waiters, &woken);
}

size_t
caw_semaphore_available(const caw_semaphore *s)
{
    caw__address_lock(&s->waiters);
    size_t permits = s->permits;
    caw__address_unlock(&s->waiters);
    return permits;
}

/* --- the future of a permit --- */

static caw_permit *
permit_of(caw_future *f)
{
    return CAW_CONTAINER_OF(f, caw_permit, future);
}

static caw_poll
permit_poll(caw_future *f, caw_context *cx)
{
    return caw__waiter_poll(&permit_of(f)->waiter, cx, &semaphore_wait_ops, &f->status);
}

static void
permit_cancel(caw_future *f)
{
    caw__waiter_cancel(&permit_of(f)->waiter, &semaphore_wait_ops);
}

static void
permit_destroy(caw_future *f)
{
    caw_permit_release(permit_of(f));
}

static const caw_future_ops permit_ops = {"semaphore.acquire", permit_poll, permit_cancel, permit_destroy};

caw_future *
caw_semaphore_acquire(caw_permit *permit, caw_semaphore *s, size_t n)
{
    caw_future_init(&permit->future, &permit_ops);
    caw__waiter_init(&permit->waiter, &s->waiters);
    permit->n = n;
    return &permit->future;
}

int
caw_semaphore_try_acquire(caw_permit *permit, caw_semaphore *s, size_t n)
{
    (void)caw_semaphore_acquire(permit, s, n);
    permit->future.status = caw__waiter_try(&permit->waiter, &semaphore_wait_ops);
    return permit->future.status;
}

void
caw_permit_release(caw_permit *permit)
{
    caw__waiter_leave(&permit->waiter, &semaphore_wait_ops);
}

void
caw_permit_forget(caw_permit *permit)
{
    caw__waiter_keep(&permit->waiter);
    caw_permit_release(permit);
}
