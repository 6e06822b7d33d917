/* test_signals.c: deliveries of signals as streams. */
#include "support/signals.h"
#include "support/threads.h"

static void
signal_wakes_the_poller_and_is_an_item(void)
{
    counter c = {0, 0};
    caw_stream *s = begin(SIGUSR1, &c);
    for (int i = 1; i <= 3; i++) {
        CHECK_INT(raise(SIGUSR1), 0);
        wait_for_wakes(&c, i);
        CHECK_INT(next_count(s, &c, SIGUSR1), 1);
        CHECK(is_pending(s, &c));
    }
    caw_stream_destroy(s);
    no_clone_is_left(&c);
}

static void
signals_between_two_polls_are_one_item_with_their_count(void)
{
    counter c = {0, 0};
    caw_stream *s = begin(SIGUSR1, &c);
    for (int i = 0; i < 1000; i++) {
        CHECK_INT(raise(SIGUSR1), 0);
    }
    CHECK_INT(next_count(s, &c, SIGUSR1), 1000);
    CHECK(is_pending(s, &c));
    caw_stream_destroy(s);
    no_clone_is_left(&c);
}

static void
each_of_many_streams_is_given_each_delivery(void)
{
    enum { N = 200 };
    counter c = {0, 0}, other = {0, 0};
    caw_stream *s[N], *usr2 = begin(SIGUSR2, &other);
    for (int i = 0; i < N; i++) {
        s[i] = begin(SIGUSR1, &c);
    }
    CHECK_INT(raise(SIGUSR1), 0);
    wait_for_wakes(&c, N);
    for (int i = 0; i < N; i++) {
        CHECK_INT(next_count(s[i], &c, SIGUSR1), 1);
        caw_stream_destroy(s[i]);
    }
    CHECK(is_pending(usr2, &other));
    CHECK_INT(other.wakes, 0);
    CHECK_INT(raise(SIGUSR2), 0);
    wait_for_wakes(&other, 1);
    CHECK_INT(next_count(usr2, &other, SIGUSR2), 1);
    caw_stream_destroy(usr2);
    no_clone_is_left(&c);
    no_clone_is_left(&other);
}

static void
former_handler_is_away_during_the_streams_and_back_after_the_last(void)
{
    counter c = {0, 0};
    former_calls = 0;
    set_handler(SIGUSR1, former_handler);
    caw_stream *unpolled = caw_signal(SIGUSR1);
    CHECK(handler_of(SIGUSR1) == former_handler);
    caw_stream *s = begin(SIGUSR1, &c), *t = begin(SIGUSR1, &c);
    CHECK_INT(raise(SIGUSR1), 0);
    CHECK_INT(former_calls, 0);
    caw_stream_destroy(s);
    CHECK(handler_of(SIGUSR1) != former_handler);
    caw_stream_destroy(t);
    CHECK(handler_of(SIGUSR1) == former_handler);
    caw_stream_destroy(unpolled);
    CHECK_INT(raise(SIGUSR1), 0);
    CHECK_INT(former_calls, 1);
    s = begin(SIGUSR1, &c); /* and again */
    CHECK(handler_of(SIGUSR1) != former_handler);
    caw_stream_cancel(s);
    CHECK(handler_of(SIGUSR1) == former_handler);
    CHECK_INT(end_of(s, &c), CAW_ECANCELED);
    caw_stream_destroy(s);
    set_handler(SIGUSR1, SIG_DFL);
    no_clone_is_left(&c);
}

static void
handler_that_somebody_sets_meanwhile_stays(void)
{
    counter c = {0, 0};
    former_calls = 0;
    caw_stream *s = begin(SIGUSR1, &c);
    void (*ours)(int) = handler_of(SIGUSR1);
    set_handler(SIGUSR1, former_handler);
    CHECK_INT(raise(SIGUSR1), 0);
    CHECK_INT(former_calls, 1);
    CHECK(is_pending(s, &c));
    caw_stream *t = begin(SIGUSR1, &c); /* both are given it again */
    CHECK(handler_of(SIGUSR1) == ours);
    CHECK_INT(raise(SIGUSR1), 0);
    CHECK_INT(next_count(s, &c, SIGUSR1), 1);
    CHECK_INT(next_count(t, &c, SIGUSR1), 1);
    set_handler(SIGUSR1, SIG_IGN);
    caw_stream_destroy(s);
    caw_stream_destroy(t);
    CHECK(handler_of(SIGUSR1) == SIG_IGN);
    set_handler(SIGUSR1, ours); /* by somebody who had put it aside: it passes the signal on */
    CHECK_INT(raise(SIGUSR1), 0);
    wait_for_former(2);
    CHECK(handler_of(SIGUSR1) == former_handler);
    set_handler(SIGUSR1, SIG_DFL);
    no_clone_is_left(&c);
}

