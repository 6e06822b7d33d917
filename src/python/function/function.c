/* function.c: the callables that make coroutines and async generators.
 *
 * They have types of their own, because a builtin function is never a coroutine function. FastAPI, pytest and many
 * others decide by inspect.iscoroutinefunction, which requires a __code__ with the coroutine flag on an object that
 * looks like a function (Lib/inspect.py: _has_code_flag, _signature_is_functionlike). Two types share all the code: a
 * method binds to its object; a function of a module does not, as with builtins.
 */
#include "python/function/function.h"

#include "python/base/awaitable.h"
#include "python/base/errors.h"
#include "python/function/attributes.h"
#include "python/function/signature.h"

#include <structmember.h>

/* --- calling --- */

static inline bool
function_has_no_keywords(caw__function *f, PyObject *kwnames)
{
    if (kwnames && PyTuple_GET_SIZE(kwnames) > 0) {
        PyErr_Format(PyExc_TypeError, "%U() takes no keyword arguments", f->qualname);
        return false;
    }
    return true;
}

/* A frame: its future or stream. `args` is NULL where it takes none. */
static void *
function_start_frame(caw__function *f, PyObject *self, PyObject *args, PyObject *kwargs)
{
    caw_generator *g = f->stream ? caw_generator_alloc(f->start.stream.frame) : NULL;
    caw_async *a = f->stream ? (g ? &g->async : NULL) : caw_async_alloc(f->start.future.frame);
    if (!a) {
        return NULL;
    }
    int failed = !args ? 0
                 : g   ? f->stream->arguments(g, self, args, kwargs)
                       : f->spec->arguments(a, self, args, kwargs);
    if (failed) {
        if (!PyErr_Occurred()) {
            caw_py_set_error(caw_error_from_return(a->future.ops->name, "arguments", failed));
        }
        PyObject *raised = caw__take_raised();
        caw_async_destroy(&a->future);
        caw__raise(raised);
        return NULL;
    }
    return g ? (void *)&g->stream : (void *)&a->future;
}

/* The arguments as a tuple and a dict, for PyArg_ParseTupleAndKeywords. */
static void *
function_start_varargs(caw__function *f, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    Py_ssize_t n_keywords = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
    PyObject *tuple = PyTuple_New(nargs);
    PyObject *kwargs = tuple && n_keywords > 0 ? PyDict_New() : NULL;
    void *operation = NULL;
    if (!tuple || (n_keywords > 0 && !kwargs)) {
        goto done;
    }
    for (Py_ssize_t i = 0; i < nargs; i++) {
        PyTuple_SET_ITEM(tuple, i, Py_NewRef(args[i]));
    }
    for (Py_ssize_t i = 0; i < n_keywords; i++) {
        if (PyDict_SetItem(kwargs, PyTuple_GET_ITEM(kwnames, i), args[nargs + i]) < 0) {
            goto done;
        }
    }
    operation = f->convention == CAW_PY_FRAME ? function_start_frame(f, self, tuple, kwargs)
                : f->stream                   ? (void *)f->start.stream.varargs(self, tuple, kwargs)
                                              : (void *)f->start.future.varargs(self, tuple, kwargs);
done:
    Py_XDECREF(tuple);
    Py_XDECREF(kwargs);
    return operation;
}

static void *
function_start_noargs(caw__function *f, PyObject *self, Py_ssize_t nargs, PyObject *kwnames)
{
    if (nargs != 0) {
        PyErr_Format(PyExc_TypeError, "%U() takes no arguments (%zd given)", f->qualname, nargs);
        return NULL;
    }
    if (!function_has_no_keywords(f, kwnames)) {
        return NULL;
    }
    if (f->convention == CAW_PY_FRAME) {
        return function_start_frame(f, self, NULL, NULL);
    }
    return f->stream ? (void *)f->start.stream.noargs(self) : (void *)f->start.future.noargs(self);
}

