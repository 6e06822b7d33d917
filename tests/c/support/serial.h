/* serial.h: serials for tests, with counts of what they call. */
#ifndef CAWAIT_TEST_SERIAL_H
#define CAWAIT_TEST_SERIAL_H

#include "gate.h"
#include "place.h"

/* What its calls and functions see: of the thread of a serial, but for the interrupts. */
struct seen {
    pthread_t thread; /* true once there was a call */
    atomic_int calls, inside, interrupts, interrupting, ends, freed;
    int at_end; /* what at_end returns */
};

static inline void
seen_interrupt(void *user)
{
    struct seen *seen = user;
    atomic_fetch_add(&seen->interrupts, 1);
    atomic_fetch_add(&seen->interrupting, 1);
    (void)usleep(10);
    atomic_fetch_sub(&seen->interrupting, 1);
}

/* Whatever runs on the thread begins: nothing else does, and it is that thread. */
static inline void
seen_begin(struct seen *seen)
{
    CHECK_INT(atomic_fetch_add(&seen->inside, 1), 0);
    CHECK_INT(seen->ends, 0);
    if (seen->calls == 0) {
        seen->thread = pthread_self();
    }
    CHECK(pthread_equal(seen->thread, pthread_self()));
    atomic_fetch_add(&seen->calls, 1);
}

static inline int
seen_end(struct seen *seen)
{
    CHECK_INT(atomic_fetch_sub(&seen->inside, 1), 1);
    return -3;
}

/* A call. */
static inline int
seen_call(void *user)
{
    seen_begin(user);
    return seen_end(user);
}

static inline int
seen_at_end(void *user)
{
    struct seen *seen = user;
    int status = seen->at_end;
    CHECK_INT(seen->inside, 0);
    CHECK_INT(seen->interrupting, 0);
    CHECK(seen->calls == 0 || pthread_equal(seen->thread, pthread_self()));
    CHECK_INT(atomic_fetch_add(&seen->ends, 1), 0); /* from here on the test may end */
    return status;
}

static inline void
seen_free(void *user)
{
    atomic_fetch_add(&((struct seen *)user)->freed, 1);
}

static inline caw_serial *
new_serial(const caw_serial_spec *spec)
{
    caw_serial *serial;
    CHECK_INT(caw_serial_new(spec, &serial), 0);
    return serial;
}

static inline caw_serial *
serial_of_capacity(struct seen *seen, size_t capacity)
{
    caw_serial_spec spec = {.capacity = capacity, .interrupt = seen_interrupt, .at_end = seen_at_end, .user = seen};
    return new_serial(&spec);
}

static inline caw_serial *
serial_that_refuses(struct seen *seen, size_t capacity)
{
    caw_serial_spec spec = {.capacity = capacity, .refuses = true, .at_end = seen_at_end, .user = seen};
    return new_serial(&spec);
}

/* A call, polled once: it is pending. */
static inline caw_future *
pending(caw_future *f)
{
    CHECK(f);
    CHECK(poll_without_waker(f, NULL) == CAW_PENDING);
    return f;
}

/* A call that counts, queued. */
static inline caw_future *
queued(caw_serial *serial, struct seen *seen)
{
    return pending(caw_blocking(serial, seen_call, seen, seen_free));
}

/* The call that waits at the gate, running. */
static inline caw_future *
busy(caw_serial *serial, struct gate *gate)
{
    caw_future *f = pending(caw_blocking(serial, wait_at_gate, gate, NULL));
    wait_until_at_gate(gate, 1);
    return f;
}

/* Wait for its end, and destroy it. */
static inline int
ended(caw_future *f)
{
    int status = caw_block_on(f);
    caw_future_destroy(f);
    return status;
}

/* Close it, and release it. */
static inline void
end_serial(caw_serial *serial, struct seen *seen)
{
    CHECK_INT(ended(caw_serial_close(serial)), seen->at_end);
    CHECK_INT(seen->ends, 1);
    caw_pool_release(serial);
}

#endif
