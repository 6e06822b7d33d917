/* grace.c: the clock that a cancelled operation is waited for by. */
#include "python/coroutine/grace.h"

#include "python/loop/hub.h"

static caw_reactor *
grace_reactor(const caw_context *cx, int *error)
{
    (void)error;
    return cx->place;
}

static const caw_host grace_host = {"a grace period", grace_reactor};

/* Whether the clock has run down, or its loop is closed. */
static bool
grace_poll(caw__coroutine *c, caw_reactor *reactor)
{
    caw_context cx = {.waker = caw__wake_target_waker(c->waiter.target), .host = &grace_host, .place = reactor};
    return caw_future_poll(c->extras->grace, &cx) == CAW_READY;
}

void
caw__grace_begin(caw__coroutine *c)
{
    uint64_t grace_ns = c->function->spec->cancel_grace_ns;
    const caw__hub *hub = grace_ns ? caw__hub_of(&c->waiter) : NULL;
    if (!hub || (c->extras && c->extras->grace)) {
        return;
    }
    if (!caw__coroutine_extras_get(c)) {
        PyErr_Clear();
        return;
    }
    c->extras->grace = caw_sleep(grace_ns);
    if (c->extras->grace && grace_poll(c, hub->inbox->reactor)) {
        caw__grace_end(c); /* the reactor is closed, or has no memory */
    }
}

bool
caw__grace_is_over(caw__coroutine *c)
{
    const caw__hub *hub = caw__hub_of(&c->waiter);
    return c->extras && c->extras->grace && hub && grace_poll(c, hub->inbox->reactor);
}

void
caw__grace_end(caw__coroutine *c)
{
    caw_future *grace = c->extras ? c->extras->grace : NULL;
    if (grace) {
        c->extras->grace = NULL;
        caw_future_destroy(grace);
    }
}
