/* type.c: the type of async generators: its methods and attributes, as in `Objects/genobject.c` (CPython 3.13). */
#include "python/generator/type.h"

#include "python/base/dealloc.h"
#include "python/base/errors.h"
#include "python/function/code.h"
#include "python/generator/step.h"
#include "python/iterate/iterate.h"

#include <structmember.h>

/* --- death --- */

static void
generator_finalize(PyObject *self)
{
    caw__generator *g = (caw__generator *)self;
    if (g->running) {
        return; /* __del__() was called by hand: a step that runs holds it, so this is not its end */
    }
    PyObject *raised = caw__take_raised();
    caw__generator_end(g);
    if (raised) {
        caw__raise(raised);
    }
}

static int
generator_traverse(PyObject *self, visitproc visit, void *arg)
{
    caw__generator *g = (caw__generator *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(g->function);
    Py_VISIT(g->self);
    Py_VISIT(g->raised);
    return g->stream ? caw__iteration_traverse(g->stream, visit, arg) : 0;
}

static int
generator_clear(PyObject *self)
{
    caw__generator *g = (caw__generator *)self;
    if (g->running) {
        return 0; /* C functions on the stack still use it; the caller's reference keeps it alive */
    }
    caw__generator_end(g);
    Py_CLEAR(g->function);
    Py_CLEAR(g->self);
    return 0;
}

static void
generator_free(PyObject *self)
{
    caw__generator *g = (caw__generator *)self;
    PyTypeObject *type = Py_TYPE(self);
    if (!PyObject_GC_IsTracked(self)) { /* it was put off */
        PyObject_GC_Track(self);        /* CPython asserts it in PyObject_CallFinalizerFromDealloc */
    }
    if (PyObject_CallFinalizerFromDealloc(self) < 0) {
        return; /* the finalizer made a new reference */
    }
    PyObject_GC_UnTrack(self);
    if (g->weakrefs) {
        PyObject_ClearWeakRefs(self);
    }
    generator_clear(self);
    Py_CLEAR(g->name);
    Py_CLEAR(g->qualname);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

/* The stream may iterate another generator, and that one the next. */
static void
generator_dealloc(PyObject *self)
{
    if (caw__dealloc_begin(self)) {
        generator_free(self);
        caw__dealloc_end();
    }
}

/* --- methods --- */

/* Make a step. Before the first one the loop's hook is called, as by async_gen_init_hooks. */
static PyObject *
generator_begin_step(PyObject *self, caw__generator_step_kind kind, PyObject *arg)
{
    caw__generator *g = (caw__generator *)self;
    if (!g->function || !g->function->state) {
        PyErr_SetString(PyExc_RuntimeError, "the module of the generator is gone");
        return NULL;
    }
    if (!g->hooked) {
        g->hooked = true;
        PyObject *hook = Py_XNewRef(caw__asyncgen_firstiter(PyThreadState_Get()));
        PyObject *called = hook ? PyObject_CallOneArg(hook, self) : NULL;
        bool failed = hook && !called;
        Py_XDECREF(called);
        Py_XDECREF(hook);
        if (failed) {
            return NULL;
        }
    }
    return caw__generator_step_new(g, kind, arg);
}

static PyObject *
generator_anext(PyObject *self)
{
    return generator_begin_step(self, GENERATOR_STEP_NEXT, NULL);
}

PyDoc_STRVAR(generator_asend_doc,
             "asend(value) -> an awaitable of the next item. The value goes to the stream, which may "
             "have no use for it.");

static PyObject *
generator_asend(PyObject *self, PyObject *value)
{
    return generator_begin_step(self, GENERATOR_STEP_NEXT, value);
}

PyDoc_STRVAR(generator_athrow_doc,
             "athrow(value)\nathrow(type[, value[, traceback]])\n\n"
             "An awaitable that ends the stream and raises the exception; or of the next item, where the "
             "stream takes it.");

static PyObject *
generator_athrow(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    if (nargs < 1 || nargs > 3) {
        PyErr_Format(PyExc_TypeError, "athrow expected 1 to 3 arguments, got %zd", nargs);
        return NULL;
    }
    if (caw__warn_of_three_arguments("athrow", nargs) < 0) {
        return NULL;
    }
    PyObject *exception = caw__thrown_exception(args, nargs);
    PyObject *coroutine = exception ? generator_begin_step(self, GENERATOR_STEP_THROW, exception) : NULL;
    Py_XDECREF(exception);
    return coroutine;
}

PyDoc_STRVAR(generator_aclose_doc, "aclose() -> an awaitable that ends the stream.");

static PyObject *
generator_aclose(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return generator_begin_step(self, GENERATOR_STEP_CLOSE, NULL);
}

static PyMethodDef generator_methods[] = {
    {"asend", generator_asend, METH_O, generator_asend_doc},
    {"athrow", (PyCFunction)(void (*)(void))generator_athrow, METH_FASTCALL, generator_athrow_doc},
    {"aclose", generator_aclose, METH_NOARGS, generator_aclose_doc},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, NULL},
    {NULL, NULL, 0, NULL},
};

/* --- attributes --- */

static PyObject *
generator_get_name(PyObject *self, void *Py_UNUSED(closure))
{
    caw__generator *g = (caw__generator *)self;
    return Py_NewRef(g->name ? g->name : g->function ? g->function->name : Py_None);
}

static PyObject *
generator_get_qualname(PyObject *self, void *Py_UNUSED(closure))
{
    caw__generator *g = (caw__generator *)self;
    return Py_NewRef(g->qualname ? g->qualname : g->function ? g->function->qualname : Py_None);
}

static int
generator_set_string(PyObject **field, PyObject *value, const char *attribute)
{
    if (!value || !PyUnicode_Check(value)) {
        PyErr_Format(PyExc_TypeError, "%s must be set to a string object", attribute);
        return -1;
    }
    Py_XSETREF(*field, Py_NewRef(value));
    return 0;
}

static int
generator_set_name(PyObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    return generator_set_string(&((caw__generator *)self)->name, value, "__name__");
}

static int
generator_set_qualname(PyObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    return generator_set_string(&((caw__generator *)self)->qualname, value, "__qualname__");
}

static PyObject *
generator_get_await(PyObject *self, void *Py_UNUSED(closure))
{
    const caw__coroutine *waiter = ((caw__generator *)self)->waiter;
    return waiter ? caw__coroutine_awaits(waiter) : Py_NewRef(Py_None);
}

static bool
generator_is_suspended(const caw__generator *g)
{
    return g->stream && g->started && (!g->running || g->waiter);
}

static PyObject *
generator_get_suspended(PyObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(generator_is_suspended((caw__generator *)self));
}

/* What inspect.getasyncgenstate() reads since Python 3.15. */
static PyObject *
generator_get_state(PyObject *self, void *Py_UNUSED(closure))
{
    const caw__generator *g = (caw__generator *)self;
    return PyUnicode_InternFromString(generator_is_suspended(g) ? "AGEN_SUSPENDED"
                                      : g->running              ? "AGEN_RUNNING"
                                      : g->stream               ? "AGEN_CREATED"
                                                                : "AGEN_CLOSED");
}

static PyObject *
generator_get_frame(PyObject *self, void *Py_UNUSED(closure))
{
    caw__generator *g = (caw__generator *)self;
    return g->stream ? caw__function_frame(g->function, NULL, NULL, 0) : Py_NewRef(Py_None);
}

static PyObject *
generator_get_code(PyObject *self, void *Py_UNUSED(closure))
{
    caw__function *function = ((caw__generator *)self)->function;
    return function ? Py_XNewRef(caw__function_code(function)) : Py_NewRef(Py_None);
}

static PyGetSetDef generator_getset[] = {
    {"__name__", generator_get_name, generator_set_name, NULL, NULL},
    {"__qualname__", generator_get_qualname, generator_set_qualname, NULL, NULL},
    {"ag_await", generator_get_await, NULL, "what it waits for, or None", NULL},
    {"ag_suspended", generator_get_suspended, NULL, NULL, NULL},
    {"ag_state", generator_get_state, NULL, "AGEN_CREATED, AGEN_RUNNING, AGEN_SUSPENDED or AGEN_CLOSED", NULL},
    {"ag_frame", generator_get_frame, NULL, "a frame that names the C function, or None", NULL},
    {"ag_code", generator_get_code, NULL, "a code object that names the C function", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef generator_members[] = {
    {"ag_running", T_BOOL, offsetof(caw__generator, running), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(caw__generator, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyObject *
generator_repr(PyObject *self)
{
    caw__generator *g = (caw__generator *)self;
    PyObject *qualname = g->qualname ? g->qualname : g->function ? g->function->qualname : NULL;
    const char *state = g->running ? "running" : !g->stream ? "closed" : g->started ? "suspended" : "created";
    if (g->stream) {
        return PyUnicode_FromFormat("<async_generator %V (%s, %s) at %p>", qualname, "?", g->stream->ops->name, state,
                                    self);
    }
    return PyUnicode_FromFormat("<async_generator %V (%s) at %p>", qualname, "?", state, self);
}

static PyType_Slot generator_slots[] = {
    {Py_tp_doc, "A C stream that Python iterates."},
    {Py_tp_dealloc, CAW__SLOT(generator_dealloc)},
    {Py_tp_finalize, CAW__SLOT(generator_finalize)},
    {Py_tp_traverse, CAW__SLOT(generator_traverse)},
    {Py_tp_clear, CAW__SLOT(generator_clear)},
    {Py_tp_repr, CAW__SLOT(generator_repr)},
    {Py_am_aiter, CAW__SLOT(PyObject_SelfIter)},
    {Py_am_anext, CAW__SLOT(generator_anext)},
    {Py_tp_methods, generator_methods},
    {Py_tp_members, generator_members},
    {Py_tp_getset, generator_getset},
    {0, NULL},
};

PyType_Spec caw__generator_spec = {
    .name = "cawait.async_generator",
    .basicsize = sizeof(caw__generator),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = generator_slots,
};
