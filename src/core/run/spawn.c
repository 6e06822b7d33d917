/* spawn.c: a future that runs on a pool by itself, and the join future of it.
 *
 * A task is polled by one worker at a time, whenever it was woken. One word, `state`:
 *
 *   NOTIFIED   it was woken and is queued, or will be as soon as the poll that runs returns. Set by any thread; cleared
 *              by the worker before it polls
 *   RUNNING    a worker has it. Set and cleared by that worker
 *   DONE       its child is ready, or given up. Set once, by the worker
 *
 * Access. Who turns the word from 0 into NOTIFIED queues the task; so it is never queued twice. `child` and `notes`
 * belong to the worker that RUNNING names, and after DONE `child` to the join future. `stop` is written by any thread
 * before it notifies.
 *
 * Every change is a read-modify-write with release, and the one with which a worker begins acquires: so a poll sees
 * what was written before any of the wakes that led to it, also of those that found NOTIFIED set already.
 *
 * The race that looks bad: a wake comes between the child's CAW_PENDING and the end of RUNNING. It sets NOTIFIED and,
 * because the word was not 0, does not queue. The worker's compare-and-swap from RUNNING to 0 then fails, and the
 * worker queues the task itself.
 *
 * References: the join future (that is: the promise, until both its sides are through), the queue or the worker, each
 * waker. The promise's end destroys the child; the last reference frees the struct.
 *
 * When the pool closes, a child that has a cancel is cancelled, and polled until it is ready; one that has none is
 * polled once more and then given up: the join future ends with CAW_ECANCELED, the child is destroyed with it.
 */
#include "core/run/spawn.h"

#include "cawait/reactor.h"

#include "core/base/error.h"
#include "core/base/promise.h"
#include "core/run/pool_exit.h"

#include <stdlib.h>

#define SPAWN_NOTIFIED 1u
#define SPAWN_RUNNING  2u
#define SPAWN_DONE     4u

typedef struct spawn_task {
    caw__task task;
    caw_future *child;
    caw__notes notes; /* the worker's: of the child */
    atomic_uint references;
    atomic_uint state;
    atomic_bool stop; /* the child is to be cancelled */
    bool cancel_sent; /* the worker's: that was done */
    bool early;       /* the join future's: it was ready before caw_spawn returned */
    int refused;      /* the join future's: why the pool did not take it, or 0 */
} spawn_task;

static spawn_task *
spawn_of_promise(caw_promise *p)
{
    return CAW_CONTAINER_OF(p, spawn_task, task.work.promise);
}

static spawn_task *
spawn_of_future(caw_future *f)
{
    return spawn_of_promise(CAW_CONTAINER_OF(f, caw_promise, future));
}

static void
spawn_release(spawn_task *s)
{
    /* Release and acquire: who frees sees all that the others did. */
    if (atomic_fetch_sub_explicit(&s->references, 1, memory_order_acq_rel) == 1) {
        caw_pool *pool = s->task.work.pool;
        caw__detail_release(s->notes.detail);
        free(s);
        caw__pool_drop(pool);
    }
}

/* The pool's list of tasks, which ends a pool only when it is empty; and its queue. */

static void
spawn_link(caw_pool *pool, caw__task *task)
{
    task->previous = NULL;
    task->next = pool->tasks;
    if (task->next) {
        task->next->previous = task;
    }
    pool->tasks = task;
}

static void
spawn_leave(caw_pool *pool, caw__task *task)
{
    caw__mutex_lock(&pool->lock);
    *(task->previous ? &task->previous->next : &pool->tasks) = task->next;
    if (task->next) {
        task->next->previous = task->previous;
    }
    if (!pool->tasks && caw__pool_closing(pool)) {
        caw__condition_broadcast(&pool->changed);
    }
    caw__mutex_unlock(&pool->lock);
}

static int
spawn_enter(caw_pool *pool, caw__task *task)
{
    if (caw__pool_forked(pool)) {
        return CAW_EFORKED;
    }
    caw__mutex_lock(&pool->lock);
    int offered = caw__pool_offer(pool, &task->work);
    if (offered >= 0) {
        spawn_link(pool, task);
    }
    caw__mutex_unlock(&pool->lock);
    int error = offered > 0 ? caw__pool_start(pool, &task->work) : offered;
    if (error && offered > 0) {
        spawn_leave(pool, task);
    }
    return error;
}

