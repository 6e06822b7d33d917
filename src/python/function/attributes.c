/* attributes.c: the attributes of an async function, which can be set as those of a function of Python.
 *
 * Some of them have names that a class uses for itself: the __module__ of the type is the type's own. A getset
 * descriptor of that name would be found there, by `type(f).__module__`, in place of a text. So these are no getset
 * descriptors: caw__function_getattro knows them. For __doc__ there is a descriptor of another kind beside that, which
 * knows the type's text as well: pydoc asks object.__getattribute__ for it.
 */
#include "python/function/attributes.h"

#include "python/function/code.h"
#include "python/function/signature.h"

/* --- those that a class has too --- */

static PyObject *
attributes_get_module(caw__function *f)
{
    return f->module ? PyModule_GetNameObject(f->module) : Py_NewRef(Py_None);
}

static PyObject *
attributes_get_doc(caw__function *f)
{
    return caw__signature_doc(f);
}

static PyObject *
attributes_get_text_signature(caw__function *f)
{
    return caw__signature_text(f);
}

static PyObject *
attributes_get_annotations(caw__function *f)
{
    return caw__signature_annotations(f);
}

static PyObject *
attributes_get_type_params(caw__function *Py_UNUSED(f))
{
    return PyTuple_New(0);
}

/* One of them. What was set is in `own` of the function. */
typedef struct attributes_row {
    const char *name;
    PyObject *(*get)(caw__function *f); /* the value before it is set */
    PyTypeObject *type;                 /* what can be set, or NULL: anything */
    bool kept;                          /* the first value too is kept, so that it is always the same object */
} attributes_row;

static const attributes_row attributes_rows[] = {
    {"__module__", attributes_get_module, NULL, false},
    {"__doc__", attributes_get_doc, NULL, false},
    {"__signature__", caw__signature, NULL, false},
    {"__text_signature__", attributes_get_text_signature, NULL, false},
    {"__annotations__", attributes_get_annotations, &PyDict_Type, true},
    {"__type_params__", attributes_get_type_params, &PyTuple_Type, false},
};

#define ATTRIBUTES_N (sizeof attributes_rows / sizeof *attributes_rows)

/* The row of that name, or NULL. */
static const attributes_row *
attributes_find(PyObject *name)
{
    if (!PyUnicode_Check(name) || PyUnicode_GET_LENGTH(name) == 0 || PyUnicode_READ_CHAR(name, 0) != '_') {
        return NULL;
    }
    for (size_t i = 0; i < ATTRIBUTES_N; i++) {
        if (PyUnicode_CompareWithASCIIString(name, attributes_rows[i].name) == 0) {
            return &attributes_rows[i];
        }
    }
    return NULL;
}

static int
attributes_keep(caw__function *f, PyObject *name, PyObject *value)
{
    if (!f->own && !(f->own = PyDict_New())) {
        return -1;
    }
    return PyDict_SetItem(f->own, name, value);
}

PyObject *
caw__function_getattro(PyObject *self, PyObject *name)
{
    caw__function *f = (caw__function *)self;
    const attributes_row *row = attributes_find(name);
    if (!row) {
        return PyObject_GenericGetAttr(self, name);
    }
    PyObject *value = f->own ? Py_XNewRef(PyDict_GetItemWithError(f->own, name)) : NULL;
    if (value || PyErr_Occurred()) {
        return value;
    }
    value = row->get(f);
    if (value && row->kept && attributes_keep(f, name, value) < 0) {
        Py_CLEAR(value);
    }
    return value;
}

/* As it was before it was set. */
static int
attributes_forget(caw__function *f, PyObject *name)
{
    int there = f->own ? PyDict_Contains(f->own, name) : 0;
    return there > 0 ? PyDict_DelItem(f->own, name) : there;
}

int
caw__function_setattro(PyObject *self, PyObject *name, PyObject *value)
{
    const attributes_row *row = attributes_find(name);
    if (!row) {
        return PyObject_GenericSetAttr(self, name, value);
    }
    if (!value || (row->kept && value == Py_None)) {
        return attributes_forget((caw__function *)self, name);
    }
    if (row->type && !PyObject_TypeCheck(value, row->type)) {
        PyErr_Format(PyExc_TypeError, "%s must be set to a %s", row->name, row->type->tp_name);
        return -1;
    }
    return attributes_keep((caw__function *)self, name, value);
}

