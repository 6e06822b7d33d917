/* signature.c: what the doc of an async function says of its signature, and what its calling convention says. */
#include "python/function/signature.h"

#include <string.h>

#define SIGNATURE_END ")\n--\n\n"

/* The name that the doc's signature line has to begin with. */
static const char *
signature_name(const caw__function *f)
{
    return f->doc_name ? f->doc_name : "";
}

/* Behind the name, where the doc begins with it as a signature line does; else NULL. */
static const char *
signature_begin(const caw__function *f)
{
    const char *doc = f->spec->doc;
    size_t n = strlen(signature_name(f));
    return doc && n && strncmp(doc, signature_name(f), n) == 0 && doc[n] == '(' ? doc + n : NULL;
}

/* Behind the closing bracket; NULL where the doc has no signature line: "name(sig)\n--\n\ntext", as in PyMethodDef. */
static const char *
signature_end(const caw__function *f)
{
    const char *begin = signature_begin(f);
    const char *end = begin ? strstr(begin, SIGNATURE_END) : NULL;
    return end ? end + 1 : NULL;
}

PyObject *
caw__signature_doc(const caw__function *f)
{
    const char *end = signature_end(f);
    const char *doc = end ? end + strlen(SIGNATURE_END) - 1 : f->spec->doc;
    if (!doc) {
        Py_RETURN_NONE;
    }
    return PyUnicode_FromString(doc);
}

PyObject *
caw__signature_text(const caw__function *f)
{
    const char *end = signature_end(f);
    if (!end) {
        Py_RETURN_NONE;
    }
    const char *begin = signature_begin(f);
    return PyUnicode_FromStringAndSize(begin, end - begin);
}

/* The signature where the doc has none, derived from the calling convention. */
static const char *
signature_of_convention(const caw__function *f)
{
    if (caw__function_takes_nothing(f)) {
        return f->type ? "($self, /)" : "()";
    }
    if (f->convention == CAW_PY_O) {
        return f->type ? "($self, arg, /)" : "(arg, /)";
    }
    return f->type ? "($self, /, *args, **kwargs)" : "(*args, **kwargs)";
}

/* Without the first argument, where that is the module ("$module"): nobody gives it. Takes the text. */
static PyObject *
signature_without_module(PyObject *text)
{
    const char *begin = text ? PyUnicode_AsUTF8(text) : NULL;
    if (!begin || begin[1] != '$') {
        return text;
    }
    const char *rest = begin + strcspn(begin, ",)");
    rest += strspn(rest, ", ");
    rest += *rest == '/' ? 1 : 0;
    rest += strspn(rest, ", ");
    Py_SETREF(text, PyUnicode_FromFormat("(%s", rest));
    return text;
}

/* An inspect.Signature: inspect reads __text_signature__ only of objects that have no __code__. */
PyObject *
caw__signature(caw__function *f)
{
    PyObject *text = caw__signature_text(f);
    if (text == Py_None) {
        Py_SETREF(text, PyUnicode_FromString(signature_of_convention(f)));
    }
    if (!f->type) {
        text = signature_without_module(text);
    }
    if (!text) {
        return NULL;
    }
    PyObject *inspect = PyImport_ImportModule("inspect");
    PyObject *type = inspect ? PyObject_GetAttrString(inspect, "Signature") : NULL;
    PyObject *signature = type ? PyObject_CallMethod(inspect, "_signature_fromstr", "OOO", type, f, text) : NULL;
    Py_XDECREF(type);
    Py_XDECREF(inspect);
    Py_DECREF(text);
    return signature;
}

#ifndef NDEBUG

/* Whether the signature line names an argument, other than the object of a method or the module. */
static bool
signature_has_arguments(const char *begin, const char *end)
{
    const char *c = begin + 1;
    if (*c == '$') {
        c += strcspn(c, ",)");
    }
    return c + strspn(c, " ,/") < end - 1;
}

static int
signature_refuse(const caw__function *f, const char *begin, const char *end, const char *why)
{
    PyObject *line = PyUnicode_DecodeUTF8(begin, end - begin, "replace");
    if (line) {
        PyErr_Format(PyExc_SystemError, "the doc of '%U': '%U' %s", f->qualname, line, why);
        Py_DECREF(line);
    }
    return -1;
}

/* The doc has no signature line that belongs to the function: it may have one of another function, or one that is not
 * complete. */
static int
signature_check_missing(const caw__function *f)
{
    const char *doc = f->spec->doc;
    if (strstr(doc, SIGNATURE_END)) {
        return signature_refuse(f, doc, doc + strcspn(doc, "\n"), "is not the signature of the function");
    }
    if (!signature_begin(f)) {
        return 0;
    }
    return PyErr_WarnFormat(PyExc_RuntimeWarning, 1,
                            "the doc of '%U' begins as a signature line, but no \"\\n--\\n\\n\" ends it: its signature "
                            "is %s",
                            f->qualname, signature_of_convention(f));
}

int
caw__signature_check(const caw__function *f)
{
    const char *end = signature_end(f);
    if (!f->start.future.varargs || !f->spec->doc) {
        return 0; /* nobody calls it */
    }
    if (!end) {
        return signature_check_missing(f);
    }
    bool has = signature_has_arguments(signature_begin(f), end);
    if (caw__function_takes_nothing(f) && has) {
        return signature_refuse(f, f->spec->doc, end,
                                "is the signature of a function with arguments, which takes none");
    }
    if (f->convention == CAW_PY_O && !has) {
        return signature_refuse(f, f->spec->doc, end,
                                "is the signature of a function without arguments, which takes one");
    }
    return 0;
}

#else

int
caw__signature_check(const caw__function *f)
{
    (void)f;
    return 0;
}

#endif
