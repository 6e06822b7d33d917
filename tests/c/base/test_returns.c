/* test_returns.c: functions of an author's that return what they should not, wherever they are called. */
#include "support/items.h"
#include "support/mistakes.h"
#include "support/threads.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>

static int returned; /* what the function of this test returns */

/* --- functions that return a caw_poll --- */

static caw_poll
bad_poll(caw_future *f, caw_context *cx)
{
    (void)f;
    (void)cx;
    return (caw_poll)returned;
}

static void
nothing_to_destroy(caw_future *f)
{
    (void)f;
}

static const caw_future_ops bad_ops = {"test.bad", bad_poll, NULL, nothing_to_destroy};
static caw_future bad_future;

static caw_future *
bad(void)
{
    caw_future_init(&bad_future, &bad_ops);
    return &bad_future;
}

static int
polled(void)
{
    caw_future *f = bad();
    CHECK(poll_without_waker(f, NULL) == CAW_READY);
    return f->status;
}

static int
blocked_on(void)
{
    return caw_block_on(bad());
}

static int
spawned(void)
{
    caw_future *join = caw_spawn(NULL, bad());
    int status = caw_block_on(join);
    CHECK_INT(caw_spawn_child(join)->status, status);
    caw_future_destroy(join);
    return status;
}

typedef struct awaiting {
    caw_async async;
    int status;
} awaiting;

CAW_ASYNC_FUNCTION(awaiting)

static caw_step
awaiting_run(awaiting *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        CAW_AWAIT_REF_STATUS(self->status, bad());
        CAW_RETURN(self->status);
    }
}

static int
awaited(void)
{
    awaiting frame;
    caw_future *f = CAW_ASYNC_CALL(&frame, awaiting, .status = 0);
    CHECK(poll_without_waker(f, NULL) == CAW_READY);
    CHECK_INT(frame.status, f->status);
    CHECK_INT(bad_future.status, f->status);
    caw_future_destroy(f);
    return frame.status;
}

static caw_poll
bad_poll_next(caw_stream *s, caw_context *cx, caw_item **out)
{
    (void)s;
    (void)cx;
    (void)out; /* which nobody has written to */
    return (caw_poll)returned;
}

static void
no_stream_to_destroy(caw_stream *s)
{
    (void)s;
}

static const caw_stream_ops bad_stream_ops = {"test.bad", bad_poll_next, NULL, no_stream_to_destroy, NULL};
static caw_stream bad_stream;

static caw_stream *
bad_items(void)
{
    caw_stream_init(&bad_stream, &bad_stream_ops);
    return &bad_stream;
}

/* The status that a stream ends with at its first poll, and again as a future. Destroys it. */
static int
end_status(caw_stream *s)
{
    caw_next_op next;
    caw_next_init(&next, s);
    int status = caw_block_on(&next.future);
    CHECK(!next.item);
    CHECK_INT(s->status, status);
    caw_future_destroy(&next.future);
    caw_stream_destroy(s);
    return status;
}

static int
passed_on(void *user, caw_item *item, caw_item **out)
{
    (void)user;
    *out = item;
    return 0;
}

static int
iterated(void)
{
    return end_status(bad_items());
}

static int
iterated_through_map(void)
{
    return end_status(caw_stream_map(bad_items(), passed_on, NULL, NULL));
}

static int
iterated_through_take(void)
{
    return end_status(caw_stream_take(bad_items(), 3));
}

static int
iterated_through_chunk(void)
{
    return end_status(caw_stream_chunk(bad_items(), 3));
}

static int
iterated_through_merge(void)
{
    script other;
    caw_stream *both[] = {script_init(&other, "p"), bad_items()};
    return end_status(caw_stream_merge(both, 2));
}

static caw_poll
bad_poll_read(caw_reader *r, caw_context *cx, void *buffer, size_t size, size_t *out)
{
    (void)r, (void)cx, (void)buffer, (void)size, (void)out;
    return (caw_poll)returned;
}

static void
no_reader_to_destroy(caw_reader *r)
{
    (void)r;
}

static int
read_once(void)
{
    static const caw_reader_ops ops = {"test.bad", bad_poll_read, NULL, no_reader_to_destroy};
    caw_reader reader;
    caw_read_op read;
    char buffer[8];
    caw_reader_init(&reader, &ops);
    caw_read_init(&read, &reader, buffer, sizeof buffer);
    int status = caw_block_on(&read.future);
    CHECK_INT(read.length, 0);
    CHECK_INT(reader.status, status);
    return status;
}

