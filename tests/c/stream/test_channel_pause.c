/* test_channel_pause.c: sources that cannot wait. They send only while they are not paused, and lose nothing: however
 * long `pause` and `resume` take, in whichever thread, and whatever the capacity. */
#include "support/items.h"
#include "support/threads.h"

#include <sched.h>
#include <time.h>

#if defined(__has_feature)
#  if __has_feature(thread_sanitizer)
#    define IS_SLOW
#  endif
#endif
#ifdef IS_SLOW
enum { ITEMS = 5000 };
#else
enum { ITEMS = 20000 };
#endif
enum { MOST_SENDERS = 4 };

/* A source: its threads look whether it is paused, and send. */
typedef struct source {
    caw_channel *channel;
    atomic_bool paused, stopped;
    int pause_us, resume_us;  /* how long the callbacks take */
    bool sets_late;           /* `pause` takes effect at its end, and `resume` at its beginning */
    int items;                /* of each thread */
    atomic_int inside, frees; /* callbacks that run; calls of `free` */
    atomic_int refused, sent; /* how many items */
} source;

static void
spend(int us)
{
    struct timespec now, end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_nsec += us * 1000L;
    end.tv_sec += end.tv_nsec / 1000000000L;
    end.tv_nsec %= 1000000000L;
    do {
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec < end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
}

static void
source_pause(void *user)
{
    source *s = user;
    CHECK_INT(atomic_fetch_add(&s->inside, 1), 0);
    if (!s->sets_late) {
        CHECK(!atomic_exchange(&s->paused, true));
    }
    spend(s->pause_us);
    if (s->sets_late) {
        CHECK(!atomic_exchange(&s->paused, true));
    }
    atomic_fetch_sub(&s->inside, 1);
}

static void
source_resume(void *user)
{
    source *s = user;
    CHECK_INT(atomic_fetch_add(&s->inside, 1), 0);
    if (s->sets_late) {
        CHECK(atomic_exchange(&s->paused, false));
    }
    spend(s->resume_us);
    if (!s->sets_late) {
        CHECK(atomic_exchange(&s->paused, false));
    }
    atomic_fetch_sub(&s->inside, 1);
}

static void
source_free(void *user)
{
    ((source *)user)->frees++;
}

typedef struct source_thread {
    source *source;
    int index;
} source_thread;

/* Sends each item once, while the source is not paused. An item that is refused is lost. */
static void *
source_main(void *user)
{
    const source_thread *t = user;
    source *s = t->source;
    for (int i = 0; i < s->items && !atomic_load(&s->stopped);) {
        if (atomic_load(&s->paused)) {
            sched_yield();
            continue;
        }
        caw_item *item = number_from(t->index, i++);
        int status = caw_channel_try_send(s->channel, item);
        if (status != 0) {
            caw_item_destroy(item);
        }
        if (status == CAW_ECLOSED) {
            break;
        }
        atomic_fetch_add(status == 0 ? &s->sent : &s->refused, 1);
    }
    caw_channel_release(s->channel);
    return NULL;
}

typedef struct flow {
    source source;
    source_thread senders[MOST_SENDERS];
    pthread_t threads[MOST_SENDERS];
    caw_stream *stream;
    int n;
} flow;

static void
flow_begin(flow *f, size_t capacity, int n)
{
    caw_channel_spec spec = {
        .capacity = capacity, .pause = source_pause, .resume = source_resume, .free = source_free, .user = &f->source};
    f->source.channel = channel_new(&spec, &f->stream);
    f->n = n;
    for (int i = 0; i < n; i++) {
        caw_channel_retain(f->source.channel);
        f->senders[i] = (source_thread){&f->source, i};
    }
    for (int i = 0; i < n; i++) {
        f->threads[i] = start_thread(source_main, &f->senders[i]);
    }
}

/* All items arrive, each once, in the order of its thread. */
static void
flow_receive_all(flow *f)
{
    int seen[MOST_SENDERS] = {0}, status, received = 0;
    for (caw_item *item; (item = wait_for_next(f->stream, &status)); received++) {
        const number *n = CAW_CONTAINER_OF(item, const number, item);
        CHECK_INT(n->value, seen[n->producer]++);
        caw_item_destroy(item);
    }
    CHECK_INT(status, 0);
    CHECK_INT(received, f->n * f->source.items);
    CHECK_INT(f->source.refused, 0);
}

static void
flow_end(flow *f, const counter *c)
{
    join_threads(f->threads, f->n);
    caw_stream_destroy(f->stream);
    CHECK_INT(f->source.frees, 1);
    nothing_is_left(c);
}

static const size_t capacities[] = {1, 2, 16, 1024};
static const int times[][2] = {{0, 0}, {0, 20}, {20, 0}, {5, 5}, {0, 300}, {300, 0}}; /* pause, resume, in us */

static void
run_flows(int n, int items)
{
    counter c = {0, 0};
    for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        for (size_t k = 0; k < 2 * sizeof times / sizeof *times; k++) {
            flow f = {.source = {.pause_us = times[k / 2][0], .resume_us = times[k / 2][1], .sets_late = k % 2 == 1}};
            f.source.items = times[k / 2][0] + times[k / 2][1] > 100 ? items / 20 : items;
            flow_begin(&f, capacities[i], n);
            caw_channel_release(f.source.channel);
            flow_receive_all(&f);
            flow_end(&f, &c);
        }
    }
}

