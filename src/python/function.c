/* function.c: the callables that make coroutines.
 *
 * A type of our own, because a builtin function cannot say that it is a coroutine function: FastAPI, pytest and many
 * others decide by inspect.iscoroutinefunction, which wants a __code__ with the coroutine flag on something that looks
 * like a function (Lib/inspect.py: _has_code_flag, _signature_is_functionlike). Two types share all the code: a method
 * binds to its object, a function of a module does not, as with builtins.
 */
#include "python/function.h"

#include "python/coroutine.h"

#include <string.h>
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

/* The arguments as a tuple and a dict, for PyArg_ParseTupleAndKeywords. */
static caw_future *
function_start_varargs(caw__function *f, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    Py_ssize_t n_keywords = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
    PyObject *tuple = PyTuple_New(nargs);
    PyObject *kwargs = tuple && n_keywords > 0 ? PyDict_New() : NULL;
    caw_future *future = NULL;
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
    future = f->start.varargs(self, tuple, kwargs);
done:
    Py_XDECREF(tuple);
    Py_XDECREF(kwargs);
    return future;
}

static caw_future *
function_start_noargs(caw__function *f, PyObject *self, Py_ssize_t nargs, PyObject *kwnames)
{
    if (nargs != 0) {
        PyErr_Format(PyExc_TypeError, "%U() takes no arguments (%zd given)", f->qualname, nargs);
        return NULL;
    }
    return function_has_no_keywords(f, kwnames) ? f->start.noargs(self) : NULL;
}

static caw_future *
function_start_o(caw__function *f, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (nargs != 1) {
        PyErr_Format(PyExc_TypeError, "%U() takes exactly one argument (%zd given)", f->qualname, nargs);
        return NULL;
    }
    return function_has_no_keywords(f, kwnames) ? f->start.o(self, args[0]) : NULL;
}

static inline caw_future *
function_start(caw__function *f, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    switch (f->convention) {
    case CAW_PY_FASTCALL:
        return f->start.fastcall(self, args, nargs, kwnames);
    case CAW_PY_NOARGS:
        return function_start_noargs(f, self, nargs, kwnames);
    case CAW_PY_O:
        return function_start_o(f, self, args, nargs, kwnames);
    default:
        return function_start_varargs(f, self, args, nargs, kwnames);
    }
}

/* There is no coroutine: because start raised, or because something is wrong. */
CAW__SLOW static PyObject *
function_wrap_nothing(caw__function *f, caw_future *future)
{
    if (future && !f->state) {
        caw_future_destroy(future);
        PyErr_Format(PyExc_RuntimeError, "the module of '%U' is gone", f->qualname);
    }
    else if (future) {
        caw_future_destroy(future);
        PyErr_Format(PyExc_SystemError, "the start function of '%U' returned a future with an exception set",
                     f->qualname);
    }
    else if (!PyErr_Occurred()) {
        PyErr_Format(PyExc_SystemError, "the start function of '%U' returned NULL without an exception", f->qualname);
    }
    return NULL;
}

/* A future was made: wrap it. No future: there has to be an exception. And not both. */
static inline PyObject *
function_wrap(caw__function *f, caw_future *future, PyObject *self)
{
    PyThreadState *tstate = PyThreadState_Get();
    if (!future || !f->state || caw__has_raised(tstate)) {
        return function_wrap_nothing(f, future);
    }
    PyObject *coroutine = caw__coroutine_new(f, future, self, tstate);
    return f->spec->python_coroutine ? caw__coroutine_wrap(f, coroutine) : coroutine;
}

static PyObject *
function_vectorcall(PyObject *callable, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    caw__function *f = (caw__function *)callable;
    Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
    return function_wrap(f, function_start(f, f->module, args, nargs, kwnames), NULL);
}

/* The same where there are no arguments to look at. */
static PyObject *
function_vectorcall_noargs(PyObject *callable, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    caw__function *f = (caw__function *)callable;
    if (PyVectorcall_NARGS(nargsf) != 0 || kwnames) {
        return function_vectorcall(callable, args, nargsf, kwnames); /* says what is wrong */
    }
    return function_wrap(f, f->start.noargs(f->module), NULL);
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
    return function_wrap(f, function_start(f, args[0], args + 1, nargs - 1, kwnames), args[0]);
}

/* As with builtin functions: a function that is an attribute of a class stays what it is. */
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

/* --- attributes --- */