static caw_poll
bad_poll_write(caw_writer *w, caw_context *cx, const void *buffer, size_t size, size_t *out)
{
    (void)w, (void)cx, (void)buffer, (void)size, (void)out;
    return (caw_poll)returned;
}

static caw_poll
bad_poll_close(caw_writer *w, caw_context *cx)
{
    (void)w, (void)cx;
    return (caw_poll)returned;
}

static void
no_writer_to_destroy(caw_writer *w)
{
    (void)w;
}

static const caw_writer_ops bad_writer_ops = {"test.bad", bad_poll_write, bad_poll_close, NULL, no_writer_to_destroy};

static int
written(void)
{
    caw_writer writer;
    caw_write_op write;
    caw_writer_init(&writer, &bad_writer_ops);
    caw_write_init(&write, &writer, "12345678", 8);
    int status = caw_block_on(&write.future);
    CHECK_INT(write.length, 0);
    CHECK_INT(writer.status, status);
    return status;
}

static int
closed(void)
{
    caw_writer writer;
    caw_close_op close;
    caw_writer_init(&writer, &bad_writer_ops);
    caw_close_init(&close, &writer);
    int status = caw_block_on(&close.future);
    CHECK_INT(writer.status, status);
    return status;
}

/* --- functions that return an int --- */

static int
bad_start(caw_promise *p)
{
    (void)p;
    return returned;
}

static void
nothing_to_free(caw_promise *p)
{
    (void)p;
}

static int
started(void)
{
    static const caw_promise_ops ops = CAW_PROMISE_OPS("test.bad", bad_start, nothing_to_free);
    caw_promise p;
    caw_promise_init(&p, &ops);
    int status = caw_block_on(&p.future);
    caw_future_destroy(&p.future);
    return status;
}

static int
bad_channel_start(caw_channel *channel, void *user)
{
    (void)channel;
    (void)user;
    return returned;
}

static int
channel_started(void)
{
    caw_channel_spec spec = {.capacity = 1, .start = bad_channel_start};
    caw_channel *channel;
    CHECK_INT(caw_channel_new(&spec, &channel), 0);
    return end_status(caw_channel_stream(channel));
}

static int
bad_map(void *user, caw_item *item, caw_item **out)
{
    (void)user;
    *out = item;
    return returned;
}

static int
mapped(void)
{
    script numbers;
    int status = end_status(caw_stream_map(script_init(&numbers, "iii"), bad_map, NULL, NULL));
    CHECK_INT(numbers.destroys, 1);
    return status;
}

static int
bad_run(caw_work *w)
{
    (void)w;
    return returned;
}

static int
worked(void)
{
    caw_work *w = malloc(sizeof *w);
    CHECK(w != NULL);
    caw_work_init(w, NULL, bad_run, NULL);
    int status = caw_block_on(&w->promise.future);
    caw_future_destroy(&w->promise.future);
    return status;
}

static int
bad_call(void *arg)
{
    (void)arg;
    return returned;
}

static int
called_blocking(void)
{
    caw_future *f = caw_blocking(NULL, bad_call, NULL, NULL);
    int status = caw_block_on(f);
    caw_future_destroy(f);
    return status;
}

static const struct way {
    int (*status)(void);
    const char *said;
    bool is_poll; /* 1 is CAW_READY */
} ways[] = {
    {polled, "the poll function of 'test.bad' returned", true},
    {blocked_on, "the poll function of 'test.bad' returned", true},
    {spawned, "the poll function of 'test.bad' returned", true},
    {awaited, "the poll function of 'test.bad' returned", true},
    {iterated, "the poll_next function of 'test.bad' returned", true},
    {iterated_through_map, "the poll_next function of 'test.bad' returned", true},
    {iterated_through_take, "the poll_next function of 'test.bad' returned", true},
    {iterated_through_chunk, "the poll_next function of 'test.bad' returned", true},
    {iterated_through_merge, "the poll_next function of 'test.bad' returned", true},
    {read_once, "the poll_read function of 'test.bad' returned", true},
    {written, "the poll_write function of 'test.bad' returned", true},
    {closed, "the poll_close function of 'test.bad' returned", true},
    {started, "the start function of 'test.bad' returned", false},
    {channel_started, "the start function of 'channel' returned", false},
    {mapped, "the map function of 'map' returned", false},
    {worked, "the run function of 'blocking' returned", false},
    {called_blocking, "the run function of 'blocking' returned", false},
};

