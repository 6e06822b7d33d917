/* futures.c: futures with a poll of their own, and those of the core. */
#include "ext.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

_Atomic long ext_live_futures;

/* --- ready(value): ready at the first poll --- */

typedef struct value_future {
    caw_future future;
    PyObject *value;
    int left; /* yield_times: how many more polls return CAW_PENDING */
    int wakes;
} value_future;

static caw_poll
value_poll(caw_future *f, caw_context *cx)
{
    value_future *v = CAW_CONTAINER_OF(f, value_future, future);
    if (v->left > 0) {
        v->left--;
        for (int i = 0; i < v->wakes; i++) {
            caw_waker_wake_by_ref(cx->waker); /* a wake during the poll */
        }
        return CAW_PENDING;
    }
    return caw_future_finish(f, f->status);
}

static void
value_destroy(caw_future *f)
{
    value_future *v = CAW_CONTAINER_OF(f, value_future, future);
    Py_XDECREF(v->value);
    free(v);
    atomic_fetch_sub(&ext_live_futures, 1);
}

static const caw_future_ops value_ops = {"test.value", value_poll, NULL, value_destroy};

static caw_future *
value_new(PyObject *value, int status, int left, int wakes)
{
    value_future *v = malloc(sizeof *v);
    if (!v) {
        PyErr_NoMemory();
        return NULL;
    }
    atomic_fetch_add(&ext_live_futures, 1);
    *v = (value_future){{.ops = &value_ops, .status = status}, Py_XNewRef(value), left, wakes};
    return &v->future;
}

static caw_future *
ready_start(PyObject *Py_UNUSED(module), PyObject *value)
{
    return value_new(value, 0, 0, 0);
}

static PyObject *
value_result(caw_future *f)
{
    return Py_NewRef(CAW_CONTAINER_OF(f, value_future, future)->value);
}

static caw_future *
yield_times_start(PyObject *Py_UNUSED(module), PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    int times, wakes = 1;
    if (!PyArg_ParseTuple(args, "i|i:yield_times", &times, &wakes)) {
        return NULL;
    }
    return value_new(Py_None, 0, times, wakes);
}

static caw_future *
fail_start(PyObject *Py_UNUSED(module), PyObject *status)
{
    int value = (int)PyLong_AsLong(status);
    return PyErr_Occurred() ? NULL : value_new(NULL, value, 0, 0);
}

static void
own_error(caw_future *Py_UNUSED(f), int status)
{
    if (status != -1) { /* -1: no exception is set, by mistake */
        PyErr_Format(PyExc_LookupError, "own error %d", status);
    }
}

/* --- result functions that break their contract --- */

static PyObject *
result_raises(caw_future *Py_UNUSED(f))
{
    PyErr_SetString(PyExc_ZeroDivisionError, "from result");
    return NULL;
}

static PyObject *
result_raises_stop(caw_future *Py_UNUSED(f))
{
    PyErr_SetString(PyExc_StopIteration, "from result");
    return NULL;
}

static PyObject *
result_null(caw_future *Py_UNUSED(f))
{
    return NULL;
}

static PyObject *
result_and_exception(caw_future *Py_UNUSED(f))
{
    PyErr_SetString(PyExc_KeyError, "left behind");
    return PyLong_FromLong(1);
}

/* --- call_in_poll(callable): each poll calls it; true ends the future --- */

static caw_poll
call_poll(caw_future *f, caw_context *cx)
{
    value_future *v = CAW_CONTAINER_OF(f, value_future, future);
    PyObject *answer = PyObject_CallNoArgs(v->value);
    int done = answer ? PyObject_IsTrue(answer) : 1;
    Py_XDECREF(answer);
    if (PyErr_Occurred()) {
        PyErr_WriteUnraisable(v->value);
    }
    if (done) {
        return caw_future_finish(f, 0);
    }
    caw_waker_wake_by_ref(cx->waker);
    return CAW_PENDING;
}

static const caw_future_ops call_ops = {"test.call", call_poll, NULL, value_destroy};

static caw_future *
call_start(PyObject *Py_UNUSED(module), PyObject *callable)
{
    caw_future *f = value_new(callable, 0, 0, 0);
    if (f) {
        f->ops = &call_ops;
    }
    return f;
}

