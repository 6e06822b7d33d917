/* signature.c: what the doc of an async function says of its signature, and what its calling convention says. */
#include "python/function/signature.h"

#include "python/base/python_code.h"

#include <string.h>

#define SIGNATURE_MARK "\n--\n\n"

/* --- the signature line: "name(sig)\n--\n\n" or "name(sig) -> type\n--\n\n", and then the text --- */

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

/* Behind the bracket that closes the one at `c`, or NULL. Types and defaults may have brackets and quotes. */
static const char *
signature_closed(const char *c, const char *end)
{
    int depth = 0;
    char quote = 0;
    for (; c < end; c++) {
        if (quote) {
            c += *c == '\\';
            quote = *c == quote ? 0 : quote;
        }
        else if (*c == '\'' || *c == '"') {
            quote = *c;
        }
        else if (strchr("([{", *c)) {
            depth++;
        }
        else if (strchr(")]}", *c) && --depth == 0) {
            return c + 1;
        }
    }
    return NULL;
}

typedef struct signature_line {
    const char *begin;  /* the bracket that opens; NULL where the doc has no signature line */
    const char *closed; /* behind the bracket that closes */
    const char *end;    /* behind the type that is returned, where there is one; else as `closed` */
} signature_line;

static signature_line
signature_find(const caw__function *f)
{
    signature_line line = {.begin = signature_begin(f)};
    line.end = line.begin ? strstr(line.begin, SIGNATURE_MARK) : NULL;
    line.closed = line.end ? signature_closed(line.begin, line.end) : NULL;
    bool complete = line.closed == line.end || (line.closed && strncmp(line.closed, " -> ", 4) == 0);
    return line.closed && complete ? line : (signature_line){.begin = NULL};
}

PyObject *
caw__signature_doc(const caw__function *f)
{
    signature_line line = signature_find(f);
    const char *doc = line.begin ? line.end + strlen(SIGNATURE_MARK) : f->spec->doc;
    if (!doc) {
        Py_RETURN_NONE;
    }
    return PyUnicode_FromString(doc);
}

PyObject *
caw__signature_text(const caw__function *f)
{
    signature_line line = signature_find(f);
    if (!line.begin) {
        Py_RETURN_NONE;
    }
    return PyUnicode_FromStringAndSize(line.begin, line.end - line.begin);
}

/* --- its types --- */

/* (the signature without its types, the types by the names of the arguments and "return"), for the text of a signature
 * and the module's names. A type that cannot be evaluated stays a text. (None, {}): the text is not in the language of
 * Python. */
static const char signature_types_source[] =
    "def types(text, module):\n"
    "    import ast, builtins, collections.abc, sys, typing\n"
    "    names = {**sys.modules, **vars(typing), **vars(collections.abc), **vars(builtins), **vars(module)}\n"
    "    own = '$' if text.startswith('($') else ''\n"
    "    try:\n"
    "        [made] = ast.parse(f'def f{text.replace(\"$\", \"\", len(own))}: pass').body\n"
    "        nodes = {node.arg: node for node in ast.walk(made.args) if isinstance(node, ast.arg)}\n"
    "    except (SyntaxError, ValueError):\n"
    "        return None, {}\n"
    "    found = {name: node.annotation for name, node in nodes.items()}\n"
    "    found['return'] = made.returns\n"
    "    for node in nodes.values():\n"
    "        node.annotation = None\n"
    "    for name, node in list(found.items()):\n"
    "        if node is None:\n"
    "            del found[name]\n"
    "            continue\n"
    "        found[name] = ast.unparse(node)\n"
    "        try:\n"
    "            found[name] = eval(found[name], names)\n"
    "        except Exception:\n"
    "            pass\n"
    "    return f'({own}{ast.unparse(made.args)})', found\n";

static const char signature_annotate_source[] =
    "def annotate(signature, types):\n"
    "    empty = signature.empty\n"
    "    own = signature.parameters.values()\n"
    "    own = [one.replace(annotation=types.get(one.name, empty)) for one in own]\n"
    "    return signature.replace(parameters=own, return_annotation=types.get('return', empty))\n";

