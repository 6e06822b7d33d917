/* block.c: the synchronous face of an operation. A coroutine is made for the future, and never awaited: it has what
 * cancels, results and tracebacks need. The thread polls the future as block_on.c does, and releases the GIL while it
 * sleeps.
 *
 * Python runs signal handlers in the main thread, and only when that asks for it. A condition is not interrupted by a
 * signal, and the signal may have come to another thread; so the main thread wakes now and then to ask.
 */
#include "python/coroutine/block.h"

#include "python/base/errors.h"
#include "python/base/python_code.h"
#include "python/coroutine/cancel.h"
#include "python/coroutine/coroutine.h"
#include "python/coroutine/end.h"
#include "python/coroutine/poll.h"
#include "python/coroutine/result.h"
#include "python/framework/detect.h"

#include "core/base/block.h"
#include "core/os/clock.h"

#define BLOCK_ASK_NS UINT64_C(20000000) /* how often the main thread asks for signals */

typedef struct block_call {
    caw__poll_blocking place;
    caw_context cx;
    caw__coroutine *c;
    bool in_main;         /* of threads: the one that runs signal handlers */
    bool asleep;          /* caw__block_sleep was called */
    uint64_t grace_until; /* it was interrupted, and is waited for until then */
} block_call;

/* --- what comes before --- */

/* False with an exception: a loop runs here. */
static bool
block_is_allowed(const caw__function *function)
{
    PyObject *loop = NULL;
    if (caw__framework_running(function->state, NULL, &loop)) {
        Py_DECREF(loop);
        PyErr_Format(PyExc_RuntimeError, "%U() would block the event loop that runs in this thread",
                     function->qualname);
        return false;
    }
    if (!PyErr_ExceptionMatches(PyExc_RuntimeError)) {
        return false;
    }
    PyErr_Clear(); /* none runs */
    return true;
}

/* Whether this thread runs signal handlers, or it is not known. Never raises. */
static bool
block_is_in_main(void)
{
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
        return false;
    }
    PyObject *thread = caw__call_imported("threading", "main_thread");
    PyObject *ident = thread ? PyObject_GetAttrString(thread, "ident") : NULL;
    bool is_main = !ident || PyLong_AsUnsignedLong(ident) == PyThread_get_thread_ident();
    Py_XDECREF(ident);
    Py_XDECREF(thread);
    caw__forget_raised();
    return is_main;
}

/* --- waiting --- */

/* What was noted in the poll stays with the coroutine. */
static void
block_leave_notes(caw__poll_place *place)
{
    if (place->has_after && place->is_entered) {
        caw__notes_leave(&place->notes);
    }
    place->has_after = false;
}

static caw_poll
block_poll(block_call *b)
{
    caw__coroutine *c = b->c;
    caw__poll_place *place = &b->place.place;
    if (!c->function->spec->poll_without_gil) {
        caw_poll poll = caw_future_poll(c->future, &b->cx);
        block_leave_notes(place);
        return poll;
    }
    place->released = caw__gil_released = PyEval_SaveThread();
    caw_poll poll = caw_future_poll(c->future, &b->cx);
    caw__gil_take(place->released);
    place->released = NULL;
    block_leave_notes(place);
    return poll;
}

/* Until a wake, or for a while: 0, CAW_ETIMEDOUT, or an error. */
static int
block_sleep(block_call *b)
{
    uint64_t deadline = b->in_main ? caw__now_ns() + BLOCK_ASK_NS : CAW__NO_DEADLINE;
    deadline = deadline < b->grace_until ? deadline : b->grace_until;
    PyThreadState *released = PyEval_SaveThread();
    int error = b->asleep ? caw__block_sleep_on() : caw__block_sleep("caw_py_block_on", b->cx.waker);
    b->asleep = b->asleep || error == 0;
    error = error ? error : caw__sleeper_sleep(b->place.sleeper, deadline);
    PyEval_RestoreThread(released);
    return error;
}

/* A signal handler has raised: the future is cancelled by its policy. False: nobody waits for its end. Takes the
 * exception out, and keeps it. */
