/* functions.c: every calling convention, caw_py_coroutine, misuse, and plain helpers. */
#include "ext.h"

#include <stdlib.h>
#include <string.h>

typedef struct sum_future {
    caw_future future;
    long sum;
} sum_future;

static caw_poll
sum_poll(caw_future *f, caw_context *Py_UNUSED(cx))
{
    return caw_future_finish(f, 0);
}

static void
sum_destroy(caw_future *f)
{
    free(CAW_CONTAINER_OF(f, sum_future, future));
    atomic_fetch_sub(&ext_live_futures, 1);
}

static const caw_future_ops sum_ops = {"test.sum", sum_poll, NULL, sum_destroy};

static caw_future *
sum_new(long sum)
{
    sum_future *s = malloc(sizeof *s);
    if (!s) {
        PyErr_NoMemory();
        return NULL;
    }
    atomic_fetch_add(&ext_live_futures, 1);
    *s = (sum_future){{.ops = &sum_ops}, sum};
    return &s->future;
}

static PyObject *
sum_result(caw_future *f)
{
    return PyLong_FromLong(CAW_CONTAINER_OF(f, sum_future, future)->sum);
}

static caw_future *
add_start(PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"a", "b", NULL};
    long a, b = 10;
    return PyArg_ParseTupleAndKeywords(args, kwargs, "l|l:add", keywords, &a, &b) ? sum_new(a + b) : NULL;
}

static caw_future *
nothing_start(PyObject *Py_UNUSED(module))
{
    return sum_new(0);
}

static caw_future *
count_start(PyObject *Py_UNUSED(module), PyObject *const *Py_UNUSED(args), Py_ssize_t nargs, PyObject *kwnames)
{
    return sum_new((long)(nargs + 100 * (kwnames ? PyTuple_GET_SIZE(kwnames) : 0)));
}

static caw_future *
null_start(PyObject *Py_UNUSED(module))
{
    return NULL;
}

static caw_future *
confused_start(PyObject *Py_UNUSED(module))
{
    PyErr_SetString(PyExc_KeyError, "left behind");
    return sum_new(0);
}

const caw_py_async_def ext_convention_functions[] = {
    CAW_PY_ASYNC("add", add_start, sum_result, "add(a, b=10)\n--\n\nThe sum of two integers."),
    CAW_PY_ASYNC_NOARGS("nothing", nothing_start, sum_result, "No signature, some text."),
    CAW_PY_ASYNC_FASTCALL("count", count_start, sum_result, "count(*args, **kwargs)\n--\n\n"),
    CAW_PY_ASYNC_NOARGS("start_null", null_start, sum_result, NULL),
    CAW_PY_ASYNC_NOARGS("start_confused", confused_start, sum_result, NULL),
    CAW_PY_ASYNC_NOARGS("renamed", nothing_start, sum_result, NULL, .qualname = "Somewhere.renamed"),
    CAW_PY_ASYNC_END,
};

/* --- plain functions --- */

static PyObject *
raw(PyObject *module, PyObject *value)
{
    static const caw_py_spec unnamed = CAW_PY_SPEC(NULL, sum_result, NULL);
    long number = PyLong_AsLong(value);
    caw_future *f = PyErr_Occurred() ? NULL : sum_new(number);
    return f ? caw_py_coroutine(module, f, &unnamed) : NULL;
}

static PyObject *
raw_named(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    static const caw_py_spec named = CAW_PY_SPEC("one", sum_result, NULL, .qualname = "Number.one");
    caw_future *f = sum_new(1);
    return f ? caw_py_coroutine(module, f, &named) : NULL;
}

static PyObject *
raw_without_spec(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    caw_future *f = sum_new(1);
    return f ? caw_py_coroutine(module, f, NULL) : NULL;
}

/* Append the exception that is set, or None, to a list. */
static int
note_exception(PyObject *list)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    int failed = PyList_Append(list, type ? type : Py_None);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return failed;
}

