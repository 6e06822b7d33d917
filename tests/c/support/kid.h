/* kid.h: a child for async functions: pending for some polls, and counted. */
#ifndef CAWAIT_TEST_KID_H
#define CAWAIT_TEST_KID_H

#include "cawait/core.h"

#include "test.h"

/* How many there are; how many are polled at all; how many cancels came. */
static int kids_alive, kids_polled, kids_cancelled;

typedef struct kid {
    caw_future future;
    int pending; /* so many polls more */
    int status;
    bool was_polled, cancelled;
    bool wins; /* a cancel does not change how it ends */
} kid;

static inline caw_poll
kid_poll(caw_future *f, caw_context *cx)
{
    kid *k = CAW_CONTAINER_OF(f, kid, future);
    kids_polled += !k->was_polled;
    k->was_polled = true;
    if (k->pending > 0) {
        k->pending--;
        caw_waker_wake_by_ref(cx->waker);
        return CAW_PENDING;
    }
    return caw_future_finish(f, k->cancelled && !k->wins ? CAW_ECANCELED : k->status);
}

static inline void
kid_cancel(caw_future *f)
{
    kid *k = CAW_CONTAINER_OF(f, kid, future);
    CHECK(k->was_polled && !k->cancelled);
    k->cancelled = true;
    kids_cancelled++;
}

static inline void
kid_destroy(caw_future *f)
{
    kids_alive--;
    free(CAW_CONTAINER_OF(f, kid, future));
}

static const caw_future_ops kid_ops = {"kid", kid_poll, kid_cancel, kid_destroy};

static inline caw_future *
kid_from(kid image)
{
    kid *k = malloc(sizeof *k);
    CHECK(k);
    *k = image;
    caw_future_init(&k->future, &kid_ops);
    kids_alive++;
    return &k->future;
}

/* One that is pending for so many polls, and then has this status. */
#define KID(pending_, status_) kid_from((kid){.pending = (pending_), .status = (status_)})
/* One that has its status although it was cancelled. */
#define WINNING_KID(pending_, status_) kid_from((kid){.pending = (pending_), .status = (status_), .wins = true})

#endif
