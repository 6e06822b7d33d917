/* workers.c: the threads of a pool, and their queue.
 *
 * Two counts. `handles` are the users' references: with the last one the pool stops, without anybody waiting for it.
 * `references` keep the memory: one for all handles together, one for each thread, one for each call and each task.
 *
 * The lock guards everything below it in the struct. It is held for a few instructions: threads are started without
 * it, announced by `starting`. No function of anybody else is called with it held, but wakers of caw_block_on, which
 * take no lock of a pool. `closing` is written under the lock; it is atomic because a call that runs reads it without
 * the lock, as a hint.
 *
 * Threads. A thread that sleeps in a call of the library (base/block.h) is `asleep`: what it sleeps for may need this
 * very pool. All others are awake, and no more than `max` of these run jobs at once: a thread takes a job only while
 * that holds. One is started when a call or a new task is queued and no idle one is left for it; when a worker begins
 * a job, no idle one is left, and there is another task, since that one may be woken, and the job may be long; and,
 * for the same two reasons, when a worker falls asleep. So as long as there are jobs or tasks a thread is awake, and
 * a wake never has to start one. When a sleeper goes on there may be more than `max` awake: it may hold what the others
 * wait for. An idle thread that is too many ends, unless a worker falls asleep again soon.
 *
 * Where a thread cannot be started, those that are awake do the work. Where none is awake, a worker that would fall
 * asleep does not, and its call of caw_block_on ends with the error; and a job that is queued then ends with it. One
 * that had fallen asleep because a thread was announced, which then could not be started, is called back: its call of
 * caw_block_on ends with the error too. Where it is in caw_pool_close, which cannot fail, it sleeps on, and what is
 * woken waits until it is back, or until the next work has a thread started.
 *
 * A serial pool has one thread, which is there from the first: it is not replaced while it sleeps, since its work must
 * be done by this very thread. What it sleeps for then must not need the pool: caw__pool_is_vain.
 *
 * A worker ends when the pool is closing, the queue is empty and no task is left; the last one stops the reactor's
 * thread. Each joins the one that ended before it, so who joins the last one has joined all. After a last release they
 * are detached, because then the one who releases may be a worker itself.
 *
 * Who closes the pool waits for its workers; if a loop runs in its thread, or it has the lock of loops, a worker that
 * waits for such a loop waits for itself. Its poll finds that out (worker_is_awaited): it asks, the closer answers, and
 * all look again.
 *
 * In a forked child there are no threads and the lock may be held for ever: every entry calls caw__pool_forked first.
 */
#include "core/run/workers.h"

#include "cawait/reactor.h"

#define WORKERS_MOST     32768u              /* of one pool, with those that sleep: no system starts more */
#define WORKERS_SPARE_NS UINT64_C(200000000) /* how long an idle thread stays that is too many */

/* --- how many threads there are, with the lock --- */

/* Those that run a job, or are about to look for one. */
static unsigned
workers_active(const caw_pool *pool)
{
    return pool->threads - pool->idle - pool->asleep;
}

/* Those that run, or will as soon as they have started or are woken. */
static unsigned
workers_awake(const caw_pool *pool)
{
    return pool->threads - pool->asleep + pool->starting;
}

/* Whether there is a task beside the job. It may be woken while the job runs or sleeps. */
static bool
workers_have_other_task(const caw_pool *pool, bool job_is_task)
{
    return pool->tasks && (!job_is_task || pool->tasks->next);
}

/* Announce a thread if there are more jobs, or jobs to come, than threads that wait for one. */
static bool
workers_grow(caw_pool *pool, unsigned spare)
{
    bool grows = pool->queue.length + spare > pool->idle + pool->starting && workers_awake(pool) < pool->max &&
                 pool->threads + pool->starting < WORKERS_MOST && !pool->serial;
    pool->starting += grows;
    return grows;
}

/* --- a worker falls asleep --- */

static caw__pool_worker *
worker_of(const caw__worker *worker)
{
    return (caw__pool_worker *)CAW_CONTAINER_OF(worker, const caw__pool_worker, worker);
}

static void
worker_link(caw__pool_worker *w, caw_waker waker)
{
    caw_pool *pool = w->pool;
    w->waker = waker;
    w->previous = NULL;
    w->next = pool->sleepers;
    if (w->next) {
        w->next->previous = w;
    }
    pool->sleepers = w;
    pool->asleep++;
}

static void
worker_unlink(caw__pool_worker *w)
{
    caw_pool *pool = w->pool;
    *(w->previous ? &w->previous->next : &pool->sleepers) = w->next;
    if (w->next) {
        w->next->previous = w->previous;
    }
    pool->asleep--;
}

static int workers_start(caw_pool *pool);

