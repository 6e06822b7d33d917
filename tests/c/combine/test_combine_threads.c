/* test_combine_threads.c: children and members that end on other threads. */
#include "support/probe.h"
#include "support/threads.h"

#include "cawait/promise.h"

#include <sched.h>

enum { CHILDREN = 4, ROUNDS = 2000 };

/* Promises that are resolved by threads, all at the same moment. */
typedef struct shared {
    caw_promise promises[CHILDREN];
    atomic_int go, started, frees;
} shared;

static shared now;

static int
promise_start(caw_promise *p)
{
    (void)p;
    atomic_fetch_add(&now.started, 1);
    return 0;
}

static void
promise_free(caw_promise *p)
{
    (void)p;
    atomic_fetch_add(&now.frees, 1);
}

static const caw_promise_ops shared_ops = CAW_PROMISE_OPS("shared", promise_start, promise_free);

static void
spin_until(atomic_int *word, int value)
{
    for (int i = 0; atomic_load(word) < value; i++) {
        if (i % 100 == 99) {
            sched_yield();
        }
    }
}

static void *
resolve_one_each_round(void *user)
{
    int index = *(int *)user;
    for (int round = 0; round < ROUNDS; round++) {
        spin_until(&now.go, round + 1);
        caw_promise_resolve(&now.promises[index], 0);
    }
    return NULL;
}

static void
start_round(caw_future **children)
{
    now.started = now.frees = 0;
    for (int i = 0; i < CHILDREN; i++) {
        caw_promise_init(&now.promises[i], &shared_ops);
        children[i] = &now.promises[i].future;
    }
}

/* In each round: make a future around the promises, poll it once, and let the threads go. */
static void
run_rounds(caw_future *(*make)(caw_future *const *children), void (*check)(caw_future *f, int round))
{
    pthread_t threads[CHILDREN];
    int indices[CHILDREN];
    now.go = 0;
    for (int i = 0; i < CHILDREN; i++) {
        indices[i] = i;
        threads[i] = start_thread(resolve_one_each_round, &indices[i]);
    }
    for (int round = 0; round < ROUNDS; round++) {
        counter c = {0, 0};
        caw_future *children[CHILDREN];
        start_round(children);
        caw_future *f = make(children);
        CHECK(f);
        CHECK(poll_at(f, NULL, &c) == CAW_PENDING);
        CHECK_INT(now.started, CHILDREN);
        atomic_fetch_add(&now.go, 1);
        check(f, round);
        spin_until(&now.frees, CHILDREN);
        while (c.references > 0) { /* a thread has it in its hands */
            sched_yield();
        }
    }
    join_threads(threads, CHILDREN);
}

static caw_future *
all_of(caw_future *const *children)
{
    return caw_all_array(children, CHILDREN);
}

static caw_future *
race_of(caw_future *const *children)
{
    return caw_race_array(children, CHILDREN);
}

static caw_future *
group_of_promises(caw_future *const *children)
{
    caw_group *group;
    caw_future *f;
    caw_group_spec spec = {.limit = 0};
    CHECK_INT(caw_group_new(&spec, &group, &f), 0);
    for (int i = 0; i < CHILDREN; i++) {
        CHECK_INT(caw_group_add(group, children[i]), 0);
    }
    caw_group_release(group);
    return f;
}

static void
ends_with_0(caw_future *f, int round)
{
    (void)round;
    CHECK_INT(caw_block_on(f), 0);
    caw_future_destroy(f);
}

static void
race_has_a_winner(caw_future *f, int round)
{
    (void)round;
    CHECK_INT(caw_block_on(f), 0);
    CHECK(caw_race_winner(f) < CHILDREN);
    caw_future_destroy(f);
}

/* After a delay that differs from round to round. */
static void
destroyed_meanwhile(caw_future *f, int round)
{
    for (volatile int i = 0; i < round % 500; i++) {
    }
    caw_future_destroy(f);
}

static void
children_that_end_at_once_on_other_threads_are_all_seen(void)
{
    run_rounds(all_of, ends_with_0);
    run_rounds(race_of, race_has_a_winner);
    run_rounds(group_of_promises, ends_with_0);
}

static void
destroy_while_children_end_on_other_threads_leaves_nothing(void)
{
    run_rounds(all_of, destroyed_meanwhile);
    run_rounds(group_of_promises, destroyed_meanwhile);
}

/* --- members that are added by several threads --- */

enum { ADDERS = 3, EACH = 2000 };

typedef struct crowd {
    caw_group *group;
    caw_future *future;
    int ended;
    size_t running, most;
    atomic_int refused;
    bool waits_for_room;
} crowd;

static int
crowd_ended(void *user, caw_future *member)
{
    ((crowd *)user)->ended++;
    return member->status;
}

static void *
add_members(void *user)
{
    crowd *g = user;
    for (int i = 0; i < EACH; i++) {
        if (g->waits_for_room) {
            caw_future *room = caw_group_room(g->group);
            int status = caw_block_on(room);
            CHECK(status == 0 || status == CAW_ECLOSED);
            caw_future_destroy(room);
        }
        int error = caw_group_add(g->group, caw_ready(0));
        CHECK(error == 0 || error == CAW_ECLOSED);
        atomic_fetch_add(&g->refused, error != 0);
    }
    caw_group_release(g->group);
    return NULL;
}

static void
begin_crowd(crowd *g, size_t limit, pthread_t *threads)
{
    caw_group_spec spec = {.limit = limit, .ended = crowd_ended, .user = g};
    CHECK_INT(caw_group_new(&spec, &g->group, &g->future), 0);
    for (int i = 1; i < ADDERS; i++) {
        caw_group_retain(g->group);
    }
    start_threads(threads, ADDERS, add_members, g);
}

static void
members_that_several_threads_add_all_run(void)
{
    for (int waits = 0; waits < 2; waits++) {
        for (size_t limit = 0; limit < 4; limit += 3) {
            pthread_t threads[ADDERS];
            crowd g = {.waits_for_room = waits};
            begin_crowd(&g, limit, threads);
            CHECK_INT(caw_block_on(g.future), 0); /* the last release closes it */
            CHECK_INT(g.ended, ADDERS * EACH);
            caw_future_destroy(g.future);
            join_threads(threads, ADDERS);
            CHECK_INT(g.refused, 0);
        }
    }
}

static void
destroy_and_cancel_while_threads_add_lose_no_member(void)
{
    for (int round = 0; round < 100; round++) {
        counter c = {0, 0};
        pthread_t threads[ADDERS];
        crowd g = {.waits_for_room = round % 4 >= 2};
        begin_crowd(&g, 2, threads);
        bool is_ready = false;
        for (int i = 0; i < round && !is_ready; i++) {
            is_ready = poll_at(g.future, NULL, &c) == CAW_READY;
            sched_yield();
        }
        if (round % 2 && !is_ready) {
            caw_future_cancel(g.future);
            int status = caw_block_on(g.future);
            CHECK(status == CAW_ECANCELED || status == 0);
        }
        caw_future_destroy(g.future);
        join_threads(threads, ADDERS);
        CHECK_INT(c.references, 0);
    }
}

TESTS(TEST(children_that_end_at_once_on_other_threads_are_all_seen),
      TEST(destroy_while_children_end_on_other_threads_leaves_nothing), TEST(members_that_several_threads_add_all_run),
      TEST(destroy_and_cancel_while_threads_add_lose_no_member))
