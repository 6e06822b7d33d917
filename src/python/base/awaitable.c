/* awaitable.c: what can be awaited, as `Objects/genobject.c: _PyCoro_GetAwaitableIter` has it (CPython 3.13). */
#include "python/base/awaitable.h"

const char caw__await_name[] = "python.await";
CAW__THREAD_LOCAL const void *caw__await_made;

/* An iterator that an __await__ may have returned, and that can be driven as `await` does. The methods are looked up in
 * its class, because mocks have every attribute. */
static bool
awaitable_is_bare_iterator(PyObject *object)
{
    PyObject *type = (PyObject *)Py_TYPE(object);
    return PyIter_Check(object) && PyObject_HasAttrString(type, "send") && PyObject_HasAttrString(type, "throw");
}

static unaryfunc
awaitable_slot(PyObject *object)
{
    const PyAsyncMethods *methods = Py_TYPE(object)->tp_as_async;
    return methods ? methods->am_await : NULL;
}

/* A generator that is a coroutine, as @types.coroutine makes it. */
static bool
awaitable_is_generator(PyObject *object)
{
    PyObject *code = PyGen_CheckExact(object) ? PyObject_GetAttrString(object, "gi_code") : NULL;
    bool is = code && (((PyCodeObject *)code)->co_flags & CO_ITERABLE_COROUTINE);
    Py_XDECREF(code);
    PyErr_Clear();
    return is;
}

bool
caw__is_bare_iterator(PyObject *object)
{
    return !awaitable_slot(object) && awaitable_is_bare_iterator(object) && !awaitable_is_generator(object);
}

bool
caw__is_concurrent_future(PyObject *object)
{
    /* Numbers and texts are common results of a call. Their classes are static, so no attribute of theirs is looked
     * up. */
    PyObject *type = (PyObject *)Py_TYPE(object);
    return PyType_HasFeature(Py_TYPE(object), Py_TPFLAGS_HEAPTYPE) && !awaitable_slot(object) &&
           PyObject_HasAttrString(type, "add_done_callback") && PyObject_HasAttrString(type, "result") &&
           PyObject_HasAttrString(type, "cancel");
}

bool
caw__is_awaitable(PyObject *object)
{
    return PyCoro_CheckExact(object) || awaitable_slot(object) || awaitable_is_bare_iterator(object) ||
           caw__is_concurrent_future(object);
}

/* Asked where cr_await must not be read then. Elsewhere it is None then, and a send() refuses such a coroutine. */
static bool
awaitable_is_running(caw__state *state, PyObject *coroutine)
{
    if (!CAW__MISREADS_RUNNING) {
        return false;
    }
    PyObject *running = caw__attribute(coroutine, state->names.cr_running);
    bool is = running == Py_True;
    Py_XDECREF(running);
    return is;
}

/* A coroutine of Python that is being awaited already: a send() would resume what it waits for. */
static bool
awaitable_is_awaited(caw__state *state, PyObject *coroutine)
{
    if (caw__coroutine_is_new(coroutine) || awaitable_is_running(state, coroutine)) {
        return false;
    }
    PyObject *inner = caw__attribute(coroutine, state->names.cr_await);
    bool is = inner && inner != Py_None;
    Py_XDECREF(inner);
    if (is) {
        PyErr_SetString(PyExc_RuntimeError, "coroutine is being awaited already");
    }
    return is;
}

PyObject *
caw__await_iterator(caw__state *state, PyObject *object)
{
    if (PyCoro_CheckExact(object)) {
        return awaitable_is_awaited(state, object) ? NULL : Py_NewRef(object);
    }
    unaryfunc await_slot = awaitable_slot(object);
    if (!await_slot) { /* a generator that is a coroutine has none either */
        return Py_NewRef(object);
    }
    PyObject *iterator = await_slot(object);
    bool is_coroutine = iterator && (PyCoro_CheckExact(iterator) || awaitable_is_generator(iterator));
    if (iterator && (!PyIter_Check(iterator) || is_coroutine)) {
        PyErr_Format(PyExc_TypeError,
                     is_coroutine ? "__await__() returned a coroutine"
                                  : "__await__() returned non-iterator of type '%.100s'",
                     Py_TYPE(iterator)->tp_name);
        Py_CLEAR(iterator);
    }
    return iterator;
}

PyObject *
caw__awaitable_method(PyObject *object, const char *name)
{
    PyObject *method = PyObject_GetAttrString(object, name);
    if (!method && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
    }
    return method;
}

void
caw__awaitable_drop(PyObject *object)
{
    PyObject *raised = caw__take_raised();
    bool closes = PyCoro_CheckExact(object) || (awaitable_slot(object) && awaitable_is_bare_iterator(object));
    PyObject *close = closes ? caw__awaitable_method(object, "close") : NULL;
    PyObject *closed = close ? PyObject_CallNoArgs(close) : NULL;
    if (PyErr_Occurred()) {
        PyErr_WriteUnraisable(object);
    }
    Py_XDECREF(closed);
    Py_XDECREF(close);
    Py_DECREF(object);
    if (raised) {
        caw__raise(raised);
    }
}
