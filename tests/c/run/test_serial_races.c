/* test_serial_races.c: many threads with one serial: order, interrupts, and ends at any moment. */
#include "support/serial.h"
#include "support/threads.h"

enum { THREADS = 4 };

struct race {
    caw_serial *serial;
    struct seen seen;
    int next[THREADS];     /* the number of each thread's next call: of the thread of the serial */
    atomic_int threads;    /* that have begun */
    atomic_int runs, ends; /* calls that ran; that ended with their result */
};

struct step {
    caw_work work;
    struct race *race;
    int thread, number;
};

/* An interrupt now is for this call, which was cancelled then, or the serial is to end soon. */
static void
check_interrupts(const struct step *s)
{
    CHECK(s->race->seen.interrupting == 0 || caw_work_cancelled(&s->work));
}

static int
take_step(caw_work *w)
{
    const struct step *s = CAW_CONTAINER_OF(w, struct step, work);
    seen_begin(&s->race->seen);
    check_interrupts(s);
    CHECK(s->number >= s->race->next[s->thread]); /* those in between were cancelled */
    s->race->next[s->thread] = s->number + 1;
    atomic_fetch_add(&s->race->runs, 1);
    check_interrupts(s);
    return seen_end(&s->race->seen);
}

static void
free_step(caw_work *w)
{
    free(CAW_CONTAINER_OF(w, struct step, work));
}

static caw_future *
new_step(struct race *race, int thread, int number)
{
    struct step *s = calloc(1, sizeof *s);
    CHECK(s);
    caw_work_init(&s->work, race->serial, take_step, free_step);
    s->race = race;
    s->thread = thread;
    s->number = number;
    return &s->work.promise.future;
}

/* Calls of one thread, a few at once, all awaited. */
static void *
take_all_steps(void *user)
{
    enum { STEPS = 25000, AT_ONCE = 10 };
    struct race *race = user;
    int thread = atomic_fetch_add(&race->threads, 1);
    for (int i = 0; i < STEPS; i += AT_ONCE) {
        caw_future *f[AT_ONCE];
        for (int k = 0; k < AT_ONCE; k++) {
            f[k] = new_step(race, thread, i + k);
            (void)poll_without_waker(f[k], NULL);
        }
        for (int k = AT_ONCE - 1; k >= 0; k--) {
            CHECK_INT(ended(f[k]), -3);
        }
        CHECK_INT(race->next[thread], i + AT_ONCE); /* all have run, and what they wrote is visible */
    }
    return NULL;
}

static void
calls_of_each_of_many_threads_run_in_its_order(void)
{
    struct race race = {.threads = 0};
    pthread_t threads[THREADS];
    race.serial = serial_of_capacity(&race.seen, 16);
    start_threads(threads, THREADS, take_all_steps, &race);
    join_threads(threads, THREADS);
    end_serial(race.serial, &race.seen);
    CHECK_INT(race.runs, 100000);
}

/* Calls that are awaited, cancelled and dropped, until the serial is closed. */
static void *
take_steps_until_closed(void *user)
{
    struct race *race = user;
    int thread = atomic_fetch_add(&race->threads, 1);
    counter c = {0, 0};
    bool closed = false;
    for (int i = 0; !closed; i++) {
        caw_future *f = new_step(race, thread, i);
        (void)poll_at(f, NULL, &c);
        if (i % 3 == 1) {
            caw_future_cancel(f);
        }
        if (i % 5 != 2) {
            int status = caw_block_on(f);
            CHECK(status == -3 || status == CAW_ECLOSED || (status == CAW_ECANCELED && i % 3 == 1));
            atomic_fetch_add(&race->ends, status == -3);
            closed = status == CAW_ECLOSED;
        }
        caw_future_destroy(f);
    }
    while (c.references > 0) {
        (void)usleep(100);
    }
    return NULL;
}

static void
end_in_some_way(struct race *race, int how)
{
    caw_future *close = caw_serial_close(race->serial);
    switch (how) {
    case 0:
        CHECK_INT(caw_block_on(close), 0);
        break;
    case 1:
        (void)poll_without_waker(close, NULL);
        caw_future_cancel(close);
        CHECK_INT(caw_block_on(close), 0);
        break;
    case 2:
        (void)poll_without_waker(close, NULL);
        break;
    default:
        caw_pool_close(race->serial);
        break;
    }
    caw_future_destroy(close);
}

static void
serial_may_be_ended_while_threads_give_it_calls(void)
{
    for (int round = 0; round < 40; round++) {
        struct race race = {.threads = 0};
        pthread_t threads[THREADS];
        race.serial = serial_of_capacity(&race.seen, 4);
        start_threads(threads, THREADS, take_steps_until_closed, &race);
        while (race.runs < 50) {
            (void)usleep(100);
        }
        end_in_some_way(&race, round % 4);
        join_threads(threads, THREADS);
        end_serial(race.serial, &race.seen);
        CHECK(race.runs >= race.ends);
        CHECK_INT(race.seen.calls, race.runs);
    }
}

/* Closes, cancels and drops of the same serial on many threads. */
static void *
close_in_some_way(void *user)
{
    struct race *race = user;
    int how = atomic_fetch_add(&race->threads, 1);
    counter c = {0, 0};
    caw_future *close = caw_serial_close(race->serial);
    (void)poll_at(close, NULL, &c);
    if (how % 2 == 0) {
        caw_future_cancel(close);
    }
    if (how % 4 < 2) {
        CHECK_INT(caw_block_on(close), -6);
    }
    caw_future_destroy(close);
    caw_pool_release(race->serial);
    while (c.references > 0) {
        (void)usleep(100);
    }
    return NULL;
}

static void
serial_may_be_closed_on_many_threads_at_once(void)
{
    for (int round = 0; round < 400; round++) {
        struct race race = {.seen = {.at_end = -6}};
        pthread_t threads[THREADS];
        race.serial = serial_of_capacity(&race.seen, 4);
        for (int i = 0; i < 10; i++) {
            caw_future *f = new_step(&race, 0, i);
            (void)poll_without_waker(f, NULL);
            caw_future_destroy(f);
        }
        for (int i = 0; i < THREADS; i++) {
            (void)caw_pool_retain(race.serial);
        }
        start_threads(threads, THREADS, close_in_some_way, &race);
        join_threads(threads, THREADS);
        CHECK_INT(ended(caw_serial_close(race.serial)), -6);
        caw_pool_release(race.serial);
        CHECK_INT(race.seen.ends, 1);
    }
}

TESTS(TEST(calls_of_each_of_many_threads_run_in_its_order), TEST(serial_may_be_ended_while_threads_give_it_calls),
      TEST(serial_may_be_closed_on_many_threads_at_once))
