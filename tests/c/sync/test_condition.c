/* test_condition.c: a condition with its mutex, polled by hand on one thread. */
#include "support/place.h"

/* One that has locked the mutex and waits for the condition. */
typedef struct consumer {
    caw_lock lock;
    caw_condition_op op;
    counter c;
} consumer;

static bool
waits(consumer *w)
{
    return poll_at(&w->op.future, NULL, &w->c) == CAW_PENDING;
}

static void
lock_now(caw_lock *lock, caw_mutex *mutex)
{
    counter c = {0, 0};
    CHECK_INT(status_at(caw_mutex_lock(lock, mutex), NULL, &c), 0);
}

static bool
is_free(caw_mutex *mutex)
{
    caw_lock lock;
    int error = caw_mutex_try_lock(&lock, mutex);
    caw_lock_release(&lock);
    return error == 0;
}

static void
consumer_begin(consumer *w, caw_condition *condition, caw_mutex *mutex)
{
    w->c.references = w->c.wakes = 0;
    lock_now(&w->lock, mutex);
    (void)caw_condition_wait(&w->op, condition, &w->lock);
    CHECK(waits(w));
    CHECK(is_free(mutex));
}

static void
consumer_end(consumer *w)
{
    caw_future_destroy(&w->op.future);
    caw_lock_release(&w->lock);
    CHECK_INT(w->c.references, 0);
}

/* It goes on: it has the mutex again. */
static void
consumer_goes_on(consumer *w, int status)
{
    CHECK_INT(status_at(&w->op.future, NULL, &w->c), status);
    CHECK(caw_lock_is_held(&w->lock));
    consumer_end(w);
}

static void
wait_releases_the_lock_and_takes_it_again(void)
{
    static caw_mutex mutex = CAW_MUTEX_INIT;
    static caw_condition condition = CAW_CONDITION_INIT;
    consumer w;
    caw_lock lock;
    consumer_begin(&w, &condition, &mutex);
    lock_now(&lock, &mutex);
    caw_condition_notify_one(&condition);
    CHECK_INT(w.c.wakes, 1);
    CHECK(waits(&w) && waits(&w)); /* for the mutex */
    caw_lock_release(&lock);
    CHECK_INT(w.c.wakes, 2);
    consumer_goes_on(&w, 0);
    CHECK(is_free(&mutex));
}

static void
notify_one_lets_go_who_waits_longest_and_notify_all_the_rest(void)
{
    caw_mutex mutex = CAW_MUTEX_INIT;
    caw_condition condition;
    consumer w[4];
    caw_condition_init(&condition);
    caw_condition_notify_one(&condition); /* nobody is there, and it is not kept */
    for (int i = 0; i < 4; i++) {
        consumer_begin(&w[i], &condition, &mutex);
    }
    caw_condition_notify_one(&condition);
    CHECK_INT(w[0].c.wakes, 1);
    CHECK_INT(w[1].c.wakes, 0);
    consumer_goes_on(&w[0], 0);
    CHECK_INT(w[1].c.wakes, 0); /* it was for w[0], which has had it */
    caw_condition_notify_all(&condition);
    for (int i = 1; i < 4; i++) {
        CHECK_INT(w[i].c.wakes, 1);
        consumer_goes_on(&w[i], 0);
    }
    CHECK(is_free(&mutex));
}

static void
cancelled_wait_takes_the_lock_again_before_it_ends(void)
{
    caw_mutex mutex = CAW_MUTEX_INIT;
    caw_condition condition = CAW_CONDITION_INIT;
    consumer w;
    caw_lock lock;
    consumer_begin(&w, &condition, &mutex);
    lock_now(&lock, &mutex);
    caw_future_cancel(&w.op.future);
    CHECK_INT(w.c.wakes, 1);
    CHECK(waits(&w));
    caw_lock_release(&lock);
    consumer_goes_on(&w, CAW_ECANCELED);
    CHECK(is_free(&mutex));
}

static void
wait_that_is_cancelled_before_it_begins_keeps_the_lock(void)
{
    caw_mutex mutex = CAW_MUTEX_INIT;
    caw_condition condition = CAW_CONDITION_INIT;
    consumer w = {.c = {0, 0}};
    lock_now(&w.lock, &mutex);
    caw_future_cancel(caw_condition_wait(&w.op, &condition, &w.lock));
    consumer_goes_on(&w, CAW_ECANCELED);
}

/* Cancelled, destroyed, or both: when it was notified, before and after it began to wait for the mutex. */
static void
notify_of_one_that_leaves_goes_to_the_next(void)
{
    for (int ending = 0; ending < 3; ending++) {
        for (int point = 0; point < 2; point++) {
            caw_mutex mutex = CAW_MUTEX_INIT;
            caw_condition condition = CAW_CONDITION_INIT;
            consumer first, next;
            caw_lock lock;
            consumer_begin(&first, &condition, &mutex);
            consumer_begin(&next, &condition, &mutex);
            lock_now(&lock, &mutex);
            caw_condition_notify_one(&condition);
            CHECK(point == 0 || waits(&first));
            if (ending != 1) {
                caw_future_cancel(&first.op.future);
            }
            if (ending == 0) {
                CHECK(waits(&first));
                caw_lock_release(&lock);
                consumer_goes_on(&first, CAW_ECANCELED);
            }
            else {
                consumer_end(&first);
                caw_lock_release(&lock);
            }
            CHECK_INT(next.c.wakes, 1);
            consumer_goes_on(&next, 0);
            CHECK(is_free(&mutex));
        }
    }
}

