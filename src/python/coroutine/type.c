/* type.c: the coroutine as an object: its end, and the methods that Python calls, all of them thin wrappers over
 * trampoline.c. */
#include "python/coroutine/type.h"

#include "python/base/dealloc.h"
#include "python/base/errors.h"
#include "python/coroutine/attributes.h"
#include "python/coroutine/end.h"
#include "python/coroutine/step.h"
#include "python/coroutine/trampoline.h"

#include <structmember.h>

/* --- its end --- */

static void
coroutine_warn_never_awaited(caw__coroutine *c)
{
    PyObject *warnings = PyImport_ImportModule("warnings");
    PyObject *warned = NULL;
    if (warnings && PyObject_HasAttrString(warnings, "_warn_unawaited_coroutine")) {
        warned = PyObject_CallMethod(warnings, "_warn_unawaited_coroutine", "O", c); /* adds where it was created */
    }
    else {
        PyErr_Clear();
        PyObject *qualname = caw__coroutine_qualname(c);
        if (PyErr_WarnFormat(PyExc_RuntimeWarning, 1, "coroutine '%S' was never awaited", qualname) == 0) {
            warned = Py_NewRef(Py_None);
        }
    }
    if (!warned) {
        PyErr_WriteUnraisable((PyObject *)c);
    }
    Py_XDECREF(warned);
    Py_XDECREF(warnings);
}

static void
coroutine_finalize(PyObject *self)
{
    caw__coroutine *c = (caw__coroutine *)self;
    if (c->waiter.running) {
        return; /* __del__() called by hand, from inside: whoever runs it holds it, so this is not its end */
    }
    c->waiter.finalized = true;
    if (c->waiter.state == CORO_CLOSED) {
        return;
    }
    PyObject *raised = caw__take_raised();
    if (c->waiter.state == CORO_CREATED && !c->waiter.silent) {
        coroutine_warn_never_awaited(c);
    }
    if (c->waiter.delegates && caw__coroutine_close(c) < 0) {
        PyErr_WriteUnraisable(self);
    }
    caw__coroutine_abandon(c);
    if (raised) {
        caw__raise(raised);
    }
}

