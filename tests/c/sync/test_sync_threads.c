/* test_sync_threads.c: mutexes and semaphores between threads and pools. What they guard is plain memory, so
 * ThreadSanitizer sees where they do not. */
#include "support/patience.h"
#include "support/place.h"
#include "support/threads.h"

#define POOLS   2
#define TASKS   25
#define THREADS 4
#define EACH    2000 /* of a task, and of a thread times 5: POOLS * TASKS * EACH + THREADS * EACH * 5 = 140 000 */

/* --- many acquisitions --- */

static struct shared {
    caw_mutex mutex;
    caw_semaphore semaphore;
    int inside, total; /* under the mutex */
    atomic_int used;   /* permits */
} shared;

static void
shared_init(void)
{
    caw_mutex_init(&shared.mutex);
    caw_semaphore_init(&shared.semaphore, 3);
    shared.inside = shared.total = 0;
    shared.used = 0;
}

static void
enter(void)
{
    CHECK_INT(shared.inside++, 0);
    shared.total++;
}

static void
leave(void)
{
    CHECK_INT(--shared.inside, 0);
}

/* A future that takes the mutex, and then some permits, `left` times; at times it is pending in between. */
typedef struct task {
    caw_future future;
    caw_lock lock;
    caw_permit permit;
    int left, step;
    size_t n;
    unsigned seed;
} task;

static bool
task_pauses(task *t, caw_context *cx)
{
    bool pauses = under(&t->seed, 50) == 0;
    if (pauses) {
        caw_waker_wake_by_ref(cx->waker);
    }
    return pauses;
}

/* One step; false: it is pending. */
static bool
task_step(task *t, caw_context *cx)
{
    switch (t->step++) {
    case 0:
        (void)caw_mutex_lock(&t->lock, &shared.mutex);
        return true;
    case 1:
        if (caw_future_poll(&t->lock.future, cx) == CAW_PENDING) {
            t->step--;
            return false;
        }
        CHECK_INT(t->lock.future.status, 0);
        enter();
        return !task_pauses(t, cx);
    case 2:
        leave();
        caw_lock_release(&t->lock);
        t->n = (size_t)under(&t->seed, 3) + 1;
        (void)caw_semaphore_acquire(&t->permit, &shared.semaphore, t->n);
        return true;
    case 3:
        if (caw_future_poll(&t->permit.future, cx) == CAW_PENDING) {
            t->step--;
            return false;
        }
        CHECK(atomic_fetch_add(&shared.used, (int)t->n) + (int)t->n <= 3);
        return !task_pauses(t, cx);
    default:
        atomic_fetch_sub(&shared.used, (int)t->n);
        caw_permit_release(&t->permit);
        t->step = 0;
        t->left--;
        return true;
    }
}

static caw_poll
task_poll(caw_future *f, caw_context *cx)
{
    task *t = CAW_CONTAINER_OF(f, task, future);
    while (t->left > 0) {
        if (!task_step(t, cx)) {
            return CAW_PENDING;
        }
    }
    return caw_future_finish(f, 0);
}

static void
task_destroy(caw_future *f)
{
    task *t = CAW_CONTAINER_OF(f, task, future);
    caw_lock_release(&t->lock);
    caw_permit_release(&t->permit);
    free(t);
}

static const caw_future_ops task_ops = {"task", task_poll, NULL, task_destroy};

static caw_future *
task_new(unsigned seed)
{
    task *t = calloc(1, sizeof *t);
    CHECK(t);
    caw_future_init(&t->future, &task_ops);
    t->left = EACH;
    t->seed = seed;
    return &t->future;
}

static void *
lock_and_release(void *user)
{
    (void)user;
    for (int i = 0; i < EACH * 5; i++) {
        caw_lock lock;
        CHECK_INT(caw_block_on(caw_mutex_lock(&lock, &shared.mutex)), 0);
        enter();
        leave();
        caw_lock_release(&lock);
    }
    return NULL;
}

