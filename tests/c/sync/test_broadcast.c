/* test_broadcast.c: items to many readers, polled by hand on one thread. Its source is compiled in here, with an
 * allocator that fails on demand. */
#include "support/items.h"

#include "cawait/testing_tools.h"

#define malloc caw_test_malloc
#define calloc caw_test_calloc

#include "core/sync/broadcast.c" /* NOLINT: so that it uses this allocator */

#undef malloc
#undef calloc

static caw_broadcast *
broadcast_of(size_t capacity)
{
    caw_broadcast *b;
    caw_test_fail_allocation(0);
    CHECK_INT(caw_broadcast_new(capacity, &b), 0);
    return b;
}

static caw_stream *
reader_of_it(caw_broadcast *b)
{
    caw_stream *s = caw_broadcast_reader(b);
    CHECK(s);
    return s;
}

static void
send(caw_broadcast *b, int value)
{
    CHECK_INT(caw_broadcast_send(b, number_new(value)), 0);
}

/* Poll once: the next item, which is this number after so many that were missed. */
static void
check_next(caw_stream *s, counter *c, int value, uint64_t missed)
{
    caw_item *item = NULL;
    CHECK(poll_next_at(s, NULL, c, &item) == CAW_READY && item);
    caw_broadcast_item *got = CAW_CONTAINER_OF(item, caw_broadcast_item, item);
    CHECK_INT(number_value(got->value), value);
    CHECK_INT(got->missed, missed);
    caw_item_destroy(item);
}

static void
each_reader_gets_each_item_in_order(void)
{
    caw_broadcast *b = broadcast_of(4);
    caw_stream *readers[3];
    counter c[3] = {{0}};
    for (int i = 0; i < 3; i++) {
        readers[i] = reader_of_it(b);
        CHECK(is_pending(readers[i], &c[i]) && is_pending(readers[i], &c[i]));
    }
    for (int round = 0; round < 10; round++) {
        send(b, round);
        send(b, round + 100);
        for (int i = 0; i < 3; i++) {
            CHECK_INT(c[i].wakes, round + 1);
            check_next(readers[i], &c[i], round, 0);
            check_next(readers[i], &c[i], round + 100, 0);
            CHECK(is_pending(readers[i], &c[i]));
        }
        CHECK_INT(numbers_alive, 0); /* all have it */
    }
    CHECK(caw_broadcast_retain(b) == b);
    caw_broadcast_release(b);
    CHECK_INT(c[0].wakes, 10);
    caw_broadcast_release(b);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(c[i].wakes, 11);
        CHECK_INT(end_of(readers[i], &c[i]), 0);
        end_stream(readers[i], &c[i]);
    }
}

static void
slow_reader_is_told_how_many_it_missed(void)
{
    caw_broadcast *b = broadcast_of(3);
    caw_stream *slow = reader_of_it(b), *fast = reader_of_it(b);
    counter c = {0, 0};
    for (int i = 0; i < 10; i++) {
        send(b, i);
        check_next(fast, &c, i, 0);
    }
    CHECK_INT(numbers_alive, 3);
    check_next(slow, &c, 7, 7);
    check_next(slow, &c, 8, 0);
    for (int i = 10; i < 13; i++) {
        send(b, i);
    }
    check_next(slow, &c, 10, 1);
    CHECK_INT(caw_broadcast_close(b, -EIO), true);
    CHECK_INT(caw_broadcast_close(b, -EPIPE), false);
    CHECK_INT(caw_broadcast_send(b, number_new(1)), CAW_ECLOSED);
    check_next(slow, &c, 11, 0);
    check_next(slow, &c, 12, 0);
    CHECK_INT(end_of(slow, &c), -EIO);
    caw_broadcast_release(b);
    caw_stream_destroy(slow);
    end_stream(fast, &c);
}

static void
reader_gets_what_is_sent_from_its_making_on(void)
{
    caw_broadcast *b = broadcast_of(8);
    caw_stream *early = reader_of_it(b);
    counter c = {0, 0};
    send(b, 1);
    caw_stream *late = reader_of_it(b);
    send(b, 2);
    check_next(late, &c, 2, 0);
    check_next(early, &c, 1, 0);
    check_next(early, &c, 2, 0);
    CHECK(is_pending(late, &c) && is_pending(early, &c));
    (void)caw_broadcast_close(b, 0);
    caw_stream *none = reader_of_it(b);
    CHECK_INT(end_of(none, &c), 0);
    caw_broadcast_release(b);
    caw_stream_destroy(early);
    caw_stream_destroy(none);
    end_stream(late, &c);
}

static void
item_without_a_reader_is_destroyed(void)
{
    caw_broadcast *b = broadcast_of(2);
    counter c = {0, 0};
    send(b, 1);
    CHECK_INT(numbers_alive, 0);
    caw_stream *s = reader_of_it(b);
    send(b, 2);
    caw_stream_destroy(s);
    CHECK_INT(numbers_alive, 1); /* until it is overwritten, or the broadcast goes */
    caw_broadcast_release(b);
    nothing_is_left(&c);
}

