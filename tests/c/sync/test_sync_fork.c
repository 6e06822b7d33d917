/* test_sync_fork.c: objects to wait for, of the parent, in the child of a fork(). A child's exit code is 0 if all went
 * well; a child that hangs is killed by SIGALRM. */
#include "support/fork.h"
#include "support/items.h"
#include "support/threads.h"

#include "cawait/testing_tools.h"

#include <stdatomic.h>

static bool
waits(caw_future *f, counter *c)
{
    return poll_at(f, NULL, c) == CAW_PENDING;
}

static void
check_is_free(caw_mutex *mutex)
{
    caw_lock lock;
    CHECK_INT(caw_mutex_try_lock(&lock, mutex), 0);
    caw_lock_release(&lock);
}

static void
mutex_that_nobody_has_works_in_the_child(void)
{
    static caw_mutex mutex = CAW_MUTEX_INIT;
    caw_lock fresh;
    counter c = {0, 0};
    check_is_free(&mutex);
    (void)caw_mutex_lock(&fresh, &mutex);
    if (in_child()) {
        caw_lock a, b;
        CHECK_INT(status_at(&fresh.future, NULL, &c), CAW_EFORKED);
        caw_lock_release(&fresh);
        CHECK_INT(status_at(caw_mutex_lock(&a, &mutex), NULL, &c), 0);
        CHECK(waits(caw_mutex_lock(&b, &mutex), &c));
        caw_lock_release(&a);
        CHECK_INT(c.wakes, 1);
        CHECK_INT(status_at(&b.future, NULL, &c), 0);
        caw_lock_release(&b);
        check_is_free(&mutex);
        _exit(0);
    }
    caw_lock_release(&fresh);
    check_is_free(&mutex);
}

static void
mutex_that_is_held_is_lost_in_the_child_until_it_is_made_again(void)
{
    caw_mutex mutex = CAW_MUTEX_INIT;
    caw_lock holder, given, waiting;
    counter c = {0, 0};
    CHECK_INT(caw_mutex_try_lock(&holder, &mutex), 0);
    CHECK(waits(caw_mutex_lock(&given, &mutex), &c) && waits(caw_mutex_lock(&waiting, &mutex), &c));
    caw_lock_release(&holder);
    CHECK_INT(c.wakes, 1);
    if (in_child()) {
        caw_lock lock;
        CHECK_INT(status_at(caw_mutex_lock(&lock, &mutex), NULL, &c), CAW_EFORKED);
        caw_lock_release(&lock);
        caw_future_cancel(&waiting.future);
        CHECK_INT(status_at(&waiting.future, NULL, &c), CAW_EFORKED);
        CHECK_INT(status_at(&given.future, NULL, &c), CAW_EFORKED);
        CHECK(!caw_lock_is_held(&given));
        caw_lock_release(&given);
        CHECK_INT(caw_mutex_try_lock(&lock, &mutex), CAW_EFORKED);
        caw_mutex_fini(&mutex);
        caw_mutex_init(&mutex);
        check_is_free(&mutex);
        caw_lock_release(&waiting);
        check_is_free(&mutex);
        CHECK_INT(c.wakes, 1); /* these wakers belong to the parent */
        CHECK_INT(c.references, 1);
        _exit(0);
    }
    CHECK_INT(status_at(&given.future, NULL, &c), 0);
    caw_lock_release(&given);
    CHECK_INT(status_at(&waiting.future, NULL, &c), 0);
    caw_lock_release(&waiting);
    CHECK_INT(c.references, 0);
    check_is_free(&mutex);
}

static void
permits_that_are_held_are_lost_in_the_child_and_the_others_are_not(void)
{
    caw_semaphore s = CAW_SEMAPHORE_INIT(5);
    caw_permit held, waiting;
    counter c = {0, 0};
    CHECK_INT(caw_semaphore_try_acquire(&held, &s, 2), 0);
    CHECK(waits(caw_semaphore_acquire(&waiting, &s, 4), &c));
    if (in_child()) {
        caw_permit a, b;
        CHECK_INT(status_at(&waiting.future, NULL, &c), CAW_EFORKED);
        CHECK_INT(status_at(caw_semaphore_acquire(&a, &s, 2), NULL, &c), 0);
        CHECK_INT(status_at(caw_semaphore_acquire(&b, &s, 4), NULL, &c), CAW_EFORKED);
        caw_permit_release(&b);
        CHECK(waits(caw_semaphore_acquire(&b, &s, 3), &c));
        caw_permit_release(&held);
        CHECK_INT(c.wakes, 0);
        caw_permit_release(&a);
        CHECK_INT(c.wakes, 1);
        CHECK_INT(status_at(&b.future, NULL, &c), 0);
        caw_permit_release(&b);
        caw_permit_release(&waiting);
        CHECK_INT(caw_semaphore_available(&s), 3);
        _exit(0);
    }
    caw_permit_release(&held);
    CHECK_INT(status_at(&waiting.future, NULL, &c), 0);
    caw_permit_release(&waiting);
    CHECK_INT(caw_semaphore_available(&s), 5);
}

