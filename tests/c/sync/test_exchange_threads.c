/* test_exchange_threads.c: oneshots, watches and broadcasts between threads. */
#include "support/items.h"
#include "support/threads.h"

/* --- oneshot --- */

struct answer {
    caw_oneshot_sender sender;
    int kind;
    int status;
};

static void *
answer(void *user)
{
    struct answer *a = user;
    if (a->kind % 4 == 3) {
        caw_oneshot_drop(&a->sender);
        return NULL;
    }
    a->status = caw_oneshot_send(&a->sender, number_new(a->kind));
    return NULL;
}

static void
racing_send_and_end_of_the_receiver_lose_no_item(void)
{
    counter c = {0, 0};
    for (int i = 0; i < 2000; i++) {
        struct answer a = {.kind = i, .status = CAW_ECLOSED};
        caw_oneshot oneshot;
        caw_future *f = caw_oneshot_init(&oneshot, &a.sender);
        pthread_t thread = start_thread(answer, &a);
        int status = CAW_ECANCELED;
        if (i % 3 == 0) {
            status = caw_block_on(f);
        }
        else if (poll_at(f, NULL, &c) == CAW_READY) {
            status = f->status;
        }
        else if (i % 3 == 1) {
            caw_future_cancel(f);
            status = caw_block_on(f);
        }
        bool received = oneshot.item != NULL;
        CHECK(!received || number_value(oneshot.item) == i);
        caw_future_destroy(f);
        memset(&oneshot, 0xee, sizeof oneshot);
        join_thread(thread);
        CHECK(status != 0 || (received && a.status == 0));
        CHECK(i % 3 != 0 || status == (i % 4 == 3 ? CAW_ECLOSED : 0));
        nothing_is_left(&c);
    }
}

/* --- watch --- */

#define SETS 5000

struct pair {
    int a, b;
};

static void *
follow(void *user)
{
    caw_watch *watch = user;
    struct pair pair = {-1, 0};
    uint64_t seen = 0;
    while (pair.a < SETS) {
        caw_watch_op op;
        int last = pair.a;
        CHECK_INT(caw_block_on(caw_watch_changed(&op, watch, seen)), 0);
        caw_future_destroy(&op.future);
        seen = caw_watch_get(watch, &pair);
        CHECK(pair.a > last && pair.b == -pair.a);
        CHECK_INT(pair.a + 1, seen);
    }
    return NULL;
}

static void
readers_of_a_watch_see_whole_values_and_the_last_one(void)
{
    struct pair value = {0, 0};
    caw_watch watch;
    pthread_t threads[3];
    caw_watch_init(&watch, &value, sizeof value);
    start_threads(threads, 3, follow, &watch);
    for (int i = 1; i <= SETS; i++) {
        struct pair next = {i, -i};
        (void)caw_watch_set(&watch, &next);
    }
    join_threads(threads, 3);
}

/* --- broadcast --- */

#define SENDERS 2
#define READERS 3
#define SENT    5000

static void *
send_all(void *user)
{
    static atomic_int producers;
    int producer = atomic_fetch_add(&producers, 1) % SENDERS;
    for (int i = 0; i < SENT; i++) {
        CHECK_INT(caw_broadcast_send(user, number_from(producer, i)), 0);
    }
    caw_broadcast_release(user);
    return NULL;
}

static void *
read_all(void *user)
{
    caw_stream *s = user;
    int last[SENDERS] = {-1, -1}, status;
    uint64_t got = 0, missed = 0;
    for (caw_item *item; (item = wait_for_next(s, &status)) != NULL;) {
        const caw_broadcast_item *b = CAW_CONTAINER_OF(item, caw_broadcast_item, item);
        const number *n = CAW_CONTAINER_OF(b->value, const number, item);
        CHECK(n->value > last[n->producer]);
        last[n->producer] = n->value;
        missed += b->missed;
        got++;
        caw_item_destroy(item);
    }
    CHECK_INT(status, 0);
    CHECK_INT(got + missed, SENDERS * SENT);
    caw_stream_destroy(s);
    return NULL;
}

static void *
come_and_go(void *user)
{
    counter c = {0, 0};
    for (int i = 0; i < 500; i++) {
        caw_stream *s = caw_broadcast_reader(user);
        caw_item *item;
        CHECK(s);
        for (int n = 0; n < i % 5; n++) {
            if (poll_next_at(s, NULL, &c, &item) == CAW_READY && item) {
                caw_item_destroy(item);
            }
        }
        caw_stream_destroy(s);
    }
    CHECK_INT(c.references, 0);
    caw_broadcast_release(user);
    return NULL;
}

static void
each_reader_gets_or_misses_each_item_in_the_order_of_its_sender(void)
{
    caw_broadcast *b;
    pthread_t senders[SENDERS], readers[READERS];
    counter c = {0, 0};
    CHECK_INT(caw_broadcast_new(16, &b), 0);
    for (int i = 0; i < READERS; i++) {
        readers[i] = start_thread(read_all, caw_broadcast_reader(b));
    }
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = start_thread(send_all, caw_broadcast_retain(b));
    }
    pthread_t other = start_thread(come_and_go, caw_broadcast_retain(b));
    caw_broadcast_release(b);
    join_threads(senders, SENDERS);
    join_thread(other);
    join_threads(readers, READERS);
    nothing_is_left(&c);
}

TESTS(TEST(racing_send_and_end_of_the_receiver_lose_no_item),
      TEST(readers_of_a_watch_see_whole_values_and_the_last_one),
      TEST(each_reader_gets_or_misses_each_item_in_the_order_of_its_sender))