static void
hundred_thousand_acquisitions_of_threads_and_pools_exclude_each_other(void)
{
    caw_pool *pools[POOLS];
    caw_future *joins[POOLS][TASKS];
    pthread_t threads[THREADS];
    shared_init();
    for (int p = 0; p < POOLS; p++) {
        pools[p] = new_pool(2);
        for (int i = 0; i < TASKS; i++) {
            joins[p][i] = caw_spawn(pools[p], task_new((unsigned)(p * TASKS + i)));
        }
    }
    start_threads(threads, THREADS, lock_and_release, NULL);
    for (int p = 0; p < POOLS; p++) {
        for (int i = 0; i < TASKS; i++) {
            CHECK_INT(caw_block_on(joins[p][i]), 0);
            caw_future_destroy(joins[p][i]);
        }
    }
    join_threads(threads, THREADS);
    for (int p = 0; p < POOLS; p++) {
        end_pool(pools[p]);
    }
    CHECK_INT(shared.total, POOLS * TASKS * EACH + THREADS * EACH * 5);
    CHECK_INT(caw_semaphore_available(&shared.semaphore), 3);
}

/* --- waits that are given up while they are served --- */

static void *
lock_with_little_patience(void *user)
{
    unsigned seed = (unsigned)atomic_fetch_add((atomic_int *)user, 1);
    for (int i = 0; i < 3000; i++) {
        caw_lock lock;
        caw_permit permit;
        caw_future *f = caw_mutex_lock(&lock, &shared.mutex);
        int status = caw_block_on_for(f, (uint64_t)under(&seed, 20) * 1000);
        status = status == CAW_ETIMEDOUT ? give_up(f, &seed) : status;
        CHECK(status == 0 || status == CAW_ECANCELED);
        if (status == 0) {
            enter();
            leave();
        }
        caw_lock_release(&lock);
        size_t n = (size_t)under(&seed, 3) + 1;
        f = caw_semaphore_acquire(&permit, &shared.semaphore, n);
        status = caw_block_on_for(f, (uint64_t)under(&seed, 20) * 1000);
        status = status == CAW_ETIMEDOUT ? give_up(f, &seed) : status;
        if (status == 0) {
            CHECK(atomic_fetch_add(&shared.used, (int)n) + (int)n <= 3);
            atomic_fetch_sub(&shared.used, (int)n);
        }
        caw_permit_release(&permit);
    }
    return NULL;
}

static void
waits_that_are_given_up_while_they_are_served_lose_nothing(void)
{
    pthread_t threads[THREADS];
    caw_lock lock;
    atomic_int seed = 1;
    shared_init();
    start_threads(threads, THREADS, lock_with_little_patience, &seed);
    join_threads(threads, THREADS);
    CHECK_INT(caw_mutex_try_lock(&lock, &shared.mutex), 0);
    caw_lock_release(&lock);
    CHECK_INT(caw_semaphore_available(&shared.semaphore), 3);
}

/* --- an object that ends while others wait, and goes --- */

static atomic_int begun;

static void
count_clone(void *data)
{
    (void)data;
    atomic_fetch_add(&begun, 1);
}

static void
count_end(void *data)
{
    (void)data;
}

static const caw_waker_ops count_ops = {count_clone, count_end, count_end};

/* It waits, and then looks again and again whether it has been let go. */
static void *
wait_for_the_end(void *user)
{
    caw_lock lock;
    caw_context cx = {{&count_ops, NULL}, &place_host, NULL};
    caw_future *f = caw_mutex_lock(&lock, user);
    while (caw_future_poll(f, &cx) == CAW_PENDING) {
        (void)usleep(10);
    }
    CHECK_INT(f->status, CAW_ECLOSED);
    caw_lock_release(&lock);
    return NULL;
}

static void
mutex_that_ends_and_goes_while_threads_wait_lets_them_go(void)
{
    for (int i = 0; i < 300; i++) {
        caw_mutex *mutex = malloc(sizeof *mutex);
        caw_lock holder;
        pthread_t threads[2];
        CHECK(mutex);
        caw_mutex_init(mutex);
        CHECK_INT(caw_mutex_try_lock(&holder, mutex), 0);
        begun = 0;
        start_threads(threads, 2, wait_for_the_end, mutex);
        while (begun < 2) {
            (void)usleep(10);
        }
        caw_mutex_fini(mutex);
        free(mutex);
        caw_lock_release(&holder);
        join_threads(threads, 2);
    }
}

TESTS(TEST(hundred_thousand_acquisitions_of_threads_and_pools_exclude_each_other),
      TEST(waits_that_are_given_up_while_they_are_served_lose_nothing),
      TEST(mutex_that_ends_and_goes_while_threads_wait_lets_them_go))