#define N_WAYS (sizeof ways / sizeof *ways)

/* In a child, as none of them may have threads before the others fork. */
static void
ends_with_what_is_returned(void *arg)
{
    CHECK_INT(((const struct way *)arg)->status(), returned);
}

static void
error_that_is_returned_is_the_status(void)
{
    static const int errors[] = {-1, -ENOMEM, CAW_EINVAL, CAW_ECLOSED, CAW_EFAILED, -9999, INT_MIN};
    for (size_t i = 0; i < N_WAYS * (sizeof errors / sizeof *errors); i++) {
        returned = errors[i / N_WAYS];
        mistake m = mistake_of(ends_with_what_is_returned, (void *)&ways[i % N_WAYS]);
        CHECK(!m.aborted);
        CHECK(strcmp(m.said, "") == 0);
    }
}

static void
ends_with_einval(void *arg)
{
    CHECK_INT(((const struct way *)arg)->status(), CAW_EINVAL);
}

static void
what_is_neither_poll_nor_status_aborts_by_name_or_is_einval(void)
{
    static const int others[] = {1, 2, 7, ENOMEM, INT_MAX};
    for (size_t i = 0; i < N_WAYS * (sizeof others / sizeof *others); i++) {
        const struct way *way = &ways[i % N_WAYS];
        returned = others[i / N_WAYS];
        if (returned == CAW_READY && way->is_poll) {
            continue;
        }
        mistake m = mistake_of(ends_with_einval, (void *)way);
        CHECK_INT(m.aborted, mistakes_abort);
        char text[128];
        (void)snprintf(text, sizeof text, "%s %d\n", way->said, returned);
        CHECK(!mistakes_abort || strstr(m.said, text) != NULL);
        CHECK(mistakes_abort || strcmp(m.said, "") == 0);
    }
}

/* --- a poll that says CAW_READY, and nothing else --- */

static void
ready_without_an_item_is_the_end(void)
{
    returned = CAW_READY;
    caw_item *item = number_new(1), *unset = item;
    caw_context cx = {CAW_WAKER_NONE, NULL, NULL};
    CHECK(caw_stream_poll_next(bad_items(), &cx, &unset) == CAW_READY);
    CHECK(!unset);
    caw_item_destroy(item);
    CHECK_INT(read_once(), 0);
}

/* --- take_ready --- */

static size_t
bad_take_ready(caw_stream *s, size_t most, caw_item **first)
{
    (void)s;
    (void)first;
    return returned < 0 ? (size_t)returned : most + (size_t)returned;
}

static const caw_stream_ops bad_taking_ops = {"test.bad", bad_poll_next, NULL, no_stream_to_destroy, bad_take_ready};

static void
takes_nothing(void *arg)
{
    (void)arg;
    caw_stream stream;
    caw_item *first = NULL;
    caw_stream_init(&stream, &bad_taking_ops);
    CHECK_INT(caw_stream_take_ready(&stream, 3, &first), 0);
    CHECK(!first);
}

static void
take_ready_of_more_than_most_aborts_or_takes_nothing(void)
{
    returned = 2;
    mistake m = mistake_of(takes_nothing, NULL);
    CHECK_INT(m.aborted, mistakes_abort);
    CHECK(!mistakes_abort || strstr(m.said, "the take_ready function of 'test.bad' returned 5\n") != NULL);
}

static void
take_ready_that_returns_an_error_leaves_it_to_the_next_poll(void)
{
    returned = -ENOMEM;
    CHECK(!mistake_of(takes_nothing, NULL).aborted);
}

TESTS(TEST(error_that_is_returned_is_the_status), TEST(what_is_neither_poll_nor_status_aborts_by_name_or_is_einval),
      TEST(ready_without_an_item_is_the_end), TEST(take_ready_of_more_than_most_aborts_or_takes_nothing),
      TEST(take_ready_that_returns_an_error_leaves_it_to_the_next_poll))
