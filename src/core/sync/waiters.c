/* waiters.c: the line that all kinds of objects to wait for have in common. */
#include "core/sync/waiters.h"

/* How many wakers are called between two times that the lock is taken. */
#define WAKERS_AT_ONCE 16

/* --- lines, under the lock --- */

static void
line_append(caw_line *line, caw_link *link)
{
    link->next = NULL;
    link->previous = line->last;
    *(line->last ? &line->last->next : &line->first) = link;
    line->last = link;
    line->length++;
}

static void
line_remove(caw_line *line, const caw_link *link)
{
    *(link->previous ? &link->previous->next : &line->first) = link->next;
    *(link->next ? &link->next->previous : &line->last) = link->previous;
    line->length--;
}

/* --- objects --- */

/* The first look at it in a forked child, under the lock. */
static void
waiters_adopt(caw_waiters *waits)
{
    if (waits->forks != caw__fork_count()) {
        waits->forks = caw__fork_count();
        waits->lost = waits->lost || waits->given.first;
        waits->waiting = waits->given = CAW__LINE_EMPTY;
    }
}

void
caw__waiters_lock(caw_waiters *waits)
{
    caw__address_lock(waits);
    waiters_adopt(waits);
}

/* The waker of the next in a batch, which is then out of it. */
static caw_waker
waiters_take_waker(caw_line *woken)
{
    caw_waiter *w = CAW_CONTAINER_OF(woken->first, caw_waiter, woken);
    line_remove(woken, &w->woken);
    w->batch = NULL;
    caw_waker waker = w->waker;
    w->waker = CAW_WAKER_NONE;
    return waker;
}

void
caw__waiters_unlock(const caw_waiters *waits, caw_line *woken)
{
    for (;;) {
        caw_waker wakers[WAKERS_AT_ONCE];
        size_t n = 0;
        while (woken->first && n < WAKERS_AT_ONCE) {
            wakers[n++] = waiters_take_waker(woken);
        }
        bool are_all = !woken->first;
        caw__address_unlock(waits);
        for (size_t i = 0; i < n; i++) {
            caw_waker_wake(wakers[i]);
        }
        if (are_all) {
            return;
        }
        caw__address_lock(waits);
    }
}

static void
waiters_let_go(caw_waiter *w, unsigned state, int status, caw_line *woken)
{
    line_remove(&w->waits->waiting, &w->place);
    w->state = state;
    w->status = status;
    w->batch = woken;
    line_append(woken, &w->woken);
}

void
caw__waiters_give(caw_waiter *w, caw_line *woken)
{
    waiters_let_go(w, CAW__WAITER_GIVEN, 0, woken);
    line_append(&w->waits->given, &w->place);
}

void
caw__waiters_end(caw_waiter *w, int status, caw_line *woken)
{
    waiters_let_go(w, CAW__WAITER_ENDED, status, woken);
}

void
caw__waiters_end_all(caw_waiters *waits, int status, caw_line *woken)
{
    for (caw_waiter *w; (w = caw__waiters_first(waits)) != NULL;) {
        caw__waiters_end(w, status, woken);
    }
}

void
caw__waiters_pass_on(caw_waiter *w, caw_line *woken)
{
    caw_waiter *next = w->state == CAW__WAITER_GIVEN ? caw__waiters_first(w->waits) : NULL;
    if (next) {
        caw__waiters_give(next, woken);
    }
}

bool
caw__waiters_keep(caw_waiter *w)
{
    bool has = w->state == CAW__WAITER_GIVEN;
    if (has) {
        line_remove(&w->waits->given, &w->place);
        w->state = CAW__WAITER_ENDED;
    }
    return has;
}

void
caw__waiters_init(caw_waiters *waits)
{
    *waits = (caw_waiters)CAW_WAITERS_INIT;
    waits->forks = caw__fork_count();
}

void
caw__waiters_fini(caw_waiters *waits)
{
    caw_line woken = CAW__LINE_EMPTY;
    caw__waiters_lock(waits);
    waits->closed = true;
    caw__waiters_end_all(waits, CAW_ECLOSED, &woken);
    while (waits->given.first) {
        caw_waiter *w = CAW_CONTAINER_OF(waits->given.first, caw_waiter, place);
        line_remove(&waits->given, &w->place);
        w->state = CAW__WAITER_ENDED;
        w->status = CAW_ECLOSED;
    }
    caw__waiters_unlock(waits, &woken);
}

/* --- one wait --- */

void
caw__waiter_init(caw_waiter *w, caw_waiters *waits)
{
    *w = (caw_waiter){.waits = waits, .state = CAW__WAITER_NEW, .forks = caw__fork_count()};
}

