/* errors.c: exceptions for error codes, and StopIteration for results. */
#include "python/base/errors.h"

#include "core/base/error.h"
#include "core/os/errno_names.h"

static PyObject *
raise_cancelled(void)
{
    PyObject *module = PyImport_ImportModule("asyncio.exceptions");
    if (!module) {
        return NULL;
    }
    PyObject *type = PyObject_GetAttrString(module, "CancelledError");
    Py_DECREF(module);
    if (type) {
        PyErr_SetNone(type);
        Py_DECREF(type);
    }
    return NULL;
}

/* OSError with the number and, for CAW_EINVAL, with the mistake that it stands for, if one was made in this thread. */
static PyObject *
raise_errno(int number)
{
    char mistake[CAW__MISTAKE_SIZE];
    if (number == EINVAL && caw__error_take_mistake(mistake)) {
        PyObject *text = PyUnicode_FromFormat("%s: %s", caw__errno_text(number), mistake);
        PyObject *args = text ? Py_BuildValue("iN", number, text) : NULL;
        if (args) {
            PyErr_SetObject(PyExc_OSError, args);
            Py_DECREF(args);
        }
        return NULL;
    }
    errno = number;
    return PyErr_SetFromErrno(PyExc_OSError);
}

/* The class for a status that says all itself; NULL where there is more to its exception. */
static PyObject *
errors_plain_class(int status)
{
    switch (status) {
    case CAW_ECLOSED:
    case CAW_EBROKEN:
    case CAW_ENOREACTOR:
    case CAW_EFORKED:
    case CAW_EDEADLOCK:
    case CAW_EPYTHON:
    case CAW_EFAILED:
        return PyExc_RuntimeError;
    default:
        return status < 0 && status >= -4095 ? NULL : PyExc_SystemError;
    }
}

PyObject *
caw_py_set_error(int status)
{
    PyObject *plain = errors_plain_class(status);
    if (plain == PyExc_RuntimeError) {
        return PyErr_Format(plain, "%s (%s)", caw_error_text(status), caw_error_name(status));
    }
    if (plain) {
        return PyErr_Format(plain, "an operation ended with %d, which is not a status", status);
    }
    switch (status) {
    case CAW_ENOMEM:
        return PyErr_NoMemory();
    case CAW_ECANCELED:
        return raise_cancelled();
    default:
        return raise_errno(-status);
    }
}

void
caw__set_error_of(const char *operation, int status)
{
    PyObject *plain = errors_plain_class(status);
    if (plain == PyExc_RuntimeError) {
        PyErr_Format(plain, "'%s': %s (%s)", operation, caw_error_text(status), caw_error_name(status));
    }
    else if (plain) {
        PyErr_Format(plain, "the operation '%s' ended with %d, which is not a status", operation, status);
    }
    else {
        (void)caw_py_set_error(status);
    }
}

void
caw__return_by_raise(PyObject *value)
{
    if (value == Py_None) {
        Py_DECREF(value);
        PyErr_SetNone(PyExc_StopIteration);
        return;
    }
    /* The class is called, because PyErr_SetObject would pass a tuple as several arguments, and would raise an
     * exception that is the value itself. */
    PyObject *stop = PyObject_CallOneArg(PyExc_StopIteration, value);
    Py_DECREF(value);
    if (stop) {
        caw__raise(stop);
    }
}

/* On Python 3.12 to 3.14 `await` calls tp_iternext, and instantiating StopIteration is most of the cost of returning a
 * value (measured: 136 against 53 ns). `await` takes the value out and drops the exception at once. So one instance can
 * be used again, unless it was kept (its count is not 1) or marked (next() in Python attaches a traceback and a
 * context). Older versions do not instantiate it here; newer ones use am_send. */
#if CAW__REUSES_STOP_ITERATION

static bool
stop_is_clean(const PyStopIterationObject *stop)
{
    return !stop->traceback && !stop->context && !stop->cause && !stop->notes;
}

/* One without a value is clean: that was checked when the value was dropped. */
static bool
stop_is_free(const PyStopIterationObject *stop)
{
    return stop && !stop->value && Py_REFCNT(stop) == 1;
}

/* The state's instance if it is free again, or else a new one in its place: a new reference, or NULL with an
 * exception. */
CAW__SLOW static PyStopIterationObject *
stop_renew(caw__state *state)
{
    caw__forget_returned(state);
    PyStopIterationObject *stop = state->stop_iteration;
    if (stop_is_free(stop)) {
        return (PyStopIterationObject *)Py_NewRef(stop);
    }
    stop = (PyStopIterationObject *)PyObject_CallNoArgs(PyExc_StopIteration);
    if (stop) {
        Py_CLEAR(stop->value); /* it is None */
        Py_INCREF(stop);       /* first: the old one's frames may run Python code, which must not reuse this one */
        Py_XSETREF(state->stop_iteration, stop);
    }
    return stop;
}

