/* outcome.c: see outcome.h. */
#include "python/outcome.h"

#include "python/raise.h"

static const char *
outcome_operation_name(const caw_py_spec *spec, const caw_future *future)
{
    return spec->name ? spec->name : future->ops->name;
}

CAW__APART static PyObject *
outcome_error(const caw__coroutine *c, caw_future *future)
{
    const caw_py_spec *spec = c->function->spec;
    if (spec->error && future->status < 0) {
        spec->error(future, future->status);
    }
    else {
        caw_py_set_error(future->status);
    }
    if (!PyErr_Occurred()) {
        PyErr_Format(PyExc_SystemError, "the error function of '%s' set no exception for status %d",
                     outcome_operation_name(spec, future), future->status);
    }
    return NULL;
}

/* The result function broke its contract: say so, with what it had set as the cause. */
CAW__SLOW static PyObject *
outcome_bad_result(const caw_py_spec *spec, caw_future *future, PyObject *value)
{
    PyObject *cause = caw__take_raised();
    PyErr_Format(PyExc_SystemError, "the result function of '%s' returned %s", outcome_operation_name(spec, future),
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
caw__outcome(const caw__coroutine *c, caw_future *future)
{
    const caw_py_spec *spec = c->function->spec;
    if (future->status != 0) {
        return outcome_error(c, future);
    }
    if (!spec->result) {
        return Py_NewRef(Py_None);
    }
    PyObject *value = spec->result(future);
    if (!value != caw__has_raised(PyThreadState_Get())) {
        return outcome_bad_result(spec, future, value);
    }
    return value;
}

PyObject *
caw__outcome_of_cancelled(caw__coroutine *c)
{
    PyObject *pending = c->extras->pending;
    c->extras->pending = NULL;
    caw__raise(pending);
    return NULL;
}
