/* result.c: what a ready future ends its coroutine with: the value, or the exception that fits its status. */
#include "python/coroutine/result.h"

#include "python/base/errors.h"
#include "python/coroutine/grace.h"
#include "python/coroutine/poll.h"
#include "python/framework/asyncio.h"
#include "python/framework/detect.h"
#include "python/framework/trio.h"

static const char *
result_operation_name(const caw_py_spec *spec, const caw_future *future)
{
    return spec->name ? spec->name : future->ops->name;
}

static bool
result_is_in_trio(const caw__coroutine *c)
{
    PyObject *loop = NULL;
    bool in_trio = caw__framework_running(caw__coroutine_state_of(c), &c->waiter, &loop) == &caw__trio;
    caw__forget_raised();
    Py_XDECREF(loop);
    return in_trio;
}

/* The native side cancelled the operation by itself. trio has no exception for that: Cancelled is its own to raise, and
 * nobody there takes asyncio's, which is not imported for it either. */
CAW__APART static void
result_cancelled(const caw__coroutine *c, caw_future *future)
{
    const caw_py_spec *spec = c->function->spec;
    if (spec->error) {
        spec->error(future, future->status);
    }
    PyObject *raised = caw__take_raised();
    /* This looks for asyncio, so it comes first: the error function may have imported that just now. */
    bool in_trio = result_is_in_trio(c);
    bool is_asyncios = raised ? caw__is_cancellation(caw__coroutine_state_of(c), raised) : !spec->error;
    if (in_trio && is_asyncios) {
        Py_XDECREF(raised);
        PyErr_Format(PyExc_RuntimeError, "the operation was cancelled (%s)", caw_error_name(future->status));
    }
    else if (raised) {
        caw__raise(raised);
    }
    else if (!spec->error) {
        (void)caw_py_set_error(future->status);
    }
}

CAW__APART static PyObject *
result_error(caw__coroutine *c, caw_future *future)
{
    const caw_py_spec *spec = c->function->spec;
    if (future->status == CAW_EPYTHON && PyErr_Occurred()) {
        return NULL; /* the poll has left it */
    }
    PyObject *raised = caw__poll_noted(c, future->status) ? caw__poll_take_noted(c) : NULL;
    if (raised) {
        caw__raise(raised);
    }
    else if (future->status == CAW_ECANCELED) {
        result_cancelled(c, future);
    }
    else if (spec->error && future->status < 0) {
        spec->error(future, future->status);
    }
    else {
        caw__set_error_of(result_operation_name(spec, future), future->status);
    }
    if (!PyErr_Occurred()) {
        PyErr_Format(PyExc_SystemError, "the error function of '%s' set no exception for status %d",
                     result_operation_name(spec, future), future->status);
    }
    return NULL;
}

/* The result function broke its contract: say so, with what it had set as the cause. */
CAW__SLOW static PyObject *
result_bad_result(const caw_py_spec *spec, caw_future *future, PyObject *value)
{
    PyObject *cause = caw__take_raised();
    PyErr_Format(PyExc_SystemError, "the result function of '%s' returned %s", result_operation_name(spec, future),
                 value ? "a value with an exception set" : "NULL without an exception");
    if (cause) {
        PyObject *error = caw__take_raised();
        PyException_SetCause(error, cause);
        caw__raise(error);
    }
    Py_XDECREF(value);
    return NULL;
}

PyObject *
caw__result(caw__coroutine *c, caw_future *future)
{
    const caw_py_spec *spec = c->function->spec;
    if (future->status != 0) {
        return result_error(c, future);
    }
    if (!spec->result) {
        return Py_NewRef(Py_None);
    }
    PyObject *value = spec->result(future);
    if (!value != caw__has_raised(PyThreadState_Get())) {
        return result_bad_result(spec, future, value);
    }
    return value;
}

/* Raise the cancellation that the operation had the time to end after: an exception that was thrown in, or what trio
 * gave to raise it by. Takes the reference. */
static PyObject *
result_raise(PyObject *pending)
{
    if (PyExceptionInstance_Check(pending)) {
        caw__raise(pending);
        return NULL;
    }
    Py_XDECREF(PyObject_CallNoArgs(pending));
    if (!PyErr_Occurred()) {
        PyErr_SetString(PyExc_SystemError, "raise_cancel raised nothing");
    }
    Py_DECREF(pending);
    return NULL;
}

bool
caw__result_is_due(caw__coroutine *c)
{
    PyObject *pending = c->extras ? c->extras->pending : NULL;
    if (!pending || !caw__grace_is_over(c)) {
        return false;
    }
    c->extras->pending = NULL;
    (void)result_raise(pending);
    return true;
}

CAW__APART PyObject *
caw__result_of_cancelled(caw__coroutine *c, caw_future *future)
{
    PyObject *pending = c->extras->pending;
    c->extras->pending = NULL;
    bool is_interrupt = PyErr_GivenExceptionMatches(pending, PyExc_KeyboardInterrupt);
    if (!c->function->spec->keep_value || future->status != 0 || is_interrupt) {
        return result_raise(pending);
    }
    PyObject *value = caw__result(c, future);
    Py_DECREF(pending);
    return value;
}
