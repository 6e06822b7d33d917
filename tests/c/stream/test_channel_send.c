/* test_channel_send.c: threads that sleep until a channel has room. */
#include "support/items.h"

#include <pthread.h>

static void
channel_with_one_slot(caw_channel **channel, caw_stream **stream)
{
    caw_channel_spec spec = {.capacity = 1};
    CHECK_INT(caw_channel_new(&spec, channel), 0);
    *stream = caw_channel_stream(*channel);
}

typedef struct sender {
    caw_channel *channel;
    int index, items;
    atomic_int sent;
    int status;
} sender;

static void *
send_all(void *user)
{
    sender *s = user;
    while (s->status == 0 && s->sent < s->items) {
        s->status = caw_channel_send(s->channel, number_from(s->index, s->sent));
        s->sent += s->status == 0;
    }
    return NULL;
}

static pthread_t
start_sender(sender *s, caw_channel *channel, int index, int items)
{
    pthread_t thread;
    s->channel = channel;
    s->index = index;
    s->items = items;
    s->sent = 0;
    s->status = 0;
    CHECK_INT(pthread_create(&thread, NULL, send_all, s), 0);
    return thread;
}

static void
wait_until_it_sleeps(const sender *s)
{
    while (s->sent == 0) {
        (void)usleep(100);
    }
    (void)usleep(2000); /* so that the next send waits */
}

static void
send_with_room_returns_at_once(void)
{
    counter c = {0, 0};
    caw_channel *channel;
    caw_stream *s;
    channel_with_one_slot(&channel, &s);
    CHECK_INT(caw_channel_send(channel, number_new(7)), 0); /* this is the consumer's thread, and there is room */
    CHECK_INT(next_number(s, &c), 7);
    caw_stream_destroy(s);
    caw_channel_release(channel);
    nothing_is_left(&c);
}

static void
send_sleeps_until_there_is_room(void)
{
    counter c = {0, 0};
    caw_channel *channel;
    caw_stream *s;
    sender sending;
    channel_with_one_slot(&channel, &s);
    pthread_t thread = start_sender(&sending, channel, 0, 2);
    wait_until_it_sleeps(&sending);
    CHECK_INT(sending.sent, 1);
    CHECK_INT(next_number(s, &c), 0);
    pthread_join(thread, NULL);
    CHECK_INT(sending.sent, 2);
    CHECK_INT(next_number(s, &c), 1);
    caw_stream_destroy(s);
    caw_channel_release(channel);
    nothing_is_left(&c);
}

static void
send_that_sleeps_ends_with_ECLOSED_at_the_close(void)
{
    counter c = {0, 0};
    caw_channel *channel;
    caw_stream *s;
    sender sending;
    channel_with_one_slot(&channel, &s);
    pthread_t thread = start_sender(&sending, channel, 0, 2);
    wait_until_it_sleeps(&sending);
    CHECK(caw_channel_close(channel, 0));
    pthread_join(thread, NULL);
    CHECK_INT(sending.status, CAW_ECLOSED);
    CHECK_INT(numbers_alive, 1); /* the one that was sent; the other was destroyed */
    CHECK_INT(next_number(s, &c), 0);
    CHECK_INT(end_of(s, &c), 0);
    CHECK_INT(caw_channel_send(channel, number_new(2)), CAW_ECLOSED);
    caw_stream_destroy(s);
    caw_channel_release(channel);
    nothing_is_left(&c);
}

static void
send_that_sleeps_ends_with_ECLOSED_when_the_consumer_goes(void)
{
    counter c = {0, 0};
    caw_channel *channel;
    caw_stream *s;
    sender sending;
    channel_with_one_slot(&channel, &s);
    pthread_t thread = start_sender(&sending, channel, 0, 2);
    wait_until_it_sleeps(&sending);
    caw_stream_destroy(s);
    pthread_join(thread, NULL);
    CHECK_INT(sending.status, CAW_ECLOSED);
    caw_channel_release(channel);
    nothing_is_left(&c);
}

/* Each producer's numbers come in their order, by way of one slot. */
static void
many_threads_that_sleep_lose_nothing(void)
{
    enum { SENDERS = 4, EACH = 2000 };
    counter c = {0, 0};
    caw_channel *channel;
    caw_stream *s;
    sender senders[SENDERS];
    pthread_t threads[SENDERS];
    int next[SENDERS] = {0};
    channel_with_one_slot(&channel, &s);
    for (int i = 0; i < SENDERS; i++) {
        threads[i] = start_sender(&senders[i], channel, i, EACH);
    }
    for (int i = 0; i < SENDERS * EACH; i++) {
        caw_next_op op;
        caw_next_init(&op, s);
        CHECK_INT(caw_block_on(&op.future), 0);
        const number *n = CAW_CONTAINER_OF(op.item, const number, item);
        CHECK_INT(n->value, next[n->producer]++);
        caw_future_destroy(&op.future);
    }
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
        CHECK_INT(senders[i].status, 0);
    }
    caw_stream_destroy(s);
    caw_channel_release(channel);
    nothing_is_left(&c);
}

TESTS(TEST(send_with_room_returns_at_once), TEST(send_sleeps_until_there_is_room),
      TEST(send_that_sleeps_ends_with_ECLOSED_at_the_close),
      TEST(send_that_sleeps_ends_with_ECLOSED_when_the_consumer_goes), TEST(many_threads_that_sleep_lose_nothing))
