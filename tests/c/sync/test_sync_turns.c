/* test_sync_turns.c: conditions, barriers, events and onces between threads. What they guard is plain memory, so
 * ThreadSanitizer sees where they do not. */
#include "support/patience.h"
#include "support/place.h"
#include "support/threads.h"

#include "cawait/testing_tools.h"

#define THREADS 4

/* --- a queue with a condition --- */

#define ITEMS 4000

static struct queue {
    caw_mutex mutex;
    caw_condition changed;
    int items, taken; /* under the mutex */
} queue;

/* Take one; wait for it, not always to the end. */
static void
queue_take(unsigned *seed)
{
    caw_lock lock;
    CHECK_INT(caw_block_on(caw_mutex_lock(&lock, &queue.mutex)), 0);
    while (queue.items == 0 && queue.taken < ITEMS) {
        caw_condition_op op;
        caw_future *f = caw_condition_wait(&op, &queue.changed, &lock);
        int status = under(seed, 2) ? caw_block_on(f) : caw_block_on_for(f, (uint64_t)under(seed, 30) * 1000);
        if (status == CAW_ETIMEDOUT) {
            caw_future_cancel(f);
            status = caw_block_on(f);
        }
        CHECK(status == 0 || status == CAW_ECANCELED);
        CHECK(caw_lock_is_held(&lock));
        caw_future_destroy(f);
    }
    if (queue.items > 0) {
        queue.items--;
        queue.taken++;
    }
    caw_lock_release(&lock);
}

static void *
consume(void *user)
{
    unsigned seed = (unsigned)atomic_fetch_add((atomic_int *)user, 1);
    bool is_over = false;
    while (!is_over) {
        caw_lock lock;
        queue_take(&seed);
        CHECK_INT(caw_block_on(caw_mutex_lock(&lock, &queue.mutex)), 0);
        is_over = queue.taken == ITEMS;
        caw_lock_release(&lock);
    }
    caw_condition_notify_all(&queue.changed);
    return NULL;
}

/* Each item is one notify: a notify that is lost leaves an item behind, and consumers that sleep. */
static void
each_item_of_a_queue_is_taken_although_consumers_are_cancelled(void)
{
    pthread_t threads[THREADS];
    atomic_int seed = 1;
    caw_mutex_init(&queue.mutex);
    caw_condition_init(&queue.changed);
    queue.items = queue.taken = 0;
    start_threads(threads, THREADS, consume, &seed);
    for (int i = 0; i < ITEMS; i++) {
        caw_lock lock;
        CHECK_INT(caw_block_on(caw_mutex_lock(&lock, &queue.mutex)), 0);
        queue.items++;
        caw_lock_release(&lock);
        caw_condition_notify_one(&queue.changed);
    }
    join_threads(threads, THREADS);
    CHECK_INT(queue.items, 0);
}

/* --- barrier and event --- */

static caw_barrier barrier = CAW_BARRIER_INIT(THREADS);
static int rounds[THREADS];

static void *
go_in_step(void *user)
{
    int self = atomic_fetch_add((atomic_int *)user, 1);
    for (int round = 1; round <= 1000; round++) {
        caw_barrier_op op;
        rounds[self] = round;
        CHECK_INT(caw_block_on(caw_barrier_wait(&op, &barrier)), 0);
        caw_future_destroy(&op.future);
        for (int i = 0; i < THREADS; i++) {
            CHECK_INT(rounds[i], round);
        }
        CHECK_INT(caw_block_on(caw_barrier_wait(&op, &barrier)), 0);
        caw_future_destroy(&op.future);
    }
    return NULL;
}

static void
threads_at_a_barrier_go_in_step(void)
{
    pthread_t threads[THREADS];
    atomic_int number = 0;
    start_threads(threads, THREADS, go_in_step, &number);
    join_threads(threads, THREADS);
}

static caw_event ping = CAW_EVENT_INIT, pong = CAW_EVENT_INIT;
static int ball;

static void *
play(void *user)
{
    caw_event *mine = user, *other = mine == &ping ? &pong : &ping;
    for (int i = 0; i < 2000; i++) {
        caw_event_op op;
        CHECK_INT(caw_block_on(caw_event_wait(&op, mine)), 0);
        caw_future_destroy(&op.future);
        caw_event_clear(mine);
        ball++;
        caw_event_set(other);
    }
    return NULL;
}

static void
two_threads_take_turns_by_two_events(void)
{
    ball = 0;
    pthread_t first = start_thread(play, &ping), second = start_thread(play, &pong);
    caw_event_set(&ping);
    join_thread(first);
    join_thread(second);
    CHECK_INT(ball, 4000);
}

/* --- once --- */

static caw_once once;
static int result;
static atomic_int runs;

/* It writes the result at its third poll. */
typedef struct slow {
    caw_future future;
    caw_future *yield;
} slow;

static caw_poll
slow_poll(caw_future *f, caw_context *cx)
{
    slow *s = CAW_CONTAINER_OF(f, slow, future);
    if (caw_future_poll(s->yield, cx) == CAW_PENDING) {
        return CAW_PENDING;
    }
    if (s->yield->status == 0) {
        result = 42;
        atomic_fetch_add(&runs, 1);
    }
    return caw_future_finish(f, s->yield->status);
}

static void
slow_cancel(caw_future *f)
{
    caw_future_cancel(CAW_CONTAINER_OF(f, slow, future)->yield);
}

static void
slow_destroy(caw_future *f)
{
    slow *s = CAW_CONTAINER_OF(f, slow, future);
    caw_future_destroy(s->yield);
    free(s);
}

static const caw_future_ops slow_ops = {"slow", slow_poll, slow_cancel, slow_destroy};

static caw_future *
make_slow(void *user)
{
    (void)user;
    slow *s = malloc(sizeof *s);
    CHECK(s);
    caw_future_init(&s->future, &slow_ops);
    s->yield = caw_test_yield(3);
    CHECK(s->yield);
    return &s->future;
}

static void *
do_it_once(void *user)
{
    unsigned seed = (unsigned)atomic_fetch_add((atomic_int *)user, 1);
    caw_once_op op;
    for (bool is_over = false; !is_over;) {
        caw_future *f = caw_once_do(&op, &once, make_slow, NULL);
        int status = caw_block_on_for(f, (uint64_t)under(&seed, 3) * 1000);
        status = status == CAW_ETIMEDOUT ? give_up(f, &seed) : status;
        CHECK(status == 0 || status == CAW_ECANCELED);
        caw_future_destroy(f);
        if (status == 0) {
            CHECK_INT(result, 42);
            is_over = true;
        }
    }
    return NULL;
}

static void
once_is_done_once_although_those_who_do_it_are_cancelled(void)
{
    atomic_int seed = 1;
    for (int i = 0; i < 300; i++) {
        pthread_t threads[THREADS];
        caw_once_init(&once);
        result = 0;
        runs = 0;
        start_threads(threads, THREADS, do_it_once, &seed);
        join_threads(threads, THREADS);
        CHECK_INT(runs, 1);
    }
}

TESTS(TEST(each_item_of_a_queue_is_taken_although_consumers_are_cancelled), TEST(threads_at_a_barrier_go_in_step),
      TEST(two_threads_take_turns_by_two_events), TEST(once_is_done_once_although_those_who_do_it_are_cancelled))
