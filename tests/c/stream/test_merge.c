/* test_merge.c: merging the items of many streams into one. */
#include "support/items.h"
#include "support/threads.h"

#include <sched.h>

static caw_stream *
merge_scripts(script *scripts, const char *const *steps, size_t n)
{
    caw_stream *streams[8];
    CHECK(n <= 8);
    for (size_t i = 0; i < n; i++) {
        streams[i] = script_init(&scripts[i], steps[i]);
        scripts[i].value = (int)i * 100;
    }
    caw_stream *merged = caw_stream_merge(streams, n);
    CHECK(merged);
    return merged;
}

static void
all_are_destroyed(const script *scripts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        CHECK_INT(scripts[i].destroys, 1);
        CHECK(scripts[i].cancels <= 1);
    }
}

static void
merge_of_nothing_ends_at_once(void)
{
    counter c = {0, 0};
    caw_stream *merged = caw_stream_merge(NULL, 0);
    CHECK(merged);
    CHECK(!merged->ops->cancel);
    CHECK_INT(end_of(merged, &c), 0);
    end_stream(merged, &c);
}

static void
merge_takes_turns_and_ends_with_the_last(void)
{
    counter c = {0, 0};
    script scripts[3];
    caw_stream *merged = merge_scripts(scripts, (const char *const[]){"iiii0", "i0", "ii0"}, 3);
    const int expected[] = {0, 100, 200, 1, 201, 2, 3};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        CHECK_INT(next_number(merged, &c), expected[i]);
    }
    CHECK_INT(end_of(merged, &c), 0);
    all_are_destroyed(scripts, 3); /* each as it ends */
    CHECK_INT(scripts[0].cancels + scripts[1].cancels + scripts[2].cancels, 0);
    end_stream(merged, &c);
}

static void
only_children_that_were_woken_are_polled_again(void)
{
    counter c = {0, 0}, later = {0, 0};
    script scripts[3];
    caw_stream *merged = merge_scripts(scripts, (const char *const[]){"ppi", "ppi", "ppi"}, 3);
    CHECK(is_pending(merged, &c));
    CHECK_INT(c.wakes, 0);
    CHECK_INT(c.references, 1);
    CHECK(is_pending(merged, &later)); /* woken for another reason: no stream is polled, the latest waker is kept */
    CHECK_INT(c.references, 0);
    CHECK_INT(scripts[0].polls + scripts[1].polls + scripts[2].polls, 3);
    script_wake(&scripts[1]);
    script_wake(&scripts[1]);
    CHECK_INT(later.wakes, 1);
    CHECK(is_pending(merged, &later));
    CHECK_INT(scripts[1].polls, 2);
    script_wake(&scripts[1]);
    CHECK_INT(next_number(merged, &later), 100);
    CHECK_INT(scripts[0].polls, 1);
    CHECK_INT(scripts[2].polls, 1);
    caw_stream_destroy(merged);
    all_are_destroyed(scripts, 3);
    nothing_is_left(&c);
    nothing_is_left(&later);
}

static void
wake_during_the_poll_of_a_child_is_not_lost(void)
{
    counter c = {0, 0};
    script scripts[2];
    caw_stream *merged = merge_scripts(scripts, (const char *const[]){"yi0", "p"}, 2);
    CHECK_INT(next_number(merged, &c), 0); /* polled again in the same poll, after the other one */
    end_stream(merged, &c);
}

static void
children_that_wake_themselves_do_not_keep_the_thread(void)
{
    counter c = {0, 0};
    script scripts[2];
    caw_stream *merged = merge_scripts(scripts, (const char *const[]){"yyyyyyyyyyyy", "yyyyyyyyyyy"}, 2);
    CHECK(is_pending(merged, &c));
    CHECK_INT(c.wakes, 1);
    CHECK(scripts[0].polls + scripts[1].polls <= 3);
    end_stream(merged, &c);
}