PyObject *
caw__function_dir(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *names = PyObject_CallMethod((PyObject *)&PyBaseObject_Type, "__dir__", "O", self);
    for (size_t i = 0; names && i < ATTRIBUTES_N; i++) {
        PyObject *name = PyUnicode_InternFromString(attributes_rows[i].name);
        int there = name ? PySequence_Contains(names, name) : -1;
        if (there < 0 || (there == 0 && PyList_Append(names, name) < 0)) {
            Py_CLEAR(names);
        }
        Py_XDECREF(name);
    }
    return names;
}

/* --- the descriptor of __doc__ --- */

static PyObject *
attributes_doc_get(PyObject *Py_UNUSED(self), PyObject *object, PyObject *Py_UNUSED(type))
{
    if (!object || object == Py_None) {
        return PyUnicode_FromString("An async function made in C.");
    }
    PyObject *name = PyUnicode_InternFromString("__doc__");
    PyObject *doc = name ? caw__function_getattro(object, name) : NULL;
    Py_XDECREF(name);
    return doc;
}

static int
attributes_doc_set(PyObject *Py_UNUSED(self), PyObject *object, PyObject *value)
{
    PyObject *name = PyUnicode_InternFromString("__doc__");
    int failed = name ? caw__function_setattro(object, name, value) : -1;
    Py_XDECREF(name);
    return failed;
}

static PyType_Slot attributes_doc_slots[] = {
    {Py_tp_descr_get, CAW__SLOT(attributes_doc_get)},
    {Py_tp_descr_set, CAW__SLOT(attributes_doc_set)},
    {0, NULL},
};

static PyType_Spec attributes_doc_spec = {
    .name = "cawait.doc",
    .basicsize = sizeof(PyObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = attributes_doc_slots,
};

int
caw__function_describe(PyTypeObject *function_type, PyTypeObject *method_type)
{
    PyTypeObject *type = (PyTypeObject *)PyType_FromSpec(&attributes_doc_spec);
    PyObject *doc = type ? PyObject_New(PyObject, type) : NULL;
    int failed = doc ? 0 : -1;
    PyTypeObject *const types[] = {function_type, method_type};
    for (size_t i = 0; !failed && i < sizeof types / sizeof *types; i++) {
        failed = PyDict_SetItemString(types[i]->tp_dict, "__doc__", doc);
        PyType_Modified(types[i]);
    }
    Py_XDECREF(doc);
    Py_XDECREF(type);
    return failed;
}

/* --- the others --- */

static PyObject *
attributes_get_name(PyObject *self, void *Py_UNUSED(closure))
{
    return Py_NewRef(((caw__function *)self)->name);
}

static PyObject *
attributes_get_qualname(PyObject *self, void *Py_UNUSED(closure))
{
    return Py_NewRef(((caw__function *)self)->qualname);
}

static int
attributes_set_string(PyObject **field, PyObject *value, const char *attribute)
{
    if (!value || !PyUnicode_Check(value)) {
        PyErr_Format(PyExc_TypeError, "%s must be set to a string object", attribute);
        return -1;
    }
    Py_SETREF(*field, Py_NewRef(value));
    return 0;
}

static int
attributes_set_name(PyObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    return attributes_set_string(&((caw__function *)self)->name, value, "__name__");
}

static int
attributes_set_qualname(PyObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    return attributes_set_string(&((caw__function *)self)->qualname, value, "__qualname__");
}

static PyObject *
attributes_get_code(PyObject *self, void *Py_UNUSED(closure))
{
    return Py_XNewRef(caw__function_code((caw__function *)self));
}

static PyObject *
attributes_get_none(PyObject *Py_UNUSED(self), void *Py_UNUSED(closure))
{
    Py_RETURN_NONE;
}

PyGetSetDef caw__function_getset[] = {
    {"__name__", attributes_get_name, attributes_set_name, NULL, NULL},
    {"__qualname__", attributes_get_qualname, attributes_set_qualname, NULL, NULL},
    {"__code__", attributes_get_code, NULL, NULL, NULL},
    {"__defaults__", attributes_get_none, NULL, NULL, NULL},
    {"__kwdefaults__", attributes_get_none, NULL, NULL, NULL},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
