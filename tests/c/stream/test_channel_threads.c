/* test_channel_threads.c: a channel between threads: nothing lost, nothing twice, never more than its capacity. */
#include "support/items.h"

#include <pthread.h>
#include <sched.h>

/* --- a million items through ten slots --- */

enum { PRODUCERS = 4, EACH = 250000, SLOTS = 10 };

typedef struct sender {
    caw_channel *channel; /* a reference */
    int index, items;
    int sent;
} sender;

/* Until it is closed, or there are no more to send. */
static void *
send_by_trying(void *user)
{
    sender *s = user;
    int status = 0;
    for (s->sent = 0; status == 0 && s->sent < s->items;) {
        caw_item *item = number_from(s->index, s->sent);
        while ((status = caw_channel_try_send(s->channel, item)) == -EAGAIN) {
            sched_yield();
        }
        if (status == 0) {
            s->sent++;
        }
        else {
            caw_item_destroy(item);
        }
    }
    caw_channel_release(s->channel);
    return NULL;
}

static void *
send_by_waiting(void *user)
{
    sender *s = user;
    int status = 0;
    for (s->sent = 0; status == 0 && s->sent < s->items;) {
        caw_send_op send;
        caw_send_init(&send, s->channel, number_from(s->index, s->sent));
        status = caw_block_on(&send.future);
        caw_future_destroy(&send.future);
        s->sent += status == 0;
    }
    caw_channel_release(s->channel);
    return NULL;
}

/* Start producers, each second of which waits; they have the channel's references. */
static void
start_senders(sender *senders, pthread_t *threads, caw_channel *channel, int items)
{
    for (int i = 0; i < PRODUCERS; i++) {
        senders[i] = (sender){.channel = caw_channel_retain(channel), .index = i, .items = items};
        CHECK_INT(pthread_create(&threads[i], NULL, i % 2 ? send_by_waiting : send_by_trying, &senders[i]), 0);
    }
    caw_channel_release(channel);
}

static void
join_all(pthread_t *threads, int n)
{
    for (int i = 0; i < n; i++) {
        pthread_join(threads[i], NULL);
    }
}

static caw_stream *
new_channel(const caw_channel_spec *spec, caw_channel **channel)
{
    CHECK_INT(caw_channel_new(spec, channel), 0);
    caw_stream *s = caw_channel_stream(*channel);
    CHECK(s);
    return s;
}

/* The next item, or NULL at the end. */
static caw_item *
wait_for_next(caw_stream *s, int *status)
{
    caw_next_op next;
    caw_next_init(&next, s);
    *status = caw_block_on(&next.future);
    caw_item *item = next.item;
    next.item = NULL;
    caw_future_destroy(&next.future);
    return item;
}

static void
million_items_through_ten_slots_all_arrive_in_order(void)
{
    counter c = {0, 0};
    sender senders[PRODUCERS];
    pthread_t threads[PRODUCERS];
    int seen[PRODUCERS] = {0}, status;
    caw_channel *channel;
    caw_channel_spec spec = {.capacity = SLOTS};
    caw_stream *s = new_channel(&spec, &channel);
    start_senders(senders, threads, channel, EACH);
    for (caw_item *item; (item = wait_for_next(s, &status));) {
        const number *n = CAW_CONTAINER_OF(item, const number, item);
        CHECK_INT(n->value, seen[n->producer]++);
        /* those in the channel, one in the hands of each, and this one */
        CHECK(atomic_load(&numbers_alive) <= SLOTS + PRODUCERS + 1);
        caw_item_destroy(item);
    }
    CHECK_INT(status, 0);
    for (int i = 0; i < PRODUCERS; i++) {
        CHECK_INT(seen[i], EACH);
    }
    join_all(threads, PRODUCERS);
    caw_stream_destroy(s);
    nothing_is_left(&c);
}

/* --- the end, while all send --- */

static void
destroy_while_others_send_destroys_each_item_once(void)
{
    counter c = {0, 0};
    for (int round = 0; round < 200; round++) {
        sender senders[PRODUCERS];
        pthread_t threads[PRODUCERS];
        caw_channel *channel;
        caw_channel_spec spec = {.capacity = 3};
        caw_stream *s = new_channel(&spec, &channel);
        int status, received = 0, sent = 0;
        start_senders(senders, threads, channel, EACH);
        for (; received < round; received++) {
            caw_item *item = wait_for_next(s, &status);
            CHECK(item);
            caw_item_destroy(item);
        }
        if (round % 2) {
            caw_stream_cancel(s);
        }
        caw_stream_destroy(s);
        join_all(threads, PRODUCERS);
        for (int i = 0; i < PRODUCERS; i++) {
            sent += senders[i].sent;
        }
        CHECK(sent >= received);
        CHECK(sent <= received + 3);
        nothing_is_left(&c);
    }
}

static void
close_while_others_send_keeps_what_was_sent(void)
{
    counter c = {0, 0};
    for (int round = 0; round < 200; round++) {
        sender senders[PRODUCERS];
        pthread_t threads[PRODUCERS];
        caw_channel *channel;
        caw_channel_spec spec = {.capacity = 3};
        caw_stream *s = new_channel(&spec, &channel);
        caw_channel *mine = caw_channel_retain(channel);
        int status, received = 0, sent = 0;
        start_senders(senders, threads, channel, EACH);
        for (caw_item *item; (item = wait_for_next(s, &status)); received++) {
            caw_item_destroy(item);
            if (received == round) {
                CHECK(caw_channel_close(mine, -EPIPE));
            }
        }
        CHECK_INT(status, -EPIPE);
        join_all(threads, PRODUCERS);
        for (int i = 0; i < PRODUCERS; i++) {
            sent += senders[i].sent;
        }
        CHECK_INT(received, sent);
        caw_channel_release(mine);
        caw_stream_destroy(s);
        nothing_is_left(&c);
    }
}

