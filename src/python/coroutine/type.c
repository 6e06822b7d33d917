/* type.c: the coroutine as an object: its end, its two types, and what Python calls, all of it thin wrappers over
 * trampoline.c.
 *
 * `await` asks the slot am_await for an iterator, and drives that by slots. There a coroutine is its own iterator, so
 * that nothing is made for an await. For Python code it is none: the slots of an iterator are set after the type was
 * made, so its dict has no methods for them, and __await__() gives another object. */
#include "python/coroutine/type.h"

#include "python/base/dealloc.h"
#include "python/base/errors.h"
#include "python/base/instruction.h"
#include "python/coroutine/attributes.h"
#include "python/coroutine/end.h"
#include "python/coroutine/iterator.h"
#include "python/coroutine/step.h"
#include "python/coroutine/trampoline.h"

#include <structmember.h>

/* --- its end --- */

/* As Python's own since 3.13. */
static void
coroutine_warn_step_never_awaited(caw__coroutine *c)
{
    PyObject *qualname = NULL;
    const char *method = caw__child_ops_of(c->future)->method(c->future, &qualname);
    if (PyErr_WarnFormat(PyExc_RuntimeWarning, 1, "coroutine method '%s' of %R was never awaited", method,
                         qualname ? qualname : Py_None) < 0) {
        PyErr_WriteUnraisable((PyObject *)c);
    }
}

static void
coroutine_warn_never_awaited(caw__coroutine *c)
{
    if (c->waiter.steps) {
        coroutine_warn_step_never_awaited(c);
        return;
    }
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
    Py_VISIT(c->waiter.self);
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
    Py_CLEAR(c->waiter.self);
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
    if (c->waiter.weakrefs) {
        PyObject_ClearWeakRefs((PyObject *)c);
    }
    caw__coroutine_extras_free(c);
    Py_CLEAR(c->waiter.self);
    return true;
}

/* Put its memory into the free list. False: that is full. */
static inline bool
coroutine_keep(caw__state *state, caw__coroutine *c, bool steps)
{
    caw__coroutine **list = steps ? &state->free_steps : &state->free_coroutines;
    int *n = steps ? &state->n_free_steps : &state->n_free_coroutines;
    if (*n >= CAW__FREELIST_MAX) {
        return false;
    }
    c->waiter.self = (PyObject *)*list;
    *list = c;
    ++*n;
    return true;
}

/* It is stripped, or was never more. */
static inline void
coroutine_end(caw__coroutine *c, bool steps)
{
    caw__function *function = c->function;
    caw__state *state = caw__coroutine_state_of(c);
    if (!state || c->waiter.finalized || !coroutine_keep(state, c, steps)) {
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
            coroutine_end(c, c->waiter.steps);
        }
        caw__dealloc_end();
    }
}

/* What has extras or a self is tracked. */
static inline bool
coroutine_is_stripped(const caw__coroutine *c)
{
    return c->waiter.state == CORO_CLOSED && !c->waiter.tracked && !c->waiter.weakrefs;
}

static void
coroutine_dealloc(PyObject *self)
{
    caw__coroutine *c = (caw__coroutine *)self;
    if (coroutine_is_stripped(c)) {
        coroutine_end(c, false);
    }
    else {
        coroutine_strip_and_end(self);
    }
}

static void
coroutine_step_dealloc(PyObject *self)
{
    caw__coroutine *c = (caw__coroutine *)self;
    if (coroutine_is_stripped(c)) {
        coroutine_end(c, true);
    }
    else {
        coroutine_strip_and_end(self);
    }
}

/* --- what Python calls --- */

/* It runs, or is suspended. A second `await` is refused here. Others ask for an iterator again and again, and only the
 * one that waits may resume it: anext() with a default does so for each resume. */
CAW__SLOW static PyObject *
coroutine_await_again(caw__coroutine *c)
{
    if (caw__begins_await()) {
        caw__coroutine_refuse(c);
        return NULL;
    }
    return Py_NewRef((PyObject *)c);
}

/* `await`: it is its own iterator there, which Python code does not get to see. */
static PyObject *
coroutine_await(PyObject *self)
{
    caw__coroutine *c = (caw__coroutine *)self;
    c->waiter.awaited = true;
    if (c->waiter.running || (c->waiter.state & CORO_SUSPENDED)) { /* one bit: both are one comparison */
        return coroutine_await_again(c);
    }
    return Py_NewRef(self);
}

/* What __await__ is for Python code. */
static PyObject *
coroutine_await_method(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return caw__iterator_new((caw__coroutine *)self);
}

