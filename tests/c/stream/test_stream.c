/* test_stream.c: the next item, boxes, and the streams around one other stream. */
#include "support/items.h"

/* --- the next item as a future; boxes --- */

static void
next_gives_each_item_and_the_status_at_the_end(void)
{
    counter c = {0, 0};
    script s;
    caw_next_op next;
    script_init(&s, "ipe");
    caw_next_init(&next, &s.stream);
    CHECK_INT(status_at(&next.future, NULL, &c), 0);
    CHECK_INT(number_take(next.item), 0);
    next.item = NULL;
    caw_future_destroy(&next.future);
    caw_next_init(&next, &s.stream);
    CHECK(poll_at(&next.future, NULL, &c) == CAW_PENDING);
    script_wake(&s);
    CHECK_INT(status_at(&next.future, NULL, &c), -EIO);
    CHECK(!next.item);
    caw_future_destroy(&next.future);
    CHECK_INT(s.destroys, 0); /* borrowed */
    nothing_is_left(&c);
}

static void
next_destroys_an_item_that_nobody_took(void)
{
    counter c = {0, 0};
    script s;
    caw_next_op next;
    caw_next_init(&next, script_init(&s, "i"));
    CHECK(poll_at(&next.future, NULL, &c) == CAW_READY);
    CHECK_INT(numbers_alive, 1);
    caw_future_destroy(&next.future);
    nothing_is_left(&c);
}

static void
next_has_the_cancel_of_its_stream(void)
{
    counter c = {0, 0};
    script s;
    caw_next_op next;
    caw_next_init(&next, script_init_without_cancel(&s, "p"));
    CHECK(!next.future.ops->cancel);
    caw_next_init(&next, script_init(&s, "p"));
    CHECK(poll_at(&next.future, NULL, &c) == CAW_PENDING);
    caw_future_cancel(&next.future);
    CHECK_INT(s.cancels, 1);
    CHECK_INT(status_at(&next.future, NULL, &c), CAW_ECANCELED);
    caw_future_destroy(&next.future);
    nothing_is_left(&c);
}

static int freed;

static void
count_free(void *value)
{
    CHECK(value == &freed);
    freed++;
}

static void
box_holds_a_pointer_and_frees_it_once(void)
{
    freed = 0;
    caw_item *item = caw_box_new(&freed, count_free);
    CHECK(item);
    CHECK(caw_box_value(item) == &freed);
    caw_item_destroy(item);
    CHECK_INT(freed, 1);
    caw_item_destroy(caw_box_new(NULL, NULL));
    caw_item_destroy(NULL);
}

/* --- map --- */

/* A function for map: doubles numbers and leaves out odd ones. At `fails_at` it fails, and may leave an item in
 * *out. */
typedef struct rule {
    int fails_at;
    bool leaves_one;
    int frees;
} rule;

static int
double_the_even(void *user, caw_item *item, caw_item **out)
{
    rule *r = user;
    int value = number_take(item);
    if (value == r->fails_at) {
        *out = r->leaves_one ? number_new(1) : NULL;
        return -EPROTO;
    }
    *out = value % 2 ? NULL : number_new(2 * value);
    return 0;
}

static int
same_item(void *user, caw_item *item, caw_item **out)
{
    (void)user;
    *out = item;
    return 0;
}

static void
rule_free(void *user)
{
    ((rule *)user)->frees++;
}

static void
map_gives_what_the_function_makes_and_leaves_out_what_it_does_not(void)
{
    counter c = {0, 0};
    script s;
    rule r = {.fails_at = -1};
    caw_stream *mapped = caw_stream_map(script_init(&s, "iiipii0"), double_the_even, &r, rule_free);
    CHECK_INT(next_number(mapped, &c), 0);
    CHECK_INT(next_number(mapped, &c), 4);
    CHECK(is_pending(mapped, &c));
    script_wake(&s);
    CHECK_INT(c.wakes, 1);
    CHECK_INT(next_number(mapped, &c), 8);
    CHECK_INT(end_of(mapped, &c), 0);
    CHECK_INT(s.destroys, 1);
    CHECK_INT(r.frees, 0);
    caw_stream_destroy(mapped);
    CHECK_INT(r.frees, 1);
    CHECK_INT(s.cancels, 0);
    nothing_is_left(&c);
}

