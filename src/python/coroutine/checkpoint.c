/* checkpoint.c: the two parts of a checkpoint of trio, around an operation. */
#include "python/coroutine/checkpoint.h"

#include "core/async/routine.h"
#include "python/coroutine/cancel.h"
#include "python/coroutine/end.h"
#include "python/coroutine/poll.h"
#include "python/framework/trio_api.h"

static void
checkpoint_drop(caw__coroutine *c)
{
    PyObject *before = c->extras->before, *awaiter = c->extras->awaiter;
    c->extras->before = c->extras->awaiter = NULL;
    Py_DECREF(awaiter);
    Py_DECREF(before);
}

void
caw__checkpoint_leave(caw__coroutine *c)
{
    PyObject *task, *before = c->extras ? c->extras->before : NULL;
    if (!before || c->waiter.running) {
        return;
    }
    if (caw__trio_task(caw__coroutine_state_of(c), &task) > 0 && task == c->extras->awaiter) {
        c->waiter.running = true;
        PyObject *closed = PyObject_CallMethod(before, "close", NULL);
        c->waiter.running = false;
        Py_XDECREF(closed);
        checkpoint_drop(c);
    }
    caw__forget_raised();
    Py_XDECREF(task);
}

PySendResult
caw__checkpoint_go_on(caw__coroutine *c, PyObject *sent, PyObject **result)
{
    Py_INCREF(c);
    c->waiter.running = true;
    PyObject *before = c->extras->before;
    PySendResult outcome = PyIter_Send(before, sent ? sent : Py_None, result);
    c->waiter.running = false;
    if (outcome == PYGEN_NEXT) {
        caw__coroutine_track(c);
        c->waiter.state = c->waiter.state == CORO_CLOSED ? CORO_CLOSED : CORO_SUSPENDED;
        c->waiter.woken = true;
    }
    else {
        checkpoint_drop(c);
        Py_CLEAR(*result);
        outcome = outcome == PYGEN_RETURN ? outcome : caw__coroutine_fail(c, result);
    }
    Py_DECREF(c);
    return outcome;
}

/* Whether its awaits are its checkpoints, as those of an `async def` are. */
static bool
checkpoint_is_inside(const caw__coroutine *c)
{
    caw_py_checkpoint chosen = c->function->spec->checkpoint;
    return chosen == CAW_PY_CHECKPOINT_INSIDE ||
           (chosen == CAW_PY_CHECKPOINT_DEFAULT && ((c->extras && c->extras->awaits) || caw__async_of(c->future)));
}

PySendResult
caw__checkpoint_begin(caw__state *state, caw__coroutine *c, PyObject *task, PyObject **result)
{
    if (checkpoint_is_inside(c)) {
        return PYGEN_RETURN;
    }
    c->waiter.checkpoint = true;
    if (caw__coroutine_policy(c) == CAW_PY_CANCEL_SHIELD && c->function->spec->checkpoint != CAW_PY_CHECKPOINT_BEFORE) {
        return PYGEN_RETURN; /* no cancel keeps it from beginning either */
    }
    PyObject *before = caw__trio_checkpoint_if_cancelled(state, task);
    if (before == Py_None) {
        Py_DECREF(before);
        return PYGEN_RETURN;
    }
    if (!before || !caw__coroutine_extras_get(c)) {
        Py_XDECREF(before);
        return caw__coroutine_fail(c, result);
    }
    c->extras->before = before;
    c->extras->awaiter = Py_NewRef(task);
    return caw__checkpoint_go_on(c, NULL, result);
}

PySendResult
caw__checkpoint_end(caw__state *state, caw__coroutine *c, PyObject **result)
{
    PyObject *raised = PyErr_Occurred() ? caw__take_raised() : NULL; /* the poll has left it: for the result */
    if (raised && !caw__coroutine_extras_get(c)) {
        Py_DECREF(raised);
        return caw__coroutine_fail(c, result);
    }
    if (raised) {
        caw__poll_note(c, raised, c->future->status);
        Py_DECREF(raised);
    }
    caw__coroutine_track(c);
    c->waiter.ended = true;
    c->waiter.state = CORO_SUSPENDED;
    c->waiter.woken = true;
    *result = caw__trio_schedule_point(state);
    return PYGEN_NEXT;
}