/* The part of the doc between the name and the marker, as in PyMethodDef docs: "name(sig)\n--\n\ntext". */
static const char *
function_signature_end(const caw__function *f)
{
    const char *doc = f->spec->doc;
    size_t n = f->spec->name ? strlen(f->spec->name) : 0;
    if (!doc || !n || strncmp(doc, f->spec->name, n) != 0 || doc[n] != '(') {
        return NULL;
    }
    const char *end = strstr(doc, ")\n--\n\n");
    return end ? end + 1 : NULL;
}

static PyObject *
function_get_doc(PyObject *self, void *Py_UNUSED(closure))
{
    caw__function *f = (caw__function *)self;
    const char *end = function_signature_end(f);
    const char *doc = end ? end + strlen("\n--\n\n") : f->spec->doc;
    if (!doc) {
        Py_RETURN_NONE;
    }
    return PyUnicode_FromString(doc);
}

static PyObject *
function_get_text_signature(PyObject *self, void *Py_UNUSED(closure))
{
    caw__function *f = (caw__function *)self;
    const char *end = function_signature_end(f);
    if (!end) {
        Py_RETURN_NONE;
    }
    const char *begin = f->spec->doc + strlen(f->spec->name);
    return PyUnicode_FromStringAndSize(begin, end - begin);
}

/* The signature where the doc has none: as much as the convention says. */
static PyObject *
function_signature_of_convention(const caw__function *f)
{
    switch (f->convention) {
    case CAW_PY_NOARGS:
        return PyUnicode_FromString(f->type ? "($self, /)" : "()");
    case CAW_PY_O:
        return PyUnicode_FromString(f->type ? "($self, arg, /)" : "(arg, /)");
    default:
        return PyUnicode_FromString(f->type ? "($self, /, *args, **kwargs)" : "(*args, **kwargs)");
    }
}

/* inspect.Signature. inspect reads __text_signature__ itself only of what has no __code__. */
static PyObject *
function_get_signature(PyObject *self, void *Py_UNUSED(closure))
{
    PyObject *text = function_get_text_signature(self, NULL);
    if (text == Py_None) {
        Py_SETREF(text, function_signature_of_convention((caw__function *)self));
    }
    if (!text) {
        return NULL;
    }
    PyObject *inspect = PyImport_ImportModule("inspect");
    PyObject *type = inspect ? PyObject_GetAttrString(inspect, "Signature") : NULL;
    PyObject *signature = type ? PyObject_CallMethod(inspect, "_signature_fromstr", "OOO", type, self, text) : NULL;
    Py_XDECREF(type);
    Py_XDECREF(inspect);
    Py_DECREF(text);
    return signature;
}

static PyObject *
function_get_code(PyObject *self, void *Py_UNUSED(closure))
{
    return Py_XNewRef(caw__function_code((caw__function *)self));
}

static PyObject *
function_get_none(PyObject *Py_UNUSED(self), void *Py_UNUSED(closure))
{
    Py_RETURN_NONE;
}

static PyObject *
function_get_annotations(PyObject *Py_UNUSED(self), void *Py_UNUSED(closure))
{
    return PyDict_New();
}

static PyObject *
function_get_module(PyObject *self, void *Py_UNUSED(closure))
{
    return PyModule_GetNameObject(((caw__function *)self)->module);
}

