/* test_channel_threads.c: a channel between threads. No item is lost or comes twice, and there are never more than its
 * capacity. */
#include "support/items.h"
#include "support/threads.h"

#include <sched.h>

/* --- a million items through ten slots --- */

enum { PRODUCERS = 4, EACH = 250000, SLOTS = 10 };

typedef struct sender {
    caw_channel *channel; /* a reference */
    int index, items;
    int sent;
} sender;

/* Sends until the channel is closed or there are no more items. */
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

/* A channel, the threads that send into it, and its consumer. */
typedef struct crowd {
    sender senders[PRODUCERS];
    pthread_t threads[PRODUCERS];
    caw_channel *channel;
    caw_stream *s;
} crowd;

/* Start the producers, of which every second one waits for room. Each holds a reference to the channel; so does the
 * crowd. */
static void
start_crowd(crowd *c, size_t capacity)
{
    c->channel = channel_of_size(capacity, &c->s);
    for (int i = 0; i < PRODUCERS; i++) {
        c->senders[i] = (sender){.channel = caw_channel_retain(c->channel), .index = i, .items = EACH};
        c->threads[i] = start_thread(i % 2 ? send_by_waiting : send_by_trying, &c->senders[i]);
    }
}

/* Wait for all producers to end. Returns how many items they have sent. */
static int
join_crowd(crowd *c)
{
    int sent = 0;
    join_threads(c->threads, PRODUCERS);
    for (int i = 0; i < PRODUCERS; i++) {
        sent += c->senders[i].sent;
    }
    return sent;
}

static void
million_items_through_ten_slots_all_arrive_in_order(void)
{
    counter c = {0, 0};
    crowd all;
    int seen[PRODUCERS] = {0}, status;
    start_crowd(&all, SLOTS);
    caw_channel_release(all.channel);
    for (caw_item *item; (item = wait_for_next(all.s, &status));) {
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
    (void)join_crowd(&all);
    end_stream(all.s, &c);
}

/* --- the end, while all send --- */

static void
destroy_while_others_send_destroys_each_item_once(void)
{
    counter c = {0, 0};
    for (int round = 0; round < 200; round++) {
        crowd all;
        int status, received = 0;
        start_crowd(&all, 3);
        caw_channel_release(all.channel);
        for (; received < round; received++) {
            caw_item *item = wait_for_next(all.s, &status);
            CHECK(item);
            caw_item_destroy(item);
        }
        if (round % 2) {
            caw_stream_cancel(all.s);
        }
        caw_stream_destroy(all.s);
        int sent = join_crowd(&all);
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
        crowd all;
        int status, received = 0;
        start_crowd(&all, 3);
        for (caw_item *item; (item = wait_for_next(all.s, &status)); received++) {
            caw_item_destroy(item);
            if (received == round) {
                CHECK(caw_channel_close(all.channel, -EPIPE));
            }
        }
        CHECK_INT(status, -EPIPE);
        CHECK_INT(join_crowd(&all), received);
        caw_channel_release(all.channel);
        end_stream(all.s, &c);
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

/* A producer that cannot wait and follows only pause and resume. It hangs if the last call was a wrong pause. */
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

/* Two producers and the consumer, which stops now and then until they are paused. */
static void
run_the_valve(const caw_channel_spec *spec, valve *v, int items)
{
    pthread_t threads[2];
    caw_stream *s;
    caw_channel *channel = channel_new(spec, &s);
    valve_sender producer = {channel, v, items};
    caw_channel_retain(channel); /* each has one */
    start_threads(threads, 2, send_by_the_valve, &producer);
    int status;
    for (int received = 0; received < 2 * items; received++) {
        caw_item *item = wait_for_next(s, &status);
        CHECK(item);
        caw_item_destroy(item);
    }
    caw_item *none = wait_for_next(s, &status);
    CHECK(!none);
    join_threads(threads, 2);
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
        caw_stream *s;
        caw_channel *channel = channel_of_size(1, &s);
        race r = {.waker = &waker, .how = i};
        CHECK_INT(caw_channel_try_send(channel, number_new(0)), 0);
        caw_send_init(&r.send, channel, number_new(1));
        CHECK(poll_at(&r.send.future, NULL, &waker) == CAW_PENDING);
        pthread_t thread = start_thread(race_sender, &r);
        atomic_store(&r.turn, 1);
        CHECK_INT(next_number(s, &c), 0);
        join_thread(thread);
        end_channel(channel, s, &c);
        nothing_is_left(&waker);
    }
}

TESTS(TEST(million_items_through_ten_slots_all_arrive_in_order),
      TEST(destroy_while_others_send_destroys_each_item_once), TEST(close_while_others_send_keeps_what_was_sent),
      TEST(pause_and_resume_take_turns_and_the_last_call_is_right), TEST(racing_serve_and_cancel_of_a_send_end_it_once))