static void
spawn_requeue(caw_pool *pool, caw__task *task)
{
    caw__mutex_lock(&pool->lock);
    caw__queue_append(&pool->queue, &task->work);
    caw__condition_signal(&pool->changed);
    caw__mutex_unlock(&pool->lock);
}

/* The pool's reactor, which turns on a thread of its own from its first use until the last worker ends. */

static bool
spawn_reactor_stopped(caw_pool *pool)
{
    caw__mutex_lock(&pool->lock);
    bool stop = pool->reactor_stop;
    caw__mutex_unlock(&pool->lock);
    return stop;
}

static void *
spawn_reactor_main(void *user)
{
    caw_pool *pool = user;
    caw_reactor *r = pool->reactor; /* set before this thread was started */
    while (!spawn_reactor_stopped(pool) && caw_reactor_turn(r, -1) >= 0) {
    }
    caw_reactor_close(r);
    caw__pool_drop(pool);
    return NULL;
}

/* Without the lock, by the one that has set reactor_starting; so nobody else uses `reactor`. */
static int
spawn_reactor_start(caw_pool *pool)
{
    int error = caw_reactor_new(CAW_REACTOR_DEFAULT, &pool->reactor);
    if (error) {
        return error;
    }
    caw__pool_hold(pool);
    error = caw__thread_start(spawn_reactor_main, pool, &pool->reactor_thread);
    if (error) {
        caw_reactor_release(pool->reactor);
        pool->reactor = NULL;
        atomic_fetch_sub_explicit(&pool->references, 1, memory_order_relaxed); /* not the last: the caller has one */
    }
    return error;
}

/* With the lock, which is given back meanwhile: while its thread is started the pool works on. */
static int
spawn_reactor_get(caw_pool *pool)
{
    while (pool->reactor_starting) {
        caw__condition_wait(&pool->ended, &pool->lock);
    }
    if (pool->reactor) {
        return 0;
    }
    pool->reactor_starting = true;
    caw__mutex_unlock(&pool->lock);
    int error = spawn_reactor_start(pool);
    caw__mutex_lock(&pool->lock);
    pool->reactor_starting = false;
    pool->reactor_running = error == 0;
    if (pool->reactor_running && pool->detached) {
        caw__thread_detach(pool->reactor_thread);
    }
    caw__condition_broadcast(&pool->ended);
    return error;
}

static caw_reactor *
spawn_reactor(const caw_context *cx, int *error)
{
    caw_pool *pool = ((spawn_task *)cx->place)->task.work.pool;
    if (caw__pool_forked(pool)) {
        *error = CAW_EFORKED;
        return NULL;
    }
    caw__mutex_lock(&pool->lock);
    int result = spawn_reactor_get(pool);
    caw_reactor *r = pool->reactor;
    caw__mutex_unlock(&pool->lock);
    if (result) {
        *error = result;
        return NULL;
    }
    return r;
}

/* Set NOTIFIED. True: the caller must queue the task, and a reference goes with it. */
static bool
spawn_notify(spawn_task *s)
{
    return atomic_fetch_or_explicit(&s->state, SPAWN_NOTIFIED, memory_order_acq_rel) == 0; /* see above */
}

/* The waker. Its data is the task. */

static void
spawn_clone(void *data)
{
    atomic_fetch_add_explicit(&((spawn_task *)data)->references, 1, memory_order_relaxed); /* we have one already */
}

static void
spawn_drop(void *data)
{
    spawn_release(data);
}

static void
spawn_wake(void *data)
{
    spawn_task *s = data;
    if (!caw__pool_forked(s->task.work.pool) && spawn_notify(s)) {
        spawn_requeue(s->task.work.pool, &s->task); /* the waker's reference is now the queue's */
    }
    else {
        spawn_release(s);
    }
}

static const caw_waker_ops spawn_waker_ops = {spawn_clone, spawn_wake, spawn_drop};