static PyGetSetDef function_getset[] = {
    {"__doc__", function_get_doc, NULL, NULL, NULL},
    {"__text_signature__", function_get_text_signature, NULL, NULL, NULL},
    {"__signature__", function_get_signature, NULL, NULL, NULL},
    {"__code__", function_get_code, NULL, NULL, NULL},
    {"__defaults__", function_get_none, NULL, NULL, NULL},
    {"__kwdefaults__", function_get_none, NULL, NULL, NULL},
    {"__annotations__", function_get_annotations, NULL, NULL, NULL},
    {"__module__", function_get_module, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef function_members[] = {
    {"__name__", T_OBJECT_EX, offsetof(caw__function, name), READONLY, NULL},
    {"__qualname__", T_OBJECT_EX, offsetof(caw__function, qualname), READONLY, NULL},
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(caw__function, vectorcall), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(caw__function, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyObject *
function_repr(PyObject *self)
{
    return PyUnicode_FromFormat("<async function %U at %p>", ((caw__function *)self)->qualname, self);
}

/* Pickled by name, like any function. */
static PyObject *
function_reduce(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return Py_NewRef(((caw__function *)self)->qualname);
}

static PyMethodDef function_methods[] = {
    {"__reduce__", function_reduce, METH_NOARGS, NULL},
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
    {Py_tp_dealloc, CAW__SLOT(function_dealloc)},
    {Py_tp_traverse, CAW__SLOT(function_traverse)},
    {Py_tp_clear, CAW__SLOT(function_clear)},
    {Py_tp_repr, CAW__SLOT(function_repr)},
    {Py_tp_call, CAW__SLOT(PyVectorcall_Call)},
    {Py_tp_descr_get, CAW__SLOT(function_get)},
    {Py_tp_methods, function_methods},
    {Py_tp_members, function_members},
    {Py_tp_getset, function_getset},
    {0, NULL},
};

static PyType_Slot method_slots[] = {
    {Py_tp_dealloc, CAW__SLOT(function_dealloc)},
    {Py_tp_traverse, CAW__SLOT(function_traverse)},
    {Py_tp_clear, CAW__SLOT(function_clear)},
    {Py_tp_repr, CAW__SLOT(function_repr)},
    {Py_tp_call, CAW__SLOT(PyVectorcall_Call)},
    {Py_tp_descr_get, CAW__SLOT(method_get)},
    {Py_tp_methods, function_methods},
    {Py_tp_members, function_members},
    {Py_tp_getset, function_getset},
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

static PyObject *
function_new(caw__state *state, PyObject *module, PyTypeObject *type, const caw_py_async_def *def, const char *name)
{
    caw__function *f = PyObject_GC_New(caw__function, type ? state->method_type : state->function_type);
    if (!f) {
        return NULL;
    }
    f->vectorcall = type                               ? method_vectorcall
                    : def->convention == CAW_PY_NOARGS ? function_vectorcall_noargs
                                                       : function_vectorcall;
    f->state = state;
    f->bridge = Py_NewRef(((PyHeapTypeObject *)state->function_type)->ht_module);
    f->spec = &def->spec;
    f->convention = def->convention;
    f->start = def->start;
    f->module = Py_NewRef(module);
    f->type = (PyTypeObject *)Py_XNewRef((PyObject *)type);
    f->name = PyUnicode_FromString(name);
    f->qualname = f->name ? function_qualname(f) : NULL;
    f->code = f->wrapper = f->weakrefs = NULL;
    PyObject_GC_Track(f);
    if (!f->qualname) {
        Py_DECREF(f);
        return NULL;
    }
    return (PyObject *)f;
}

PyObject *
caw__function_for_spec(caw__state *state, PyObject *module, const caw_py_spec *spec, const char *name)
{
    const caw_py_async_def def = {.spec = {.name = NULL}};
    PyObject *f = function_new(state, module, NULL, &def, name);
    if (f) {
        ((caw__function *)f)->spec = spec;
        if (spec->qualname) {
            Py_SETREF(((caw__function *)f)->qualname, PyUnicode_FromString(spec->qualname));
        }
    }
    return f;
}

static int
function_add_all(PyObject *module, PyTypeObject *type, const caw_py_async_def *defs)
{
    caw__state *state = caw__state_of_module(module);
    if (!state) {
        return -1;
    }
    PyObject *target = type ? (PyObject *)type : module;
    for (const caw_py_async_def *def = defs; def->spec.name; def++) {
        if (!def->start.varargs) {
            PyErr_Format(PyExc_SystemError, "async function '%s' has no start function", def->spec.name);
            return -1;
        }
        PyObject *f = function_new(state, module, type, def, def->spec.name);
        int failed = f ? PyObject_SetAttrString(target, def->spec.name, f) : -1;
        Py_XDECREF(f);
        if (failed) {
            return -1;
        }
    }
    return 0;
}

int
caw_py_add_functions(PyObject *module, const caw_py_async_def *defs)
{
    if (!module || !PyModule_Check(module) || !defs) {
        PyErr_SetString(PyExc_SystemError, "caw_py_add_functions needs a module and a table");
        return -1;
    }
    return function_add_all(module, NULL, defs);
}

int
caw_py_add_methods(PyObject *module, PyTypeObject *type, const caw_py_async_def *defs)
{
    if (!module || !PyModule_Check(module) || !type || !defs) {
        PyErr_SetString(PyExc_SystemError, "caw_py_add_methods needs a module, a type and a table");
        return -1;
    }
    return function_add_all(module, type, defs);
}
