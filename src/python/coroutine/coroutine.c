/* coroutine.c: the coroutine as an object: birth, death, and the methods that Python calls, all of them thin wrappers
 * over step.c. */
#include "python/coroutine/coroutine.h"

#include "python/await/in_place.h"
#include "python/base/errors.h"
#include "python/function/function.h"
#include "python/generator/step.h"

#include <string.h>
#include <structmember.h>

/* --- birth and death --- */

/* From here on a new coroutine is all zeros. */
#define COROUTINE_BLANK offsetof(caw__coroutine, park)

/* All but what most have not. */
static inline caw__coroutine *
coroutine_new(caw__function *function, caw_future *future)
{
    caw__state *state = function->state;
    caw__coroutine *c = state->free_coroutines;
    if (c) {
        state->free_coroutines = (caw__coroutine *)c->self;
        state->n_free_coroutines--;
        caw__revive((PyObject *)c);
    }
    else {
        c = PyObject_GC_New(caw__coroutine, state->coroutine_type);
        if (!c) {
            caw_future_destroy(future);
            return NULL;
        }
        c->target = NULL;
    }
    c->future = future;
    c->function = (caw__function *)Py_NewRef(function);
    c->self = NULL;
    memset((char *)c + COROUTINE_BLANK, 0, sizeof *c - COROUTINE_BLANK); /* which makes it CORO_CREATED */
    return c;
}

PyObject *
caw__coroutine_new(caw__function *function, caw_future *future, PyObject *self, PyThreadState *tstate)
{
    caw__coroutine *c = coroutine_new(function, future);
    if (!c) {
        return NULL;
    }
    c->self = Py_XNewRef(self);
    if (self || future->ops == &caw__py_await_ops) {
        caw__coroutine_track(c);
    }
    int depth = caw__origin_depth(tstate);
    if (depth > 0) {
        caw__coroutine_remember_origin(c, depth);
    }
    return (PyObject *)c;
}

PyObject *
caw__coroutine_new_step(caw__function *function, caw_future *future)
{
    caw__coroutine *c = coroutine_new(function, future);
    if (c) {
        c->steps = true;
    }
    return (PyObject *)c;
}

PyObject *
caw__coroutine_for(caw__state *state, PyObject *module, caw_future *future, const caw_py_spec *spec)
{
    const caw__function_def def = {.spec = spec, .name = spec->name};
    caw__function *function = caw__function_for(state, module, &def, future->ops->name);
    if (!function) {
        caw_future_destroy(future);
        return NULL;
    }
    PyObject *coroutine = caw__coroutine_new(function, future, NULL, PyThreadState_Get());
    if (spec->wrap_in_python) {
        coroutine = caw__coroutine_wrap(function, coroutine);
    }
    Py_DECREF((PyObject *)function);
    return coroutine;
}

static void
coroutine_extras_free(caw__coroutine *c)
{
    caw__coroutine_extras *extras = c->extras;
    if (extras) {
        c->extras = NULL;
        Py_XDECREF(extras->name);
        Py_XDECREF(extras->qualname);
        Py_XDECREF(extras->origin);
        Py_XDECREF(extras->frame);
        Py_XDECREF(extras->pending);
        Py_XDECREF(extras->message);
        Py_XDECREF(extras->before);
        Py_XDECREF(extras->awaiter);
        Py_XDECREF(extras->scope);
        Py_XDECREF(extras->thrown);
        Py_XDECREF(extras->raised);
        PyMem_Free(extras);
    }
}

caw__coroutine_extras *
caw__coroutine_extras_get(caw__coroutine *c)
{
    if (!c->extras) {
        c->extras = PyMem_Calloc(1, sizeof *c->extras);
        if (!c->extras) {
            PyErr_NoMemory();
            return NULL;
        }
        caw__coroutine_track(c);
    }
    return c->extras;
}

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
    if (c->running) {
        return; /* __del__() called by hand, from inside: whoever runs it holds it, so this is not its end */
    }
    c->finalized = true;
    if (c->state == CORO_CLOSED) {
        return;
    }
    PyObject *raised = caw__take_raised();
    if (c->state == CORO_CREATED && !c->silent) {
        coroutine_warn_never_awaited(c);
    }
    if (c->delegates && caw__coroutine_close(c) < 0) {
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
    Py_VISIT(c->callback);
    Py_VISIT(c->context);
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
        Py_VISIT(c->extras->raised);
    }
    const caw__generator_step *advance = c->future ? caw__generator_step_of(c->future) : NULL;
    if (advance) {
        Py_VISIT(advance->generator);
        Py_VISIT(advance->arg);
    }
    return caw__py_await_traverse(c, visit, arg);
}