/* The first poll, under the lock. */
static void
waiter_begin(caw_waiter *w, const caw__waiter_ops *ops, int error, caw_line *woken)
{
    int result = error ? error : w->waits->closed ? CAW_ECLOSED : ops->begin(w, woken);
    if (result == CAW__BEGIN_WAITS) {
        w->state = CAW__WAITER_WAITING;
        line_append(&w->waits->waiting, &w->place);
    }
    else if (result == CAW__BEGIN_HAS) {
        w->state = CAW__WAITER_GIVEN;
        w->status = 0;
        line_append(&w->waits->given, &w->place);
    }
    else {
        w->state = CAW__WAITER_ENDED;
        w->status = result;
    }
}

/* It goes on, or ends: nobody else is to wake it any more. Gives its waker, to wake or drop after the lock. */
static caw_waker
waiter_take_waker(caw_waiter *w)
{
    if (w->batch) {
        line_remove(w->batch, &w->woken);
        w->batch = NULL;
    }
    caw_waker waker = w->waker;
    w->waker = CAW_WAKER_NONE;
    return waker;
}

/* It is in no line of the object from now on: under the lock. */
static void
waiter_leave_line(caw_waiter *w, const caw__waiter_ops *ops, int status, caw_line *woken)
{
    if (w->state == CAW__WAITER_WAITING || w->state == CAW__WAITER_GIVEN) {
        line_remove(w->state == CAW__WAITER_GIVEN ? &w->waits->given : &w->waits->waiting, &w->place);
        if (ops->left) {
            ops->left(w, woken);
        }
    }
    w->state = CAW__WAITER_ENDED;
    w->status = status;
}

/* Before the first poll and the next: from here on the lock is taken. The object may be gone if the wait is over. */
static void
waiter_prepare(caw_waiter *w, const caw__waiter_ops *ops, caw_line *woken)
{
    int error = caw__fork_watch();
    error = error ? error : caw__address_watch();
    caw__address_lock(w->waits);
    if (w->state == CAW__WAITER_NEW) {
        waiters_adopt(w->waits);
        waiter_begin(w, ops, error, woken);
    }
}

caw_poll
caw__waiter_poll(caw_waiter *w, const caw_context *cx, const caw__waiter_ops *ops, int *status)
{
    if (caw__waiter_is_foreign(w)) {
        *status = CAW_EFORKED;
        return CAW_READY;
    }
    caw_line woken = CAW__LINE_EMPTY;
    caw_waker old = CAW_WAKER_NONE;
    waiter_prepare(w, ops, &woken);
    bool waits = w->state == CAW__WAITER_WAITING;
    if (!waits) {
        old = waiter_take_waker(w);
    }
    else if (!caw_waker_same(w->waker, cx->waker)) {
        old = w->waker;
        w->waker = caw_waker_clone(cx->waker);
    }
    *status = w->status;
    caw__waiters_unlock(w->waits, &woken);
    caw_waker_drop(old);
    return waits ? CAW_PENDING : CAW_READY;
}

int
caw__waiter_try(caw_waiter *w, const caw__waiter_ops *ops)
{
    caw_line woken = CAW__LINE_EMPTY;
    waiter_prepare(w, ops, &woken);
    if (w->state == CAW__WAITER_WAITING) {
        waiter_leave_line(w, ops, -EAGAIN, &woken);
    }
    int status = w->status;
    caw__waiters_unlock(w->waits, &woken);
    return status;
}

void
caw__waiter_cancel(caw_waiter *w, const caw__waiter_ops *ops)
{
    if (caw__waiter_is_foreign(w)) {
        return;
    }
    caw_line woken = CAW__LINE_EMPTY;
    caw_waker waker = CAW_WAKER_NONE;
    caw__address_lock(w->waits);
    if (w->state != CAW__WAITER_ENDED) {
        waiter_leave_line(w, ops, CAW_ECANCELED, &woken);
        waker = waiter_take_waker(w);
    }
    caw__waiters_unlock(w->waits, &woken);
    caw_waker_wake(waker);
}

void
caw__waiter_leave(caw_waiter *w, const caw__waiter_ops *ops)
{
    caw_line woken = CAW__LINE_EMPTY;
    caw_waker waker = CAW_WAKER_NONE;
    const caw_waiters *waits = w->waits;
    if (waits && !caw__waiter_is_foreign(w)) {
        caw__address_lock(waits);
        if (w->state != CAW__WAITER_ENDED) {
            waiter_leave_line(w, ops, CAW_ECANCELED, &woken);
        }
        waker = waiter_take_waker(w);
        caw__waiters_unlock(waits, &woken);
    }
    w->waits = NULL;
    w->state = CAW__WAITER_IDLE;
    caw_waker_drop(waker);
}

void
caw__waiter_keep(caw_waiter *w)
{
    if (w->waits && !caw__waiter_is_foreign(w)) {
        caw__address_lock(w->waits);
        (void)caw__waiters_keep(w);
        caw__address_unlock(w->waits);
    }
}

bool
caw__waiter_has(const caw_waiter *w)
{
    bool has = false;
    if (w->waits && !caw__waiter_is_foreign(w)) {
        caw__address_lock(w->waits);
        has = w->state == CAW__WAITER_GIVEN;
        caw__address_unlock(w->waits);
    }
    return has;
}