static void
first_error_ends_it_and_the_others_are_cancelled_and_destroyed(void)
{
    counter c = {0, 0};
    script scripts[4];
    caw_stream *merged = merge_scripts(scripts, (const char *const[]){"ii", "i0", "ie", "p"}, 4);
    CHECK_INT(next_number(merged, &c), 0);
    CHECK_INT(next_number(merged, &c), 100);
    CHECK_INT(next_number(merged, &c), 200);
    CHECK_INT(next_number(merged, &c), 1);
    CHECK_INT(end_of(merged, &c), -EIO);
    all_are_destroyed(scripts, 4);
    CHECK_INT(scripts[0].cancels, 1);
    CHECK_INT(scripts[1].cancels, 0); /* had ended */
    CHECK_INT(scripts[2].cancels, 0);
    CHECK_INT(scripts[3].cancels, 1);
    end_stream(merged, &c);
}

static void
cancel_asks_all_and_it_ends_when_all_have(void)
{
    counter c = {0, 0};
    script scripts[3];
    caw_stream *merged = merge_scripts(scripts, (const char *const[]){"p", "0", "p"}, 3);
    CHECK(is_pending(merged, &c));
    caw_stream_cancel(merged);
    CHECK_INT(c.wakes, 1);
    CHECK_INT(scripts[0].cancels, 1);
    CHECK_INT(scripts[1].cancels, 0);
    CHECK_INT(scripts[2].cancels, 1);
    CHECK_INT(scripts[0].destroys, 0); /* each comes to its end */
    CHECK_INT(end_of(merged, &c), CAW_ECANCELED);
    all_are_destroyed(scripts, 3);
    end_stream(merged, &c);
}

static void
cancel_before_the_first_poll_starts_nothing(void)
{
    counter c = {0, 0};
    script scripts[2];
    caw_stream *merged = merge_scripts(scripts, (const char *const[]){"i", "i"}, 2);
    caw_stream_cancel(merged);
    CHECK_INT(end_of(merged, &c), CAW_ECANCELED);
    caw_stream_destroy(merged);
    all_are_destroyed(scripts, 2);
    nothing_is_left(&c);
}

static void
cancel_gives_up_the_children_that_cannot_be_asked(void)
{
    counter c = {0, 0};
    script first, second;
    caw_stream *streams[] = {script_init(&first, "p"), script_init_without_cancel(&second, "p")};
    caw_stream *merged = caw_stream_merge(streams, 2);
    CHECK(is_pending(merged, &c));
    caw_stream_cancel(merged);
    CHECK_INT(second.destroys, 1);
    CHECK_INT(end_of(merged, &c), CAW_ECANCELED);
    caw_stream_destroy(merged);
    /* if the other one has ended before, only cancel wakes */
    streams[0] = script_init(&first, "0");
    streams[1] = script_init_without_cancel(&second, "p");
    merged = caw_stream_merge(streams, 2);
    c.wakes = 0;
    CHECK(is_pending(merged, &c));
    caw_stream_cancel(merged);
    CHECK_INT(c.wakes, 1);
    CHECK_INT(end_of(merged, &c), CAW_ECANCELED);
    end_stream(merged, &c);
}

static void
merge_has_a_cancel_only_where_a_child_has_one(void)
{
    script scripts[2];
    caw_stream *streams[] = {script_init_without_cancel(&scripts[0], "p"),
                             script_init_without_cancel(&scripts[1], "p")};
    caw_stream *merged = caw_stream_merge(streams, 2);
    CHECK(!merged->ops->cancel);
    caw_stream_cancel(merged); /* does nothing */
    caw_stream_destroy(merged);
    streams[0] = script_init_without_cancel(&scripts[0], "p");
    streams[1] = script_init(&scripts[1], "p");
    merged = caw_stream_merge(streams, 2);
    CHECK(merged->ops->cancel);
    caw_stream_destroy(merged);
}

static void
missing_stream_gives_NULL_and_the_others_are_destroyed(void)
{
    script scripts[2];
    caw_stream *streams[] = {script_init(&scripts[0], "p"), NULL, script_init(&scripts[1], "p")};
    CHECK(!caw_stream_merge(streams, 3));
    all_are_destroyed(scripts, 2);
}

