/* items.h: items and streams for the tests: items that are counted, and a stream that follows a script. */
#ifndef CAWAIT_TEST_ITEMS_H
#define CAWAIT_TEST_ITEMS_H

#include "place.h"

typedef struct number {
    caw_item item;
    int value;
    int producer;
} number;

static atomic_int numbers_alive;

static inline void
number_destroy(caw_item *item)
{
    free(CAW_CONTAINER_OF(item, number, item));
    atomic_fetch_sub(&numbers_alive, 1);
}

static inline caw_item *
number_from(int producer, int value)
{
    number *n = malloc(sizeof *n);
    CHECK(n);
    *n = (number){.item = {.destroy = number_destroy}, .value = value, .producer = producer};
    atomic_fetch_add(&numbers_alive, 1);
    return &n->item;
}

static inline caw_item *
number_new(int value)
{
    return number_from(0, value);
}

static inline int
number_value(const caw_item *item)
{
    CHECK(item);
    return CAW_CONTAINER_OF(item, const number, item)->value;
}

/* Destroy the item and return its value. */
static inline int
number_take(caw_item *item)
{
    int value = number_value(item);
    caw_item_destroy(item);
    return value;
}

static inline caw_poll
poll_next_at(caw_stream *s, caw_reactor *r, counter *c, caw_item **out)
{
    caw_context cx = {{&counter_ops, c}, &place_host, r};
    return caw_stream_poll_next(s, &cx, out);
}

static inline bool
is_pending(caw_stream *s, counter *c)
{
    caw_item *item;
    return poll_next_at(s, NULL, c, &item) == CAW_PENDING;
}

/* Poll once: the next number. */
static inline int
next_number(caw_stream *s, counter *c)
{
    caw_item *item = NULL;
    CHECK(poll_next_at(s, NULL, c, &item) == CAW_READY);
    return number_take(item);
}

/* Check that it is a list of this many numbers, from this one on, and destroy them. */
static inline void
check_numbers(caw_item *first, size_t n, int value)
{
    for (size_t i = 0; i < n; i++) {
        CHECK(first);
        caw_item *next = first->next;
        CHECK_INT(number_take(first), value++);
        first = next;
    }
    CHECK(!first);
}

/* Poll once: the stream ends; its status. */
static inline int
end_of(caw_stream *s, counter *c)
{
    caw_item *item = NULL;
    CHECK(poll_next_at(s, NULL, c, &item) == CAW_READY);
    CHECK(!item);
    return s->status;
}

/* A stream that does one thing at each poll: i: gives the next number, from `value` on; p: is pending; y: is pending,
 * and woken before the poll returns; e: ends with -EIO; 0: ends with 0. After the last step it is pending for ever.
 * When it is cancelled it ends with CAW_ECANCELED. It lies in the test's memory. */
typedef struct script {
    caw_stream stream;
    const char *steps;
    int value;
    int polls, cancels, destroys;
    bool goes_on; /* items still come after cancel */
    caw_waker waker;
} script;

static inline script *
script_of(caw_stream *s)
{
    return CAW_CONTAINER_OF(s, script, stream);
}

static inline void
script_wake(script *s)
{
    wake_kept(&s->waker);
}

static inline caw_poll
script_poll_next(caw_stream *stream, caw_context *cx, caw_item **out)
{
    script *s = script_of(stream);
    CHECK_INT(s->destroys, 0);
    s->polls++;
    if (s->cancels && !(s->goes_on && *s->steps == 'i')) {
        return caw_stream_finish(stream, CAW_ECANCELED, out);
    }
    char step = *s->steps ? *s->steps++ : 'p';
    switch (step) {
    case 'i':
        *out = number_new(s->value++);
        return CAW_READY;
    case 'e':
        return caw_stream_finish(stream, -EIO, out);
    case '0':
        return caw_stream_finish(stream, 0, out);
    case 'y':
        caw_waker_wake_by_ref(cx->waker);
        break;
    default:
        keep_waker(&s->waker, cx->waker);
    }
    return CAW_PENDING;
}

static inline void
script_cancel(caw_stream *stream)
{
    script *s = script_of(stream);
    s->cancels++;
    script_wake(s);
}

static inline void
script_destroy(caw_stream *stream)
{
    script *s = script_of(stream);
    s->destroys++;
    caw_waker waker = s->waker;
    s->waker = CAW_WAKER_NONE;
    caw_waker_drop(waker);
}

static const caw_stream_ops script_ops = {"script", script_poll_next, script_cancel, script_destroy, NULL};
static const caw_stream_ops script_ops_without_cancel = {"script", script_poll_next, NULL, script_destroy, NULL};

static inline caw_stream *
script_init(script *s, const char *steps)
{
    *s = (script){.steps = steps};
    caw_stream_init(&s->stream, &script_ops);
    return &s->stream;
}

static inline caw_stream *
script_init_without_cancel(script *s, const char *steps)
{
    *s = (script){.steps = steps};
    caw_stream_init(&s->stream, &script_ops_without_cancel);
    return &s->stream;
}

/* A channel with both its ends. */
static inline caw_channel *
channel_new(const caw_channel_spec *spec, caw_stream **stream)
{
    caw_channel *channel;
    CHECK_INT(caw_channel_new(spec, &channel), 0);
    *stream = caw_channel_stream(channel);
    CHECK(*stream);
    return channel;
}

static inline caw_channel *
channel_of_size(size_t capacity, caw_stream **stream)
{
    caw_channel_spec spec = {.capacity = capacity};
    return channel_new(&spec, stream);
}

static inline int
send_number(caw_channel *channel, int value)
{
    caw_item *item = number_new(value);
    int status = caw_channel_try_send(channel, item);
    if (status != 0) {
        CHECK_INT(number_take(item), value); /* it was not taken */
    }
    return status;
}

/* The next item, or NULL at the end; waits for it. */
static inline caw_item *
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

/* Check that everything a test made is gone: its items, and the clones of its waker. */
static inline void
nothing_is_left(const counter *c)
{
    CHECK_INT(atomic_load(&numbers_alive), 0);
    CHECK_INT(c->references, 0);
}

static inline void
end_stream(caw_stream *s, const counter *c)
{
    caw_stream_destroy(s);
    nothing_is_left(c);
}

static inline void
end_channel(caw_channel *channel, caw_stream *s, const counter *c)
{
    caw_stream_destroy(s);
    caw_channel_release(channel);
    nothing_is_left(c);
}

#endif
