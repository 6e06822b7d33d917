/* test_channel.c: the two ends of a channel, on one thread; sends that wait are in test_send.c. */
#include "support/items.h"

static void
items_come_in_the_order_in_which_they_were_sent(void)
{
    counter c = {0, 0};
    caw_stream *s;
    caw_channel *channel = channel_of_size(3, &s);
    for (int i = 0; i < 100; i++) {
        CHECK_INT(send_number(channel, 2 * i), 0);
        CHECK_INT(send_number(channel, 2 * i + 1), 0);
        CHECK_INT(next_number(s, &c), 2 * i);
        CHECK_INT(next_number(s, &c), 2 * i + 1);
    }
    caw_channel_release(channel);
    CHECK_INT(end_of(s, &c), 0);
    end_stream(s, &c);
}

static void
full_channel_says_so_and_leaves_the_item(void)
{
    counter c = {0, 0};
    caw_stream *s;
    caw_channel *channel = channel_of_size(2, &s);
    CHECK_INT(send_number(channel, 0), 0);
    CHECK_INT(send_number(channel, 1), 0);
    CHECK_INT(send_number(channel, 2), -EAGAIN);
    CHECK_INT(caw_channel_length(channel), 2);
    CHECK_INT(next_number(s, &c), 0); /* the consumer has taken both out, and still holds one */
    CHECK_INT(caw_channel_length(channel), 1);
    CHECK_INT(send_number(channel, 2), 0);
    CHECK_INT(send_number(channel, 3), -EAGAIN);
    CHECK_INT(next_number(s, &c), 1);
    CHECK_INT(next_number(s, &c), 2);
    CHECK_INT(caw_channel_length(channel), 0);
    caw_channel_release(channel);
    end_stream(s, &c);
}

static void
pending_consumer_is_woken_by_an_item_and_by_the_close(void)
{
    counter c = {0, 0}, later = {0, 0};
    caw_stream *s;
    caw_channel *channel = channel_of_size(2, &s);
    CHECK(is_pending(s, &c) && is_pending(s, &c));
    CHECK_INT(c.references, 1); /* the same waker is stored once */
    CHECK(is_pending(s, &later));
    CHECK_INT(c.references, 0); /* the latest counts */
    CHECK_INT(send_number(channel, 7), 0);
    CHECK_INT(later.wakes, 1);
    CHECK_INT(next_number(s, &c), 7);
    CHECK(is_pending(s, &c));
    caw_channel_release(channel);
    CHECK_INT(c.wakes, 1);
    CHECK_INT(end_of(s, &c), 0);
    end_stream(s, &c);
    nothing_is_left(&later);
}

static void
nothing_goes_in_after_close_cancel_and_destroy(void)
{
    counter c = {0, 0};
    for (int how = 0; how < 3; how++) {
        caw_stream *s;
        caw_channel *channel = channel_of_size(4, &s);
        if (how == 0) {
            CHECK(caw_channel_close(channel, 0));
        }
        else if (how == 1) {
            caw_stream_cancel(s);
        }
        else {
            caw_stream_destroy(s);
        }
        CHECK_INT(send_number(channel, 1), CAW_ECLOSED);
        CHECK_INT(caw_channel_length(channel), 0);
        if (how < 2) {
            CHECK_INT(end_of(s, &c), how == 0 ? 0 : CAW_ECANCELED);
            caw_stream_destroy(s);
        }
        caw_channel_release(channel);
    }
    nothing_is_left(&c);
}

static void
destroy_destroys_each_item_once_also_those_already_taken(void)
{
    counter c = {0, 0};
    caw_stream *s;
    caw_channel *channel = channel_of_size(8, &s);
    for (int i = 0; i < 5; i++) {
        CHECK_INT(send_number(channel, i), 0);
    }
    CHECK_INT(next_number(s, &c), 0); /* takes all five, and keeps four */
    CHECK_INT(send_number(channel, 5), 0);
    CHECK_INT(numbers_alive, 5);
    caw_stream_destroy(s);
    CHECK_INT(numbers_alive, 0);
    CHECK_INT(caw_channel_length(channel), 0);
    caw_channel_release(channel);
    nothing_is_left(&c);
}

static void
items_that_no_consumer_ever_saw_are_destroyed_with_the_channel(void)
{
    counter c = {0, 0};
    caw_channel_spec spec = {.capacity = 4};
    caw_channel *channel;
    CHECK_INT(caw_channel_new(&spec, &channel), 0);
    CHECK_INT(send_number(channel, 1), 0);
    CHECK_INT(send_number(channel, 2), 0);
    caw_channel_release(channel);
    nothing_is_left(&c);
}

static void
close_keeps_the_items_and_its_status_comes_after_them(void)
{
    counter c = {0, 0};
    caw_stream *s;
    caw_channel *channel = channel_of_size(4, &s);
    CHECK_INT(send_number(channel, 1), 0);
    CHECK_INT(send_number(channel, 2), 0);
    CHECK(caw_channel_close(channel, -EPIPE));
    CHECK(!caw_channel_close(channel, 0)); /* the first counts */
    CHECK_INT(send_number(channel, 3), CAW_ECLOSED);
    caw_channel_release(channel);
    CHECK_INT(next_number(s, &c), 1);
    CHECK_INT(next_number(s, &c), 2);
    CHECK_INT(end_of(s, &c), -EPIPE);
    end_stream(s, &c);
}

