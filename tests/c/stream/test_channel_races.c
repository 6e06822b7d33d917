/* test_channel_races.c: two threads do one thing each at the same moment, many times. No later call could repair what
 * they leave. */
#include "support/items.h"
#include "support/threads.h"

#include <sched.h>

#if defined(__has_feature)
#  if __has_feature(thread_sanitizer)
#    define IS_SLOW
#  endif
#endif
#ifdef IS_SLOW
enum { ROUNDS = 20000 };
#else
enum { ROUNDS = 100000 }; /* enough to hit the shortest of these moments */
#endif

/* The two threads of a race. Each adds one to `there` and waits for the other, with a different delay each round. */
typedef struct meeting {
    void (*other)(void *user);
    void *user;
    atomic_int there, done;
} meeting;

static void
spin_until(atomic_int *word, int value)
{
    for (int i = 0; atomic_load(word) < value; i++) {
        if (i % 1000 == 999) {
            sched_yield(); /* the other one may need this core */
        }
    }
}

static void
meet(meeting *m, int round, int delay)
{
    atomic_fetch_add(&m->there, 1);
    spin_until(&m->there, 2 * (round + 1));
    for (volatile int i = 0; i < delay; i++) {
    }
}

static void *
other_thread(void *user)
{
    meeting *m = user;
    for (int round = 0; round < ROUNDS; round++) {
        meet(m, round, round / 40 % 40);
        m->other(m->user);
        atomic_store(&m->done, round + 1);
    }
    return NULL;
}

/* In each round: `begin`; then `mine` here and `other` there at once; then `end`. */
static void
run_rounds(meeting *m, void (*begin)(void *), void (*mine)(void *), void (*end)(void *))
{
    begin(m->user); /* the other thread may be waiting already: it goes on only when this one has come too */
    pthread_t thread = start_thread(other_thread, m);
    for (int round = 0; round < ROUNDS; round++) {
        meet(m, round, round % 40);
        mine(m->user);
        spin_until(&m->done, round + 1);
        end(m->user);
        if (round + 1 < ROUNDS) {
            begin(m->user);
        }
    }
    join_thread(thread);
}

typedef struct race {
    caw_channel_spec spec;
    caw_channel *channel;
    caw_stream *stream; /* the consumer's end, or a merge around it */
    counter consumer, sender;
    caw_send_op send;
    caw_item *item;
    caw_poll poll;
    int status;
    int filled;        /* the number of items at the beginning */
    atomic_int paused; /* whether the last call was pause */
} race;

static void
race_begin(void *user)
{
    race *r = user;
    r->channel = channel_new(&r->spec, &r->stream);
    for (int i = 0; i < r->filled; i++) {
        CHECK_INT(caw_channel_try_send(r->channel, number_new(0)), 0);
    }
    r->consumer.wakes = r->sender.wakes = 0;
}

static void
race_end(race *r)
{
    end_channel(r->channel, r->stream, &r->consumer);
    nothing_is_left(&r->sender);
}

/* The consumer's part: take one item. */
static void
take_one(void *user)
{
    race *r = user;
    CHECK_INT(next_number(r->stream, &r->consumer), 0);
}

/* --- a send begins to wait while the last item is taken out --- */

static void
begin_with_a_send(void *user)
{
    race *r = user;
    race_begin(user);
    caw_send_init(&r->send, r->channel, number_new(1));
}

static void
poll_the_send(void *user)
{
    race *r = user;
    r->poll = poll_at(&r->send.future, NULL, &r->sender);
}

static void
send_is_in(void *user)
{
    race *r = user;
    if (r->poll == CAW_PENDING) {
        CHECK_INT(r->sender.wakes, 1);
        poll_the_send(user);
    }
    CHECK(r->poll == CAW_READY);
    CHECK_INT(r->send.future.status, 0);
    caw_future_destroy(&r->send.future);
    CHECK_INT(next_number(r->stream, &r->consumer), 1);
    race_end(r);
}

static void
send_that_begins_to_wait_while_room_is_made_is_served(void)
{
    race r = {.spec = {.capacity = 1}, .filled = 1};
    meeting m = {.other = poll_the_send, .user = &r};
    run_rounds(&m, begin_with_a_send, take_one, send_is_in);
}

/* --- the same with a consumer that has taken its items out of the list already, and so does not lock --- */

static void
begin_with_a_taken_item(void *user)
{
    race *r = user;
    begin_with_a_send(user);
    take_one(user); /* takes both, and keeps one */
    CHECK_INT(caw_channel_try_send(r->channel, number_new(0)), 0);
}

