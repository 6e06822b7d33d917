/* test_exchange.c: oneshots and watches, polled by hand on one thread. */
#include "support/items.h"

static bool
waits(caw_future *f, counter *c)
{
    return poll_at(f, NULL, c) == CAW_PENDING;
}

/* --- oneshot --- */

static void
item_is_received_sent_before_or_after_the_first_poll(void)
{
    for (int polls = 0; polls < 3; polls++) {
        caw_oneshot oneshot;
        caw_oneshot_sender sender;
        counter c = {0, 0};
        caw_future *f = caw_oneshot_init(&oneshot, &sender);
        for (int i = 0; i < polls; i++) {
            CHECK(waits(f, &c));
        }
        CHECK(!caw_oneshot_is_abandoned(&sender));
        CHECK_INT(caw_oneshot_send(&sender, number_new(7)), 0);
        CHECK_INT(c.wakes, polls > 0);
        CHECK_INT(status_at(f, NULL, &c), 0);
        CHECK_INT(number_take(oneshot.item), 7);
        oneshot.item = NULL;
        caw_future_destroy(f);
        caw_oneshot_drop(&sender);
        nothing_is_left(&c);
    }
}

static void
item_that_nobody_takes_is_destroyed(void)
{
    caw_oneshot oneshot;
    caw_oneshot_sender sender;
    counter c = {0, 0};
    caw_future *f = caw_oneshot_init(&oneshot, &sender);
    CHECK_INT(caw_oneshot_send(&sender, number_new(1)), 0);
    CHECK_INT(status_at(f, NULL, &c), 0);
    CHECK_INT(numbers_alive, 1);
    caw_future_destroy(f);
    f = caw_oneshot_init(&oneshot, &sender);
    CHECK_INT(caw_oneshot_send(&sender, number_new(2)), 0);
    caw_future_destroy(f); /* it was never polled */
    nothing_is_left(&c);
}

static void
sender_that_is_dropped_ends_the_receiver(void)
{
    caw_oneshot oneshot;
    caw_oneshot_sender sender, zeroed;
    counter c = {0, 0};
    memset(&zeroed, 0, sizeof zeroed);
    caw_oneshot_drop(&zeroed);
    CHECK(caw_oneshot_is_abandoned(&zeroed));
    caw_future *f = caw_oneshot_init(&oneshot, &sender);
    CHECK(waits(f, &c));
    caw_oneshot_drop(&sender);
    caw_oneshot_drop(&sender);
    memset(&sender, 0xee, sizeof sender);
    CHECK_INT(c.wakes, 1);
    CHECK_INT(status_at(f, NULL, &c), CAW_ECLOSED);
    caw_future_destroy(f);
    f = caw_oneshot_init(&oneshot, &sender);
    CHECK_INT(caw_oneshot_send(&sender, NULL), CAW_EINVAL);
    CHECK_INT(status_at(f, NULL, &c), CAW_ECLOSED);
    caw_future_destroy(f);
    nothing_is_left(&c);
}

/* Cancelled, destroyed, or both; before and after the first poll. */
static void
send_to_a_receiver_that_has_ended_fails_and_destroys_the_item(void)
{
    for (int ending = 0; ending < 3; ending++) {
        for (int polls = 0; polls < 2; polls++) {
            caw_oneshot oneshot;
            caw_oneshot_sender sender;
            counter c = {0, 0};
            caw_future *f = caw_oneshot_init(&oneshot, &sender);
            CHECK(polls == 0 || waits(f, &c));
            if (ending != 1) {
                caw_future_cancel(f);
                CHECK_INT(c.wakes, polls);
            }
            if (ending == 0) {
                CHECK_INT(status_at(f, NULL, &c), CAW_ECANCELED);
            }
            caw_future_destroy(f);
            memset(&oneshot, 0xee, sizeof oneshot);
            CHECK(caw_oneshot_is_abandoned(&sender));
            CHECK_INT(caw_oneshot_send(&sender, number_new(1)), CAW_ECLOSED);
            CHECK_INT(caw_oneshot_send(&sender, number_new(1)), CAW_ECLOSED);
            nothing_is_left(&c);
        }
    }
}

