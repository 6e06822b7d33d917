/* test_mutex.c: a lock of futures, polled by hand on one thread; and the line that it has in common with the others. */
#include "support/place.h"

static counter counters[40];

static bool
waits(caw_future *f, counter *c)
{
    return poll_at(f, NULL, c) == CAW_PENDING;
}

static void
lock_now(caw_lock *lock, caw_mutex *mutex)
{
    counter c = {0, 0};
    CHECK_INT(status_at(caw_mutex_lock(lock, mutex), NULL, &c), 0);
    CHECK(caw_lock_is_held(lock));
    CHECK_INT(c.references, 0);
}

static bool
is_free(caw_mutex *mutex)
{
    caw_lock lock;
    int error = caw_mutex_try_lock(&lock, mutex);
    CHECK(error == 0 || error == -EAGAIN);
    caw_lock_release(&lock);
    return error == 0;
}

static void
mutex_is_held_while_the_future_lives(void)
{
    static caw_mutex mutex = CAW_MUTEX_INIT;
    caw_lock lock;
    CHECK(is_free(&mutex));
    lock_now(&lock, &mutex);
    CHECK(!is_free(&mutex));
    caw_future_destroy(&lock.future);
    CHECK(is_free(&mutex) && !caw_lock_is_held(&lock));
}

static void
release_of_a_zeroed_a_new_or_a_released_lock_is_nothing(void)
{
    caw_mutex mutex;
    caw_lock holder, lock, zeroed;
    memset(&zeroed, 0, sizeof zeroed);
    caw_mutex_init(&mutex);
    lock_now(&holder, &mutex);
    caw_lock_release(&zeroed);
    CHECK(!caw_lock_is_held(&zeroed));
    (void)caw_mutex_lock(&lock, &mutex);
    caw_lock_release(&lock);
    caw_lock_release(&lock);
    CHECK(!is_free(&mutex));
    caw_lock_release(&holder);
    CHECK(is_free(&mutex));
}

static void
waiters_have_it_in_the_order_of_their_first_polls(void)
{
    caw_mutex mutex = CAW_MUTEX_INIT;
    caw_lock locks[5];
    counter c[5] = {{0}};
    for (int i = 0; i < 5; i++) {
        (void)caw_mutex_lock(&locks[i], &mutex);
    }
    for (int i = 4; i >= 0; i--) {
        CHECK(poll_at(&locks[i].future, NULL, &c[i]) == (i == 4 ? CAW_READY : CAW_PENDING));
    }
    for (int i = 4; i > 0; i--) {
        CHECK_INT(c[i - 1].wakes, 0);
        caw_lock_release(&locks[i]);
        CHECK_INT(c[i - 1].wakes, 1);
        CHECK(!is_free(&mutex)); /* it was handed over, so nobody comes between */
        CHECK_INT(status_at(&locks[i - 1].future, NULL, &c[i - 1]), 0);
    }
    caw_lock_release(&locks[0]);
    CHECK(is_free(&mutex));
    for (int i = 0; i < 5; i++) {
        CHECK_INT(c[i].references, 0);
    }
}

static void
latest_waker_is_woken(void)
{
    caw_mutex mutex = CAW_MUTEX_INIT;
    caw_lock holder, lock;
    counter first = {0, 0}, second = {0, 0};
    lock_now(&holder, &mutex);
    CHECK(waits(caw_mutex_lock(&lock, &mutex), &first) && waits(&lock.future, &first));
    CHECK_INT(first.references, 1);
    CHECK(waits(&lock.future, &second));
    CHECK_INT(first.references, 0);
    caw_lock_release(&holder);
    CHECK_INT(second.wakes, 1);
    CHECK_INT(second.references + first.wakes, 0);
    CHECK_INT(status_at(&lock.future, NULL, &second), 0);
    caw_lock_release(&lock);
}

/* How a wait ends early. */
enum { CANCEL, DESTROY, CANCEL_THEN_DESTROY, RELEASE, ENDINGS };