static void
event_barrier_and_condition_have_nobody_in_line_in_the_child(void)
{
    caw_event event = CAW_EVENT_INIT;
    caw_barrier barrier = CAW_BARRIER_INIT(2);
    caw_mutex mutex = CAW_MUTEX_INIT;
    caw_condition condition = CAW_CONDITION_INIT;
    caw_event_op on_event;
    caw_barrier_op at_barrier, other;
    caw_condition_op on_condition;
    caw_lock lock;
    counter c = {0, 0};
    CHECK_INT(caw_mutex_try_lock(&lock, &mutex), 0);
    CHECK(waits(caw_event_wait(&on_event, &event), &c) && waits(caw_barrier_wait(&at_barrier, &barrier), &c));
    CHECK(waits(caw_condition_wait(&on_condition, &condition, &lock), &c));
    if (in_child()) {
        CHECK(waits(caw_barrier_wait(&other, &barrier), &c));
        caw_future_destroy(&other.future);
        caw_event_set(&event);
        caw_condition_notify_one(&condition);
        caw_condition_notify_all(&condition);
        CHECK_INT(c.wakes, 0);
        CHECK_INT(status_at(&on_event.future, NULL, &c), CAW_EFORKED);
        CHECK_INT(status_at(&at_barrier.future, NULL, &c), CAW_EFORKED);
        CHECK_INT(status_at(&on_condition.future, NULL, &c), CAW_EFORKED);
        CHECK(caw_lock_is_held(&lock)); /* nobody had the mutex at the fork */
        caw_future_destroy(&on_event.future);
        caw_future_destroy(&at_barrier.future);
        caw_future_destroy(&on_condition.future);
        caw_lock_release(&lock);
        CHECK_INT(status_at(caw_event_wait(&on_event, &event), NULL, &c), 0);
        CHECK_INT(c.references, 3);
        _exit(0);
    }
    CHECK_INT(status_at(caw_barrier_wait(&other, &barrier), NULL, &c), 0);
    caw_condition_notify_one(&condition);
    caw_event_set(&event);
    CHECK_INT(c.wakes, 3);
    CHECK_INT(status_at(&on_condition.future, NULL, &c), 0);
    caw_lock_release(&lock);
    caw_future_destroy(&on_event.future);
    caw_future_destroy(&at_barrier.future);
    caw_future_destroy(&other.future);
    caw_future_destroy(&on_condition.future);
    CHECK_INT(c.references, 0);
}

static caw_future *
make_yield(void *user)
{
    (void)user;
    return caw_test_yield(2);
}

static void
what_was_being_done_once_is_done_anew_in_the_child(void)
{
    caw_once once = CAW_ONCE_INIT;
    caw_once_op does, waiting;
    counter c = {0, 0};
    CHECK(waits(caw_once_do(&does, &once, make_yield, NULL), &c));
    CHECK(waits(caw_once_do(&waiting, &once, make_yield, NULL), &c));
    if (in_child()) {
        caw_once_op op;
        CHECK(waits(caw_once_do(&op, &once, make_yield, NULL), &c));
        CHECK_INT(status_at(&does.future, NULL, &c), CAW_EFORKED);
        caw_future_destroy(&does.future);
        CHECK_INT(status_at(&waiting.future, NULL, &c), CAW_EFORKED);
        caw_future_destroy(&waiting.future);
        CHECK(waits(&op.future, &c));
        CHECK(!caw_once_is_done(&once));
        CHECK_INT(status_at(&op.future, NULL, &c), 0);
        CHECK(caw_once_is_done(&once));
        caw_future_destroy(&op.future);
        _exit(0);
    }
    CHECK(waits(&does.future, &c));
    CHECK_INT(status_at(&does.future, NULL, &c), 0);
    CHECK_INT(status_at(&waiting.future, NULL, &c), 0);
    caw_future_destroy(&does.future);
    caw_future_destroy(&waiting.future);
    CHECK_INT(c.references, 0);
}