static void
source_that_cannot_wait_loses_nothing(void)
{
    run_flows(1, ITEMS);
}

static void
source_of_four_threads_that_cannot_wait_loses_nothing(void)
{
    run_flows(MOST_SENDERS, ITEMS / 4);
}

/* --- the end, meanwhile --- */

static void
close_meanwhile_keeps_all_that_was_sent(void)
{
    counter c = {0, 0};
    for (int round = 0; round < 200; round++) {
        flow f = {.source = {.pause_us = round % 3 * 5, .resume_us = round % 2 * 20, .items = 1000000}};
        int status, received = 0;
        flow_begin(&f, capacities[round % 4], 1 + round % 2 * 3);
        for (caw_item *item; (item = wait_for_next(f.stream, &status)); received++) {
            caw_item_destroy(item);
            if (received == 10 * round) {
                CHECK(caw_channel_close(f.source.channel, -EPIPE));
                atomic_store(&f.source.stopped, true);
            }
        }
        CHECK_INT(status, -EPIPE);
        join_threads(f.threads, f.n);
        CHECK_INT(f.source.sent, received);
        CHECK_INT(f.source.refused, 0);
        caw_channel_release(f.source.channel);
        caw_stream_destroy(f.stream);
        CHECK_INT(f.source.frees, 1);
        nothing_is_left(&c);
    }
}

static void
consumer_that_goes_meanwhile_refuses_nothing_but_as_closed(void)
{
    counter c = {0, 0};
    for (int round = 0; round < 200; round++) {
        flow f = {.source = {.pause_us = round % 3 * 5, .resume_us = round % 2 * 20, .items = 1000000}};
        int status;
        flow_begin(&f, capacities[round % 4], 1 + round % 2 * 3);
        for (int received = 0; received < 10 * round; received++) {
            caw_item_destroy(wait_for_next(f.stream, &status));
        }
        caw_stream_cancel(f.stream);
        atomic_store(&f.source.stopped, true); /* it may be paused for ever */
        caw_channel_release(f.source.channel);
        CHECK_INT(f.source.refused, 0);
        flow_end(&f, &c);
    }
}

/* --- the bound --- */

/* A source that does not listen: it sends until it is refused. */
static void *
send_until_refused(void *user)
{
    source *s = user;
    while (send_number(s->channel, atomic_fetch_add(&s->sent, 1)) == 0) {
    }
    atomic_fetch_sub(&s->sent, 1);
    return NULL;
}

static void
source_that_goes_on_is_refused_after_one_item_more_of_each_thread(void)
{
    counter c = {0, 0};
    for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        source s = {.paused = false};
        caw_channel_spec spec = {.capacity = capacities[i], .pause = source_pause, .resume = source_resume, .user = &s};
        caw_stream *stream;
        s.channel = channel_new(&spec, &stream);
        (void)send_until_refused(&s);
        CHECK(s.paused);
        CHECK_INT(caw_channel_length(s.channel), capacities[i]); /* this thread made the call: it knows */
        for (size_t k = 1; k < 4; k++) {
            join_thread(start_thread(send_until_refused, &s));
            CHECK(caw_channel_length(s.channel) <= capacities[i] + k);
        }
        CHECK_INT(caw_channel_length(s.channel), s.sent);
        for (int k = 0; k < s.sent; k++) {
            CHECK_INT(next_number(stream, &c), k);
        }
        CHECK(!s.paused);
        end_channel(s.channel, stream, &c);
    }
}