static void
cancel_destroys_the_items_and_wakes_the_consumer(void)
{
    counter c = {0, 0};
    caw_stream *s;
    caw_channel *channel = channel_of_size(4, &s);
    CHECK(is_pending(s, &c));
    caw_stream_cancel(s);
    CHECK_INT(c.wakes, 1);
    CHECK_INT(end_of(s, &c), CAW_ECANCELED);
    caw_stream_destroy(s);
    CHECK(!caw_channel_close(channel, 0)); /* its consumer is gone */
    caw_channel_release(channel);
    channel = channel_of_size(4, &s);
    CHECK_INT(send_number(channel, 1), 0);
    CHECK_INT(send_number(channel, 2), 0);
    CHECK_INT(next_number(s, &c), 1);
    CHECK(caw_channel_close(channel, -EPIPE));
    caw_stream_cancel(s);
    CHECK_INT(numbers_alive, 0);
    CHECK_INT(caw_channel_length(channel), 0);
    CHECK_INT(end_of(s, &c), -EPIPE); /* the close was first */
    end_channel(channel, s, &c);
}

static void
last_release_closes_and_an_earlier_one_does_not(void)
{
    counter c = {0, 0};
    caw_stream *s;
    caw_channel *channel = channel_of_size(4, &s);
    CHECK(caw_channel_retain(channel) == channel);
    caw_channel_release(channel);
    CHECK(is_pending(s, &c));
    caw_channel_release(channel);
    CHECK_INT(end_of(s, &c), 0);
    caw_stream_destroy(s);
    caw_channel_release(NULL);
    CHECK(!caw_channel_retain(NULL));
    nothing_is_left(&c);
}

static void
second_consumer_is_refused(void)
{
    caw_stream *s;
    caw_channel *channel = channel_of_size(1, &s);
    CHECK(!caw_channel_stream(channel));
    caw_stream_destroy(s);
    CHECK(!caw_channel_stream(channel));
    caw_channel_release(channel);
}

static void
producer_that_never_stops_stays_within_the_bound(void)
{
    counter c = {0, 0};
    caw_stream *s;
    caw_channel *channel = channel_of_size(10, &s);
    int sent = 0;
    for (int i = 0; i < 10000; i++) {
        sent += send_number(channel, i) == 0;
        CHECK(numbers_alive <= 10);
    }
    CHECK_INT(sent, 10);
    end_channel(channel, s, &c);
}

static void
items_that_the_consumer_has_at_hand_come_as_a_list(void)
{
    counter c = {0, 0}, sender = {0, 0};
    caw_stream *s;
    caw_item *first = NULL;
    caw_channel *channel = channel_of_size(5, &s);
    for (int i = 0; i < 5; i++) {
        CHECK_INT(send_number(channel, i), 0);
    }
    caw_send_op send;
    caw_send_init(&send, channel, number_new(5));
    CHECK(poll_at(&send.future, NULL, &sender) == CAW_PENDING);
    CHECK_INT(caw_stream_take_ready(s, 5, &first), 0); /* that takes a poll */
    CHECK(!first);
    CHECK_INT(next_number(s, &c), 0);
    CHECK_INT(sender.wakes, 1);
    CHECK_INT(caw_stream_take_ready(s, 2, &first), 2);
    check_numbers(first, 2, 1);
    CHECK_INT(caw_channel_length(channel), 3);
    CHECK_INT(send_number(channel, 6), 0);
    CHECK_INT(caw_stream_take_ready(s, 5, &first), 2);
    check_numbers(first, 2, 3);
    CHECK_INT(caw_stream_take_ready(s, 5, &first), 0);
    CHECK_INT(next_number(s, &c), 5);
    CHECK_INT(caw_stream_take_ready(s, 1, &first), 1);
    check_numbers(first, 1, 6);
    CHECK(poll_at(&send.future, NULL, &sender) == CAW_READY);
    caw_future_destroy(&send.future);
    caw_channel_release(channel);
    CHECK_INT(end_of(s, &c), 0);
    caw_stream_destroy(s);
    nothing_is_left(&c);
    nothing_is_left(&sender);
}

static void
room_made_by_a_list_is_given_to_a_send_that_waits(void)
{
    counter c = {0, 0}, sender = {0, 0};
    caw_stream *s;
    caw_item *first;
    caw_channel *channel = channel_of_size(3, &s);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(send_number(channel, i), 0);
    }
    CHECK_INT(next_number(s, &c), 0);
    CHECK_INT(send_number(channel, 3), 0);
    caw_send_op send;
    caw_send_init(&send, channel, number_new(4));
    CHECK(poll_at(&send.future, NULL, &sender) == CAW_PENDING);
    CHECK_INT(caw_stream_take_ready(s, 9, &first), 2);
    CHECK_INT(sender.wakes, 1);
    check_numbers(first, 2, 1);
    CHECK(poll_at(&send.future, NULL, &sender) == CAW_READY);
    caw_future_destroy(&send.future);
    caw_channel_release(channel);
    caw_stream_destroy(s);
    nothing_is_left(&c);
}

TESTS(TEST(items_come_in_the_order_in_which_they_were_sent), TEST(full_channel_says_so_and_leaves_the_item),
      TEST(pending_consumer_is_woken_by_an_item_and_by_the_close), TEST(nothing_goes_in_after_close_cancel_and_destroy),
      TEST(destroy_destroys_each_item_once_also_those_already_taken),
      TEST(items_that_no_consumer_ever_saw_are_destroyed_with_the_channel),
      TEST(close_keeps_the_items_and_its_status_comes_after_them),
      TEST(cancel_destroys_the_items_and_wakes_the_consumer), TEST(last_release_closes_and_an_earlier_one_does_not),
      TEST(second_consumer_is_refused), TEST(items_that_the_consumer_has_at_hand_come_as_a_list),
      TEST(room_made_by_a_list_is_given_to_a_send_that_waits), TEST(producer_that_never_stops_stays_within_the_bound))