static void
item_that_was_sent_before_a_cancel_is_received(void)
{
    caw_oneshot oneshot;
    caw_oneshot_sender sender;
    counter c = {0, 0};
    caw_future *f = caw_oneshot_init(&oneshot, &sender);
    CHECK(waits(f, &c));
    CHECK_INT(caw_oneshot_send(&sender, number_new(3)), 0);
    caw_future_cancel(f);
    CHECK_INT(status_at(f, NULL, &c), 0);
    CHECK_INT(number_value(oneshot.item), 3);
    caw_future_destroy(f);
    nothing_is_left(&c);
}

/* --- watch --- */

static void
reader_sees_the_latest_and_waits_for_a_newer_one(void)
{
    int value = 10, seen = 0;
    caw_watch watch;
    caw_watch_op op;
    counter c = {0, 0};
    caw_watch_init(&watch, &value, sizeof value);
    CHECK_INT(status_at(caw_watch_changed(&op, &watch, 0), NULL, &c), 0);
    caw_future_destroy(&op.future);
    CHECK_INT(caw_watch_get(&watch, &seen), 1);
    CHECK_INT(seen, 10);
    CHECK(waits(caw_watch_changed(&op, &watch, 1), &c));
    for (int i = 11; i < 14; i++) {
        CHECK_INT(caw_watch_set(&watch, &i), i - 9);
    }
    CHECK_INT(c.wakes, 1);
    CHECK_INT(status_at(&op.future, NULL, &c), 0);
    caw_future_destroy(&op.future);
    CHECK_INT(caw_watch_get(&watch, &seen), 4);
    CHECK_INT(seen, 13);
    CHECK_INT(caw_watch_get(&watch, NULL), 4);
    CHECK_INT(c.references, 0);
}

static void
each_waits_for_a_version_of_its_own(void)
{
    int value = 0;
    caw_watch watch;
    caw_watch_op ops[3];
    counter c[3] = {{0}};
    caw_watch_init(&watch, &value, sizeof value);
    for (int i = 0; i < 3; i++) {
        CHECK(waits(caw_watch_changed(&ops[i], &watch, (uint64_t)(3 - i)), &c[i]));
    }
    for (int i = 2; i >= 0; i--) {
        CHECK_INT(c[i].wakes, 0);
        (void)caw_watch_set(&watch, &i);
        CHECK_INT(c[i].wakes, 1);
        CHECK_INT(status_at(&ops[i].future, NULL, &c[i]), 0);
        caw_future_destroy(&ops[i].future);
        CHECK_INT(c[i].references, 0);
    }
}

static void
watch_that_ends_lets_all_go_and_can_still_be_read(void)
{
    int value = 5, seen = 0;
    caw_watch watch;
    caw_watch_op ops[3];
    counter c = {0, 0};
    caw_watch_init(&watch, &value, sizeof value);
    for (int i = 0; i < 3; i++) {
        CHECK(waits(caw_watch_changed(&ops[i], &watch, 1), &c));
    }
    caw_future_cancel(&ops[0].future);
    caw_future_destroy(&ops[1].future);
    caw_watch_fini(&watch);
    CHECK_INT(status_at(&ops[0].future, NULL, &c), CAW_ECANCELED);
    CHECK_INT(status_at(&ops[2].future, NULL, &c), CAW_ECLOSED);
    caw_future_destroy(&ops[0].future);
    caw_future_destroy(&ops[2].future);
    CHECK_INT(caw_watch_get(&watch, &seen), 1);
    CHECK_INT(seen, 5);
    CHECK_INT(status_at(caw_watch_changed(&ops[0], &watch, 0), NULL, &c), CAW_ECLOSED);
    caw_future_destroy(&ops[0].future);
    CHECK_INT(c.references, 0);
}

TESTS(TEST(item_is_received_sent_before_or_after_the_first_poll), TEST(item_that_nobody_takes_is_destroyed),
      TEST(sender_that_is_dropped_ends_the_receiver),
      TEST(send_to_a_receiver_that_has_ended_fails_and_destroys_the_item),
      TEST(item_that_was_sent_before_a_cancel_is_received), TEST(reader_sees_the_latest_and_waits_for_a_newer_one),
      TEST(each_waits_for_a_version_of_its_own), TEST(watch_that_ends_lets_all_go_and_can_still_be_read))