static void
map_may_give_the_same_item_and_needs_no_free(void)
{
    counter c = {0, 0};
    script s;
    caw_stream *mapped = caw_stream_map(script_init(&s, "iie"), same_item, NULL, NULL);
    CHECK_INT(next_number(mapped, &c), 0);
    CHECK_INT(next_number(mapped, &c), 1);
    CHECK_INT(end_of(mapped, &c), -EIO);
    end_stream(mapped, &c);
}

static void
map_that_fails_ends_the_stream_with_its_error(void)
{
    counter c = {0, 0};
    for (int leaves = 0; leaves < 2; leaves++) {
        script s;
        rule r = {.fails_at = 2, .leaves_one = leaves};
        caw_stream *mapped = caw_stream_map(script_init(&s, "iiii"), double_the_even, &r, rule_free);
        CHECK_INT(next_number(mapped, &c), 0);
        CHECK_INT(end_of(mapped, &c), -EPROTO);
        CHECK_INT(s.cancels, 1);
        CHECK_INT(s.destroys, 1);
        caw_stream_destroy(mapped);
        CHECK_INT(r.frees, 1);
        nothing_is_left(&c);
    }
}

static int
leave_out(void *user, caw_item *item, caw_item **out)
{
    (void)user;
    caw_item_destroy(item);
    *out = NULL;
    return 0;
}

/* Each poll does a part of the work and wakes itself. */
static void
thousand_polls_are_not_one(caw_stream *outer, script *s)
{
    counter c = {0, 0};
    int polls = 0;
    for (; s->polls <= 1000; polls++) {
        CHECK_INT(c.wakes, polls);
        CHECK(is_pending(outer, &c));
    }
    CHECK(polls > 3);
    end_stream(outer, &c);
}

static void
map_and_chunk_that_give_nothing_for_long_let_others_run(void)
{
    char steps[1001];
    memset(steps, 'i', 1000);
    steps[1000] = '\0';
    script s;
    thousand_polls_are_not_one(caw_stream_map(script_init(&s, steps), leave_out, NULL, NULL), &s);
    thousand_polls_are_not_one(caw_stream_chunk(script_init(&s, steps), 1001), &s);
}

/* --- take --- */

static void
take_ends_after_n_and_lets_go_of_the_rest_with_the_last(void)
{
    counter c = {0, 0};
    script s;
    caw_stream *taken = caw_stream_take(script_init(&s, "iiii"), 2);
    CHECK_INT(next_number(taken, &c), 0);
    CHECK_INT(s.cancels, 0);
    CHECK_INT(next_number(taken, &c), 1);
    CHECK_INT(s.cancels, 1);
    CHECK_INT(s.destroys, 1);
    caw_stream_cancel(taken); /* the stream below is gone */
    CHECK_INT(end_of(taken, &c), 0);
    CHECK_INT(s.polls, 2);
    end_stream(taken, &c);
}

static void
take_of_more_than_there_is_ends_as_the_stream_does(void)
{
    counter c = {0, 0};
    script s;
    caw_stream *taken = caw_stream_take(script_init(&s, "ipe"), 5);
    CHECK_INT(next_number(taken, &c), 0);
    CHECK(is_pending(taken, &c));
    CHECK_INT(end_of(taken, &c), -EIO);
    CHECK_INT(s.cancels, 0);
    caw_stream_destroy(taken);
    CHECK_INT(s.destroys, 1);
    nothing_is_left(&c);
}

static void
take_passes_on_a_list_of_what_is_there_and_ends_after_n(void)
{
    counter c = {0, 0};
    caw_stream *s;
    caw_item *first;
    caw_channel *channel = channel_of_size(8, &s);
    caw_stream *taken = caw_stream_take(s, 4);
    for (int i = 0; i < 8; i++) {
        CHECK_INT(send_number(channel, i), 0);
    }
    CHECK_INT(next_number(taken, &c), 0);
    CHECK_INT(caw_stream_take_ready(taken, 1, &first), 1);
    check_numbers(first, 1, 1);
    CHECK_INT(caw_stream_take_ready(taken, 8, &first), 2);
    check_numbers(first, 2, 2);
    CHECK_INT(send_number(channel, 8), CAW_ECLOSED); /* the stream below is gone */
    CHECK_INT(caw_stream_take_ready(taken, 8, &first), 0);
    CHECK_INT(end_of(taken, &c), 0);
    caw_stream_destroy(taken);
    caw_channel_release(channel);
    nothing_is_left(&c);
}