static void
send_is_in_after_the_rest(void *user)
{
    race *r = user;
    if (r->poll == CAW_PENDING) {
        CHECK_INT(r->sender.wakes, 1);
    }
    take_one(user);
    send_is_in(user);
}

static void
send_that_begins_to_wait_while_a_taken_item_is_received_is_served(void)
{
    race r = {.spec = {.capacity = 2}, .filled = 2};
    meeting m = {.other = poll_the_send, .user = &r};
    run_rounds(&m, begin_with_a_taken_item, take_one, send_is_in_after_the_rest);
}

/* --- the channel becomes full enough to pause while it is emptied --- */

static void
say_paused(void *user)
{
    ((race *)user)->paused = true;
}

static void
say_resumed(void *user)
{
    ((race *)user)->paused = false;
}

static void
send_one_more(void *user)
{
    race *r = user;
    CHECK_INT(caw_channel_try_send(r->channel, number_new(1)), 0);
}

static void
nobody_is_paused(void *user)
{
    race *r = user;
    CHECK_INT(caw_channel_length(r->channel), 1); /* that is `low` */
    CHECK(!r->paused);
    race_end(r);
}

static void
pause_while_room_is_made_is_followed_by_resume(void)
{
    race r = {.spec = {.capacity = 3, .high = 2, .low = 1, .pause = say_paused, .resume = say_resumed}, .filled = 1};
    meeting m = {.other = send_one_more, .user = &r};
    r.spec.user = &r;
    run_rounds(&m, race_begin, take_one, nobody_is_paused);
}

/* --- a try_send while room is made for a send that waits --- */

static void
begin_with_a_waiting_send(void *user)
{
    race *r = user;
    begin_with_a_send(user);
    CHECK(poll_at(&r->send.future, NULL, &r->sender) == CAW_PENDING);
    r->item = number_new(2);
}

static void
try_to_overtake(void *user)
{
    race *r = user;
    r->status = caw_channel_try_send(r->channel, r->item);
}

static void
nobody_was_overtaken(void *user)
{
    race *r = user;
    CHECK_INT(r->status, -EAGAIN); /* the free slot belongs to the send */
    caw_item_destroy(r->item);
    CHECK_INT(r->sender.wakes, 1);
    r->poll = CAW_PENDING;
    send_is_in(user);
}

static void
try_send_while_room_is_made_does_not_overtake(void)
{
    race r = {.spec = {.capacity = 1}, .filled = 1};
    meeting m = {.other = try_to_overtake, .user = &r};
    run_rounds(&m, begin_with_a_waiting_send, take_one, nobody_was_overtaken);
}

/* --- an item comes while the consumer, or a merge around it, becomes pending --- */

static void
begin_with_a_merge(void *user)
{
    race *r = user;
    race_begin(user);
    r->stream = caw_stream_merge(&r->stream, 1);
    CHECK(r->stream);
}

static void
poll_the_stream(void *user)
{
    race *r = user;
    r->item = NULL;
    r->poll = poll_next_at(r->stream, NULL, &r->consumer, &r->item);
}

static void
item_is_there(void *user)
{
    race *r = user;
    if (r->poll == CAW_PENDING) {
        CHECK_INT(r->consumer.wakes, 1);
        poll_the_stream(user);
    }
    CHECK(r->poll == CAW_READY);
    CHECK_INT(number_take(r->item), 1);
    race_end(r);
}

static void
item_that_comes_while_the_consumer_becomes_pending_wakes_it(void)
{
    race r = {.spec = {.capacity = 1}};
    meeting m = {.other = send_one_more, .user = &r};
    run_rounds(&m, race_begin, poll_the_stream, item_is_there);
}

static void
item_that_comes_while_a_merge_becomes_pending_wakes_it(void)
{
    race r = {.spec = {.capacity = 1}};
    meeting m = {.other = send_one_more, .user = &r};
    run_rounds(&m, begin_with_a_merge, poll_the_stream, item_is_there);
}

TESTS(TEST(send_that_begins_to_wait_while_room_is_made_is_served),
      TEST(send_that_begins_to_wait_while_a_taken_item_is_received_is_served),
      TEST(pause_while_room_is_made_is_followed_by_resume), TEST(try_send_while_room_is_made_does_not_overtake),
      TEST(item_that_comes_while_the_consumer_becomes_pending_wakes_it),
      TEST(item_that_comes_while_a_merge_becomes_pending_wakes_it))