static int
coroutine_traverse(PyObject *self, visitproc visit, void *arg)
{
    caw__coroutine *c = (caw__coroutine *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(c->function);
    Py_VISIT(c->self);
    Py_VISIT(c->waiter.callback);
    Py_VISIT(c->waiter.context);
    if (c->extras) {
        Py_VISIT(c->extras->name);
        Py_VISIT(c->extras->qualname);
        Py_VISIT(c->extras->origin);
        Py_VISIT(c->extras->frame);
        Py_VISIT(c->extras->pending);
        Py_VISIT(c->extras->message);
        Py_VISIT(c->extras->before);
        Py_VISIT(c->extras->awaiter);
        Py_VISIT(c->extras->scope);
        Py_VISIT(c->extras->thrown);
        Py_VISIT(c->extras->noted);
    }
    if (c->extras && c->extras->inner) {
        Py_VISIT(c->extras->inner->object);
        Py_VISIT(c->extras->inner->sent);
    }
    bool has_child = c->future && (c->waiter.steps || caw__coroutine_awaits_python(c));
    return has_child ? caw__child_ops_of(c->future)->traverse(c->future, visit, arg) : 0;
}

static int
coroutine_clear(PyObject *self)
{
    caw__coroutine *c = (caw__coroutine *)self;
    if (c->waiter.running) {
        return 0; /* its C frames still use it; the caller's reference keeps it alive */
    }
    caw__coroutine_abandon(c); /* nothing to do where it was finalized */
    Py_CLEAR(c->function);
    Py_CLEAR(c->self);
    caw__coroutine_extras_free(c);
    return 0;
}

/* Let go of all that makes it more than a closed coroutine of a function. False: somebody kept it. */
CAW__APART static bool
coroutine_strip(caw__coroutine *c)
{
    if (c->waiter.state != CORO_CLOSED) {
        if (!PyObject_GC_IsTracked((PyObject *)c)) {
            PyObject_GC_Track(c); /* CPython asserts it in PyObject_CallFinalizerFromDealloc */
        }
        if (PyObject_CallFinalizerFromDealloc((PyObject *)c) < 0) {
            return false; /* the warning's handlers kept it */
        }
    }
    PyObject_GC_UnTrack(c);
    if (c->weakrefs) {
        PyObject_ClearWeakRefs((PyObject *)c);
    }
    caw__coroutine_extras_free(c);
    Py_CLEAR(c->self);
    return true;
}

/* It is stripped, or was never more. */
static void
coroutine_end(caw__coroutine *c)
{
    caw__function *function = c->function;
    caw__state *state = caw__coroutine_state_of(c);
    if (state && state->n_free_coroutines < CAW__FREELIST_MAX && !c->waiter.finalized) {
        c->self = (PyObject *)state->free_coroutines;
        state->free_coroutines = c;
        state->n_free_coroutines++;
    }
    else {
        caw__coroutine_free(c);
    }
    if (state) {
        caw__forget_returned(state);
    }
    Py_XDECREF((PyObject *)function); /* last: it keeps the state */
}

/* The future may hold another coroutine, and that one the next. */
CAW__APART static void
coroutine_strip_and_end(PyObject *self)
{
    caw__coroutine *c = (caw__coroutine *)self;
    c->waiter.tracked = true; /* still to be stripped, also when that is put off */
    if (caw__dealloc_begin(self)) {
        if (coroutine_strip(c)) {
            coroutine_end(c);
        }
        caw__dealloc_end();
    }
}

static void
coroutine_dealloc(PyObject *self)
{
    caw__coroutine *c = (caw__coroutine *)self;
    if (c->waiter.state != CORO_CLOSED || c->waiter.tracked || c->weakrefs) { /* what has extras or a self is tracked */
        coroutine_strip_and_end(self);
    }
    else {
        coroutine_end(c);
    }
}

/* --- what Python calls --- */

/* `await`. A step of an async generator may be awaited again in the middle: anext() with a default does so for each
 * resume. */
static PyObject *
coroutine_await(PyObject *self)
{
    caw__coroutine *c = (caw__coroutine *)self;
    if (c->waiter.running || (c->waiter.state == CORO_SUSPENDED && !c->waiter.steps)) {
        caw__coroutine_refuse(c);
        return NULL;
    }
    return Py_NewRef(self);
}

/* The caller may hold the coroutine only by a field that the poll can change, as asyncio's Task does. */
static PySendResult
coroutine_am_send(PyObject *self, PyObject *value, PyObject **result)
{
    Py_INCREF(self);
    PySendResult outcome = caw__coroutine_send(self, value, result);
    Py_DECREF(self);
    return outcome;
}

/* `await`, next() and the other callers hold what they iterate over. */
static PyObject *
coroutine_iternext(PyObject *self)
{
    PyObject *result;
    if (caw__coroutine_send(self, NULL, &result) != PYGEN_RETURN) {
        return result;
    }
    if (result == Py_None) {
        Py_DECREF(result); /* NULL without an exception is None */
        return NULL;
    }
    caw__return_by_iternext(caw__coroutine_state_of((caw__coroutine *)self), result);
    return NULL;
}

static PyObject *
coroutine_method_outcome(PySendResult outcome, PyObject *result)
{
    if (outcome == PYGEN_RETURN) {
        caw__return_by_raise(result);
        return NULL;
    }
    return result;
}

PyDoc_STRVAR(coroutine_send_doc,
             "send(arg) -> send 'arg' into the coroutine; return what it yields, or raise StopIteration.");

static PyObject *
coroutine_send_method(PyObject *self, PyObject *arg)
{
    PyObject *result;
    PySendResult outcome = caw__coroutine_send(self, arg, &result);
    return coroutine_method_outcome(outcome, result);
}

PyDoc_STRVAR(coroutine_throw_doc,
             "throw(value)\nthrow(type[, value[, traceback]])\n\n"
             "Raise an exception in the coroutine; return what it yields, or raise StopIteration.");

static PyObject *
coroutine_throw_method(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    if (nargs < 1 || nargs > 3) {
        PyErr_Format(PyExc_TypeError, "throw expected 1 to 3 arguments, got %zd", nargs);
        return NULL;
    }
    PyObject *exc = caw__thrown_exception(args, nargs);
    if (!exc) {
        return NULL;
    }
    PyObject *result;
    PySendResult outcome = caw__coroutine_throw((caw__coroutine *)self, exc, &result);
    return coroutine_method_outcome(outcome, result);
}

PyDoc_STRVAR(coroutine_close_doc, "close() -> cancel the operation without waiting for its end.");

static PyObject *
coroutine_close_method(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    caw__coroutine *c = (caw__coroutine *)self;
    if (c->waiter.running) {
        PyErr_SetString(PyExc_ValueError, "coroutine already executing");
        return NULL;
    }
    if (caw__coroutine_close(c) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyMethodDef coroutine_methods[] = {
    {"send", coroutine_send_method, METH_O, coroutine_send_doc},
    {"throw", (PyCFunction)(void (*)(void))coroutine_throw_method, METH_FASTCALL, coroutine_throw_doc},
    {"close", coroutine_close_method, METH_NOARGS, coroutine_close_doc},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef coroutine_members[] = {
    {"cr_running", T_BOOL, offsetof(caw__coroutine, waiter.running), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(caw__coroutine, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot coroutine_slots[] = {
    {Py_tp_doc, "A C operation that Python awaits."},
    {Py_tp_dealloc, CAW__SLOT(coroutine_dealloc)},
    {Py_tp_finalize, CAW__SLOT(coroutine_finalize)},
    {Py_tp_traverse, CAW__SLOT(coroutine_traverse)},
    {Py_tp_clear, CAW__SLOT(coroutine_clear)},
    {Py_tp_repr, CAW__SLOT(caw__coroutine_repr)},
    {Py_tp_iter, CAW__SLOT(PyObject_SelfIter)},
    {Py_tp_iternext, CAW__SLOT(coroutine_iternext)},
    {Py_am_await, CAW__SLOT(coroutine_await)},
    {Py_am_send, CAW__SLOT(coroutine_am_send)},
    {Py_tp_methods, coroutine_methods},
    {Py_tp_members, coroutine_members},
    {Py_tp_getset, caw__coroutine_getset},
    {0, NULL},
};

PyType_Spec caw__coroutine_spec = {
    .name = "cawait.coroutine",
    .basicsize = sizeof(caw__coroutine),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = coroutine_slots,
};
