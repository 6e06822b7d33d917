/* await.c: C futures that await Python. */
#include "ext.h"

#include <stdlib.h>

/* --- await_(awaitable): as `await awaitable` --- */

static caw_future *
await_start(PyObject *Py_UNUSED(module), PyObject *awaitable)
{
    return caw_py_await(NULL, Py_NewRef(awaitable));
}

/* --- in_turn(items, on_error="raise"): await each of them, one after the other --- */

/* An item is an awaitable, or a function that makes one when it is needed, or a number of microseconds to sleep. */
typedef struct turns {
    caw_future future;
    PyObject *items;   /* a tuple */
    PyObject *results; /* a list, with the values and, unless on_error is "raise", the exceptions */
    Py_ssize_t at;
    caw_future *child;
    caw_future *after; /* on_error "cleanup": awaited after the first error, which is the result */
    int error;         /* with after */
    char on_error;     /* 'r'aise, 'k'eep, 'c'leanup, 's'wap for an error of its own */
} turns;

static caw_future *
turns_child(PyObject *item)
{
    if (PyLong_Check(item)) {
        return caw_sleep(PyLong_AsUnsignedLong(item) * 1000ull);
    }
    return caw_py_await(NULL, PyCallable_Check(item) ? PyObject_CallNoArgs(item) : Py_NewRef(item));
}

/* Take the result of the child: 0 to go on. */
static int
turns_take(turns *t)
{
    int status = t->child->status;
    bool is_timer = PyLong_Check(PyTuple_GET_ITEM(t->items, t->at));
    if (status < 0 && t->on_error != 'k') {
        return t->on_error == 's' ? CAW_ETIMEDOUT : status;
    }
    PyObject *value = is_timer ? Py_NewRef(Py_None) : status < 0 ? caw_py_exception(t->child) : caw_py_value(t->child);
    if (!value || PyList_Append(t->results, value) < 0) {
        abort();
    }
    Py_DECREF(value);
    return 0;
}

static caw_poll
turns_poll(caw_future *f, caw_context *cx)
{
    turns *t = CAW_CONTAINER_OF(f, turns, future);
    while (!t->after && t->at < PyTuple_GET_SIZE(t->items)) {
        if (!t->child && !(t->child = turns_child(PyTuple_GET_ITEM(t->items, t->at)))) {
            return caw_future_finish(f, CAW_EPYTHON); /* with the exception that is set */
        }
        if (caw_future_poll(t->child, cx) == CAW_PENDING) {
            return CAW_PENDING;
        }
        t->error = turns_take(t);
        caw_future_destroy(t->child);
        t->child = NULL;
        t->at++;
        if (t->error < 0 && t->on_error == 'c') {
            t->after = caw_sleep(1000000);
        }
        else if (t->error < 0) {
            return caw_future_finish(f, t->error);
        }
    }
    if (t->after && caw_future_poll(t->after, cx) == CAW_PENDING) {
        return CAW_PENDING;
    }
    return caw_future_finish(f, t->error);
}

static void
turns_destroy(caw_future *f)
{
    turns *t = CAW_CONTAINER_OF(f, turns, future);
    caw_future_destroy(t->child);
    caw_future_destroy(t->after);
    Py_DECREF(t->items);
    Py_XDECREF(t->results);
    free(t);
    atomic_fetch_sub(&ext_live_futures, 1);
}

static const caw_future_ops turns_ops = {"test.in_turn", turns_poll, NULL, turns_destroy};

static caw_future *
in_turn_start(PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"items", "on_error", NULL};
    PyObject *items;
    const char *on_error = "raise";
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|s:in_turn", names, &items, &on_error)) {
        return NULL;
    }
    turns *t = calloc(1, sizeof *t);
    if (!t || !(t->items = PySequence_Tuple(items)) || !(t->results = PyList_New(0))) {
        Py_XDECREF(t ? t->items : NULL);
        free(t);
        return NULL;
    }
    t->on_error = on_error[0];
    caw_future_init(&t->future, &turns_ops);
    atomic_fetch_add(&ext_live_futures, 1);
    return &t->future;
}

static PyObject *
in_turn_result(caw_future *f)
{
    return Py_NewRef(CAW_CONTAINER_OF(f, turns, future)->results);
}

/* --- beside(awaitable, other): polls both with the same waker --- */

typedef struct beside {
    caw_future future;
    caw_future *both[2];
    bool ready[2];
} beside;

static caw_poll
beside_poll(caw_future *f, caw_context *cx)
{
    beside *b = CAW_CONTAINER_OF(f, beside, future);
    for (int i = 0; i < 2; i++) {
        b->ready[i] = b->ready[i] || caw_future_poll(b->both[i], cx) == CAW_READY;
        if (b->ready[i] && b->both[i]->status < 0) {
            return caw_future_finish(f, b->both[i]->status);
        }
    }
    return b->ready[0] && b->ready[1] ? caw_future_finish(f, 0) : CAW_PENDING;
}

static void
beside_destroy(caw_future *f)
{
    beside *b = CAW_CONTAINER_OF(f, beside, future);
    caw_future_destroy(b->both[0]);
    caw_future_destroy(b->both[1]);
    free(b);
    atomic_fetch_sub(&ext_live_futures, 1);
}

static const caw_future_ops beside_ops = {"test.beside", beside_poll, NULL, beside_destroy};

static caw_future *
beside_start(PyObject *Py_UNUSED(module), PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    PyObject *first, *second;
    if (!PyArg_ParseTuple(args, "OO:beside", &first, &second)) {
        return NULL;
    }
    beside *b = calloc(1, sizeof *b);
    if (!b) {
        return NULL;
    }
    caw_future_init(&b->future, &beside_ops);
    atomic_fetch_add(&ext_live_futures, 1);
    b->both[0] = turns_child(first);
    b->both[1] = b->both[0] ? turns_child(second) : NULL;
    if (!b->both[1]) {
        beside_destroy(&b->future);
        return NULL;
    }
    return &b->future;
}

const caw_py_async_def ext_await_functions[] = {
    CAW_PY_ASYNC_O("await_", await_start, caw_py_value, NULL),
    CAW_PY_ASYNC_O("await_shielded", await_start, caw_py_value, NULL, .cancel = CAW_PY_CANCEL_SHIELD),
    CAW_PY_ASYNC_O("await_before", await_start, caw_py_value, NULL, .checkpoint = CAW_PY_CHECKPOINT_BEFORE),
    CAW_PY_ASYNC("in_turn", in_turn_start, in_turn_result, NULL),
    CAW_PY_ASYNC("in_turn_inside", in_turn_start, in_turn_result, NULL, .checkpoint = CAW_PY_CHECKPOINT_INSIDE),
    CAW_PY_ASYNC("beside", beside_start, NULL, NULL),
    CAW_PY_ASYNC_END,
};
