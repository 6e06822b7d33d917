/* waker.c: `Gate`, a future that only keeps its waker. A test wakes it at any time: twice, late, from any thread. */
#include "ext.h"

#include <stdlib.h>

typedef struct gate_object {
    PyObject_HEAD
    caw_waker waker; /* the latest poll's */
    int open;
    int polls;
    int cancels;
    int told;
} gate_object;

typedef struct gate_future {
    caw_future future;
    gate_object *gate; /* a reference: destroy is called by the coroutine, with the GIL */
} gate_future;

static caw_poll
gate_poll(caw_future *f, caw_context *cx)
{
    gate_object *gate = CAW_CONTAINER_OF(f, gate_future, future)->gate;
    gate->polls++;
    caw_waker old = gate->waker;
    gate->waker = caw_waker_clone(cx->waker);
    caw_waker_drop(old);
    return gate->open ? caw_future_finish(f, 0) : CAW_PENDING;
}

static void
gate_destroy(caw_future *f)
{
    gate_future *g = CAW_CONTAINER_OF(f, gate_future, future);
    Py_DECREF((PyObject *)g->gate);
    free(g);
    atomic_fetch_sub(&ext_live_futures, 1);
}

static void
gate_cancel(caw_future *f)
{
    CAW_CONTAINER_OF(f, gate_future, future)->gate->cancels++;
}

static const caw_future_ops gate_ops = {"test.gate", gate_poll, NULL, gate_destroy};
static const caw_future_ops gate_asked_ops = {"test.gate_asked", gate_poll, gate_cancel, gate_destroy};

static caw_future *
gate_new(PyObject *gate, const caw_future_ops *ops)
{
    gate_future *g = malloc(sizeof *g);
    if (!g) {
        PyErr_NoMemory();
        return NULL;
    }
    atomic_fetch_add(&ext_live_futures, 1);
    *g = (gate_future){{.ops = ops}, (gate_object *)Py_NewRef(gate)};
    return &g->future;
}

static caw_future *
gate_wait_start(PyObject *self)
{
    return gate_new(self, &gate_ops);
}

static caw_future *
gate_wait_asked_start(PyObject *self)
{
    return gate_new(self, &gate_asked_ops);
}

static void
gate_thrown(caw_future *f, PyObject *Py_UNUSED(exception))
{
    CAW_CONTAINER_OF(f, gate_future, future)->gate->told++;
}

/* A method that takes nothing, and does nothing. */
typedef struct gate_nothing {
    caw_async async;
} gate_nothing;

CAW_ASYNC_FUNCTION(gate_nothing)

static caw_step
gate_nothing_run(gate_nothing *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
    }
    CAW_FINALLY
    {
    }
}

static const caw_py_async_def gate_async_methods[] = {
    CAW_PY_ROUTINE("nothing", gate_nothing, NULL, NULL, NULL),
    CAW_PY_ASYNC_NOARGS("wait", gate_wait_start, NULL, "wait($self)\n--\n\nUntil the gate is open and woken."),
    CAW_PY_ASYNC_NOARGS("wait_asked", gate_wait_asked_start, NULL,
                        "wait_asked($self)\n--\n\nThe same; counts each cancel."),
    CAW_PY_ASYNC_NOARGS("wait_told", gate_wait_asked_start, NULL, NULL, .on_throw = gate_thrown),
    CAW_PY_ASYNC_END,
};

/* wake(times=1): wakes, and keeps the waker. Without the GIL, as in a native thread. */
static PyObject *
gate_wake(PyObject *self, PyObject *args)
{
    int times = 1;
    if (!PyArg_ParseTuple(args, "|i:wake", &times)) {
        return NULL;
    }
    caw_waker waker = caw_waker_clone(((gate_object *)self)->waker);
    Py_BEGIN_ALLOW_THREADS for (int i = 0; i < times; i++)
    {
        caw_waker_wake_by_ref(waker);
    }
    caw_waker_drop(waker);
    Py_END_ALLOW_THREADS Py_RETURN_NONE;
}

static PyObject *
gate_open(PyObject *self, PyObject *args)
{
    ((gate_object *)self)->open = 1;
    return gate_wake(self, args);
}

static caw_waker at_exit_waker;

static void
at_exit_wake(void)
{
    caw_waker_wake_by_ref(at_exit_waker);
    caw_waker_wake(at_exit_waker);
}

/* wake_at_exit(): wakes twice in exit(), when the interpreter is gone. For one gate of a process. */
static PyObject *
gate_wake_at_exit(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    at_exit_waker = caw_waker_clone(((gate_object *)self)->waker);
    return PyLong_FromLong(atexit(at_exit_wake));
}

static PyObject *
gate_drop(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    caw_waker waker = ((gate_object *)self)->waker;
    ((gate_object *)self)->waker = CAW_WAKER_NONE;
    caw_waker_drop(waker);
    Py_RETURN_NONE;
}

static PyObject *
gate_get_polls(PyObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromLong(((gate_object *)self)->polls);
}

static PyObject *
gate_get_cancels(PyObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromLong(((gate_object *)self)->cancels);
}

static PyObject *
gate_get_told(PyObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromLong(((gate_object *)self)->told);
}

static void
gate_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    caw_waker_drop(((gate_object *)self)->waker);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef gate_methods[] = {
    {"wake", gate_wake, METH_VARARGS, NULL},
    {"open", gate_open, METH_VARARGS, NULL},
    {"wake_at_exit", gate_wake_at_exit, METH_NOARGS, NULL},
    {"drop", gate_drop, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef gate_getset[] = {
    {"polls", gate_get_polls, NULL, NULL, NULL},
    {"cancels", gate_get_cancels, NULL, NULL, NULL}, /* how often cancel of `wait_asked` was called */
    {"told", gate_get_told, NULL, NULL, NULL},       /* how often on_throw of `wait_told` was called */
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot gate_slots[] = {
    {Py_tp_dealloc, __extension__(void *) gate_dealloc},
    {Py_tp_methods, gate_methods},
    {Py_tp_getset, gate_getset},
    {0, NULL},
};

static PyType_Spec gate_spec = {
    .name = "_cawait_test.Gate",
    .basicsize = sizeof(gate_object),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = gate_slots,
};

int
ext_add_waker_type(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &gate_spec, NULL);
    if (!type) {
        return -1;
    }
    int failed = caw_py_add_methods(module, (PyTypeObject *)type, gate_async_methods) < 0 ||
                 PyModule_AddObjectRef(module, "Gate", type) < 0;
    Py_DECREF(type);
    return failed ? -1 : 0;
}
