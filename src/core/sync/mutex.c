/* mutex.c: a lock of futures, handed from one to the next. The line is waiters.h's; who has it is `given`, alone. */
#include "core/sync/waiters.h"

static int
mutex_begin(caw_waiter *w, caw_line *woken)
{
    (void)woken;
    if (w->waits->lost) {
        return CAW_EFORKED; /* nobody will release it */
    }
    return w->waits->given.first ? CAW__BEGIN_WAITS : CAW__BEGIN_HAS;
}

static const caw__waiter_ops mutex_wait_ops = {mutex_begin, caw__waiters_pass_on};

void
caw_mutex_init(caw_mutex *mutex)
{
    caw__waiters_init(&mutex->waiters);
}

void
caw_mutex_fini(caw_mutex *mutex)
{
    caw__waiters_fini(&mutex->waiters);
}

/* --- the future of a lock --- */

static caw_lock *
lock_of(caw_future *f)
{
    return CAW_CONTAINER_OF(f, caw_lock, future);
}

static caw_poll
lock_poll(caw_future *f, caw_context *cx)
{
    return caw__waiter_poll(&lock_of(f)->waiter, cx, &mutex_wait_ops, &f->status);
}

static void
lock_cancel(caw_future *f)
{
    caw__waiter_cancel(&lock_of(f)->waiter, &mutex_wait_ops);
}

static void
lock_destroy(caw_future *f)
{
    caw_lock_release(lock_of(f));
}

static const caw_future_ops lock_ops = {"mutex.lock", lock_poll, lock_cancel, lock_destroy};

caw_future *
caw_mutex_lock(caw_lock *lock, caw_mutex *mutex)
{
    caw_future_init(&lock->future, &lock_ops);
    caw__waiter_init(&lock->waiter, &mutex->waiters);
    return &lock->future;
}

int
caw_mutex_try_lock(caw_lock *lock, caw_mutex *mutex)
{
    (void)caw_mutex_lock(lock, mutex);
    lock->future.status = caw__waiter_try(&lock->waiter, &mutex_wait_ops);
    return lock->future.status;
}

void
caw_lock_release(caw_lock *lock)
{
    caw__waiter_leave(&lock->waiter, &mutex_wait_ops);
}

bool
caw_lock_is_held(const caw_lock *lock)
{
    return caw__waiter_has(&lock->waiter);
}