/* Whether the text of a signature may have types. */
static bool
signature_has_types(PyObject *text)
{
    const char *c = PyUnicode_AsUTF8(text);
    return c && (strchr(c, ':') || strstr(c, "->"));
}

/* The pair that signature_types_source makes. */
static PyObject *
signature_split(const caw__function *f, PyObject *text)
{
    if (!f->module || !PyModule_Check(f->module)) {
        return Py_BuildValue("(O{})", text);
    }
    PyObject *types = caw__python_function(signature_types_source, "types");
    PyObject *pair = types ? PyObject_CallFunctionObjArgs(types, text, f->module, NULL) : NULL;
    Py_XDECREF(types);
    return pair;
}

PyObject *
caw__signature_annotations(const caw__function *f)
{
    PyObject *text = caw__signature_text(f);
    PyObject *pair = text && text != Py_None && signature_has_types(text) ? signature_split(f, text) : NULL;
    Py_XDECREF(text);
    PyObject *types = pair ? PySequence_GetItem(pair, 1) : PyErr_Occurred() ? NULL : PyDict_New();
    Py_XDECREF(pair);
    return types;
}

/* The signature with the types that the function has: its own, or those that were set. Takes the signature. */
static PyObject *
signature_annotate(caw__function *f, PyObject *signature)
{
    PyObject *annotate = signature ? caw__python_function(signature_annotate_source, "annotate") : NULL;
    PyObject *types = annotate ? PyObject_GetAttrString((PyObject *)f, "__annotations__") : NULL;
    PyObject *annotated = types ? PyObject_CallFunctionObjArgs(annotate, signature, types, NULL) : NULL;
    Py_XDECREF(types);
    Py_XDECREF(annotate);
    Py_XDECREF(signature);
    return annotated;
}

/* --- the signature --- */

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

/* The text without types, as an inspect.Signature. */
static PyObject *
signature_from_text(caw__function *f, PyObject *text)
{
    PyObject *inspect = PyImport_ImportModule("inspect");
    PyObject *type = inspect ? PyObject_GetAttrString(inspect, "Signature") : NULL;
    PyObject *signature = type ? PyObject_CallMethod(inspect, "_signature_fromstr", "OOO", type, f, text) : NULL;
    Py_XDECREF(type);
    Py_XDECREF(inspect);
    return signature;
}

static PyObject *
signature_with_types(caw__function *f, PyObject *text)
{
    PyObject *pair = signature_split(f, text);
    PyObject *bare = pair ? PySequence_GetItem(pair, 0) : NULL, *signature = NULL;
    if (bare == Py_None) {
        PyErr_Format(PyExc_ValueError, "the signature of '%U' is not in the language of Python: %U", f->qualname, text);
    }
    else if (bare) {
        signature = signature_annotate(f, signature_from_text(f, bare));
    }
    Py_XDECREF(bare);
    Py_XDECREF(pair);
    return signature;
}

/* inspect reads __text_signature__ only of objects that have no __code__, and it refuses one with types. */
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
    PyObject *signature = NULL;
    if (!signature_has_types(text)) {
        signature = PyErr_Occurred() ? NULL : signature_from_text(f, text);
    }
    else {
        signature = signature_with_types(f, text);
    }
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
    const char *arrow = strstr(doc, ") -> ");
    if (strstr(doc, ")" SIGNATURE_MARK) || (arrow && strstr(arrow, SIGNATURE_MARK))) {
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
    signature_line line = signature_find(f);
    if (!f->start.future.varargs || !f->spec->doc) {
        return 0; /* nobody calls it */
    }
    if (!line.begin) {
        return signature_check_missing(f);
    }
    bool has = signature_has_arguments(line.begin, line.closed);
    if (caw__function_takes_nothing(f) && has) {
        return signature_refuse(f, f->spec->doc, line.end,
                                "is the signature of a function with arguments, which takes none");
    }
    if (f->convention == CAW_PY_O && !has) {
        return signature_refuse(f, f->spec->doc, line.end,
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
