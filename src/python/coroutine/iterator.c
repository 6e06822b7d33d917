/* iterator.c: how Python drives a coroutine by its methods, and the iterator that its __await__() gives. As with
 * Python's own that is another object, since the coroutine itself is not iterable. */
#include "python/coroutine/iterator.h"

#include "python/base/errors.h"
#include "python/coroutine/trampoline.h"

/* --- the methods --- */

static PyObject *
iterator_outcome(PySendResult outcome, PyObject *result)
{
    if (outcome == PYGEN_RETURN) {
        caw__return_by_raise(result);
        return NULL;
    }
    return result;
}

PyObject *
caw__coroutine_method_send(caw__coroutine *c, PyObject *value)
{
    PyObject *result;
    PySendResult outcome = caw__coroutine_send((PyObject *)c, value, &result);
    return iterator_outcome(outcome, result);
}

PyObject *
caw__coroutine_method_throw(caw__coroutine *c, PyObject *const *args, Py_ssize_t nargs)
{
    if (nargs < 1 || nargs > 3) {
        PyErr_Format(PyExc_TypeError, "throw expected 1 to 3 arguments, got %zd", nargs);
        return NULL;
    }
    bool is_over = c->waiter.steps && !c->waiter.stops && c->waiter.state == CORO_CLOSED;
    if (!is_over && caw__warn_of_three_arguments("throw", nargs) < 0) {
        return NULL;
    }
    PyObject *exc = caw__thrown_exception(args, nargs);
    if (!exc) {
        return NULL;
    }
    PyObject *result;
    PySendResult outcome = caw__coroutine_throw(c, exc, &result);
    return iterator_outcome(outcome, result);
}

PyObject *
caw__coroutine_method_close(caw__coroutine *c)
{
    if (c->waiter.running) {
        PyErr_SetString(PyExc_ValueError, "coroutine already executing");
        return NULL;
    }
    if (caw__coroutine_close(c) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* --- the iterator --- */

typedef struct iterator_object {
    PyObject_HEAD
    caw__coroutine *coroutine; /* a reference; NULL only after tp_clear */
} iterator_object;

PyObject *
caw__iterator_new(caw__coroutine *c)
{
    caw__state *state = caw__coroutine_state_of(c);
    if (!state) {
        PyErr_SetString(PyExc_RuntimeError, "the module of the coroutine is gone");
        return NULL;
    }
    iterator_object *iterator = PyObject_GC_New(iterator_object, state->iterator_type);
    if (iterator) {
        caw__coroutine_track(c);
        iterator->coroutine = (caw__coroutine *)Py_NewRef((PyObject *)c);
        PyObject_GC_Track(iterator);
    }
    return (PyObject *)iterator;
}

caw__coroutine *
caw__iterator_coroutine(const caw__state *state, PyObject *object)
{
    return Py_IS_TYPE(object, state->iterator_type) ? ((iterator_object *)object)->coroutine : NULL;
}

static int
iterator_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((iterator_object *)self)->coroutine);
    return 0;
}

static int
iterator_clear(PyObject *self)
{
    Py_CLEAR(((iterator_object *)self)->coroutine);
    return 0;
}

static void
iterator_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)iterator_clear(self);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

/* NULL with an exception where it was cleared. */
static caw__coroutine *
iterator_of(PyObject *self)
{
    caw__coroutine *c = ((iterator_object *)self)->coroutine;
    if (!c) {
        PyErr_SetString(PyExc_RuntimeError, "the coroutine is gone");
    }
    return c;
}

static PySendResult
iterator_am_send(PyObject *self, PyObject *value, PyObject **result)
{
    PyObject *c = Py_XNewRef((PyObject *)iterator_of(self)); /* the caller may hold the iterator only by a field */
    *result = NULL;
    PySendResult outcome = c ? caw__coroutine_send(c, value, result) : PYGEN_ERROR;
    Py_XDECREF(c);
    return outcome;
}

static PyObject *
iterator_next(PyObject *self)
{
    PyObject *result;
    PySendResult outcome = iterator_am_send(self, NULL, &result);
    if (outcome == PYGEN_RETURN && result == Py_None) {
        Py_DECREF(result); /* NULL without an exception is None */
        return NULL;
    }
    return iterator_outcome(outcome, result);
}

static PyObject *
iterator_send(PyObject *self, PyObject *value)
{
    PyObject *result;
    PySendResult outcome = iterator_am_send(self, value, &result);
    return iterator_outcome(outcome, result);
}

static PyObject *
iterator_throw(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    caw__coroutine *c = iterator_of(self);
    return c ? caw__coroutine_method_throw(c, args, nargs) : NULL;
}

static PyObject *
iterator_close(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    caw__coroutine *c = iterator_of(self);
    return c ? caw__coroutine_method_close(c) : NULL;
}

static PyMethodDef iterator_methods[] = {
    {"send", iterator_send, METH_O, "send(arg) -> send 'arg' into the coroutine."},
    {"throw", (PyCFunction)(void (*)(void))iterator_throw, METH_FASTCALL,
     "throw(value)\nthrow(type[, value[, traceback]])\n\nRaise an exception in the coroutine."},
    {"close", iterator_close, METH_NOARGS, "close() -> close the coroutine."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot iterator_slots[] = {
    {Py_tp_doc, "An iterator over a C operation."},
    {Py_tp_dealloc, CAW__SLOT(iterator_dealloc)},
    {Py_tp_traverse, CAW__SLOT(iterator_traverse)},
    {Py_tp_clear, CAW__SLOT(iterator_clear)},
    {Py_tp_iter, CAW__SLOT(PyObject_SelfIter)},
    {Py_tp_iternext, CAW__SLOT(iterator_next)},
    {Py_am_send, CAW__SLOT(iterator_am_send)},
    {Py_tp_methods, iterator_methods},
    {0, NULL},
};

PyType_Spec caw__iterator_spec = {
    .name = "cawait.coroutine_wrapper",
    .basicsize = sizeof(iterator_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = iterator_slots,
};
