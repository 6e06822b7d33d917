/* signals.h: signals in tests: a former handler that counts, and streams of deliveries. */
#ifndef CAWAIT_TEST_SIGNALS_H
#define CAWAIT_TEST_SIGNALS_H

#include "items.h"

#include <signal.h>

static atomic_int former_calls;

static inline void
former_handler(int signum)
{
    (void)signum;
    former_calls++;
}

/* A signal that was passed on is delivered again, under ThreadSanitizer a little later. */
static inline void
wait_for_former(int times)
{
    while (former_calls < times) {
        (void)usleep(100);
    }
    CHECK_INT(former_calls, times);
}

static inline void
set_handler(int signum, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler};
    CHECK_INT(sigaction(signum, &action, NULL), 0);
}

static inline void (*handler_of(int signum))(int)
{
    struct sigaction action;
    CHECK_INT(sigaction(signum, NULL, &action), 0);
    return action.sa_handler;
}

/* Begin: the first poll. */
static inline caw_stream *
begin(int signum, counter *c)
{
    caw_stream *s = caw_signal(signum);
    CHECK(s);
    CHECK(is_pending(s, c));
    return s;
}

static inline void
wait_for_wakes(counter *c, int wakes)
{
    while (c->wakes < wakes) {
        (void)usleep(100);
    }
}

/* One that the library's thread has taken, to wake it, may still be out. */
static inline void
no_clone_is_left(counter *c)
{
    while (c->references > 0) {
        (void)usleep(100);
    }
    CHECK_INT(c->references, 0);
}

/* Poll once: an item; its count. */
static inline uint32_t
next_count(caw_stream *s, counter *c, int signum)
{
    caw_item *item = NULL;
    CHECK(poll_next_at(s, NULL, c, &item) == CAW_READY);
    CHECK(item);
    const caw_signal_item *signal_item = CAW_CONTAINER_OF(item, const caw_signal_item, item);
    CHECK_INT(signal_item->number, signum);
    uint32_t count = signal_item->count;
    caw_item_destroy(item);
    return count;
}

#endif