static int
worker_sleep(caw__worker *worker, caw_waker waker)
{
    caw__pool_worker *w = worker_of(worker);
    caw_pool *pool = w->pool;
    int error = -EAGAIN; /* for the case that there cannot be more threads */
    caw__mutex_lock(&pool->lock);
    worker_link(w, waker);
    if (caw__pool_closing(pool)) { /* its poll may have been before that, or before a closer's answer */
        caw_waker_wake_by_ref(waker);
    }
    bool other_task = workers_have_other_task(pool, w->runs_task);
    if (workers_grow(pool, other_task)) {
        caw__mutex_unlock(&pool->lock);
        error = workers_start(pool);
        caw__mutex_lock(&pool->lock);
        pool->starting -= error != 0; /* it is not the last: this one is there */
    }
    else if (pool->queue.first) {
        caw__condition_signal(&pool->changed); /* somebody may run now who could not before */
    }
    bool stuck = error != 0 && !pool->serial && workers_awake(pool) == 0 && (pool->queue.first || other_task);
    if (stuck) {
        worker_unlink(w);
    }
    caw__mutex_unlock(&pool->lock);
    return stuck ? error : 0;
}

static void
worker_go_on(caw__worker *worker)
{
    caw__pool_worker *w = worker_of(worker);
    caw_pool *pool = w->pool;
    caw__mutex_lock(&pool->lock);
    if (atomic_exchange_explicit(&worker->error, 0, memory_order_relaxed) == 0) { /* else it was called back */
        worker_unlink(w);
    }
    if (pool->idle > 0 && pool->threads - pool->asleep > pool->max) {
        caw__condition_signal(&pool->changed); /* one is too many */
    }
    caw__mutex_unlock(&pool->lock);
}

/* Whether a closer holds the loop up. The closers are asked, when that was not done. */
static bool
worker_is_awaited(const caw__worker *worker, const caw__loop_id *loop)
{
    caw_pool *pool = worker_of(worker)->pool;
    if (!caw__pool_closing(pool)) { /* a hint is enough: who begins to close has all look again */
        return false;
    }
    bool awaited = false;
    caw__mutex_lock(&pool->lock);
    for (const caw__pool_closer *closer = pool->closers; closer && !awaited; closer = closer->next) {
        awaited = closer->known && caw__block_holds_up(&closer->holds, loop);
    }
    if (!pool->asked) {
        pool->asked = true;
        caw__condition_broadcast(&pool->ended);
    }
    caw__mutex_unlock(&pool->lock);
    return awaited;
}

static const caw__worker_ops worker_ops = {worker_sleep, worker_go_on, worker_is_awaited};

bool
caw__pool_is_worker(const caw_pool *pool)
{
    const caw__worker *worker = caw__block_worker();
    return worker && worker->ops == &worker_ops && worker_of(worker)->pool == pool;
}

bool
caw__pool_is_vain(const caw_pool *pool)
{
    return pool->serial && caw__pool_is_worker(pool) && caw__block_is_inside();
}

/* --- a worker's life --- */

static void
worker_appear(caw__pool_worker *w)
{
    caw_pool *pool = w->pool;
    pool->starting--;
    pool->threads++;
    w->thread = caw__thread_current();
    w->older = pool->workers;
    if (w->older) {
        w->older->younger = w;
    }
    pool->workers = w;
}

static void
worker_disappear(const caw__pool_worker *w)
{
    caw_pool *pool = w->pool;
    *(w->younger ? &w->younger->older : &pool->workers) = w->older;
    if (w->older) {
        w->older->younger = w->younger;
    }
    pool->threads--;
}

/* Wait for a change. True: it is one thread too many, and nobody has needed it for a while. */
static bool
worker_wait(caw_pool *pool)
{
    uint64_t until = caw__now_ns() + WORKERS_SPARE_NS;
    bool waits = true;
    pool->idle++;
    if (pool->threads - pool->asleep > pool->max) {
        waits = caw__condition_wait_until(&pool->changed, &pool->lock, until) && caw__now_ns() < until;
    }
    else {
        caw__condition_wait(&pool->changed, &pool->lock);
    }
    pool->idle--;
    return !waits && pool->threads - pool->asleep > pool->max;
}

/* The next job, or NULL: it is time to end. With the lock. */
static caw_work *
worker_next(caw_pool *pool)
{
    while (!pool->queue.first || workers_active(pool) > pool->max) {
        if (!pool->queue.first && caw__pool_closing(pool) && !pool->tasks) {
            return NULL;
        }
        if (worker_wait(pool) && (!pool->queue.first || workers_active(pool) > pool->max)) {
            return NULL;
        }
    }
    caw_work *job = pool->queue.first;
    caw__queue_unlink(&pool->queue, job);
    caw__running_begin(&pool->running, job->run ? job : NULL);
    return job;
}

/* After the last one the reactor's thread is not needed any more. With the lock. */
static void
workers_check_last(caw_pool *pool)
{
    bool last = pool->threads == 0 && pool->starting == 0 && caw__pool_closing(pool);
    if (last && pool->reactor_running) {
        pool->reactor_stop = true;
        caw_reactor_ring(pool->reactor);
    }
}

