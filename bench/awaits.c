/* awaits.c: C code that awaits Python, our side of the rows of rows_await_py.py. */
#include "bench.h"

#include <stdatomic.h>
#include <stdlib.h>

/* --- await_each(function, n): one C coroutine that awaits function() n times, in place --- */

typedef struct each {
    caw_future future;
    caw_future *child;
    PyObject *function;
    long left;
} each;

static caw_poll
each_poll(caw_future *f, caw_context *cx)
{
    each *e = CAW_CONTAINER_OF(f, each, future);
    for (; e->left > 0; e->left--) {
        if (!e->child && !(e->child = caw_py_await(NULL, PyObject_CallNoArgs(e->function)))) {
            return caw_future_finish(f, CAW_EPYTHON);
        }
        if (caw_future_poll(e->child, cx) == CAW_PENDING) {
            return CAW_PENDING;
        }
        int status = e->child->status;
        PyObject *value = status == 0 ? caw_py_value(e->child) : NULL;
        caw_future_destroy(e->child);
        e->child = NULL;
        Py_XDECREF(value);
        if (status < 0) {
            return caw_future_finish(f, status);
        }
    }
    return caw_future_finish(f, 0);
}

static void
each_destroy(caw_future *f)
{
    each *e = CAW_CONTAINER_OF(f, each, future);
    caw_future_destroy(e->child);
    Py_DECREF(e->function);
    free(e);
}

static const caw_future_ops each_ops = {"bench.await_each", each_poll, NULL, each_destroy};

static caw_future *
each_start(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs, PyObject *Py_UNUSED(kwnames))
{
    each *e = nargs == 2 ? malloc(sizeof *e) : NULL;
    if (!e) {
        PyErr_SetString(PyExc_TypeError, "await_each(function, n)");
        return NULL;
    }
    *e = (each){.function = Py_NewRef(args[0]), .left = PyLong_AsLong(args[1])};
    caw_future_init(&e->future, &each_ops);
    return &e->future;
}

/* --- wrap(awaitable) --- */

static caw_future *
wrap_start(PyObject *Py_UNUSED(module), PyObject *awaitable)
{
    return caw_py_await(NULL, Py_NewRef(awaitable));
}

/* --- from a native thread: calls in turn, and in a burst --- */

typedef struct calls {
    caw_py_locals *locals;
    caw_py_ref *function;
    long n;
    bool burst;
} calls;

static PyObject *
calls_call(void *arg)
{
    return PyObject_CallNoArgs(caw_py_ref_get(((calls *)arg)->function));
}

static const caw_py_call_spec calls_spec = {calls_call, NULL, NULL};

static int
calls_in_turn(calls *c)
{
    int status = 0;
    for (long i = 0; i < c->n && status == 0; i++) {
        caw_future *f = caw_py_call(c->locals, &calls_spec, c);
        status = f ? caw_block_on(f) : CAW_ENOMEM;
        caw_future_destroy(f);
    }
    return status;
}

static void
waker_nothing(void *Py_UNUSED(data))
{
}

static const caw_waker_ops waker_ops = {waker_nothing, waker_nothing, waker_nothing};

/* A first poll begins each of them, with a waker that does nothing; then they are waited for. */
static int
calls_in_a_burst(calls *c)
{
    caw_future **futures = calloc((size_t)c->n, sizeof *futures);
    caw_context cx = {.waker = {&waker_ops, NULL}};
    int status = futures ? 0 : CAW_ENOMEM;
    for (long i = 0; i < c->n && status == 0; i++) {
        futures[i] = caw_py_call(c->locals, &calls_spec, c);
        status = futures[i] ? 0 : CAW_ENOMEM;
        if (futures[i] && i + 1 < c->n) {
            (void)caw_future_poll(futures[i], &cx);
        }
    }
    if (status == 0 && c->n > 0) {
        status = caw_block_on(futures[c->n - 1]); /* the last in the queue */
    }
    for (long i = 0; futures && i < c->n; i++) {
        caw_future_destroy(futures[i]);
    }
    free(futures);
    return status;
}

static int
calls_run(void *arg)
{
    calls *c = arg;
    return c->burst ? calls_in_a_burst(c) : calls_in_turn(c);
}

static void
calls_free(void *arg)
{
    calls *c = arg;
    caw_py_ref_release(c->function);
    caw_py_locals_release(c->locals);
    free(c);
}

static caw_future *
calls_new(PyObject *module, PyObject *const *args, Py_ssize_t nargs, bool burst)
{
    calls *c = nargs == 2 ? calloc(1, sizeof *c) : NULL;
    if (!c) {
        PyErr_SetString(PyExc_TypeError, "takes a function and a number");
        return NULL;
    }
    c->n = PyLong_AsLong(args[1]);
    c->burst = burst;
    c->locals = caw_py_locals_new(module);
    c->function = c->locals ? caw_py_ref_new(c->locals, args[0]) : NULL;
    if (!c->function) {
        calls_free(c);
        return NULL;
    }
    return caw_blocking(NULL, calls_run, c, calls_free);
}

static caw_future *
in_turn_start(PyObject *module, PyObject *const *args, Py_ssize_t nargs, PyObject *Py_UNUSED(kwnames))
{
    return calls_new(module, args, nargs, false);
}

static caw_future *
burst_start(PyObject *module, PyObject *const *args, Py_ssize_t nargs, PyObject *Py_UNUSED(kwnames))
{
    return calls_new(module, args, nargs, true);
}

/* --- the baseline of the burst: the GIL and call_soon_threadsafe for each --- */

typedef struct gil_burst {
    PyObject *call_soon_threadsafe, *function;
    long n;
} gil_burst;

static int
gil_burst_run(void *arg)
{
    gil_burst *b = arg;
    for (long i = 0; i < b->n; i++) {
        PyGILState_STATE state = PyGILState_Ensure();
        PyObject *handle = PyObject_CallOneArg(b->call_soon_threadsafe, b->function);
        if (!handle) {
            PyErr_WriteUnraisable(b->function);
        }
        Py_XDECREF(handle);
        PyGILState_Release(state);
    }
    return 0;
}

static void
gil_burst_free(void *arg)
{
    gil_burst *b = arg;
    PyGILState_STATE state = PyGILState_Ensure();
    Py_DECREF(b->call_soon_threadsafe);
    Py_DECREF(b->function);
    PyGILState_Release(state);
    free(b);
}

static caw_future *
gil_burst_start(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs, PyObject *Py_UNUSED(kwnames))
{
    gil_burst *b = nargs == 3 ? malloc(sizeof *b) : NULL;
    if (!b) {
        PyErr_SetString(PyExc_TypeError, "call_burst_with_gil(call_soon_threadsafe, function, n)");
        return NULL;
    }
    *b = (gil_burst){Py_NewRef(args[0]), Py_NewRef(args[1]), PyLong_AsLong(args[2])};
    return caw_blocking(NULL, gil_burst_run, b, gil_burst_free);
}

const caw_py_async_def bench_awaits[] = {
    CAW_PY_ASYNC_FASTCALL("await_each", each_start, NULL, NULL),
    CAW_PY_ASYNC_O("wrap", wrap_start, caw_py_value, NULL),
    CAW_PY_ASYNC_FASTCALL("call_in_turn", in_turn_start, NULL, NULL),
    CAW_PY_ASYNC_FASTCALL("call_burst", burst_start, NULL, NULL),
    CAW_PY_ASYNC_FASTCALL("call_burst_with_gil", gil_burst_start, NULL, NULL),
    CAW_PY_ASYNC_END,
};