static const caw_host spawn_host = {"pool", spawn_reactor};

/* The worker's side. */

static void
spawn_finish(spawn_task *s, int status)
{
    atomic_fetch_or_explicit(&s->state, SPAWN_DONE, memory_order_acq_rel); /* later wakes find the word not 0 */
    spawn_leave(s->task.work.pool, &s->task);
    caw__promise_resolve_with(&s->task.work.promise, status, caw__notes_take(&s->notes, status));
    spawn_release(s);
}

/* Cancel the child, once, if it is to be. */
static void
spawn_pass_stop(spawn_task *s)
{
    /* Relaxed: the notification that came after it was acquired. */
    if (!s->cancel_sent && atomic_load_explicit(&s->stop, memory_order_relaxed)) {
        s->cancel_sent = true;
        caw_future_cancel(s->child);
    }
}

/* The child is pending. Say so where nobody can wake it: only the promise and the worker have references, and no waker
 * was woken. */
static void
spawn_check(const spawn_task *s)
{
#ifndef NDEBUG
    /* Acquire: who has used the last waker up by a wake has set NOTIFIED before. */
    if (atomic_load_explicit(&s->references, memory_order_acquire) == 2 &&
        !(atomic_load_explicit(&s->state, memory_order_relaxed) & SPAWN_NOTIFIED)) {
        caw__error_say_never_woken(s->child->ops->name);
    }
#else
    (void)s;
#endif
}

static void
spawn_run(caw__task *task)
{
    spawn_task *s = CAW_CONTAINER_OF(task, spawn_task, task);
    (void)atomic_exchange_explicit(&s->state, SPAWN_RUNNING, memory_order_acq_rel); /* it was NOTIFIED */
    caw_context cx = {{&spawn_waker_ops, s}, &spawn_host, s};
    caw__notes_enter(&s->notes);
    spawn_pass_stop(s);
    caw_poll poll = caw_future_poll(s->child, &cx);
    caw__notes_leave(&s->notes);
    if (poll == CAW_READY) {
        spawn_finish(s, s->child->status);
        return;
    }
    if (caw__pool_closing(task->work.pool) && !s->child->ops->cancel) {
        spawn_finish(s, CAW_ECANCELED);
        return;
    }
    spawn_check(s);
    unsigned state = SPAWN_RUNNING;
    if (atomic_compare_exchange_strong_explicit(&s->state, &state, 0, memory_order_acq_rel, memory_order_acquire)) {
        spawn_release(s);
    }
    else {
        atomic_fetch_and_explicit(&s->state, ~SPAWN_RUNNING, memory_order_acq_rel); /* NOTIFIED stays: queued */
        spawn_requeue(task->work.pool, task);
    }
}

static bool
spawn_wake_to_stop(caw__task *task)
{
    spawn_task *s = CAW_CONTAINER_OF(task, spawn_task, task);
    atomic_store_explicit(&s->stop, true, memory_order_relaxed); /* published by the notification */
    if (!spawn_notify(s)) {
        return false;
    }
    spawn_clone(s);
    return true;
}

/* The queue's reference, and the child unpolled. */
static void
spawn_refuse(caw__task *task, int status)
{
    spawn_finish(CAW_CONTAINER_OF(task, spawn_task, task), status);
}

static const caw__task_ops spawn_task_ops = {spawn_run, spawn_wake_to_stop, spawn_refuse};

/* The join future. */

static int
spawn_start(caw_promise *p)
{
    spawn_task *s = spawn_of_promise(p);
    int error = caw__pool_watch_exit(s->task.work.pool);
    error = error ? error : spawn_enter(s->task.work.pool, &s->task);
    if (error) {
        spawn_release(s); /* the queue's; the promise has another */
    }
    s->refused = error;
    return error;
}

static void
spawn_stop(spawn_task *s)
{
    if (!caw__pool_forked(s->task.work.pool) && spawn_wake_to_stop(&s->task)) {
        spawn_requeue(s->task.work.pool, &s->task);
    }
}

static void
spawn_on_cancel(caw_promise *p)
{
    spawn_stop(spawn_of_promise(p));
}