/* `yield from`, in a generator that is a coroutine. For all else it is not iterable. */
static PyObject *
coroutine_iter(PyObject *self)
{
    switch (caw__begins_yield_from()) {
    case YIELD_FROM_COROUTINE:
        return coroutine_await(self);
    case YIELD_FROM_GENERATOR:
        PyErr_SetString(PyExc_TypeError, "cannot 'yield from' a coroutine object in a non-coroutine generator");
        return NULL;
    default:
        PyErr_Format(PyExc_TypeError, "'%.200s' object is not iterable", Py_TYPE(self)->tp_name);
        return NULL;
    }
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

static inline PyObject *
coroutine_next(PyObject *self)
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

CAW__SLOW static PyObject *
coroutine_is_no_iterator(PyObject *self)
{
    PyErr_Format(PyExc_TypeError, "'%.200s' object is not an iterator", Py_TYPE(self)->tp_name);
    return NULL;
}

/* `await` and other callers that asked for an iterator, and hold it. Whoever calls next() did not ask. */
static PyObject *
coroutine_iternext(PyObject *self)
{
    return ((caw__coroutine *)self)->waiter.awaited ? coroutine_next(self) : coroutine_is_no_iterator(self);
}

PyDoc_STRVAR(coroutine_send_doc,
             "send(arg) -> send 'arg' into the coroutine; return what it yields, or raise StopIteration.");

static PyObject *
coroutine_send_method(PyObject *self, PyObject *arg)
{
    return caw__coroutine_method_send((caw__coroutine *)self, arg);
}

PyDoc_STRVAR(coroutine_throw_doc,
             "throw(value)\nthrow(type[, value[, traceback]])\n\n"
             "Raise an exception in the coroutine; return what it yields, or raise StopIteration.");

static PyObject *
coroutine_throw_method(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    return caw__coroutine_method_throw((caw__coroutine *)self, args, nargs);
}

PyDoc_STRVAR(coroutine_close_doc, "close() -> cancel the operation without waiting for its end.");

static PyObject *
coroutine_close_method(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return caw__coroutine_method_close((caw__coroutine *)self);
}

#define COROUTINE_METHODS                                                                                              \
    {"send", coroutine_send_method, METH_O, coroutine_send_doc},                                                       \
        {"throw", (PyCFunction)(void (*)(void))coroutine_throw_method, METH_FASTCALL, coroutine_throw_doc},            \
        {"close", coroutine_close_method, METH_NOARGS, coroutine_close_doc},

static PyMethodDef coroutine_methods[] = {
    COROUTINE_METHODS
    /* instead of the slot's: METH_COEXIST */
    {"__await__", coroutine_await_method, METH_NOARGS | METH_COEXIST, "An iterator over the operation."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef coroutine_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(caw__coroutine, waiter.weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

#define COROUTINE_SLOTS                                                                                                \
    {Py_tp_finalize, CAW__SLOT(coroutine_finalize)}, {Py_tp_traverse, CAW__SLOT(coroutine_traverse)},                  \
        {Py_tp_clear, CAW__SLOT(coroutine_clear)}, {Py_tp_repr, CAW__SLOT(caw__coroutine_repr)},                       \
        {Py_am_send, CAW__SLOT(coroutine_am_send)}, {Py_tp_members, coroutine_members},                                \
        {Py_tp_getset, caw__coroutine_getset},

#define COROUTINE_FLAGS                                                                                                \
    (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE)

static PyType_Slot coroutine_slots[] = {
    {Py_tp_doc, "A C operation that Python awaits."},
    {Py_tp_dealloc, CAW__SLOT(coroutine_dealloc)},
    {Py_am_await, CAW__SLOT(coroutine_await)},
    {Py_tp_methods, coroutine_methods},
    COROUTINE_SLOTS{0, NULL},
};

PyType_Spec caw__coroutine_spec = {
    .name = "cawait.coroutine",
    .basicsize = sizeof(caw__coroutine),
    .flags = COROUTINE_FLAGS,
    .slots = coroutine_slots,
};

void
caw__coroutine_type_made(PyTypeObject *type)
{
    type->tp_iter = coroutine_iter;
    type->tp_iternext = coroutine_iternext;
}

/* --- a step of an async generator --- */

/* As Python's, it is its own iterator for all to see, and may be asked for it again in the middle. */
static PyObject *
coroutine_step_await(PyObject *self)
{
    caw__coroutine *c = (caw__coroutine *)self;
    if (c->waiter.running) {
        caw__coroutine_refuse(c);
        return NULL;
    }
    return Py_NewRef(self);
}

static PyObject *
coroutine_step_next(PyObject *self)
{
    return coroutine_next(self);
}

/* Called by name, and not by `await`: then the StopIteration has the value in its args too. */
static PyObject *
coroutine_step_next_method(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return caw__coroutine_method_send((caw__coroutine *)self, Py_None);
}

static PyMethodDef coroutine_step_methods[] = {
    COROUTINE_METHODS
    /* instead of the slot's: METH_COEXIST */
    {"__next__", coroutine_step_next_method, METH_NOARGS | METH_COEXIST, "The same as send(None)."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot coroutine_step_slots[] = {
    {Py_tp_doc, "A step of a C stream that Python iterates."},
    {Py_tp_dealloc, CAW__SLOT(coroutine_step_dealloc)},
    {Py_am_await, CAW__SLOT(coroutine_step_await)},
    {Py_tp_iter, CAW__SLOT(PyObject_SelfIter)},
    {Py_tp_iternext, CAW__SLOT(coroutine_step_next)},
    {Py_tp_methods, coroutine_step_methods},
    COROUTINE_SLOTS{0, NULL},
};

PyType_Spec caw__step_spec = {
    .name = "cawait.async_generator_step",
    .basicsize = sizeof(caw__coroutine),
    .flags = COROUTINE_FLAGS,
    .slots = coroutine_step_slots,
};
