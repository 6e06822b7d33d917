/* give_up.h: a future that is given up after so many polls, in each way that there is. */
#ifndef CAWAIT_TEST_GIVE_UP_H
#define CAWAIT_TEST_GIVE_UP_H

#include "place.h"

enum { GIVE_UP_DESTROY, GIVE_UP_CANCEL, GIVE_UP_BOTH, GIVE_UP_WAYS };

/* Poll it n times, turning the reactor in between; then give it up, and check that no clone of its waker is left. One
 * that was cancelled has to be woken, and to be ready at the next poll. Returns its status if it was cancelled or ended
 * before; CAW_PENDING if it was destroyed while it was pending. */
static inline int
give_up(caw_future *f, caw_reactor *r, int polls, int way)
{
    counter c = {0, 0};
    int status = 0;
    bool ready = false;
    for (int i = 0; i < polls && !ready; i++) {
        ready = poll_at(f, r, &c) == CAW_READY;
        if (!ready) {
            CHECK(caw_reactor_turn(r, MILLISECOND) >= 0);
        }
    }
    if (!ready && way != GIVE_UP_DESTROY) {
        caw_future_cancel(f);
        CHECK(polls == 0 || c.wakes > 0);
        ready = way == GIVE_UP_CANCEL;
        if (ready) {
            CHECK(poll_at(f, r, &c) == CAW_READY);
        }
    }
    status = ready ? f->status : 0;
    caw_future_destroy(f);
    CHECK_INT(c.references, 0);
    return status;
}

#endif
