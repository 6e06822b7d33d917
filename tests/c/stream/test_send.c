/* test_send.c: sends that wait for room in a channel, on one thread. */
#include "support/items.h"

static caw_channel *
full_channel(size_t capacity, caw_stream **stream)
{
    caw_channel *channel = channel_of_size(capacity, stream);
    for (size_t i = 0; i < capacity; i++) {
        CHECK_INT(caw_channel_try_send(channel, number_new((int)i)), 0);
    }
    return channel;
}

/* Begin a send of this number, which waits. */
static void
begin_send(caw_send_op *send, caw_channel *channel, int value, counter *c)
{
    caw_send_init(send, channel, number_new(value));
    CHECK(poll_at(&send->future, NULL, c) == CAW_PENDING);
}

static int
finish_send(caw_send_op *send, counter *c)
{
    CHECK(poll_at(&send->future, NULL, c) == CAW_READY);
    int status = send->future.status;
    CHECK((status == 0) == !send->item);
    caw_future_destroy(&send->future);
    return status;
}

static void
send_is_ready_at_once_where_there_is_room(void)
{
    counter c = {0, 0};
    caw_stream *s;
    caw_channel *channel = full_channel(2, &s);
    CHECK_INT(next_number(s, &c), 0);
    caw_send_op send;
    caw_send_init(&send, channel, number_new(2));
    CHECK_INT(caw_channel_length(channel), 1); /* nothing happens before the first poll */
    CHECK_INT(status_at(&send.future, NULL, &c), 0);
    CHECK(!caw_send_reclaim(&send));
    caw_future_destroy(&send.future);
    CHECK_INT(next_number(s, &c), 1);
    CHECK_INT(next_number(s, &c), 2);
    end_channel(channel, s, &c);
}

static void
sends_wait_and_are_served_in_order(void)
{
    counter c = {0, 0}, wakers[3] = {{0, 0}, {0, 0}, {0, 0}};
    caw_stream *s;
    caw_channel *channel = full_channel(2, &s);
    caw_send_op sends[3];
    for (int i = 0; i < 3; i++) {
        begin_send(&sends[i], channel, 2 + i, &wakers[i]);
    }
    for (int i = 0; i < 3; i++) {
        CHECK_INT(wakers[i].wakes, 0);
        CHECK_INT(wakers[i].references, 1);
        CHECK_INT(next_number(s, &c), i);
        CHECK_INT(wakers[i].wakes, 1);
        CHECK_INT(wakers[i].references, 0);
        CHECK_INT(caw_channel_length(channel), 2);
        CHECK_INT(finish_send(&sends[i], &wakers[i]), 0);
    }
    CHECK_INT(next_number(s, &c), 3);
    CHECK_INT(next_number(s, &c), 4);
    CHECK(is_pending(s, &c));
    end_channel(channel, s, &c);
}

static void
latest_waker_of_a_send_is_woken(void)
{
    counter c = {0, 0}, first = {0, 0}, second = {0, 0};
    caw_stream *s;
    caw_channel *channel = full_channel(1, &s);
    caw_send_op send;
    begin_send(&send, channel, 1, &first);
    CHECK(poll_at(&send.future, NULL, &first) == CAW_PENDING);
    CHECK_INT(first.references, 1);
    CHECK(poll_at(&send.future, NULL, &second) == CAW_PENDING);
    CHECK_INT(first.references, 0);
    CHECK_INT(next_number(s, &c), 0);
    CHECK_INT(first.wakes, 0);
    CHECK_INT(second.wakes, 1);
    CHECK_INT(finish_send(&send, &second), 0);
    CHECK_INT(first.references + second.references, 0);
    end_channel(channel, s, &c);
}

static void
try_send_does_not_overtake_a_send_that_waits(void)
{
    counter c = {0, 0};
    caw_stream *s;
    caw_channel *channel = full_channel(2, &s);
    caw_send_op send;
    begin_send(&send, channel, 2, &c);
    caw_item *item = number_new(3);
    CHECK_INT(caw_channel_try_send(channel, item), -EAGAIN);
    CHECK_INT(next_number(s, &c), 0);
    CHECK_INT(caw_channel_try_send(channel, item), -EAGAIN); /* the room belongs to the send */
    CHECK_INT(finish_send(&send, &c), 0);
    CHECK_INT(next_number(s, &c), 1);
    CHECK_INT(caw_channel_try_send(channel, item), 0);
    CHECK_INT(next_number(s, &c), 2);
    CHECK_INT(next_number(s, &c), 3);
    end_channel(channel, s, &c);
}

static void
cancel_before_the_first_poll_sends_nothing(void)
{
    counter c = {0, 0};
    caw_stream *s;
    caw_channel *channel = full_channel(1, &s);
    CHECK_INT(next_number(s, &c), 0);
    caw_send_op send;
    caw_send_init(&send, channel, number_new(1));
    caw_future_cancel(&send.future);
    CHECK_INT(finish_send(&send, &c), CAW_ECANCELED);
    CHECK_INT(caw_channel_length(channel), 0);
    end_channel(channel, s, &c);
}

static void
cancel_while_waiting_wakes_and_leaves_the_others_their_turn(void)
{
    counter c = {0, 0}, wakers[3] = {{0, 0}, {0, 0}, {0, 0}};
    caw_stream *s;
    caw_channel *channel = full_channel(1, &s);
    caw_send_op sends[3];
    for (int i = 0; i < 3; i++) {
        begin_send(&sends[i], channel, 1 + i, &wakers[i]);
    }
    caw_future_cancel(&sends[1].future); /* in the middle, then at the front */
    CHECK_INT(wakers[1].wakes, 1);
    CHECK_INT(finish_send(&sends[1], &wakers[1]), CAW_ECANCELED);
    caw_future_cancel(&sends[0].future);
    CHECK_INT(finish_send(&sends[0], &wakers[0]), CAW_ECANCELED);
    CHECK_INT(next_number(s, &c), 0);
    CHECK_INT(finish_send(&sends[2], &wakers[2]), 0);
    CHECK_INT(next_number(s, &c), 3);
    end_channel(channel, s, &c);
}