static void
stream_that_cannot_say_what_is_there_gives_no_list(void)
{
    counter c = {0, 0};
    script s;
    caw_item *first;
    caw_stream *taken = caw_stream_take(script_init(&s, "iii"), 3);
    CHECK_INT(caw_stream_take_ready(&s.stream, 3, &first), 0);
    CHECK_INT(caw_stream_take_ready(taken, 3, &first), 0);
    CHECK_INT(next_number(taken, &c), 0);
    CHECK_INT(caw_stream_take_ready(taken, 3, &first), 0);
    caw_stream_destroy(taken);
    nothing_is_left(&c);
}

static void
take_of_none_ends_without_a_poll(void)
{
    counter c = {0, 0};
    script s;
    caw_stream *taken = caw_stream_take(script_init(&s, "i"), 0);
    CHECK_INT(end_of(taken, &c), 0);
    CHECK_INT(s.polls, 0);
    CHECK_INT(s.destroys, 1);
    end_stream(taken, &c);
}

static void
take_that_was_cancelled_does_not_ask_again_with_the_last(void)
{
    counter c = {0, 0};
    script s;
    caw_stream *taken = caw_stream_take(script_init(&s, "ii"), 1);
    s.goes_on = true;
    caw_stream_cancel(taken);
    CHECK_INT(next_number(taken, &c), 0);
    CHECK_INT(s.cancels, 1);
    end_stream(taken, &c);
}

/* --- chunk --- */

/* The length of the next group, which begins with this number. */
static size_t
next_group(caw_stream *s, counter *c, int first)
{
    caw_item *item = NULL;
    CHECK(poll_next_at(s, NULL, c, &item) == CAW_READY);
    CHECK(item);
    const caw_chunk_item *items = CAW_CONTAINER_OF(item, const caw_chunk_item, item);
    size_t length = 0;
    for (const caw_item *each = items->first; each; each = each->next) {
        CHECK_INT(number_value(each), first + (int)length++);
    }
    CHECK_INT(items->length, length);
    caw_item_destroy(item);
    return length;
}

static void
chunk_groups_and_the_last_may_have_fewer(void)
{
    counter c = {0, 0};
    script s;
    caw_stream *chunks = caw_stream_chunk(script_init(&s, "iiipii0"), 2);
    CHECK_INT(next_group(chunks, &c, 0), 2);
    CHECK(is_pending(chunks, &c)); /* keeps the one that it has */
    CHECK_INT(next_group(chunks, &c, 2), 2);
    CHECK_INT(next_group(chunks, &c, 4), 1);
    CHECK_INT(end_of(chunks, &c), 0);
    caw_stream_destroy(chunks);
    CHECK_INT(s.destroys, 1);
    nothing_is_left(&c);
}

static void
chunk_of_nothing_is_nothing(void)
{
    counter c = {0, 0};
    script s;
    caw_stream *chunks = caw_stream_chunk(script_init(&s, "0"), 3);
    CHECK_INT(end_of(chunks, &c), 0);
    end_stream(chunks, &c);
}

static void
chunk_gives_what_came_before_an_error(void)
{
    counter c = {0, 0};
    script s;
    caw_stream *chunks = caw_stream_chunk(script_init(&s, "iie"), 3);
    CHECK_INT(next_group(chunks, &c, 0), 2);
    CHECK_INT(end_of(chunks, &c), -EIO);
    end_stream(chunks, &c);
}

static void
chunk_of_none_is_refused_at_the_first_poll(void)
{
    counter c = {0, 0};
    script s;
    caw_stream *chunks = caw_stream_chunk(script_init(&s, "i"), 0);
    CHECK(chunks);
    CHECK_INT(end_of(chunks, &c), CAW_EINVAL);
    CHECK_INT(s.polls, 0);
    caw_stream_destroy(chunks);
    CHECK_INT(s.destroys, 1);
    nothing_is_left(&c);
}

static void
items_of_a_group_may_be_taken(void)
{
    counter c = {0, 0};
    script s;
    caw_item *item;
    caw_stream *chunks = caw_stream_chunk(script_init(&s, "ii"), 2);
    CHECK(poll_next_at(chunks, NULL, &c, &item) == CAW_READY);
    caw_chunk_item *items = CAW_CONTAINER_OF(item, caw_chunk_item, item);
    caw_item *first = items->first;
    items->first = NULL;
    caw_item_destroy(item);
    CHECK_INT(numbers_alive, 2);
    caw_item *second = first->next;
    CHECK_INT(number_take(first), 0);
    CHECK_INT(number_take(second), 1);
    end_stream(chunks, &c);
}

/* --- all of them --- */

enum { KINDS = 3 };

