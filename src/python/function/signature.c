/* signature.c: the attributes of an async function: doc, signature, code. */
#include "python/function/signature.h"

#include "python/function/code.h"

#include <string.h>

/* The part of the doc between the name and the marker, written as in PyMethodDef: "name(sig)\n--\n\ntext". */
static const char *
signature_end(const caw__function *f)
{
    const char *doc = f->spec->doc;
    size_t n = f->doc_name ? strlen(f->doc_name) : 0;
    if (!doc || !n || strncmp(doc, f->doc_name, n) != 0 || doc[n] != '(') {
        return NULL;
    }
    const char *end = strstr(doc, ")\n--\n\n");
    return end ? end + 1 : NULL;
}

static PyObject *
signature_get_doc(PyObject *self, void *Py_UNUSED(closure))
{
    caw__function *f = (caw__function *)self;
    const char *end = signature_end(f);
    const char *doc = end ? end + strlen("\n--\n\n") : f->spec->doc;
    if (!doc) {
        Py_RETURN_NONE;
    }
    return PyUnicode_FromString(doc);
}

static PyObject *
signature_get_text_signature(PyObject *self, void *Py_UNUSED(closure))
{
    caw__function *f = (caw__function *)self;
    const char *end = signature_end(f);
    if (!end) {
        Py_RETURN_NONE;
    }
    const char *begin = f->spec->doc + strlen(f->doc_name);
    return PyUnicode_FromStringAndSize(begin, end - begin);
}

/* The signature where the doc has none, derived from the calling convention. */
static PyObject *
signature_of_convention(const caw__function *f)
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

/* An inspect.Signature: inspect reads __text_signature__ only of objects that have no __code__. */
static PyObject *
signature_get(PyObject *self, void *Py_UNUSED(closure))
{
    PyObject *text = signature_get_text_signature(self, NULL);
    if (text == Py_None) {
        Py_SETREF(text, signature_of_convention((caw__function *)self));
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
signature_get_code(PyObject *self, void *Py_UNUSED(closure))
{
    return Py_XNewRef(caw__function_code((caw__function *)self));
}

static PyObject *
signature_get_none(PyObject *Py_UNUSED(self), void *Py_UNUSED(closure))
{
    Py_RETURN_NONE;
}

static PyObject *
signature_get_annotations(PyObject *Py_UNUSED(self), void *Py_UNUSED(closure))
{
    return PyDict_New();
}

static PyObject *
signature_get_module(PyObject *self, void *Py_UNUSED(closure))
{
    return PyModule_GetNameObject(((caw__function *)self)->module);
}

PyGetSetDef caw__function_getset[] = {
    {"__doc__", signature_get_doc, NULL, NULL, NULL},
    {"__text_signature__", signature_get_text_signature, NULL, NULL, NULL},
    {"__signature__", signature_get, NULL, NULL, NULL},
    {"__code__", signature_get_code, NULL, NULL, NULL},
    {"__defaults__", signature_get_none, NULL, NULL, NULL},
    {"__kwdefaults__", signature_get_none, NULL, NULL, NULL},
    {"__annotations__", signature_get_annotations, NULL, NULL, NULL},
    {"__module__", signature_get_module, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