static void *
function_start_o(caw__function *f, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (nargs != 1) {
        PyErr_Format(PyExc_TypeError, "%U() takes exactly one argument (%zd given)", f->qualname, nargs);
        return NULL;
    }
    if (!function_has_no_keywords(f, kwnames)) {
        return NULL;
    }
    return f->stream ? (void *)f->start.stream.o(self, args[0]) : (void *)f->start.future.o(self, args[0]);
}

/* Call the start function: a future, or a stream. */
static inline void *
function_start(caw__function *f, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    switch (f->convention) {
    case CAW_PY_FASTCALL:
        return f->stream ? (void *)f->start.stream.fastcall(self, args, nargs, kwnames)
                         : (void *)f->start.future.fastcall(self, args, nargs, kwnames);
    case CAW_PY_NOARGS:
        return function_start_noargs(f, self, nargs, kwnames);
    case CAW_PY_O:
        return function_start_o(f, self, args, nargs, kwnames);
    default:
        return caw__function_takes_nothing(f) ? function_start_noargs(f, self, nargs, kwnames)
                                              : function_start_varargs(f, self, args, nargs, kwnames);
    }
}

/* start returned NULL or an exception is set: start raised or had no memory, or it made a mistake. */
CAW__SLOW static PyObject *
function_make_nothing(caw__function *f, void *operation)
{
    caw__await_made = NULL;
    if (operation && f->stream) {
        caw__stream_drop(operation);
    }
    else if (operation) {
        caw__future_drop(operation);
    }
    if (operation && !f->state) {
        PyErr_Format(PyExc_RuntimeError, "the module of '%U' is gone", f->qualname);
    }
    else if (operation) {
        PyErr_Format(PyExc_SystemError, "the start function of '%U' returned a %s with an exception set", f->qualname,
                     f->stream ? "stream" : "future");
    }
    else if (!PyErr_Occurred()) {
        PyErr_NoMemory();
    }
    return NULL;
}

/* Make the object that Python gets from the future or the stream. */
static inline PyObject *
function_make(caw__function *f, void *operation, PyObject *self)
{
    PyThreadState *tstate = PyThreadState_Get();
    if (!operation || !f->state || caw__has_raised(tstate)) {
        return function_make_nothing(f, operation);
    }
    return f->make(f, operation, self, tstate);
}

static PyObject *
function_vectorcall(PyObject *callable, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    caw__function *f = (caw__function *)callable;
    Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
    return function_make(f, function_start(f, f->module, args, nargs, kwnames), NULL);
}

/* The same for a function that takes no arguments. */
static PyObject *
function_vectorcall_noargs(PyObject *callable, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    caw__function *f = (caw__function *)callable;
    if (PyVectorcall_NARGS(nargsf) != 0 || kwnames) {
        return function_vectorcall(callable, args, nargsf, kwnames); /* raises the error */
    }
    return function_make(f, f->start.future.noargs(f->module), NULL);
}

static PyObject *
method_vectorcall(PyObject *callable, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    caw__function *f = (caw__function *)callable;
    Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
    if (nargs < 1 || !PyObject_TypeCheck(args[0], f->type)) {
        PyErr_Format(PyExc_TypeError, "method '%U' requires a '%.100s' object as its first argument", f->qualname,
                     f->type->tp_name);
        return NULL;
    }
    return function_make(f, function_start(f, args[0], args + 1, nargs - 1, kwnames), args[0]);
}

/* As with builtin functions, a function that is an attribute of a class is not bound. */
static PyObject *
function_get(PyObject *self, PyObject *Py_UNUSED(object), PyObject *Py_UNUSED(type))
{
    return Py_NewRef(self);
}

static PyObject *
method_get(PyObject *self, PyObject *object, PyObject *Py_UNUSED(type))
{
    return object && object != Py_None ? PyMethod_New(self, object) : Py_NewRef(self);
}