/* A source that gives what it has at once, in `resume`: nobody can tell it to pause there. */
typedef struct burst {
    caw_channel *channel;
    int left, sent; /* to send, in one go; and how many went in */
    bool paused;
} burst;

static void
burst_pause(void *user)
{
    ((burst *)user)->paused = true;
}

static void
burst_resume(void *user)
{
    burst *b = user;
    b->paused = false;
    while (b->left > 0 && send_number(b->channel, b->sent) == 0) {
        b->left--;
        b->sent++;
    }
}

static void
burst_in_resume_loses_nothing_and_ends(void)
{
    counter c = {0, 0};
    for (size_t i = 0; i < 3; i++) {
        burst b = {.left = 0};
        caw_channel_spec spec = {.capacity = capacities[i], .pause = burst_pause, .resume = burst_resume, .user = &b};
        caw_stream *stream;
        b.channel = channel_new(&spec, &stream);
        for (; b.sent < (int)capacities[i]; b.sent++) {
            CHECK_INT(send_number(b.channel, b.sent), 0);
        }
        CHECK(b.paused);
        int received = 0;
        b.left = 500;
        for (; b.paused || received < b.sent; received++) {
            CHECK_INT(next_number(stream, &c), received);
        }
        CHECK_INT(b.left, 0);
        CHECK_INT(received, capacities[i] + 500);

        b.left = 1000000; /* it would never end */
        (void)send_number(b.channel, b.sent++);
        while (b.sent < received + (int)capacities[i]) {
            CHECK_INT(send_number(b.channel, b.sent++), 0);
        }
        while (b.left == 1000000) {
            CHECK_INT(next_number(stream, &c), received++);
        }
        CHECK(b.paused);
        CHECK(caw_channel_length(b.channel) == capacities[i] + 1024);
        end_channel(b.channel, stream, &c);
    }
}

/* --- with others that may wait --- */

typedef struct sleeper_args {
    caw_channel *channel;
    int items;
} sleeper_args;

static void *
send_and_sleep(void *user)
{
    sleeper_args *a = user;
    for (int i = 0; i < a->items; i++) {
        CHECK_INT(caw_channel_send(a->channel, number_from(1, i)), 0);
    }
    caw_channel_release(a->channel);
    return NULL;
}

static void
sends_that_wait_beside_it_do_not_have_it_refused(void)
{
    counter c = {0, 0};
    for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        flow f = {.source = {.resume_us = 5, .items = ITEMS / 4}};
        flow_begin(&f, capacities[i], 1);
        sleeper_args other = {f.source.channel, ITEMS / 4}; /* which takes the reference of this thread */
        pthread_t thread = start_thread(send_and_sleep, &other);
        int seen[2] = {0}, status;
        for (caw_item *item; (item = wait_for_next(f.stream, &status));) {
            const number *n = CAW_CONTAINER_OF(item, const number, item);
            CHECK_INT(n->value, seen[n->producer]++);
            caw_item_destroy(item);
        }
        CHECK_INT(seen[0], ITEMS / 4);
        CHECK_INT(seen[1], ITEMS / 4);
        CHECK_INT(f.source.refused, 0);
        join_thread(thread);
        flow_end(&f, &c);
    }
}

TESTS(TEST(source_that_cannot_wait_loses_nothing), TEST(source_of_four_threads_that_cannot_wait_loses_nothing),
      TEST(close_meanwhile_keeps_all_that_was_sent), TEST(consumer_that_goes_meanwhile_refuses_nothing_but_as_closed),
      TEST(source_that_goes_on_is_refused_after_one_item_more_of_each_thread),
      TEST(burst_in_resume_loses_nothing_and_ends), TEST(sends_that_wait_beside_it_do_not_have_it_refused))
