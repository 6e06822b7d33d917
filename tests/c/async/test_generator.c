/* test_generator.c: async functions that give items. Also compiled with CAW_ASYNC_SWITCH. */
#include "support/items.h"
#include "support/kid.h"

#include "cawait/testing_tools.h"

static int finals;

typedef struct count {
    caw_generator generator;
    int until, waits, i;
    int status; /* of its end */
} count;

CAW_GENERATOR_FUNCTION(count)

static caw_step
count_run(count *self, caw_context *cx)
{
    CAW_GENERATOR (&self->generator, cx) {
        for (self->i = 0; self->i < self->until; self->i++) {
            if (self->waits) {
                CAW_AWAIT(KID(self->waits, 0));
            }
            CAW_YIELD(number_new(self->i));
        }
        CAW_RETURN(self->status);
    }
    CAW_FINALLY
    {
        finals++;
        CAW_AWAIT(KID(1, 0));
    }
}

/* The numbers up to the end, as a sum; its status in *status. */
static int
sum_of(caw_stream *s, int *status)
{
    caw_test_waker waker;
    caw_test_waker_init(&waker);
    caw_context cx = {caw_test_waker_get(&waker), NULL, NULL};
    int sum = 0;
    for (int polls = 0;; polls++) {
        CHECK(polls < 1000); /* else it has no end */
        caw_item *item;
        int wakes = caw_test_waker_wakes(&waker);
        if (caw_stream_poll_next(s, &cx, &item) == CAW_PENDING) {
            CHECK_INT(caw_test_waker_wakes(&waker), wakes + 1);
            continue;
        }
        if (!item) {
            *status = s->status;
            return sum;
        }
        sum += number_take(item);
    }
}

static void
items_come_in_order_with_and_without_awaits_between(void)
{
    for (int waits = 0; waits < 3; waits++) {
        int status = 1;
        finals = 0;
        caw_stream *s = CAW_GENERATOR_NEW(count, .until = 5, .waits = waits);
        CHECK_INT(sum_of(s, &status), 10);
        CHECK_INT(status, 0);
        CHECK_INT(finals, 1);
        caw_stream_destroy(s);
        s = CAW_GENERATOR_NEW(count, .until = 2, .waits = waits, .status = -EIO);
        CHECK_INT(sum_of(s, &status), 1);
        CHECK_INT(status, -EIO);
        caw_stream_destroy(s);
        CHECK_INT(numbers_alive + kids_alive, 0);
    }
}

static void
generator_in_the_callers_memory_and_an_alloced_one_give_the_same(void)
{
    count frame;
    int status;
    caw_stream *s = CAW_GENERATOR_CALL(&frame, count, .until = 4);
    CHECK_INT(sum_of(s, &status), 6);
    caw_stream_destroy(s);
    caw_generator *g = caw_generator_alloc(&count_ops);
    CHECK(g);
    CAW_CONTAINER_OF(g, count, generator)->until = 4;
    CHECK_INT(sum_of(&g->stream, &status), 6);
    caw_stream_destroy(&g->stream);
}

/* Poll it so many times; the items are destroyed. Whether it has ended. */
static bool
poll_generator(caw_stream *s, int times)
{
    caw_test_waker waker;
    caw_test_waker_init(&waker);
    caw_context cx = {caw_test_waker_get(&waker), NULL, NULL};
    for (int i = 0; i < times; i++) {
        caw_item *item;
        if (caw_stream_poll_next(s, &cx, &item) == CAW_READY) {
            if (!item) {
                return true;
            }
            caw_item_destroy(item);
        }
    }
    return false;
}

static void
generator_that_is_cancelled_or_destroyed_anywhere_ends_once(void)
{
    for (int how = 0; how < 3; how++) {
        bool ended = false;
        for (int n = 0; !ended; n++) {
            finals = 0;
            caw_stream *s = CAW_GENERATOR_NEW(count, .until = 3, .waits = 1);
            ended = poll_generator(s, n);
            bool was_in_final_part = finals > 0;
            if (!ended && how > 0) {
                caw_stream_cancel(s);
            }
            if (!ended && how > 1) {
                CHECK(poll_generator(s, 4));
                CHECK_INT(s->status, was_in_final_part ? 0 : CAW_ECANCELED);
            }
            caw_stream_destroy(s);
            CHECK_INT(finals, 1);
            CHECK_INT(numbers_alive + kids_alive, 0);
        }
    }
}

