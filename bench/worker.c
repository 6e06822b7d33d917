/* worker.c: one native thread that runs tasks, for our operations and for the baseline alike.
 *
 * The rows measure how a completion reaches the loop, not how work reaches a thread, which costs both sides the same.
 * So that part is kept small: submitting is one compare-and-swap on a lock-free list, and the thread takes the whole
 * list at once. With many tasks in flight it looks at the list once in a period, like a driver that coalesces
 * interrupts. Otherwise it would be woken for nearly every operation, because it is faster than the loop. A batch that
 * took longer than the period is followed by the next one at once. Without a period it spins for SPIN_NS, then sleeps
 * until it is woken.
 *
 * `worker_asleep` and `worker_head` are a store and a load on each side, in opposite order, all sequentially
 * consistent: either the submitter sees the thread asleep, or the thread sees the task.
 */
#include "bench.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

#define SPIN_NS 50000 /* longer than a round trip through a loop that is awake */

static bench_task *_Atomic worker_head;
static _Atomic int worker_asleep; /* set by the thread; cleared by whoever wakes it, or by itself */
static sem_t worker_wake;
static _Atomic uint64_t worker_period_ns;
static int worker_error; /* 0, or why there is no worker */

/* Pause for about half a microsecond. Without pauses the thread would take the list's cache line away from the
 * submitter. */
static inline void
pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    for (int i = 0; i < 16; i++) {
        __builtin_ia32_pause();
    }
#endif
}

/* Wait until the list is not empty. relaxed: worker_take acquires what is in it. */
static void
worker_wait(void)
{
    uint64_t deadline = caw_now_ns() + SPIN_NS;
    while (!atomic_load_explicit(&worker_head, memory_order_relaxed)) {
        if (caw_now_ns() < deadline) {
            pause_briefly();
            continue;
        }
        atomic_store(&worker_asleep, 1);
        if (!atomic_load(&worker_head) || !atomic_exchange(&worker_asleep, 0)) {
            while (sem_wait(&worker_wake) < 0) { /* EINTR */
            }
        }
    }
}

static bench_task *
worker_take(void)
{
    /* acquire: pairs with bench_submit's compare-and-swap. */
    bench_task *last = atomic_exchange_explicit(&worker_head, NULL, memory_order_acquire), *first = NULL;
    while (last) {
        bench_task *next = last->next;
        last->next = first;
        first = last;
        last = next;
    }
    return first;
}

/* Wait for the end of the period that began at this time. */
static void
worker_nap(uint64_t began)
{
    uint64_t period = atomic_load_explicit(&worker_period_ns, memory_order_relaxed); /* relaxed: a setting */
    uint64_t now = caw_now_ns();
    if (now - began < period) {
        (void)nanosleep(&(struct timespec){0, (long)(began + period - now)}, NULL);
    }
}

static void *
worker_main(void *arg)
{
    uint64_t began = 0;
    for (;;) {
        worker_wait();
        worker_nap(began);
        began = caw_now_ns();
        bench_task *task = worker_take();
        while (task) {
            bench_task *next = task->next; /* after run() the task may be freed */
            task->run(task);
            task = next;
        }
    }
    return arg;
}

void
bench_set_period(uint64_t ns)
{
    atomic_store_explicit(&worker_period_ns, ns, memory_order_relaxed); /* relaxed: a setting */
}

static void
worker_start(void)
{
    pthread_t thread;
    worker_error = sem_init(&worker_wake, 0, 0) < 0 ? -errno : 0;
    if (!worker_error) {
        worker_error = -pthread_create(&thread, NULL, worker_main, NULL);
    }
    if (!worker_error) {
        (void)pthread_detach(thread);
    }
}

int
bench_submit(bench_task *task)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, worker_start);
    if (worker_error) {
        return worker_error;
    }
    bench_task *head = atomic_load_explicit(&worker_head, memory_order_relaxed); /* checked by the exchange below */
    do {
        task->next = head;
    } while (!atomic_compare_exchange_weak(&worker_head, &head, task));
    if (!head && atomic_load(&worker_asleep) && atomic_exchange(&worker_asleep, 0)) {
        (void)sem_post(&worker_wake);
    }
    return 0;
}