/* --- futures of the core --- */

static caw_future *
sleep_start(PyObject *Py_UNUSED(module), PyObject *seconds)
{
    double value = PyFloat_AsDouble(seconds);
    return PyErr_Occurred() ? NULL : caw_sleep((uint64_t)(value * 1e9));
}

static caw_future *
readable_start(PyObject *Py_UNUSED(module), PyObject *fd)
{
    long value = PyLong_AsLong(fd);
    return PyErr_Occurred() ? NULL : caw_readable((int)value);
}

static caw_future *
writable_start(PyObject *Py_UNUSED(module), PyObject *fd)
{
    long value = PyLong_AsLong(fd);
    return PyErr_Occurred() ? NULL : caw_writable((int)value);
}

static int
spin(void *arg)
{
    uint64_t until = caw_now_ns() + *(uint64_t *)arg;
    while (caw_now_ns() < until) {
    }
    return 0;
}

static caw_future *
blocking_start(PyObject *Py_UNUSED(module), PyObject *seconds)
{
    double value = PyFloat_AsDouble(seconds);
    uint64_t *ns = malloc(sizeof *ns);
    if (PyErr_Occurred() || !ns) {
        free(ns);
        return NULL;
    }
    *ns = (uint64_t)(value * 1e9);
    return caw_blocking(NULL, spin, ns, free);
}

/* blocking_told(fd): writes a byte to the socket when it runs. Ends when a byte arrives or the other end is closed. */
static int
wait_to_be_told(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char byte = 0;
    return write(fd, &byte, 1) < 0 || read(fd, &byte, 1) < 0 ? -errno : 0;
}

static caw_future *
blocking_told_start(PyObject *Py_UNUSED(module), PyObject *fd)
{
    intptr_t value = PyLong_AsLong(fd);
    return PyErr_Occurred() ? NULL : caw_blocking(NULL, wait_to_be_told, (void *)value, NULL);
}

static caw_future *
spawned_sleep_start(PyObject *Py_UNUSED(module), PyObject *seconds)
{
    double value = PyFloat_AsDouble(seconds);
    caw_future *child = PyErr_Occurred() ? NULL : caw_sleep((uint64_t)(value * 1e9));
    return child ? caw_spawn(caw_pool_default(), child) : NULL;
}

const caw_py_async_def ext_future_functions[] = {
    CAW_PY_ASYNC_O("ready", ready_start, value_result, "ready(value, /)\n--\n\nReady at once."),
    CAW_PY_ASYNC_O("ready_none", ready_start, NULL, NULL),
    CAW_PY_ASYNC("yield_times", yield_times_start, value_result, NULL),
    CAW_PY_ASYNC_O("fail", fail_start, value_result, NULL),
    CAW_PY_ASYNC_O("fail_own", fail_start, value_result, NULL, .error = own_error),
    CAW_PY_ASYNC_O("result_raises", ready_start, result_raises, NULL),
    CAW_PY_ASYNC_O("result_raises_stop", ready_start, result_raises_stop, NULL),
    CAW_PY_ASYNC_O("result_null", ready_start, result_null, NULL),
    CAW_PY_ASYNC_O("result_and_exception", ready_start, result_and_exception, NULL),
    CAW_PY_ASYNC_O("call_in_poll", call_start, NULL, NULL),
    CAW_PY_ASYNC_O("sleep", sleep_start, NULL, "sleep(seconds, /)\n--\n\nSleep on the reactor."),
    CAW_PY_ASYNC_O("sleep_nogil", sleep_start, NULL, NULL, .poll_without_gil = true),
    CAW_PY_ASYNC_O("readable", readable_start, NULL, NULL),
    CAW_PY_ASYNC_O("writable", writable_start, NULL, NULL),
    CAW_PY_ASYNC_O("blocking", blocking_start, NULL, NULL),
    CAW_PY_ASYNC_O("blocking_told", blocking_told_start, NULL, NULL),
    CAW_PY_ASYNC_O("spawned_sleep", spawned_sleep_start, NULL, NULL),
    CAW_PY_ASYNC_END,
};
