/* test_channel_callbacks.c: when a channel calls the functions of its spec. */
#include "support/items.h"

/* The calls of the callbacks: one letter for each. */
typedef struct calls {
    char text[64];
    caw_channel *channel; /* resume fills it again */
    int sent;
} calls;

static void
calls_add(void *user, char letter)
{
    calls *c = user;
    size_t length = strlen(c->text);
    CHECK(length + 1 < sizeof c->text);
    c->text[length] = letter;
}

static void
on_pause(void *user)
{
    calls_add(user, 'p');
}

static void
on_resume(void *user)
{
    calls_add(user, 'r');
}

static void
on_cancel(void *user)
{
    calls_add(user, 'c');
}

static void
on_free(void *user)
{
    calls_add(user, 'f');
}

static void
capacity_and_marks_that_make_no_sense_are_refused(void)
{
    const caw_channel_spec bad[] = {
        {.capacity = 0},
        {.capacity = 4, .high = 5, .low = 1},
        {.capacity = 4, .high = 2, .low = 2},
        {.capacity = 4, .high = 2, .low = 3},
        {.capacity = 4, .high = 0, .low = 1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        calls seen = {.sent = 0};
        caw_channel_spec spec = bad[i];
        spec.free = on_free;
        spec.user = &seen;
        caw_channel *channel;
        CHECK_INT(caw_channel_new(&spec, &channel), CAW_EINVAL);
        CHECK(!channel);
        CHECK(strcmp(seen.text, "f") == 0); /* `user` is taken, and freed */
    }
}

static void
pause_and_resume_take_turns_at_their_marks(void)
{
    counter c = {0, 0};
    calls seen = {.sent = 0};
    caw_channel_spec spec = {.capacity = 5, .high = 4, .low = 1, .pause = on_pause, .resume = on_resume, .user = &seen};
    caw_stream *s;
    caw_channel *channel = channel_new(&spec, &s);
    for (int round = 0; round < 3; round++) {
        memset(seen.text, 0, sizeof seen.text);
        for (int i = 0; i < 5; i++) {
            CHECK(strcmp(seen.text, i < 4 ? "" : "p") == 0);
            CHECK_INT(send_number(channel, i), 0);
        }
        CHECK_INT(send_number(channel, 5), -EAGAIN);
        for (int i = 0; i < 5; i++) {
            CHECK(strcmp(seen.text, i < 4 ? "p" : "pr") == 0);
            CHECK_INT(next_number(s, &c), i);
        }
    }
    end_channel(channel, s, &c);
}

static void
marks_that_are_not_given_are_the_capacity_and_half_of_it(void)
{
    counter c = {0, 0};
    calls seen = {.sent = 0};
    caw_channel_spec spec = {.capacity = 4, .pause = on_pause, .resume = on_resume, .user = &seen};
    caw_stream *s;
    caw_channel *channel = channel_new(&spec, &s);
    for (int i = 0; i < 4; i++) {
        CHECK(strcmp(seen.text, "") == 0);
        CHECK_INT(send_number(channel, i), 0);
    }
    CHECK(strcmp(seen.text, "p") == 0);
    CHECK_INT(next_number(s, &c), 0);
    CHECK(strcmp(seen.text, "p") == 0);
    CHECK_INT(next_number(s, &c), 1);
    CHECK(strcmp(seen.text, "pr") == 0);
    end_channel(channel, s, &c);
}

static int
send_next(calls *seen)
{
    int status = send_number(seen->channel, seen->sent++); /* a callback may send the next one meanwhile */
    seen->sent -= status < 0;
    return status;
}

static void
refill(void *user)
{
    calls *seen = user;
    calls_add(user, 'r');
    while (seen->sent < 20 && send_next(seen) == 0) {
    }
}

static void
pause_sends(void *user)
{
    calls_add(user, 'p');
    CHECK_INT(send_next(user), 0); /* it has not been told yet */
}

static void
callbacks_may_send(void)
{
    counter c = {0, 0};
    calls seen = {.sent = 0};
    caw_channel_spec spec = {.capacity = 4, .pause = pause_sends, .resume = refill, .user = &seen};
    caw_stream *s;
    caw_channel *channel = channel_new(&spec, &s);
    seen.channel = channel;
    refill(&seen);
    for (int i = 0; i < seen.sent; i++) {
        CHECK_INT(next_number(s, &c), i);
    }
    CHECK(seen.sent >= 20);
    CHECK(is_pending(s, &c));
    for (size_t i = 0; seen.text[i]; i++) { /* r p r p ...: the first r is the test's own */
        CHECK_INT(seen.text[i], i % 2 ? 'p' : 'r');
    }
    CHECK_INT(seen.text[strlen(seen.text) - 1], 'r');
    end_channel(channel, s, &c);
}

static void
close_in_pause(void *user)
{
    calls *seen = user;
    calls_add(user, 'p');
    CHECK(caw_channel_close(seen->channel, -EPIPE));
}

static void
release_in_cancel(void *user)
{
    calls *seen = user;
    calls_add(user, 'c');
    caw_channel_release(seen->channel);
}

static void
callbacks_may_close_and_release(void)
{
    counter c = {0, 0};
    calls seen = {.sent = 0};
    caw_channel_spec spec = {
        .capacity = 1, .pause = close_in_pause, .cancel = release_in_cancel, .free = on_free, .user = &seen};
    caw_stream *s;
    seen.channel = channel_new(&spec, &s);
    CHECK_INT(send_number(seen.channel, 1), 0);
    CHECK_INT(next_number(s, &c), 1);
    CHECK_INT(end_of(s, &c), -EPIPE);
    caw_stream_destroy(s);
    caw_channel_release(seen.channel);
    CHECK(strcmp(seen.text, "pf") == 0);

    memset(&seen, 0, sizeof seen);
    seen.channel = channel_new(&spec, &s);
    caw_stream_destroy(s);
    CHECK(strcmp(seen.text, "cf") == 0);
    nothing_is_left(&c);
}

static void
cancel_is_told_once_and_free_last(void)
{
    counter c = {0, 0};
    calls seen = {.sent = 0};
    caw_channel_spec spec = {.capacity = 1, .cancel = on_cancel, .free = on_free, .user = &seen};
    caw_stream *s;
    caw_channel *channel = channel_new(&spec, &s);
    caw_stream_cancel(s);
    CHECK(strcmp(seen.text, "c") == 0);
    CHECK_INT(end_of(s, &c), CAW_ECANCELED);
    caw_stream_destroy(s);
    CHECK(strcmp(seen.text, "c") == 0);
    caw_channel_release(channel);
    CHECK(strcmp(seen.text, "cf") == 0);

    memset(&seen, 0, sizeof seen);
    channel = channel_new(&spec, &s);
    caw_stream_destroy(s); /* calls them as cancel does */
    CHECK(strcmp(seen.text, "c") == 0);
    caw_channel_release(channel);
    CHECK(strcmp(seen.text, "cf") == 0);
    nothing_is_left(&c);
}

static void
cancel_is_not_told_to_who_has_closed(void)
{
    counter c = {0, 0};
    calls seen = {.sent = 0};
    caw_channel_spec spec = {.capacity = 1, .cancel = on_cancel, .free = on_free, .user = &seen};
    caw_stream *s;
    caw_channel *channel = channel_new(&spec, &s);
    CHECK_INT(send_number(channel, 1), 0);
    caw_channel_release(channel);
    caw_stream_cancel(s);
    CHECK(strcmp(seen.text, "") == 0);
    caw_stream_destroy(s);
    CHECK(strcmp(seen.text, "f") == 0);
    nothing_is_left(&c);
}

static void
nobody_is_told_to_resume_after_the_consumer_is_gone(void)
{
    counter c = {0, 0};
    calls seen = {.sent = 0};
    caw_channel_spec spec = {
        .capacity = 1, .pause = on_pause, .resume = on_resume, .cancel = on_cancel, .free = on_free, .user = &seen};
    caw_stream *s;
    caw_channel *channel = channel_new(&spec, &s);
    CHECK_INT(send_number(channel, 1), 0);
    caw_stream_destroy(s);
    caw_channel_release(channel);
    CHECK(strcmp(seen.text, "pcf") == 0);
    nothing_is_left(&c);
}

static int
on_start(caw_channel *channel, void *user)
{
    calls *seen = user;
    calls_add(user, 's');
    if (seen->sent < 0) {
        return seen->sent;
    }
    CHECK_INT(send_number(channel, 7), 0);
    caw_channel_release(channel);
    return 0;
}

static caw_stream *
started_stream(calls *seen)
{
    caw_channel_spec spec = {.capacity = 2, .start = on_start, .cancel = on_cancel, .free = on_free, .user = seen};
    caw_stream *s;
    (void)channel_new(&spec, &s);
    return s;
}

static void
producer_starts_at_the_first_poll_and_has_the_reference(void)
{
    counter c = {0, 0};
    calls seen = {.sent = 0};
    caw_stream *s = started_stream(&seen);
    CHECK(strcmp(seen.text, "") == 0);
    CHECK_INT(next_number(s, &c), 7);
    CHECK_INT(end_of(s, &c), 0);
    caw_stream_destroy(s);
    CHECK(strcmp(seen.text, "sf") == 0);
    nothing_is_left(&c);
}

static void
producer_that_cannot_start_ends_the_stream_with_its_error(void)
{
    counter c = {0, 0};
    calls seen = {.sent = -EBUSY};
    caw_stream *s = started_stream(&seen);
    CHECK_INT(end_of(s, &c), -EBUSY);
    caw_stream_destroy(s);
    CHECK(strcmp(seen.text, "sf") == 0);
    nothing_is_left(&c);
}

static void
producer_of_a_stream_that_goes_before_its_first_poll_never_starts(void)
{
    for (int cancels = 0; cancels < 2; cancels++) {
        counter c = {0, 0};
        calls seen = {.sent = 0};
        caw_stream *s = started_stream(&seen);
        if (cancels) {
            caw_stream_cancel(s);
            CHECK_INT(end_of(s, &c), CAW_ECANCELED);
        }
        caw_stream_destroy(s);
        CHECK(strcmp(seen.text, "f") == 0);
        nothing_is_left(&c);
    }
}

TESTS(TEST(producer_starts_at_the_first_poll_and_has_the_reference),
      TEST(producer_that_cannot_start_ends_the_stream_with_its_error),
      TEST(producer_of_a_stream_that_goes_before_its_first_poll_never_starts),
      TEST(capacity_and_marks_that_make_no_sense_are_refused), TEST(pause_and_resume_take_turns_at_their_marks),
      TEST(marks_that_are_not_given_are_the_capacity_and_half_of_it), TEST(callbacks_may_send),
      TEST(callbacks_may_close_and_release), TEST(cancel_is_told_once_and_free_last),
      TEST(cancel_is_not_told_to_who_has_closed), TEST(nobody_is_told_to_resume_after_the_consumer_is_gone))
