/* fetch_heads.c: the heads of many URLs, fetched at once, as one async function of Python.
 *
 *     tools/amalgamate && cc -std=c11 -D_GNU_SOURCE -O2 -shared -fPIC -fvisibility=hidden -pthread -Ibuild/joined \
 *         $(python3-config --includes) build/joined/cawait.c examples/fetch_heads/fetch_heads.c \
 *         examples/fetch_heads/heads.c -o fetch_heads.so
 */
#include "heads.h"

#include <string.h>

static bool
set_urls(caw_future *f, PyObject *urls)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(urls); i++) {
        Py_ssize_t size;
        const char *url = PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(urls, i), &size);
        if (url && strlen(url) != (size_t)size) {
            PyErr_SetString(PyExc_ValueError, "a URL has no null character");
            return false;
        }
        if (!url || heads_set(f, (size_t)i, url) < 0) {
            return false; /* without an exception it is a MemoryError */
        }
    }
    return true;
}

static caw_future *
heads_start(PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"urls", "limit", "timeout", "total", NULL};
    PyObject *given;
    Py_ssize_t limit = 10;
    double timeout = 10, total = 60;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|ndd:fetch_heads", names, &given, &limit, &timeout, &total)) {
        return NULL;
    }
    if (limit < 0) {
        return (caw_future *)PyErr_Format(PyExc_ValueError, "a limit is a number of connections");
    }
    if (!(timeout >= 0 && timeout < 1e9 && total >= 0 && total < 1e9)) {
        return (caw_future *)PyErr_Format(PyExc_ValueError, "a time limit is a number of seconds");
    }
    PyObject *urls = PySequence_Tuple(given);
    heads_spec spec = {.limit = (size_t)limit, .each_ns = (uint64_t)(timeout * 1e9), .all_ns = (uint64_t)(total * 1e9)};
    caw_future *f = urls ? heads_new(&spec, (size_t)PyTuple_GET_SIZE(urls)) : NULL;
    if (f && !set_urls(f, urls)) {
        caw_future_destroy(f);
        f = NULL;
    }
    Py_XDECREF(urls);
    return f;
}

static PyObject *
heads_result(caw_future *f)
{
    PyObject *list = PyList_New(0);
    const head *one;
    for (size_t i = 0; list && (one = heads_get(f, i)); i++) {
        PyObject *text = one->code ? PyUnicode_DecodeLatin1(one->text, (Py_ssize_t)one->length, NULL)
                                   : PyUnicode_FromString(one->reason);
        PyObject *item = text ? Py_BuildValue("(iN)", one->code, text) : NULL;
        if (!item || PyList_Append(list, item) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(item);
    }
    return list;
}

static const caw_py_async_def functions[] = {
    CAW_PY_ASYNC("fetch_heads", heads_start, heads_result,
                 "fetch_heads(urls, limit=10, timeout=10, total=60)\n--\n\n(code, head) of each, in their order, or "
                 "(0, reason) where it has failed; so many at a time, with a time limit for each and one for all."),
    CAW_PY_ASYNC_END,
};

static int
fetch_heads_exec(PyObject *module)
{
    return caw_py_add_functions(module, functions);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, __extension__(void *) fetch_heads_exec}, {0, NULL}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "fetch_heads", .m_slots = slots};

PyMODINIT_FUNC
PyInit_fetch_heads(void)
{
    return PyModuleDef_Init(&definition);
}