static void
end_early(caw_lock *lock, int ending, counter *c)
{
    if (ending == CANCEL || ending == CANCEL_THEN_DESTROY) {
        caw_future_cancel(&lock->future);
    }
    if (ending == CANCEL) {
        CHECK_INT(status_at(&lock->future, NULL, c), CAW_ECANCELED);
        CHECK(!caw_lock_is_held(lock));
    }
    if (ending == RELEASE) {
        caw_lock_release(lock);
    }
    else {
        caw_future_destroy(&lock->future);
    }
    CHECK_INT(c->references, 0);
}

/* One of three leaves: before it waits, while it waits, and when it was just given the mutex. */
static void
waiter_that_leaves_at_any_point_passes_it_on(void)
{
    for (int ending = 0; ending < ENDINGS; ending++) {
        for (int point = 0; point < 3; point++) {
            caw_mutex mutex = CAW_MUTEX_INIT;
            caw_lock holder, leaves, stays;
            counter c[2] = {{0}};
            lock_now(&holder, &mutex);
            (void)caw_mutex_lock(&leaves, &mutex);
            CHECK(point == 0 || waits(&leaves.future, &c[0]));
            CHECK(waits(caw_mutex_lock(&stays, &mutex), &c[1]));
            if (point == 2) {
                caw_lock_release(&holder);
                CHECK_INT(c[0].wakes, 1);
            }
            CHECK_INT(c[1].wakes, 0);
            end_early(&leaves, ending, &c[0]);
            CHECK_INT(c[1].wakes, point == 2);
            caw_lock_release(&holder);
            CHECK_INT(c[1].wakes, 1);
            CHECK_INT(status_at(&stays.future, NULL, &c[1]), 0);
            caw_lock_release(&stays);
            CHECK(is_free(&mutex));
            CHECK_INT(c[1].references, 0);
        }
    }
}

static void
cancel_of_a_waiter_wakes_it(void)
{
    caw_mutex mutex = CAW_MUTEX_INIT;
    caw_lock holder, lock;
    counter c = {0, 0};
    lock_now(&holder, &mutex);
    CHECK(waits(caw_mutex_lock(&lock, &mutex), &c));
    caw_future_cancel(&lock.future);
    CHECK_INT(c.wakes, 1);
    CHECK_INT(status_at(&lock.future, NULL, &c), CAW_ECANCELED);
    caw_lock_release(&lock);
    caw_lock_release(&holder);
    CHECK_INT(c.references, 0);
}

static void
lock_that_is_used_again_goes_to_the_end_of_the_line(void)
{
    caw_mutex mutex = CAW_MUTEX_INIT;
    caw_lock a, b;
    counter c = {0, 0};
    lock_now(&a, &mutex);
    CHECK(waits(caw_mutex_lock(&b, &mutex), &c));
    for (int i = 0; i < 10; i++) {
        caw_lock *has = i % 2 ? &b : &a, *next = i % 2 ? &a : &b;
        caw_lock_release(has);
        CHECK(waits(caw_mutex_lock(has, &mutex), &c));
        CHECK_INT(status_at(&next->future, NULL, &c), 0);
    }
    caw_lock_release(&a);
    caw_lock_release(&b);
    CHECK(is_free(&mutex));
    CHECK_INT(c.references, 0);
}

static void
mutex_that_ends_lets_all_go_and_its_memory_may_be_gone(void)
{
    caw_mutex *mutex = malloc(sizeof *mutex);
    caw_lock holder, locks[3];
    counter c = {0, 0};
    CHECK(mutex);
    caw_mutex_init(mutex);
    lock_now(&holder, mutex);
    CHECK(waits(caw_mutex_lock(&locks[0], mutex), &c) && waits(caw_mutex_lock(&locks[1], mutex), &c));
    (void)caw_mutex_lock(&locks[2], mutex);
    caw_mutex_fini(mutex);
    CHECK_INT(c.wakes, 2);
    CHECK_INT(caw_mutex_try_lock(&locks[2], mutex), CAW_ECLOSED);
    (void)caw_mutex_lock(&locks[2], mutex);
    free(mutex);
    CHECK(!caw_lock_is_held(&holder));
    CHECK_INT(status_at(&locks[0].future, NULL, &c), CAW_ECLOSED);
    caw_future_cancel(&locks[1].future);
    CHECK_INT(status_at(&locks[1].future, NULL, &c), CAW_ECLOSED);
    caw_lock_release(&holder);
    for (int i = 0; i < 3; i++) {
        caw_future_destroy(&locks[i].future);
    }
    CHECK_INT(c.references, 0);
}