/* Takes the lock, which it gives back, and the thread's reference. */
static void
worker_end(caw__pool_worker *w)
{
    caw_pool *pool = w->pool;
    caw__thread before = pool->last_ended;
    bool joins = pool->has_ended;
    pool->has_ended = !pool->detached;
    pool->last_ended = caw__thread_current();
    if (pool->detached) {
        caw__thread_detach(caw__thread_current());
    }
    worker_disappear(w);
    workers_check_last(pool);
    caw__condition_broadcast(&pool->changed); /* where another one has waited only because this one ran */
    caw__condition_broadcast(&pool->ended);
    caw__mutex_unlock(&pool->lock);
    if (joins) {
        caw__thread_join(before);
    }
    caw__pool_drop(pool);
}

static void *
worker_main(void *user)
{
    caw_pool *pool = user;
    caw__pool_worker self = {.worker = {.ops = &worker_ops}, .pool = pool};
    caw_work *job;
    caw__block_set_worker(&self.worker);
    caw__mutex_lock(&pool->lock);
    worker_appear(&self);
    while ((job = worker_next(pool)) != NULL) {
        self.runs_task = !job->run;
        bool grows = workers_grow(pool, workers_have_other_task(pool, self.runs_task));
        caw__mutex_unlock(&pool->lock);
        if (grows) {
            (void)caw__pool_start(pool, NULL); /* when it fails, there are fewer threads than could be */
        }
        caw__pool_run(job);
        caw__mutex_lock(&pool->lock);
    }
    if (pool->serial) {
        caw__mutex_unlock(&pool->lock);
        pool->serial->end(pool); /* nothing comes any more: it is closing, and has no tasks */
        caw__mutex_lock(&pool->lock);
    }
    caw__block_set_worker(NULL);
    worker_end(&self);
    return NULL;
}

/* --- starting one --- */

/* Start the thread that was announced, which takes that back itself; when it fails, the caller does. Without the
 * lock. */
static int
workers_start(caw_pool *pool)
{
    caw__thread thread; /* known as last_ended once it has ended */
    caw__pool_hold(pool);
    int error = caw__thread_start(worker_main, pool, &thread);
    if (error) {
        atomic_fetch_sub_explicit(&pool->references, 1, memory_order_relaxed); /* not the last: the caller has one */
    }
    return error;
}

int
caw__pool_start_serial(caw_pool *pool)
{
    pool->starting = 1;
    int error = workers_start(pool);
    if (error) {
        pool->starting = 0; /* else the thread has the count */
    }
    return error;
}

/* Whether there is anything to run, now or once it is woken, but `lost` and what the sleepers run. With the lock. A
 * task that a sleeper is ending is not in the list any more. */
static bool
workers_have_work(const caw_pool *pool, const caw_work *lost)
{
    size_t tasks = 0, run = 0;
    for (const caw__task *task = pool->tasks; task; task = task->next) {
        tasks += &task->work != lost;
    }
    for (const caw__pool_worker *w = pool->sleepers; w; w = w->next) {
        run += w->runs_task;
    }
    return pool->queue.first || tasks > run;
}

/* A thread could not be started on which those that fell asleep have relied: where it is needed, one does its work. One
 * that cannot be woken, since it waits for the end of another pool, stays asleep. */
static void
workers_call_back(caw_pool *pool, const caw_work *lost, int error)
{
    caw__mutex_lock(&pool->lock);
    caw__pool_worker *w = pool->sleepers;
    while (w && !w->waker.ops) {
        w = w->next;
    }
    if (w && workers_awake(pool) == 0 && workers_have_work(pool, lost)) {
        worker_unlink(w);
        atomic_store_explicit(&w->worker.error, error, memory_order_relaxed); /* relaxed: the wake orders it */
        caw_waker_wake_by_ref(w->waker);
    }
    caw__mutex_unlock(&pool->lock);
}

int
caw__pool_start(caw_pool *pool, caw_work *own)
{
    int error = workers_start(pool);
    if (!error) {
        return 0;
    }
    caw_work *refused = NULL;
    caw__mutex_lock(&pool->lock);
    pool->starting--;
    bool none_awake = workers_awake(pool) == 0, own_is_lost = none_awake && own && caw__queue_has(&pool->queue, own);
    if (none_awake) {
        if (own_is_lost) {
            caw__queue_unlink(&pool->queue, own);
        }
        refused = caw__queue_take_all(&pool->queue); /* others have queued them, who relied on this thread */
    }
    workers_check_last(pool);
    caw__condition_broadcast(&pool->ended);
    caw__mutex_unlock(&pool->lock);
    caw__pool_refuse(pool, refused, error);
    if (none_awake) {
        workers_call_back(pool, own_is_lost ? own : NULL, error);
    }
    return own_is_lost ? error : 0;
}

int
caw__pool_offer(caw_pool *pool, caw_work *w)
{
    if (caw__pool_closing(pool)) {
        return CAW_ECLOSED;
    }
    if (!caw__queue_offer(&pool->queue, w)) {
        return -EAGAIN;
    }
    if (workers_grow(pool, 0)) {
        return 1;
    }
    if (workers_awake(pool) == 0 && !pool->serial) { /* all sleep, and there cannot be more */
        caw__queue_unlink(&pool->queue, w);
        return -EAGAIN;
    }
    caw__condition_signal(&pool->changed);
    return 0;
}

#undef WORKERS_MOST
#undef WORKERS_SPARE_NS