/* Both sides of the promise are through. */
static void
spawn_free(caw_promise *p)
{
    spawn_task *s = spawn_of_promise(p);
    caw_future_destroy(s->child);
    spawn_release(s);
}

static caw_poll
spawn_poll(caw_future *f, caw_context *cx)
{
    spawn_task *s = spawn_of_future(f);
    if (s->early) {
        caw__promise_note(CAW_CONTAINER_OF(f, caw_promise, future), cx);
        return CAW_READY;
    }
    caw_poll result = caw_promise_poll(f, cx);
    if (result == CAW_PENDING && caw__pool_forked(s->task.work.pool)) {
        return caw_future_finish(f, CAW_EFORKED);
    }
    if (result == CAW_PENDING && caw__pool_is_vain(s->task.work.pool)) {
        return caw_future_finish(f, CAW_EDEADLOCK); /* only this thread would resolve it */
    }
    return result;
}

static void
spawn_cancel(caw_future *f)
{
    if (!spawn_of_future(f)->early) {
        caw_promise_cancel(f);
    }
}

static void
spawn_destroy(caw_future *f)
{
    spawn_task *s = spawn_of_future(f);
    if (!s->early) {
        spawn_stop(s); /* before the struct may be freed; nothing happens when the child is ready */
    }
    caw_promise_destroy(f);
}

static const caw_promise_ops spawn_ops = {
    .future = {"spawn", spawn_poll, spawn_cancel, spawn_destroy},
    .start = spawn_start,
    .on_cancel = spawn_on_cancel,
    .free = spawn_free,
};

caw_future *
caw_spawn(caw_pool *pool, caw_future *child)
{
    pool = pool ? pool : caw_pool_default();
    spawn_task *s = pool && child ? malloc(sizeof *s) : NULL;
    if (!s) {
        caw_future_destroy(child);
        return NULL;
    }
    caw_promise *p = &s->task.work.promise;
    caw_promise_init(p, &spawn_ops);
    s->task.ops = &spawn_task_ops;
    s->task.work.run = NULL; /* which makes it a task for the pool */
    s->task.work.free = NULL;
    s->task.work.finishes = false;
    s->task.work.pool = caw__pool_hold(pool);
    s->task.work.next = s->task.work.previous = NULL;
    s->child = child;
    s->notes = (caw__notes){.detail = NULL};
    atomic_init(&s->references, 2); /* the promise's and the queue's */
    atomic_init(&s->state, SPAWN_NOTIFIED);
    atomic_init(&s->stop, false);
    s->cancel_sent = s->early = false;
    /* The first poll of a promise starts it; the child is to run from now on, so that poll happens here. */
    caw_context cx = {CAW_WAKER_NONE, NULL, NULL};
    caw__notes notes = {.detail = NULL}; /* of nobody: the poll that is told of the end notes it where it is */
    caw__notes_enter(&notes);
    s->early = caw_promise_poll(&p->future, &cx) == CAW_READY;
    caw__notes_leave(&notes);
    caw__detail_release(caw__notes_take(&notes, 0));
    return &p->future;
}

void
caw_spawn_detach(caw_future *join)
{
    if (join) {
        caw_promise_destroy(join); /* the consumer's side alone: the producer's end frees both */
    }
}

int
caw_spawn_detached(caw_pool *pool, caw_future *child)
{
    caw_future *join = caw_spawn(pool, child);
    if (!join) {
        return child ? CAW_ENOMEM : CAW_EINVAL;
    }
    int refused = spawn_of_future(join)->refused;
    caw_spawn_detach(join);
    return refused;
}

caw_future *
caw_spawn_child(const caw_future *join)
{
    const caw_promise *p = CAW_CONTAINER_OF(join, const caw_promise, future);
    return CAW_CONTAINER_OF(p, const spawn_task, task.work.promise)->child;
}

bool
caw__is_spawned(const caw_future *f)
{
    return f->ops == &spawn_ops.future;
}

#undef SPAWN_NOTIFIED
#undef SPAWN_RUNNING
#undef SPAWN_DONE