/* --- nobody wants it any more --- */

typedef struct late {
    caw_generator generator;
    int *reached;
} late;

CAW_GENERATOR_FUNCTION(late)

static caw_step
late_run(late *self, caw_context *cx)
{
    CAW_GENERATOR (&self->generator, cx) {
        CAW_AWAIT(WINNING_KID(1, 0));
        CAW_YIELD(number_new(1));
        *self->reached = -1;
    }
    CAW_FINALLY
    {
        CAW_YIELD(number_new(2));
        ++*self->reached;
    }
}

static void
item_of_a_cancelled_generator_is_destroyed_and_the_final_part_goes_on(void)
{
    for (int destroys = 0; destroys < 2; destroys++) {
        int reached = 0;
        caw_stream *s = CAW_GENERATOR_NEW(late, .reached = &reached);
        CHECK(!poll_generator(s, 1));
        if (!destroys) {
            caw_stream_cancel(s);
            CHECK(poll_generator(s, 1));
            CHECK_INT(s->status, CAW_ECANCELED);
        }
        caw_stream_destroy(s);
        CHECK_INT(reached, 1);
        CHECK_INT(numbers_alive + kids_alive, 0);
    }
}

/* --- around another stream, and as one of several --- */

typedef struct doubled {
    caw_generator generator;
    caw_stream *source;
    caw_next_op next;
} doubled;

CAW_GENERATOR_FUNCTION(doubled)

static caw_step
doubled_run(doubled *self, caw_context *cx)
{
    CAW_GENERATOR (&self->generator, cx) {
        for (;;) {
            caw_next_init(&self->next, self->source);
            CAW_AWAIT_REF(&self->next.future);
            if (!self->next.item) {
                CAW_RETURN(0);
            }
            CAW_YIELD(number_new(2 * number_value(self->next.item)));
            caw_future_destroy(&self->next.future);
        }
    }
    CAW_FINALLY
    {
        if (self->next.stream) {
            caw_future_destroy(&self->next.future);
        }
        caw_stream_destroy(self->source);
    }
}

static void
generator_takes_items_of_another_and_is_mapped_merged_and_cut_short(void)
{
    int status;
    caw_stream *s = CAW_GENERATOR_NEW(doubled, .source = CAW_GENERATOR_NEW(count, .until = 4, .waits = 1));
    CHECK_INT(sum_of(s, &status), 12);
    caw_stream_destroy(s);
    caw_stream *both[] = {CAW_GENERATOR_NEW(count, .until = 4, .waits = 1),
                          CAW_GENERATOR_NEW(doubled, .source = CAW_GENERATOR_NEW(count, .until = 3))};
    s = caw_stream_merge(both, 2);
    CHECK_INT(sum_of(s, &status), 12);
    CHECK_INT(status, 0);
    caw_stream_destroy(s);
    s = caw_stream_take(CAW_GENERATOR_NEW(doubled, .source = CAW_GENERATOR_NEW(count, .until = 100)), 3);
    CHECK_INT(sum_of(s, &status), 6);
    caw_stream_destroy(s);
    CHECK_INT(numbers_alive + kids_alive, 0);
}

static void
item_without_memory_ends_the_generator(void)
{
    count frame;
    caw_stream *s = CAW_GENERATOR_CALL(&frame, count, .until = 4);
    CHECK_INT(caw__yield_begin(&frame.generator, NULL, NULL, NULL), CAW_ENOMEM);
    caw_stream_destroy(s);
}

TESTS(TEST(items_come_in_order_with_and_without_awaits_between),
      TEST(generator_in_the_callers_memory_and_an_alloced_one_give_the_same),
      TEST(generator_that_is_cancelled_or_destroyed_anywhere_ends_once),
      TEST(item_of_a_cancelled_generator_is_destroyed_and_the_final_part_goes_on),
      TEST(generator_takes_items_of_another_and_is_mapped_merged_and_cut_short),
      TEST(item_without_memory_ends_the_generator))
