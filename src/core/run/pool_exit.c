/* pool_exit.c: one pool at exit(): what it finishes there, and how it stops. */
#include "core/run/pool_exit.h"

#include "core/os/exit.h"
#include "core/os/fork.h"

/* How long exit() waits for workers, and how long they have to use no processor to count as asleep: long enough that
 * even on a machine with far too much to do a busy one has its turn meanwhile. */
#define POOL_EXIT_TURN_NS     UINT64_C(5000000)
#define POOL_EXIT_TURNS       200
#define POOL_EXIT_TURNS_APART 100

static caw_pool *
pool_of_exit(caw__exit_member *member)
{
    return CAW_CONTAINER_OF(member, caw_pool, exit);
}

static bool
pool_exit_hold(caw__exit_member *member)
{
    caw_pool *pool = pool_of_exit(member);
    unsigned references = atomic_load_explicit(&pool->references, memory_order_relaxed);
    /* Relaxed, all: the member is in the list, so the memory is there until the list's lock is given back. */
    while (references > 0 && !atomic_compare_exchange_weak_explicit(&pool->references, &references, references + 1,
                                                                    memory_order_relaxed, memory_order_relaxed)) {
    }
    return references > 0;
}

static void
pool_exit_drop(caw__exit_member *member)
{
    caw__pool_drop(pool_of_exit(member));
}

static void
pool_exit_finish(caw__exit_member *member)
{
    caw_pool *pool = pool_of_exit(member);
    if (pool->serial && !caw__pool_is_worker(pool)) {
        return; /* its own thread does it */
    }
    caw_work *w;
    do {
        caw__mutex_lock(&pool->lock);
        w = pool->queue.first;
        while (w && !(w->run && w->finishes)) {
            w = w->next;
        }
        if (w) {
            caw__queue_unlink(&pool->queue, w);
        }
        caw__mutex_unlock(&pool->lock);
        if (w) {
            caw__pool_run(w);
        }
    } while (w);
}

/* The processor time of all workers, and how many there are. */
static uint64_t
pool_cpu_ns(caw_pool *pool, unsigned *running)
{
    uint64_t sum = 0;
    caw__mutex_lock(&pool->lock);
    *running = pool->threads + pool->starting;
    for (const caw__pool_worker *w = pool->workers; w; w = w->older) {
        sum += caw__thread_cpu_ns(w->thread); /* which cannot end while it is in the list */
    }
    caw__mutex_unlock(&pool->lock);
    return sum;
}

static bool
pool_exit_stop(caw__exit_member *member)
{
    caw_pool *pool = pool_of_exit(member);
    caw__mutex_lock(&pool->lock);
    caw_work *calls = caw__pool_stopped(pool) ? NULL : caw__pool_shut(pool, true);
    caw__mutex_unlock(&pool->lock);
    caw__pool_cancel(pool, calls);
    unsigned running = 1;
    uint64_t used = 0, before = 0;
    for (int i = 0; running > 0 && i < POOL_EXIT_TURNS; i++) {
        before = i % POOL_EXIT_TURNS_APART == 0 ? used : before;
        used = pool_cpu_ns(pool, &running);
        if (running > 0) {
            caw__thread_sleep_ns(POOL_EXIT_TURN_NS);
        }
    }
    return running == 0 || used == before;
}

static const caw__exit_ops pool_exit_ops = {pool_exit_hold, pool_exit_drop, pool_exit_finish, pool_exit_stop};

int
caw__pool_watch_exit(caw_pool *pool)
{
    if (caw__pool_forked(pool) || atomic_load_explicit(&pool->watched, memory_order_acquire)) {
        return 0;
    }
    caw__mutex_lock(&pool->lock);
    int error = pool->exit.list ? 0 : caw__exit_add(&pool->exit, &pool_exit_ops);
    /* Release: publishes the member, to the acquire above. */
    atomic_store_explicit(&pool->watched, !error, memory_order_release);
    caw__mutex_unlock(&pool->lock);
    return error;
}

#undef POOL_EXIT_TURN_NS
#undef POOL_EXIT_TURNS
#undef POOL_EXIT_TURNS_APART