static void
cancel_after_notify_all_changes_nothing(void)
{
    caw_mutex mutex = CAW_MUTEX_INIT;
    caw_condition condition = CAW_CONDITION_INIT;
    consumer w, late;
    caw_lock lock;
    consumer_begin(&w, &condition, &mutex);
    caw_condition_notify_all(&condition);
    consumer_begin(&late, &condition, &mutex);
    lock_now(&lock, &mutex);
    CHECK(waits(&w));
    caw_future_cancel(&w.op.future);
    caw_lock_release(&lock);
    consumer_goes_on(&w, 0);
    CHECK_INT(late.c.wakes, 0);
    consumer_end(&late);
}

static void
destroyed_wait_does_not_wait_for_the_lock(void)
{
    for (int point = 0; point < 4; point++) { /* in line; notified; waiting for the mutex; given the mutex */
        caw_mutex mutex = CAW_MUTEX_INIT;
        caw_condition condition = CAW_CONDITION_INIT;
        consumer w;
        caw_lock lock;
        consumer_begin(&w, &condition, &mutex);
        lock_now(&lock, &mutex);
        if (point >= 1) {
            caw_condition_notify_one(&condition);
        }
        if (point >= 2) {
            CHECK(waits(&w));
        }
        if (point >= 3) {
            caw_lock_release(&lock);
        }
        caw_future_destroy(&w.op.future);
        CHECK(!caw_lock_is_held(&w.lock));
        caw_lock_release(&lock);
        CHECK(is_free(&mutex));
        caw_lock_release(&w.lock);
        CHECK_INT(w.c.references, 0);
    }
}

static void
wait_without_the_lock_is_an_error(void)
{
    caw_mutex mutex = CAW_MUTEX_INIT;
    caw_condition condition = CAW_CONDITION_INIT;
    consumer w = {.c = {0, 0}};
    (void)caw_mutex_lock(&w.lock, &mutex);
    CHECK_INT(status_at(caw_condition_wait(&w.op, &condition, &w.lock), NULL, &w.c), CAW_EINVAL);
    consumer_end(&w);
    CHECK(is_free(&mutex));
}

static void
condition_that_ends_lets_all_go_with_the_lock(void)
{
    caw_mutex mutex = CAW_MUTEX_INIT;
    caw_condition *condition = malloc(sizeof *condition);
    consumer w[3];
    caw_lock lock;
    CHECK(condition);
    caw_condition_init(condition);
    for (int i = 0; i < 3; i++) {
        consumer_begin(&w[i], condition, &mutex);
    }
    lock_now(&lock, &mutex);
    caw_condition_notify_one(condition);
    CHECK(waits(&w[0]));
    caw_condition_fini(condition);
    free(condition);
    caw_future_cancel(&w[0].op.future);
    CHECK(waits(&w[1]) && waits(&w[2]));
    caw_lock_release(&lock);
    for (int i = 0; i < 3; i++) {
        consumer_goes_on(&w[i], CAW_ECLOSED);
    }
    CHECK(is_free(&mutex));
}

static void
mutex_that_ends_ends_the_wait_without_the_lock(void)
{
    caw_mutex mutex = CAW_MUTEX_INIT;
    caw_condition condition = CAW_CONDITION_INIT;
    consumer w;
    caw_lock lock;
    consumer_begin(&w, &condition, &mutex);
    lock_now(&lock, &mutex);
    caw_condition_notify_one(&condition);
    CHECK(waits(&w));
    caw_mutex_fini(&mutex);
    CHECK_INT(status_at(&w.op.future, NULL, &w.c), CAW_ECLOSED);
    CHECK(!caw_lock_is_held(&w.lock));
    caw_lock_release(&lock);
    consumer_end(&w);
}

TESTS(TEST(wait_releases_the_lock_and_takes_it_again),
      TEST(notify_one_lets_go_who_waits_longest_and_notify_all_the_rest),
      TEST(cancelled_wait_takes_the_lock_again_before_it_ends),
      TEST(wait_that_is_cancelled_before_it_begins_keeps_the_lock), TEST(notify_of_one_that_leaves_goes_to_the_next),
      TEST(cancel_after_notify_all_changes_nothing), TEST(destroyed_wait_does_not_wait_for_the_lock),
      TEST(wait_without_the_lock_is_an_error), TEST(condition_that_ends_lets_all_go_with_the_lock),
      TEST(mutex_that_ends_ends_the_wait_without_the_lock))