/* The exceptions of the public functions when they are given NULL, in order. */
static PyObject *
null_arguments(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    PyObject *seen = PyList_New(0);
    if (!seen) {
        return NULL;
    }
    static const caw_py_async_def no_start[] = {{.spec = {.name = "no_start"}}, CAW_PY_ASYNC_END};
    caw_promise_resolve(NULL, 0);
    caw_future_destroy(NULL);
    caw_waker_wake(CAW_WAKER_NONE);
    caw_waker_drop(caw_waker_clone(CAW_WAKER_NONE));
    int failed = 0;
    failed |= caw_py_coroutine(NULL, sum_new(0), NULL) != NULL || note_exception(seen) < 0;
    failed |= caw_py_coroutine(module, NULL, NULL) != NULL || note_exception(seen) < 0;
    failed |= caw_py_add_functions(NULL, ext_convention_functions) == 0 || note_exception(seen) < 0;
    failed |= caw_py_add_functions(module, NULL) == 0 || note_exception(seen) < 0;
    failed |= caw_py_add_functions(module, no_start) == 0 || note_exception(seen) < 0;
    failed |= caw_py_add_methods(module, NULL, ext_convention_functions) == 0 || note_exception(seen) < 0;
    if (failed) {
        Py_DECREF(seen);
        PyErr_SetString(PyExc_AssertionError, "NULL was accepted");
        return NULL;
    }
    return seen;
}

static caw_future *
one_start(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(arg))
{
    return sum_new(1);
}

/* A frame that takes nothing. */
typedef struct framed {
    caw_async async;
} framed;

CAW_ASYNC_FUNCTION(framed)

static caw_step
framed_run(framed *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
    }
    CAW_FINALLY
    {
    }
}

/* Functions whose docs are not as they should be, each in a table of its own. */
#define DOC_ROW(name_, ...)                                                                                            \
    {                                                                                                                  \
        name_,                                                                                                         \
        {                                                                                                              \
            __VA_ARGS__, CAW_PY_ASYNC_END                                                                              \
        }                                                                                                              \
    }
static const struct {
    const char *name;
    caw_py_async_def rows[2];
} doc_rows[] = {
    DOC_ROW("another", CAW_PY_ASYNC("fetch", add_start, sum_result, "fetsh(a, b)\n--\n\nFetch it.")),
    DOC_ROW("longer", CAW_PY_ASYNC("fetch", add_start, sum_result, "fetch_all(a, b)\n--\n\nFetch it.")),
    DOC_ROW("text first", CAW_PY_ASYNC("fetch", add_start, sum_result, "Fetch it.\nfetch(a, b)\n--\n\n")),
    DOC_ROW("too many", CAW_PY_ASYNC_NOARGS("fetch", nothing_start, sum_result, "fetch(a)\n--\n\nFetch it.")),
    DOC_ROW("too many for a frame", CAW_PY_ROUTINE("fetch", framed, NULL, NULL, "fetch(a)\n--\n\nFetch it.")),
    DOC_ROW("too few", CAW_PY_ASYNC_O("fetch", one_start, sum_result, "fetch($module, /)\n--\n\nFetch it.")),
    DOC_ROW("no marker", CAW_PY_ASYNC_O("fetch", one_start, sum_result, "fetch(url)\n\nFetch it.")),
    DOC_ROW("short marker", CAW_PY_ASYNC_NOARGS("fetch", nothing_start, sum_result, "fetch()\n--\nFetch it.")),
    DOC_ROW("good", CAW_PY_ASYNC_O("fetch", one_start, sum_result, "fetch($module, url, /)\n--\n\nFetch it.")),
    DOC_ROW("empty", CAW_PY_ASYNC_NOARGS("fetch", nothing_start, sum_result, "fetch($module, /)\n--\n\nFetch it.")),
    DOC_ROW("frame", CAW_PY_ROUTINE("fetch", framed, NULL, NULL, NULL, .sync_name = "fetch_sync")),
    DOC_ROW("types", CAW_PY_ASYNC("fetch", add_start, sum_result,
                                  "fetch(url: str, sizes: dict[str, int] = ..., /, *rest: Tag, limit: Tag | None = "
                                  "None, end: Literal['->'] = ')') -> Callable[[Tag], bytes]\n--\n\nFetch it.",
                                  .sync_name = "fetch_sync")),
    DOC_ROW("types beside a module", CAW_PY_ASYNC_NOARGS("fetch", nothing_start, sum_result,
                                                         "fetch($module, /) -> int | None\n--\n\nFetch it.")),
    DOC_ROW("types not known", CAW_PY_ASYNC_O("fetch", one_start, sum_result,
                                              "fetch(a: Nowhere[int], /) -> asyncio.Event\n--\n\nFetch it.")),
    DOC_ROW("no Python", CAW_PY_ASYNC("fetch", add_start, sum_result, "fetch(a: int) -> list[\n--\n\nFetch it.")),
    DOC_ROW("too many types",
            CAW_PY_ASYNC_NOARGS("fetch", nothing_start, sum_result, "fetch(a: int) -> int\n--\n\nFetch it.")),
    DOC_ROW("types of another", CAW_PY_ASYNC("fetch", add_start, sum_result, "fetsh(a) -> int\n--\n\nFetch it.")),
    DOC_ROW("text", CAW_PY_ASYNC_O("fetch", one_start, sum_result, "Fetch it (or not).")),
    DOC_ROW("none", CAW_PY_ASYNC_O("fetch", one_start, sum_result, NULL)),
};

