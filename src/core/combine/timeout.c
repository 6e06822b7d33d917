/* timeout.c: a future with a time limit: a race of it with a sleep (many.c), which the sleep cannot win for good.
 *
 * The child is polled before the sleep begins. So one that is ready at once needs no timer.
 */
#include "cawait/reactor.h"

#include "core/combine/many.h"

enum { TIMEOUT_CHILD, TIMEOUT_SLEEP, TIMEOUT_CHILDREN };

static void
timeout_sleep_ended(caw__many *m)
{
    int status = m->children[TIMEOUT_SLEEP].future->status;
    if (!m->combined.cancelled) { /* else it was the cancel that ended it */
        caw__many_decide(m, status == 0 ? CAW_ETIMEDOUT : status, NULL);
    }
}

static void
timeout_ended(caw__many *m, size_t i)
{
    if (i == TIMEOUT_SLEEP) {
        timeout_sleep_ended(m);
        return;
    }
    int status = m->children[TIMEOUT_CHILD].future->status;
    caw__many_drop(m, TIMEOUT_SLEEP);
    if (status >= 0) {
        caw__many_decide(m, status, NULL);
    }
    else if (!m->decided && !m->combined.cancelled) {
        caw__many_decide(m, status, caw__noted(status));
    }
}

static int
timeout_status(const caw__many *m)
{
    return m->decided ? m->status : CAW_ECANCELED;
}

static const caw__many_kind timeout_kind = {
    CAW__MANY_OPS("timeout", caw__combined_cancel), CAW__MANY_OPS("timeout", NULL), 1, timeout_ended, timeout_status,
};
static const caw__many_kind deadline_kind = {
    CAW__MANY_OPS("deadline", caw__combined_cancel), CAW__MANY_OPS("deadline", NULL), 1, timeout_ended, timeout_status,
};

static caw_future *
timeout_new(const caw__many_kind *kind, caw_future *child, caw_future *sleep)
{
    caw_future *const children[TIMEOUT_CHILDREN] = {child, sleep};
    return caw__many_new(kind, children, TIMEOUT_CHILDREN);
}

caw_future *
caw_timeout(uint64_t duration_ns, caw_future *child)
{
    return timeout_new(&timeout_kind, child, caw_sleep(duration_ns));
}

caw_future *
caw_deadline(uint64_t when_ns, caw_future *child)
{
    return timeout_new(&deadline_kind, child, caw_sleep_until(when_ns));
}