static void
mutex_that_has_ended_is_made_again_by_init(void)
{
    caw_mutex mutex = CAW_MUTEX_INIT;
    caw_lock lock;
    counter c = {0, 0};
    caw_mutex_fini(&mutex);
    CHECK_INT(status_at(caw_mutex_lock(&lock, &mutex), NULL, &c), CAW_ECLOSED);
    caw_lock_release(&lock);
    caw_mutex_init(&mutex);
    lock_now(&lock, &mutex);
    caw_lock_release(&lock);
}

static void
holder_that_was_given_it_and_not_polled_ends_with_the_mutex(void)
{
    caw_mutex mutex = CAW_MUTEX_INIT;
    caw_lock holder, lock;
    counter c = {0, 0};
    lock_now(&holder, &mutex);
    CHECK(waits(caw_mutex_lock(&lock, &mutex), &c));
    caw_lock_release(&holder);
    caw_mutex_fini(&mutex);
    CHECK_INT(status_at(&lock.future, NULL, &c), CAW_ECLOSED);
    caw_lock_release(&lock);
    CHECK_INT(c.wakes, 1);
    CHECK_INT(c.references, 0);
}

/* A waker that destroys all the other waits, and the event, in its wake. */
struct crowd {
    caw_event *event;
    caw_event_op ops[40];
    int woken;
};

static struct crowd *crowd;

static void
crowd_clone(void *data)
{
    counter_clone(data);
}

static void
crowd_wake(void *data)
{
    counter_wake(data);
    if (crowd->woken++ == 0) {
        for (int i = 0; i < 40; i++) {
            caw_future_destroy(&crowd->ops[i].future);
        }
        caw_event_fini(crowd->event);
        free(crowd->event);
        memset(crowd->ops, 0xee, sizeof crowd->ops);
    }
}

static const caw_waker_ops crowd_ops = {crowd_clone, crowd_wake, counter_drop};

static void
waker_may_end_everything_while_many_are_woken(void)
{
    struct crowd all = {.event = malloc(sizeof *all.event)};
    CHECK(all.event);
    crowd = &all;
    caw_event_init(all.event);
    memset(counters, 0, sizeof counters);
    for (int i = 0; i < 40; i++) {
        caw_context cx = {{&crowd_ops, &counters[i]}, &place_host, NULL};
        CHECK(caw_future_poll(caw_event_wait(&all.ops[i], all.event), &cx) == CAW_PENDING);
    }
    caw_event_set(all.event);
    CHECK(all.woken >= 1 && all.woken < 40); /* those that were destroyed before their turn are not woken */
    for (int i = 0; i < 40; i++) {
        CHECK_INT(counters[i].references, 0);
    }
}

TESTS(TEST(mutex_is_held_while_the_future_lives), TEST(release_of_a_zeroed_a_new_or_a_released_lock_is_nothing),
      TEST(waiters_have_it_in_the_order_of_their_first_polls), TEST(latest_waker_is_woken),
      TEST(waiter_that_leaves_at_any_point_passes_it_on), TEST(cancel_of_a_waiter_wakes_it),
      TEST(lock_that_is_used_again_goes_to_the_end_of_the_line),
      TEST(mutex_that_ends_lets_all_go_and_its_memory_may_be_gone), TEST(mutex_that_has_ended_is_made_again_by_init),
      TEST(holder_that_was_given_it_and_not_polled_ends_with_the_mutex),
      TEST(waker_may_end_everything_while_many_are_woken))