static bool
block_interrupted(block_call *b)
{
    caw__coroutine *c = b->c;
    PyObject *raised = caw__take_raised();
    caw__coroutine_on_throw(c, raised);
    bool waits = caw__coroutine_waits_for_end(c);
    if (!waits || !caw__coroutine_extras_get(c)) {
        PyErr_Clear();
        caw__raise(raised);
        return false;
    }
    if (caw__coroutine_policy(c) == CAW_PY_CANCEL_WAIT) {
        uint64_t grace_ns = c->function->spec->cancel_grace_ns, now = caw__now_ns();
        b->grace_until = grace_ns && grace_ns < CAW__NO_DEADLINE - now ? now + grace_ns : CAW__NO_DEADLINE;
        caw__coroutine_send_cancel(c);
    }
    Py_XSETREF(c->extras->pending, raised);
    return true;
}

static bool
block_grace_is_over(const block_call *b)
{
    return b->grace_until != CAW__NO_DEADLINE && caw__now_ns() >= b->grace_until;
}

/* What interrupted it is raised now. */
static void
block_raise_pending(caw__coroutine *c)
{
    PyObject *pending = c->extras->pending;
    c->extras->pending = NULL;
    caw__raise(pending);
}

/* It is pending: warn where nobody can wake it. False with an exception where warnings are errors. */
static bool
block_check(const block_call *b)
{
#ifndef NDEBUG
    if (caw__sleeper_is_lost(b->place.sleeper)) {
        return PyErr_WarnFormat(PyExc_RuntimeWarning, 1,
                                "%U() waits for '%s', which is pending although nobody has a clone of its waker, so "
                                "nothing will wake it",
                                b->c->function->qualname, b->c->future->ops->name) == 0;
    }
#else
    (void)b;
#endif
    return true;
}

/* Poll until it is ready. False with an exception: it is not. */
static bool
block_wait(block_call *b)
{
    while (block_poll(b) == CAW_PENDING) {
        if (!block_check(b)) {
            return false;
        }
        int error = CAW_ETIMEDOUT;
        while (error == CAW_ETIMEDOUT) {
            error = block_sleep(b);
            if (PyErr_CheckSignals() < 0) {
                if (!block_interrupted(b)) {
                    return false;
                }
                error = error < 0 && error != CAW_ETIMEDOUT ? error : 0; /* a cancel may need a poll */
            }
            if (error == CAW_ETIMEDOUT && block_grace_is_over(b)) {
                block_raise_pending(b->c);
                return false;
            }
        }
        if (error < 0) {
            caw_py_set_error(error);
            return false;
        }
    }
    return true;
}

/* --- its end --- */

/* The value of the future, which is ready; or NULL with its exception, or with what interrupted it meanwhile. */
static PyObject *
block_result(caw__coroutine *c)
{
    c->waiter.ended = true;
    if (!c->extras || !c->extras->pending) {
        return caw__result(c, c->future);
    }
    block_raise_pending(c);
    return NULL;
}

static PyObject *
block_run(block_call *b)
{
    caw__coroutine *c = b->c;
    c->waiter.running = c->waiter.polled = true;
    PyObject *result = block_wait(b) ? block_result(c) : NULL;
    if (result) {
        caw__coroutine_abandon(c);
    }
    else {
        (void)caw__coroutine_fail(c, &result);
    }
    c->waiter.running = false;
    return result;
}

PyObject *
caw__block_on(caw__function *function, caw_future *future, PyObject *self)
{
    if (!block_is_allowed(function)) {
        caw__future_drop(future);
        return NULL;
    }
    caw__coroutine *c = (caw__coroutine *)caw__coroutine_new(function, future, self, PyThreadState_Get());
    if (!c) {
        return NULL;
    }
    c->waiter.silent = true;
    caw__sleeper *sleeper = caw__sleeper_new();
    PyObject *result = NULL;
    if (sleeper) {
        block_call b = {.place = {{.state = function->state, .coroutine = c}, sleeper}, .c = c};
        b.grace_until = CAW__NO_DEADLINE;
        b.cx = (caw_context){caw__sleeper_waker(sleeper), &caw__poll_blocking_host, &b.place.place};
        b.in_main = block_is_in_main();
        result = block_run(&b);
        if (b.asleep) {
            caw__block_go_on();
        }
        caw__sleeper_end(sleeper, false);
    }
    else {
        PyErr_NoMemory();
    }
    Py_DECREF((PyObject *)c);
    return result;
}

#undef BLOCK_ASK_NS