/* --- pause and resume --- */

typedef struct valve {
    atomic_bool paused;
    atomic_int inside, turns;
    atomic_int frees;
} valve;

static void
valve_turn(valve *v, bool paused)
{
    CHECK_INT(atomic_fetch_add(&v->inside, 1), 0); /* never two at a time */
    CHECK_INT(atomic_exchange(&v->paused, paused), !paused);
    CHECK_INT(v->frees, 0);
    atomic_fetch_add(&v->turns, 1);
    atomic_fetch_sub(&v->inside, 1);
}

static void
valve_pause(void *user)
{
    valve_turn(user, true);
}

static void
valve_resume(void *user)
{
    valve_turn(user, false);
}

static void
valve_free(void *user)
{
    ((valve *)user)->frees++;
}

typedef struct valve_sender {
    caw_channel *channel;
    valve *valve;
    int items;
} valve_sender;

/* One that cannot wait: goes by the valve alone. It hangs when the last call was a wrong pause. */
static void *
send_by_the_valve(void *user)
{
    valve_sender *s = user;
    for (int i = 0; i < s->items;) {
        if (atomic_load(&s->valve->paused)) {
            sched_yield();
            continue;
        }
        caw_item *item = number_new(i);
        if (caw_channel_try_send(s->channel, item) == 0) {
            i++;
        }
        else {
            caw_item_destroy(item);
        }
    }
    caw_channel_release(s->channel);
    return NULL;
}

/* Two producers and the consumer, who stops now and then until they are paused. */
static void
run_the_valve(const caw_channel_spec *spec, valve *v, int items)
{
    pthread_t threads[2];
    caw_channel *channel;
    caw_stream *s = new_channel(spec, &channel);
    valve_sender producer = {channel, v, items};
    caw_channel_retain(channel);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(pthread_create(&threads[i], NULL, send_by_the_valve, &producer), 0);
    }
    int status;
    for (int received = 0; received < 2 * items; received++) {
        caw_item *item = wait_for_next(s, &status);
        CHECK(item);
        caw_item_destroy(item);
    }
    caw_item *none = wait_for_next(s, &status);
    CHECK(!none);
    join_all(threads, 2);
    CHECK(!v->paused); /* it is empty: the last call was right */
    CHECK_INT(v->turns % 2, 0);
    CHECK_INT(v->frees, 0);
    caw_stream_destroy(s);
    CHECK_INT(v->frees, 1);
}

static void
pause_and_resume_take_turns_and_the_last_call_is_right(void)
{
    counter c = {0, 0};
    const size_t marks[][3] = {{1, 0, 1}, {2, 1, 2}, {8, 2, 6}, {8, 0, 1}, {3, 2, 3}};
    int turns = 0;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        valve v = {false, 0, 0, 0};
        caw_channel_spec spec = {.capacity = marks[i][0],
                                 .low = marks[i][1],
                                 .high = marks[i][2],
                                 .pause = valve_pause,
                                 .resume = valve_resume,
                                 .free = valve_free,
                                 .user = &v};
        run_the_valve(&spec, &v, 10000);
        turns += v.turns;
        nothing_is_left(&c);
    }
    CHECK(turns > 0);
}

/* --- a send that ends in two ways at once --- */

enum { RACES = 3000 };

typedef struct race {
    caw_send_op send;
    counter *waker;
    atomic_int turn;
    int how;
} race;

/* Polls a send that waits, and then cancels or destroys it while the consumer makes room. */
static void *
race_sender(void *user)
{
    race *r = user;
    while (atomic_load(&r->turn) != 1) {
        sched_yield();
    }
    if (r->how % 2) {
        caw_future_cancel(&r->send.future);
        CHECK(poll_at(&r->send.future, NULL, r->waker) == CAW_READY);
        int status = r->send.future.status;
        CHECK(status == 0 || status == CAW_ECANCELED);
        CHECK((status == 0) == !r->send.item);
    }
    caw_future_destroy(&r->send.future);
    return NULL;
}

static void
racing_serve_and_cancel_of_a_send_end_it_once(void)
{
    counter c = {0, 0}, waker = {0, 0};
    for (int i = 0; i < RACES; i++) {
        caw_channel *channel;
        caw_channel_spec spec = {.capacity = 1};
        caw_stream *s = new_channel(&spec, &channel);
        race r = {.waker = &waker, .how = i};
        pthread_t thread;
        CHECK_INT(caw_channel_try_send(channel, number_new(0)), 0);
        caw_send_init(&r.send, channel, number_new(1));
        CHECK(poll_at(&r.send.future, NULL, &waker) == CAW_PENDING);
        CHECK_INT(pthread_create(&thread, NULL, race_sender, &r), 0);
        atomic_store(&r.turn, 1);
        CHECK_INT(next_number(s, &c), 0);
        pthread_join(thread, NULL);
        caw_stream_destroy(s);
        caw_channel_release(channel);
        nothing_is_left(&c);
        nothing_is_left(&waker);
    }
}

TESTS(TEST(million_items_through_ten_slots_all_arrive_in_order),
      TEST(destroy_while_others_send_destroys_each_item_once), TEST(close_while_others_send_keeps_what_was_sent),
      TEST(pause_and_resume_take_turns_and_the_last_call_is_right), TEST(racing_serve_and_cancel_of_a_send_end_it_once))
