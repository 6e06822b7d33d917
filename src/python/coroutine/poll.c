/* poll.c: how a poll gets at the reactor of its loop, and what is noted of the Python awaitables in it. */
#include "python/coroutine/poll.h"

#include "python/framework/detect.h"
#include "python/loop/hub.h"
#include "python/loop/scope.h"

CAW__THREAD_LOCAL PyThreadState *caw__gil_released;

static caw_reactor *
poll_reactor(const caw_context *cx, int *error)
{
    caw__poll_place *place = cx->place;
    caw__gil_take(place->released);
    caw__hub *hub = caw__hub_current(place->state, &place->coroutine->waiter, error);
    caw_reactor *reactor = hub ? hub->inbox->reactor : NULL;
    if (!hub) {
        Py_XSETREF(place->raised, caw__take_raised());
    }
    caw__gil_give(place->released);
    return reactor;
}

const caw_host caw__poll_host = {"a Python coroutine", poll_reactor};

static caw_reactor *
poll_blocking_reactor(const caw_context *cx, int *error)
{
    return caw__sleeper_reactor(CAW_CONTAINER_OF(cx->place, caw__poll_blocking, place)->sleeper, error);
}

const caw_host caw__poll_blocking_host = {"a blocking call of Python", poll_blocking_reactor};

void
caw__poll_note(caw__coroutine *c, PyObject *exception, int status)
{
    if (caw__coroutine_extras_get(c)) {
        c->extras->noted_status = status;
        Py_XSETREF(c->extras->noted, Py_XNewRef(exception));
    }
    PyErr_Clear();
}

int
caw__poll_note_status(caw__coroutine *c, PyObject *exception)
{
    caw__state *state = caw__coroutine_state_of(c);
    int status = state && caw__is_cancellation_of_any(state, exception) ? CAW_ECANCELED : CAW_EPYTHON;
    caw__poll_note(c, exception, status);
    return status;
}

void
caw__poll_note_at(const caw_context *cx, caw_py_ref *error, int status)
{
    if (cx->host != &caw__poll_host && cx->host != &caw__poll_blocking_host) {
        caw__scope_note(error, status);
        return;
    }
    const caw__poll_place *place = cx->place;
    caw__gil_take(place->released);
    caw__poll_note((caw__coroutine *)place->coroutine, caw_py_ref_get(error), status);
    caw__gil_give(place->released);
}