static void
oneshot_watch_and_broadcast_of_the_parent_wake_nobody_in_the_child(void)
{
    int value = 1, next = 2;
    caw_oneshot oneshot;
    caw_oneshot_sender sender;
    caw_watch watch;
    caw_watch_op changed;
    caw_broadcast *b;
    caw_item *item;
    counter c = {0, 0};
    caw_future *received = caw_oneshot_init(&oneshot, &sender);
    caw_watch_init(&watch, &value, sizeof value);
    CHECK_INT(caw_broadcast_new(2, &b), 0);
    caw_stream *reader = caw_broadcast_reader(b);
    CHECK(waits(received, &c) && waits(caw_watch_changed(&changed, &watch, 1), &c) && is_pending(reader, &c));
    if (in_child()) {
        CHECK(caw_oneshot_is_abandoned(&sender));
        CHECK_INT(caw_oneshot_send(&sender, number_new(1)), CAW_EFORKED);
        CHECK_INT(status_at(received, NULL, &c), CAW_EFORKED);
        caw_future_destroy(received);
        CHECK_INT(caw_watch_set(&watch, &next), 2);
        CHECK_INT(status_at(&changed.future, NULL, &c), CAW_EFORKED);
        caw_future_destroy(&changed.future);
        CHECK_INT(status_at(caw_watch_changed(&changed, &watch, 1), NULL, &c), 0);
        CHECK_INT(caw_broadcast_send(b, number_new(1)), CAW_EFORKED);
        CHECK(!caw_broadcast_reader(b));
        caw_broadcast_release(b);
        CHECK_INT(end_of(reader, &c), CAW_EFORKED);
        caw_stream_destroy(reader);
        CHECK_INT(numbers_alive, 0);
        CHECK_INT(c.wakes, 0);
        CHECK_INT(c.references, 3);
        _exit(0);
    }
    CHECK_INT(caw_oneshot_send(&sender, number_new(1)), 0);
    CHECK_INT(caw_watch_set(&watch, &next), 2);
    CHECK_INT(caw_broadcast_send(b, number_new(1)), 0);
    CHECK_INT(c.wakes, 3);
    caw_future_destroy(received);
    caw_future_destroy(&changed.future);
    CHECK(poll_next_at(reader, NULL, &c, &item) == CAW_READY);
    caw_item_destroy(item);
    caw_broadcast_release(b);
    end_stream(reader, &c);
}

struct hammer {
    caw_mutex mutex;
    caw_semaphore semaphore;
    caw_event event;
    atomic_bool stop;
};

/* It waits on its own stack, and so is in a line most of the time. */
static void *
hammer(void *user)
{
    struct hammer *h = user;
    while (!h->stop) {
        caw_lock lock;
        caw_permit permit;
        CHECK_INT(caw_block_on(caw_mutex_lock(&lock, &h->mutex)), 0);
        CHECK_INT(caw_block_on(caw_semaphore_acquire(&permit, &h->semaphore, 1)), 0);
        caw_permit_release(&permit);
        caw_lock_release(&lock);
    }
    return NULL;
}

/* The lock of the event's address is held most of the time. */
static void *
turn_event(void *user)
{
    struct hammer *h = user;
    while (!h->stop) {
        caw_event_set(&h->event);
        caw_event_clear(&h->event);
    }
    return NULL;
}

static void
fork_while_other_threads_wait_and_release_does_not_hang(void)
{
    struct hammer h = {CAW_MUTEX_INIT, CAW_SEMAPHORE_INIT(2), CAW_EVENT_INIT, false};
    pthread_t threads[3], others[2];
    counter c = {0, 0};
#ifdef __SANITIZE_ADDRESS__
    SKIP("AddressSanitizer's malloc may hang in a child that is forked beside busy threads");
    return;
#endif
    start_threads(threads, 3, hammer, &h);
    start_threads(others, 2, turn_event, &h);
    for (int i = 0; i < 50; i++) {
        if (in_child()) {
            caw_event_clear(&h.event);
            for (int n = 0; n < 10; n++) {
                caw_lock lock;
                caw_permit permit;
                int status = status_at(caw_mutex_lock(&lock, &h.mutex), NULL, &c);
                CHECK(status == 0 || status == CAW_EFORKED);
                caw_lock_release(&lock);
                status = status_at(caw_semaphore_acquire(&permit, &h.semaphore, 2), NULL, &c);
                CHECK(status == 0 || status == CAW_EFORKED);
                caw_permit_release(&permit);
            }
            _exit(0);
        }
    }
    h.stop = true;
    join_threads(threads, 3);
    join_threads(others, 2);
}

TESTS(TEST(mutex_that_nobody_has_works_in_the_child),
      TEST(mutex_that_is_held_is_lost_in_the_child_until_it_is_made_again),
      TEST(permits_that_are_held_are_lost_in_the_child_and_the_others_are_not),
      TEST(event_barrier_and_condition_have_nobody_in_line_in_the_child),
      TEST(what_was_being_done_once_is_done_anew_in_the_child),
      TEST(oneshot_watch_and_broadcast_of_the_parent_wake_nobody_in_the_child),
      TEST(fork_while_other_threads_wait_and_release_does_not_hang))