static int
coroutine_clear(PyObject *self)
{
    caw__coroutine *c = (caw__coroutine *)self;
    if (c->running) {
        return 0; /* its C frames still use it; the caller's reference keeps it alive */
    }
    caw__coroutine_abandon(c); /* nothing to do where it was finalized */
    Py_CLEAR(c->function);
    Py_CLEAR(c->self);
    coroutine_extras_free(c);
    return 0;
}

CAW__APART static void
coroutine_free(caw__coroutine *c)
{
    PyTypeObject *type = Py_TYPE(c);
    if (c->target) {
        caw__wake_target_release(c->target);
    }
    PyObject_GC_Del(c);
    Py_DECREF(type);
}

/* Let go of all that makes it more than a closed coroutine of a function. False: somebody kept it. */
CAW__APART static bool
coroutine_strip(caw__coroutine *c)
{
    if (c->state != CORO_CLOSED) {
        PyObject_GC_Track(c); /* CPython asserts it in PyObject_CallFinalizerFromDealloc */
        if (PyObject_CallFinalizerFromDealloc((PyObject *)c) < 0) {
            return false; /* the warning's handlers kept it */
        }
    }
    PyObject_GC_UnTrack(c);
    if (c->weakrefs) {
        PyObject_ClearWeakRefs((PyObject *)c);
    }
    coroutine_extras_free(c);
    Py_CLEAR(c->self);
    return true;
}

/* It is stripped, or was never more. */
static void
coroutine_end(caw__coroutine *c)
{
    caw__function *function = c->function;
    caw__state *state = caw__coroutine_state_of(c);
    if (state && state->n_free_coroutines < CAW__FREELIST_MAX && !c->finalized) {
        c->self = (PyObject *)state->free_coroutines;
        state->free_coroutines = c;
        state->n_free_coroutines++;
    }
    else {
        coroutine_free(c);
    }
    if (state) {
        caw__forget_returned(state);
    }
    Py_XDECREF((PyObject *)function); /* last: it keeps the state */
}

static void coroutine_dealloc(PyObject *self);

/* Not inside too many others: the future may hold another coroutine, and that one the next. */
CAW__APART static void
coroutine_strip_and_end(PyObject *self)
{
    caw__coroutine *c = (caw__coroutine *)self;
    PyObject_GC_UnTrack(c);
    c->tracked = true; /* still to be stripped, also when that is put off */
    Py_TRASHCAN_BEGIN(self, coroutine_dealloc) if (coroutine_strip(c))
    {
        coroutine_end(c);
    }
    Py_TRASHCAN_END
}

static void
coroutine_dealloc(PyObject *self)
{
    caw__coroutine *c = (caw__coroutine *)self;
    if (c->state != CORO_CLOSED || c->tracked || c->weakrefs) { /* what has extras or a self is tracked */
        coroutine_strip_and_end(self);
    }
    else {
        coroutine_end(c);
    }
}

void
caw__coroutine_free_list_clear(caw__state *state)
{
    while (state->free_coroutines) {
        caw__coroutine *c = state->free_coroutines;
        state->free_coroutines = (caw__coroutine *)c->self;
        coroutine_free(c);
    }
}

/* --- what Python calls --- */

/* `await`. Of a step of an async generator it may be asked again in the middle: anext() with a default does so for each
 * resume. */
static PyObject *
coroutine_await(PyObject *self)
{
    caw__coroutine *c = (caw__coroutine *)self;
    if (c->running || (c->state == CORO_SUSPENDED && !caw__generator_step_of(c->future))) {
        caw__coroutine_refuse(c);
        return NULL;
    }
    return Py_NewRef(self);
}

/* Who sends may hold the coroutine only by a field that what a poll runs can change, as asyncio's Task does. */
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
    if (c->running) {
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
    {"cr_running", T_BOOL, offsetof(caw__coroutine, running), READONLY, NULL},
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