/* add_documented(module, name): add the function of that name to a module. */
static PyObject *
add_documented(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *to;
    const char *name;
    if (!PyArg_ParseTuple(args, "Os", &to, &name)) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof doc_rows / sizeof *doc_rows; i++) {
        if (strcmp(doc_rows[i].name, name) == 0) {
            return caw_py_add_functions(to, doc_rows[i].rows) < 0 ? NULL : Py_NewRef(Py_None);
        }
    }
    PyErr_SetString(PyExc_ValueError, name);
    return NULL;
}

static PyObject *
live_futures(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromLong(atomic_load(&ext_live_futures));
}

/* [(name, value)] of the error table, for the tests of the exceptions. */
static PyObject *
errors(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    PyObject *table = PyDict_New();
#define EXT_ERROR(code, value, text)                                                                                   \
    if (table) {                                                                                                       \
        PyObject *number = PyLong_FromLong(code);                                                                      \
        if (!number || PyDict_SetItemString(table, #code, number) < 0) {                                               \
            Py_CLEAR(table);                                                                                           \
        }                                                                                                              \
        Py_XDECREF(number);                                                                                            \
    }
    CAW_ERRORS(EXT_ERROR)
#undef EXT_ERROR
    return table;
}

/* make_and_drop(kind, object): what awaits the object is made, and destroyed before its first poll. */
static PyObject *
make_and_drop(PyObject *Py_UNUSED(module), PyObject *args)
{
    const char *kind;
    PyObject *object;
    if (!PyArg_ParseTuple(args, "sO", &kind, &object)) {
        return NULL;
    }
    switch (kind[0]) {
    case 'a':
        caw_future_destroy(caw_py_await(NULL, Py_NewRef(object)));
        break;
    case 'i':
        caw_stream_destroy(caw_py_iterate(NULL, Py_NewRef(object), NULL));
        break;
    case 'r':
        caw_reader_destroy(caw_py_reader(NULL, object));
        break;
    default:
        caw_writer_destroy(caw_py_writer(NULL, object));
    }
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

PyMethodDef ext_plain_functions[] = {
    {"raw", raw, METH_O, NULL},
    {"raw_named", raw_named, METH_NOARGS, NULL},
    {"raw_without_spec", raw_without_spec, METH_NOARGS, NULL},
    {"null_arguments", null_arguments, METH_NOARGS, NULL},
    {"add_documented", add_documented, METH_VARARGS, NULL},
    {"make_and_drop", make_and_drop, METH_VARARGS, NULL},
    {"live_futures", live_futures, METH_NOARGS, NULL},
    {"errors", errors, METH_NOARGS, NULL},
    {"hold", ext_hold, METH_O, NULL},
    {"hold_buffer", ext_hold_buffer, METH_O, NULL},
    {"held", ext_held, METH_O, NULL},
    {"release_in_threads", ext_release_in_threads, METH_VARARGS, NULL},
    {"relayed", ext_relayed, METH_O, NULL},
    {"share", ext_share, METH_O, NULL},
    {"unshare", ext_unshare, METH_NOARGS, NULL},
    {"resolve_many", ext_resolve_many, METH_VARARGS, NULL},
    {"byte_stream", ext_byte_stream, METH_VARARGS, NULL},
    {"returning_bytes", ext_returning_bytes, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