static caw_stream *
around_of_kind(int kind, caw_stream *s, rule *r)
{
    return kind == 0   ? caw_stream_map(s, double_the_even, r, rule_free)
           : kind == 1 ? caw_stream_take(s, 10)
                       : caw_stream_chunk(s, 10);
}

static void
cancel_reaches_the_stream_below_once(void)
{
    counter c = {0, 0};
    for (int kind = 0; kind < KINDS; kind++) {
        script s;
        rule r = {.fails_at = -1};
        caw_stream *outer = around_of_kind(kind, script_init(&s, "p"), &r);
        c.wakes = 0;
        CHECK(is_pending(outer, &c));
        caw_stream_cancel(outer);
        CHECK_INT(c.wakes, 1);
        CHECK_INT(end_of(outer, &c), CAW_ECANCELED);
        CHECK_INT(s.cancels, 1);
        caw_stream_destroy(outer);
        CHECK_INT(s.destroys, 1);
        outer = around_of_kind(kind, script_init(&s, "i"), &r);
        caw_stream_cancel(outer); /* before the first poll */
        CHECK_INT(end_of(outer, &c), CAW_ECANCELED);
        end_stream(outer, &c);
    }
}

static void
cancel_is_there_only_where_the_stream_below_has_one(void)
{
    for (int kind = 0; kind < KINDS; kind++) {
        script s;
        rule r = {.fails_at = -1};
        caw_stream *outer = around_of_kind(kind, script_init_without_cancel(&s, "p"), &r);
        CHECK(!outer->ops->cancel);
        caw_stream_destroy(outer);
        outer = around_of_kind(kind, script_init(&s, "p"), &r);
        CHECK(outer->ops->cancel);
        caw_stream_destroy(outer);
        CHECK_INT(s.destroys, 1);
        CHECK_INT(r.frees, kind == 0 ? 2 : 0);
    }
}

static void
destroy_in_the_middle_leaves_nothing(void)
{
    counter c = {0, 0};
    for (int kind = 0; kind < KINDS; kind++) {
        for (int polls = 0; polls < 4; polls++) {
            script s;
            rule r = {.fails_at = -1};
            caw_stream *outer = around_of_kind(kind, script_init(&s, "iipip"), &r);
            for (int i = 0; i < polls; i++) {
                caw_item *item;
                if (poll_next_at(outer, NULL, &c, &item) == CAW_READY) {
                    caw_item_destroy(item);
                }
            }
            caw_stream_destroy(outer);
            CHECK_INT(s.destroys, 1);
            nothing_is_left(&c);
        }
    }
}

static void
missing_stream_gives_NULL_and_user_is_freed(void)
{
    rule r = {.fails_at = -1};
    for (int kind = 0; kind < KINDS; kind++) {
        CHECK(!around_of_kind(kind, NULL, &r));
    }
    CHECK_INT(r.frees, 1);
    caw_stream_destroy(NULL);
}

TESTS(TEST(next_gives_each_item_and_the_status_at_the_end), TEST(next_destroys_an_item_that_nobody_took),
      TEST(next_has_the_cancel_of_its_stream), TEST(box_holds_a_pointer_and_frees_it_once),
      TEST(map_gives_what_the_function_makes_and_leaves_out_what_it_does_not),
      TEST(map_may_give_the_same_item_and_needs_no_free), TEST(map_that_fails_ends_the_stream_with_its_error),
      TEST(map_and_chunk_that_give_nothing_for_long_let_others_run),
      TEST(take_ends_after_n_and_lets_go_of_the_rest_with_the_last),
      TEST(take_of_more_than_there_is_ends_as_the_stream_does), TEST(take_of_none_ends_without_a_poll),
      TEST(take_passes_on_a_list_of_what_is_there_and_ends_after_n),
      TEST(stream_that_cannot_say_what_is_there_gives_no_list),
      TEST(take_that_was_cancelled_does_not_ask_again_with_the_last), TEST(chunk_groups_and_the_last_may_have_fewer),
      TEST(chunk_of_nothing_is_nothing), TEST(chunk_gives_what_came_before_an_error),
      TEST(chunk_of_none_is_refused_at_the_first_poll), TEST(items_of_a_group_may_be_taken),
      TEST(cancel_reaches_the_stream_below_once), TEST(cancel_is_there_only_where_the_stream_below_has_one),
      TEST(destroy_in_the_middle_leaves_nothing), TEST(missing_stream_gives_NULL_and_user_is_freed))