/* --- the object --- */

static PyMemberDef function_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(caw__function, vectorcall), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(caw__function, weakrefs), READONLY, NULL},
    {"__dictoffset__", T_PYSSIZET, offsetof(caw__function, dict), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyObject *
function_repr(PyObject *self)
{
    const caw__function *f = (caw__function *)self;
    return PyUnicode_FromFormat("<%sfunction %U at %p>", f->is_plain ? "" : "async ", f->qualname, self);
}

/* Pickled by name, like any function. */
static PyObject *
function_reduce(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return Py_NewRef(((caw__function *)self)->qualname);
}

static PyMethodDef function_methods[] = {
    {"__reduce__", function_reduce, METH_NOARGS, NULL},
    {"__dir__", caw__function_dir, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

/* --- birth and death --- */

static int
function_traverse(PyObject *self, visitproc visit, void *arg)
{
    caw__function *f = (caw__function *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(f->bridge);
    Py_VISIT(f->module);
    Py_VISIT(f->type);
    Py_VISIT(f->wrapper);
    Py_VISIT(f->dict);
    Py_VISIT(f->own);
    return 0;
}

static int
function_clear(PyObject *self)
{
    caw__function *f = (caw__function *)self;
    f->state = NULL;
    Py_CLEAR(f->bridge);
    Py_CLEAR(f->module);
    Py_CLEAR(f->type);
    Py_CLEAR(f->dict);
    Py_CLEAR(f->own);
    return 0;
}

static void
function_dealloc(PyObject *self)
{
    caw__function *f = (caw__function *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (f->weakrefs) {
        PyObject_ClearWeakRefs(self);
    }
    function_clear(self);
    Py_CLEAR(f->name);
    Py_CLEAR(f->qualname);
    Py_CLEAR(f->code);
    Py_CLEAR(f->wrapper);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyType_Slot function_slots[] = {
    {Py_tp_getattro, CAW__SLOT(caw__function_getattro)},
    {Py_tp_setattro, CAW__SLOT(caw__function_setattro)},
    {Py_tp_dealloc, CAW__SLOT(function_dealloc)},
    {Py_tp_traverse, CAW__SLOT(function_traverse)},
    {Py_tp_clear, CAW__SLOT(function_clear)},
    {Py_tp_repr, CAW__SLOT(function_repr)},
    {Py_tp_call, CAW__SLOT(PyVectorcall_Call)},
    {Py_tp_descr_get, CAW__SLOT(function_get)},
    {Py_tp_methods, function_methods},
    {Py_tp_members, function_members},
    {Py_tp_getset, caw__function_getset},
    {0, NULL},
};

static PyType_Slot method_slots[] = {
    {Py_tp_getattro, CAW__SLOT(caw__function_getattro)},
    {Py_tp_setattro, CAW__SLOT(caw__function_setattro)},
    {Py_tp_dealloc, CAW__SLOT(function_dealloc)},
    {Py_tp_traverse, CAW__SLOT(function_traverse)},
    {Py_tp_clear, CAW__SLOT(function_clear)},
    {Py_tp_repr, CAW__SLOT(function_repr)},
    {Py_tp_call, CAW__SLOT(PyVectorcall_Call)},
    {Py_tp_descr_get, CAW__SLOT(method_get)},
    {Py_tp_methods, function_methods},
    {Py_tp_members, function_members},
    {Py_tp_getset, caw__function_getset},
    {0, NULL},
};

#define FUNCTION_FLAGS                                                                                                 \
    (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE |          \
     Py_TPFLAGS_HAVE_VECTORCALL)

PyType_Spec caw__function_spec = {
    .name = "cawait.async_function",
    .basicsize = sizeof(caw__function),
    .flags = FUNCTION_FLAGS,
    .slots = function_slots,
};

PyType_Spec caw__method_spec = {
    .name = "cawait.async_method",
    .basicsize = sizeof(caw__function),
    .flags = FUNCTION_FLAGS | Py_TPFLAGS_METHOD_DESCRIPTOR,
    .slots = method_slots,
};

PyType_Spec caw__plain_function_spec = {
    .name = "cawait.function",
    .basicsize = sizeof(caw__function),
    .flags = FUNCTION_FLAGS,
    .slots = function_slots,
};

PyType_Spec caw__plain_method_spec = {
    .name = "cawait.method",
    .basicsize = sizeof(caw__function),
    .flags = FUNCTION_FLAGS | Py_TPFLAGS_METHOD_DESCRIPTOR,
    .slots = method_slots,
};

static PyObject *
function_qualname(const caw__function *f)
{
    if (f->spec->qualname) {
        return PyUnicode_FromString(f->spec->qualname);
    }
    if (!f->type) {
        return Py_NewRef(f->name);
    }
    PyObject *type_name = PyObject_GetAttrString((PyObject *)f->type, "__qualname__");
    PyObject *qualname = type_name ? PyUnicode_FromFormat("%U.%U", type_name, f->name) : NULL;
    Py_XDECREF(type_name);
    return qualname;
}

PyObject *
caw__function_new(caw__state *state, PyObject *module, PyTypeObject *type, const caw__function_def *def)
{
    PyTypeObject *plain_type = type ? state->plain_method_type : state->plain_function_type;
    PyTypeObject *async_type = type ? state->method_type : state->function_type;
    caw__function *f = PyObject_GC_New(caw__function, def->is_plain ? plain_type : async_type);
    if (!f) {
        return NULL;
    }
    bool simple = def->convention == CAW_PY_NOARGS && !def->stream;
    f->vectorcall = type ? method_vectorcall : simple ? function_vectorcall_noargs : function_vectorcall;
    f->state = state;
    f->bridge = Py_NewRef(((PyHeapTypeObject *)state->function_type)->ht_module);
    f->stream = def->stream;
    f->steps = def->steps;
    f->spec = def->stream || def->is_plain ? &f->steps : def->spec;
    f->is_plain = def->is_plain;
    f->doc_name = def->is_plain && f->spec->doc == def->spec->doc ? def->spec->name : f->spec->name;
    f->convention = def->convention;
    f->start = def->start;
    f->make = def->make;
    f->module = Py_NewRef(module);
    f->type = (PyTypeObject *)Py_XNewRef((PyObject *)type);
    f->name = PyUnicode_FromString(def->name);
    f->qualname = f->name ? function_qualname(f) : NULL;
    f->code = f->wrapper = f->dict = f->own = f->weakrefs = NULL;
    PyObject_GC_Track(f);
    if (!f->qualname || caw__signature_check(f) < 0) {
        Py_DECREF(f);
        return NULL;
    }
    return (PyObject *)f;
}

/* The function of a spec that has a name is made once. */
static PyObject *
function_kept(caw__state *state, PyObject *module, const caw__function_def *def)
{
    const void *spec = def->stream ? (const void *)def->stream : (const void *)def->spec;
    PyObject *key = PyLong_FromVoidPtr((void *)(uintptr_t)spec);
    PyObject *function = key ? Py_XNewRef(PyDict_GetItemWithError(state->functions, key)) : NULL;
    if (key && !function && !PyErr_Occurred()) {
        function = caw__function_new(state, module, NULL, def);
        if (function && PyDict_SetItem(state->functions, key, function) < 0) {
            Py_CLEAR(function);
        }
    }
    Py_XDECREF(key);
    return function;
}

caw__function *
caw__function_for(caw__state *state, PyObject *module, const caw__function_def *def, const char *name)
{
    if (def->name) {
        return (caw__function *)function_kept(state, module, def);
    }
    caw__function_def named = *def;
    named.name = name;
    return (caw__function *)caw__function_new(state, module, NULL, &named);
}