static void
signals_that_cannot_be_caught_are_EINVAL(void)
{
    counter c = {0, 0};
    const int numbers[] = {0, -1, 65, 1000, SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        caw_stream *s = caw_signal(numbers[i]);
        CHECK_INT(end_of(s, &c), CAW_EINVAL);
        caw_stream_destroy(s);
    }
    no_clone_is_left(&c);
}

static void
cancel_before_the_first_poll_between_and_while_pending_ends_it(void)
{
    for (int polls = 0; polls < 4; polls++) {
        counter c = {0, 0};
        caw_stream *s = caw_signal(SIGUSR1);
        for (int i = 0; i < polls; i++) {
            if (i == 2) {
                CHECK_INT(raise(SIGUSR1), 0);
                CHECK_INT(next_count(s, &c, SIGUSR1), 1);
            }
            else {
                CHECK(is_pending(s, &c));
            }
        }
        int wakes = c.wakes;
        caw_stream_cancel(s);
        CHECK(polls == 0 || polls == 3 || c.wakes == wakes + 1);
        CHECK(handler_of(SIGUSR1) == SIG_DFL);
        CHECK_INT(end_of(s, &c), CAW_ECANCELED);
        caw_stream_destroy(s);
        no_clone_is_left(&c);
    }
}

static void
latest_waker_is_the_one_that_is_woken(void)
{
    counter c = {0, 0}, d = {0, 0};
    caw_stream *s = begin(SIGUSR1, &c);
    CHECK(is_pending(s, &d));
    no_clone_is_left(&c);
    CHECK_INT(raise(SIGUSR1), 0);
    wait_for_wakes(&d, 1);
    CHECK_INT(c.wakes, 0);
    caw_stream_destroy(s);
    no_clone_is_left(&d);
}

/* --- with threads --- */

enum { RAISES = 3000 };

static void *
raise_many(void *user)
{
    (void)user;
    for (int i = 0; i < RAISES; i++) {
        CHECK_INT(pthread_kill(pthread_self(), SIGUSR1), 0); /* delivered before it returns */
    }
    return NULL;
}

static void
no_delivery_of_four_threads_is_lost_or_counted_twice(void)
{
    counter keep = {0, 0};
    caw_stream *kept = begin(SIGUSR1, &keep), *s = caw_signal(SIGUSR1);
    pthread_t threads[4];
    CHECK(is_pending(s, &keep));
    start_threads(threads, 4, raise_many, NULL);
    for (uint32_t got = 0; got < 4 * RAISES;) {
        caw_next_op next;
        caw_next_init(&next, s);
        CHECK_INT(caw_block_on(&next.future), 0); /* needs no reactor */
        got += CAW_CONTAINER_OF(next.item, const caw_signal_item, item)->count;
        CHECK(got <= 4 * RAISES);
        caw_future_destroy(&next.future);
    }
    join_threads(threads, 4);
    CHECK_INT(next_count(kept, &keep, SIGUSR1), 4 * RAISES);
    caw_stream_destroy(s);
    caw_stream_destroy(kept);
    no_clone_is_left(&keep);
}

static void *
begin_and_end(void *user)
{
    (void)user;
    counter c = {0, 0};
    for (int i = 0; i < 500; i++) {
        caw_stream *s = caw_signal(SIGUSR2);
        caw_item *item = NULL;
        (void)poll_next_at(s, NULL, &c, &item); /* another thread's signal may be there */
        caw_item_destroy(item);
        CHECK_INT(raise(SIGUSR2), 0);
        if (i % 2) {
            caw_stream_cancel(s);
        }
        caw_stream_destroy(s);
    }
    no_clone_is_left(&c);
    return NULL;
}

static void
streams_may_begin_and_end_in_many_threads_while_signals_come(void)
{
    pthread_t threads[4];
    former_calls = 0;
    set_handler(SIGUSR2, former_handler); /* not the default, which ends the process, for those in between */
    start_threads(threads, 4, begin_and_end, NULL);
    join_threads(threads, 4);
    CHECK(handler_of(SIGUSR2) == former_handler);
    set_handler(SIGUSR2, SIG_DFL);
}

TESTS(TEST(signal_wakes_the_poller_and_is_an_item), TEST(signals_between_two_polls_are_one_item_with_their_count),
      TEST(each_of_many_streams_is_given_each_delivery),
      TEST(former_handler_is_away_during_the_streams_and_back_after_the_last),
      TEST(handler_that_somebody_sets_meanwhile_stays), TEST(signals_that_cannot_be_caught_are_EINVAL),
      TEST(cancel_before_the_first_poll_between_and_while_pending_ends_it), TEST(latest_waker_is_the_one_that_is_woken),
      TEST(no_delivery_of_four_threads_is_lost_or_counted_twice),
      TEST(streams_may_begin_and_end_in_many_threads_while_signals_come))