static void
item_outlives_the_broadcast_and_the_reader(void)
{
    caw_broadcast *b = broadcast_of(1);
    caw_stream *readers[] = {reader_of_it(b), reader_of_it(b)};
    caw_item *items[2];
    counter c = {0, 0};
    send(b, 5);
    for (int i = 0; i < 2; i++) {
        CHECK(poll_next_at(readers[i], NULL, &c, &items[i]) == CAW_READY);
        caw_stream_destroy(readers[i]);
    }
    caw_broadcast_release(b);
    caw_item_destroy(items[0]);
    CHECK_INT(number_value(CAW_CONTAINER_OF(items[1], caw_broadcast_item, item)->value), 5);
    caw_item_destroy(items[1]);
    nothing_is_left(&c);
}

static void
cancelled_reader_ends_and_a_pending_one_may_be_destroyed(void)
{
    caw_broadcast *b = broadcast_of(2);
    caw_stream *fresh = reader_of_it(b), *pending = reader_of_it(b), *dropped = reader_of_it(b);
    counter c = {0, 0};
    caw_stream_cancel(fresh);
    CHECK_INT(end_of(fresh, &c), CAW_ECANCELED);
    CHECK(is_pending(pending, &c) && is_pending(dropped, &c));
    caw_stream_cancel(pending);
    CHECK_INT(c.wakes, 1);
    CHECK_INT(end_of(pending, &c), CAW_ECANCELED);
    caw_stream_destroy(dropped);
    send(b, 1);
    CHECK_INT(c.wakes, 1);
    caw_stream_destroy(fresh);
    caw_stream_destroy(pending);
    caw_broadcast_release(b);
    nothing_is_left(&c);
}

static void
next_item_that_is_given_up_is_not_lost(void)
{
    caw_broadcast *b = broadcast_of(2);
    caw_stream *s = reader_of_it(b);
    counter c = {0, 0};
    caw_next_op next;
    caw_next_init(&next, s);
    CHECK(poll_at(&next.future, NULL, &c) == CAW_PENDING);
    send(b, 9);
    caw_future_destroy(&next.future);
    check_next(s, &c, 9, 0);
    caw_broadcast_release(b);
    end_stream(s, &c);
}

static void
wrong_capacity_is_an_error(void)
{
    caw_broadcast *b;
    CHECK_INT(caw_broadcast_new(0, &b), CAW_EINVAL);
    CHECK(!b);
    CHECK_INT(caw_broadcast_new(SIZE_MAX / 2, &b), CAW_ENOMEM);
    CHECK(!b);
    caw_broadcast_release(NULL);
    CHECK(!caw_broadcast_retain(NULL));
}

/* One broadcast with two readers and three items; each allocation fails once. */
static void
run_without_memory(counter *c)
{
    caw_broadcast *b;
    int error = caw_broadcast_new(2, &b);
    CHECK(error == 0 || (error == CAW_ENOMEM && !b));
    caw_stream *readers[2] = {NULL, NULL};
    int sent = 0;
    for (int i = 0; b && i < 2; i++) {
        readers[i] = caw_broadcast_reader(b);
    }
    for (int i = 0; b && i < 2; i++) {
        error = caw_broadcast_send(b, number_new(i));
        CHECK(error == 0 || error == CAW_ENOMEM);
        sent += error == 0;
    }
    caw_broadcast_release(b);
    for (int i = 0; i < 2; i++) {
        for (int n = 0; readers[i] && n < sent; n++) {
            caw_item *item;
            CHECK(poll_next_at(readers[i], NULL, c, &item) == CAW_READY && item);
            caw_item_destroy(item);
        }
        CHECK(!readers[i] || end_of(readers[i], c) == 0);
        caw_stream_destroy(readers[i]);
    }
}

static void
each_allocation_that_fails_is_an_error_and_leaves_nothing(void)
{
    counter c = {0, 0};
    for (unsigned n = 1; n == 1 || caw_test_allocation_failed(); n++) {
        caw_test_fail_allocation(n);
        run_without_memory(&c);
        nothing_is_left(&c);
    }
    caw_test_fail_allocation(0);
}

TESTS(TEST(each_reader_gets_each_item_in_order), TEST(slow_reader_is_told_how_many_it_missed),
      TEST(reader_gets_what_is_sent_from_its_making_on), TEST(item_without_a_reader_is_destroyed),
      TEST(item_outlives_the_broadcast_and_the_reader), TEST(cancelled_reader_ends_and_a_pending_one_may_be_destroyed),
      TEST(next_item_that_is_given_up_is_not_lost), TEST(wrong_capacity_is_an_error),
      TEST(each_allocation_that_fails_is_an_error_and_leaves_nothing))