void
caw__return_by_iternext(caw__state *state, PyObject *value)
{
    PyStopIterationObject *stop = state->stop_iteration;
    if (stop_is_free(stop)) {
        Py_INCREF(stop);
    }
    else if (!(stop = stop_renew(state))) {
        Py_DECREF(value);
        return;
    }
    stop->value = value;
    PyErr_SetRaisedException((PyObject *)stop);
}

void
caw__forget_returned(caw__state *state)
{
    PyStopIterationObject *stop = state->stop_iteration;
    if (!stop || !stop->value || Py_REFCNT(stop) != 1) {
        return;
    }
    if (stop_is_clean(stop)) {
        Py_CLEAR(stop->value);
    }
    else { /* its traceback holds the frame that called next(), with all its locals */
        Py_CLEAR(state->stop_iteration);
    }
}

#else

void
caw__return_by_iternext(caw__state *state, PyObject *value)
{
    (void)state;
#  if CAW__SETS_STOP_ITERATION_LAZILY
    if (!PyTuple_Check(value) && !PyExceptionInstance_Check(value)) {
        PyErr_SetObject(PyExc_StopIteration, value); /* instantiated only if it is needed */
        Py_DECREF(value);
        return;
    }
#  endif
    caw__return_by_raise(value);
}

void
caw__forget_returned(caw__state *state)
{
    (void)state;
}

#endif

void
caw__raise_instead_of(const char *text)
{
    PyObject *stop = caw__take_raised();
    PyErr_SetString(PyExc_RuntimeError, text);
    PyObject *error = caw__take_raised();
    PyException_SetCause(error, Py_NewRef(stop));
    PyException_SetContext(error, stop);
    caw__raise(error);
}

void
caw__guard_stop_iteration(void)
{
    if (PyErr_ExceptionMatches(PyExc_StopIteration)) {
        caw__raise_instead_of("coroutine raised StopIteration");
    }
}

int
caw__warn_of_three_arguments(const char *method, Py_ssize_t nargs)
{
    if (!CAW__WARNS_OF_THROW || nargs < 2) {
        return 0;
    }
    return PyErr_WarnFormat(
        PyExc_DeprecationWarning, 1,
        "the (type, exc, tb) signature of %s() is deprecated, use the single-arg signature instead.", method);
}

PyObject *
caw__thrown_exception(PyObject *const *args, Py_ssize_t nargs)
{
    PyObject *type = args[0], *value = nargs > 1 ? args[1] : Py_None, *traceback = nargs > 2 ? args[2] : Py_None;
    if (traceback != Py_None && !PyTraceBack_Check(traceback)) {
        PyErr_SetString(PyExc_TypeError, "throw() third argument must be a traceback object");
        return NULL;
    }
    PyObject *exc;
    if (PyExceptionInstance_Check(type)) {
        if (value != Py_None) {
            PyErr_SetString(PyExc_TypeError, "instance exception may not have a separate value");
            return NULL;
        }
        exc = Py_NewRef(type);
    }
    else if (PyExceptionClass_Check(type)) {
        if (value != Py_None && PyErr_GivenExceptionMatches(value, type)) {
            exc = Py_NewRef(value);
        }
        else if (PyTuple_Check(value)) {
            exc = PyObject_CallObject(type, value);
        }
        else {
            exc = value == Py_None ? PyObject_CallNoArgs(type) : PyObject_CallOneArg(type, value);
        }
        if (exc && !PyExceptionInstance_Check(exc)) {
            PyErr_Format(PyExc_TypeError, "calling %R should have returned an instance of BaseException, not %s", type,
                         Py_TYPE(exc)->tp_name);
            Py_CLEAR(exc);
        }
    }
    else {
        PyErr_Format(PyExc_TypeError, "exceptions must be classes or instances deriving from BaseException, not %s",
                     Py_TYPE(type)->tp_name);
        return NULL;
    }
    if (exc && traceback != Py_None) {
        PyException_SetTraceback(exc, traceback);
    }
    return exc;
}

/* --- what was made in vain --- */

static void
errors_set_again(PyObject *raised)
{
    if (raised) {
        caw__raise(raised);
    }
}

void
caw__future_drop(caw_future *future)
{
    PyObject *raised = caw__take_raised();
    caw_future_destroy(future);
    errors_set_again(raised);
}

void
caw__stream_drop(caw_stream *stream)
{
    PyObject *raised = caw__take_raised();
    caw_stream_destroy(stream);
    errors_set_again(raised);
}