static void
wakers_of_children_may_outlive_the_merge(void)
{
    counter c = {0, 0};
    script scripts[2];
    caw_stream *merged = merge_scripts(scripts, (const char *const[]){"p", "p"}, 2);
    CHECK(is_pending(merged, &c));
    caw_waker woken = caw_waker_clone(scripts[0].waker), dropped = caw_waker_clone(scripts[1].waker);
    CHECK(!caw_waker_same(woken, dropped)); /* each has its own */
    end_stream(merged, &c);
    caw_waker_wake_by_ref(woken);
    caw_waker_wake(woken);
    caw_waker_drop(dropped);
    CHECK_INT(c.wakes, 0);
}

/* --- channels of several threads --- */

enum { PRODUCERS = 4, EACH = 20000 };

typedef struct producer {
    caw_channel *channel;
    int index;
    int items;
} producer;

static void *
produce(void *user)
{
    producer *p = user;
    for (int i = 0; i < p->items; i++) {
        caw_item *item = number_from(p->index, i);
        int status;
        while ((status = caw_channel_try_send(p->channel, item)) == -EAGAIN) {
            sched_yield();
        }
        if (status != 0) {
            CHECK_INT(status, CAW_ECLOSED);
            caw_item_destroy(item);
        }
    }
    caw_channel_release(p->channel);
    return NULL;
}

/* Start a producer in a thread of its own for each of n channels, and merge these. */
static caw_stream *
merge_producers(producer *producers, pthread_t *threads, int items)
{
    caw_stream *streams[PRODUCERS];
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (producer){.index = i, .items = items};
        producers[i].channel = channel_of_size(3, &streams[i]);
        threads[i] = start_thread(produce, &producers[i]);
    }
    caw_stream *merged = caw_stream_merge(streams, PRODUCERS);
    CHECK(merged);
    return merged;
}

static void
channels_of_several_threads_all_arrive_in_their_order(void)
{
    counter c = {0, 0};
    producer producers[PRODUCERS];
    pthread_t threads[PRODUCERS];
    int seen[PRODUCERS] = {0}, status;
    caw_stream *merged = merge_producers(producers, threads, EACH);
    for (caw_item *item; (item = wait_for_next(merged, &status));) {
        CHECK_INT(status, 0);
        const number *n = CAW_CONTAINER_OF(item, const number, item);
        CHECK_INT(n->value, seen[n->producer]++);
        caw_item_destroy(item);
    }
    CHECK_INT(status, 0);
    for (int i = 0; i < PRODUCERS; i++) {
        CHECK_INT(seen[i], EACH);
    }
    caw_stream_destroy(merged);
    join_threads(threads, PRODUCERS);
    nothing_is_left(&c);
}

static void
destroy_while_children_are_woken_on_other_threads_leaves_nothing(void)
{
    counter c = {0, 0};
    for (int round = 0; round < 200; round++) {
        producer producers[PRODUCERS];
        pthread_t threads[PRODUCERS];
        caw_stream *merged = merge_producers(producers, threads, 50);
        for (int i = 0; i < round; i++) {
            caw_item *item;
            if (poll_next_at(merged, NULL, &c, &item) == CAW_READY) {
                if (!item) {
                    break;
                }
                caw_item_destroy(item);
            }
        }
        caw_stream_destroy(merged);
        join_threads(threads, PRODUCERS);
        nothing_is_left(&c);
    }
}

TESTS(TEST(merge_of_nothing_ends_at_once), TEST(merge_takes_turns_and_ends_with_the_last),
      TEST(only_children_that_were_woken_are_polled_again), TEST(wake_during_the_poll_of_a_child_is_not_lost),
      TEST(children_that_wake_themselves_do_not_keep_the_thread),
      TEST(first_error_ends_it_and_the_others_are_cancelled_and_destroyed),
      TEST(cancel_asks_all_and_it_ends_when_all_have), TEST(cancel_before_the_first_poll_starts_nothing),
      TEST(cancel_gives_up_the_children_that_cannot_be_asked), TEST(merge_has_a_cancel_only_where_a_child_has_one),
      TEST(missing_stream_gives_NULL_and_the_others_are_destroyed), TEST(wakers_of_children_may_outlive_the_merge),
      TEST(channels_of_several_threads_all_arrive_in_their_order),
      TEST(destroy_while_children_are_woken_on_other_threads_leaves_nothing))