static void
cancel_of_a_send_with_an_empty_waker_ends_it(void)
{
    counter c = {0, 0};
    caw_stream *s;
    caw_channel *channel = full_channel(1, &s);
    caw_send_op send;
    caw_send_init(&send, channel, number_new(1));
    CHECK(poll_without_waker(&send.future, NULL) == CAW_PENDING);
    caw_future_cancel(&send.future);
    CHECK_INT(finish_send(&send, &c), CAW_ECANCELED);
    end_channel(channel, s, &c);
}

static void
cancel_after_it_was_served_does_nothing(void)
{
    counter c = {0, 0};
    caw_stream *s;
    caw_channel *channel = full_channel(1, &s);
    caw_send_op send;
    begin_send(&send, channel, 1, &c);
    CHECK_INT(next_number(s, &c), 0);
    caw_future_cancel(&send.future);
    CHECK_INT(finish_send(&send, &c), 0);
    CHECK_INT(next_number(s, &c), 1);
    end_channel(channel, s, &c);
}

static void
destroy_while_waiting_destroys_the_item_and_drops_the_waker(void)
{
    counter c = {0, 0}, waker = {0, 0};
    caw_stream *s;
    caw_channel *channel = full_channel(1, &s);
    caw_send_op *send = malloc(sizeof *send), other;
    CHECK(send);
    begin_send(send, channel, 1, &waker);
    begin_send(&other, channel, 2, &c);
    caw_future_destroy(&send->future);
    free(send);
    CHECK_INT(waker.references, 0);
    CHECK_INT(waker.wakes, 0);
    CHECK_INT(next_number(s, &c), 0);
    CHECK_INT(finish_send(&other, &c), 0);
    CHECK_INT(next_number(s, &c), 2);
    end_channel(channel, s, &c);
}

static void
close_while_waiting_gives_the_item_back(void)
{
    counter c = {0, 0};
    caw_stream *s;
    caw_channel *channel = full_channel(1, &s);
    caw_send_op sends[2];
    begin_send(&sends[0], channel, 1, &c);
    begin_send(&sends[1], channel, 2, &c);
    CHECK(caw_channel_close(channel, 0));
    CHECK_INT(c.wakes, 2);
    CHECK_INT(status_at(&sends[0].future, NULL, &c), CAW_ECLOSED);
    CHECK_INT(number_take(caw_send_reclaim(&sends[0])), 1);
    CHECK(!caw_send_reclaim(&sends[0]));
    caw_future_destroy(&sends[0].future);
    CHECK_INT(finish_send(&sends[1], &c), CAW_ECLOSED); /* not taken: destroyed with it */
    CHECK_INT(next_number(s, &c), 0);
    CHECK_INT(end_of(s, &c), 0);
    caw_send_op late;
    caw_send_init(&late, channel, number_new(3));
    CHECK_INT(finish_send(&late, &c), CAW_ECLOSED);
    end_channel(channel, s, &c);
}

static void
consumer_that_goes_away_ends_the_sends_that_wait(void)
{
    counter c = {0, 0};
    caw_stream *s;
    caw_channel *channel = full_channel(1, &s);
    caw_send_op send;
    begin_send(&send, channel, 1, &c);
    caw_stream_destroy(s);
    CHECK_INT(c.wakes, 1);
    CHECK_INT(finish_send(&send, &c), CAW_ECLOSED);
    caw_channel_release(channel);
    nothing_is_left(&c);
}

static void
send_keeps_the_channel_open(void)
{
    counter c = {0, 0};
    caw_stream *s;
    caw_channel *channel = full_channel(1, &s);
    caw_send_op send;
    begin_send(&send, channel, 1, &c);
    caw_channel_release(channel); /* the send has a reference */
    CHECK_INT(next_number(s, &c), 0);
    CHECK_INT(next_number(s, &c), 1);
    CHECK(is_pending(s, &c));
    CHECK_INT(finish_send(&send, &c), 0);
    CHECK_INT(end_of(s, &c), 0);
    end_stream(s, &c);
}

static void
served_send_wakes_a_pending_consumer(void)
{
    counter c = {0, 0};
    caw_stream *s;
    caw_channel *channel = channel_of_size(1, &s);
    CHECK(is_pending(s, &c));
    caw_send_op send;
    counter waker = {0, 0};
    caw_send_init(&send, channel, number_new(5));
    CHECK_INT(finish_send(&send, &waker), 0);
    CHECK_INT(c.wakes, 1);
    CHECK_INT(next_number(s, &c), 5);
    end_channel(channel, s, &c);
}

TESTS(TEST(send_is_ready_at_once_where_there_is_room), TEST(sends_wait_and_are_served_in_order),
      TEST(latest_waker_of_a_send_is_woken), TEST(try_send_does_not_overtake_a_send_that_waits),
      TEST(cancel_before_the_first_poll_sends_nothing),
      TEST(cancel_while_waiting_wakes_and_leaves_the_others_their_turn),
      TEST(cancel_of_a_send_with_an_empty_waker_ends_it), TEST(cancel_after_it_was_served_does_nothing),
      TEST(destroy_while_waiting_destroys_the_item_and_drops_the_waker), TEST(close_while_waiting_gives_the_item_back),
      TEST(consumer_that_goes_away_ends_the_sends_that_wait), TEST(send_keeps_the_channel_open),
      TEST(served_send_wakes_a_pending_consumer))
