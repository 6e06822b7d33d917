/* step_result.c: what a step of an async generator returns, or raises. */
#include "python/generator/step_result.h"

#include "python/loop/value.h"

/* Convert an item with the author's function. A value returned with an exception set is an error of the author's that
 * only debug builds look for: the check costs as much as the function. */
static inline PyObject *
generator_step_value(const caw__generator *g, caw_item *item)
{
    const caw_py_stream_spec *spec = g->function->stream;
    PyObject *value = spec->item ? spec->item(g->stream, item) : caw__value_get(item);
#ifndef NDEBUG
    if (value && PyErr_Occurred()) {
        PyErr_Format(PyExc_SystemError, "the item function of '%U' returned a value with an exception set",
                     g->function->qualname);
        Py_CLEAR(value);
    }
#endif
    if (!value && !PyErr_Occurred()) {
        PyErr_Format(PyExc_SystemError, "the item function of '%U' returned NULL without an exception",
                     g->function->qualname);
    }
    return value;
}

/* Take the next item, as a value. */
static inline PyObject *
generator_step_take_value(caw__generator_step *a)
{
    caw_item *item = a->items;
    a->items = item->next;
    PyObject *value = generator_step_value(a->generator, item);
    caw_item_destroy(item);
    return value;
}

/* The item after these values could not be converted. The values are returned first, and the next step raises the
 * error. */
static PyObject *
generator_step_cut(caw__generator_step *a, PyObject *list, Py_ssize_t length)
{
    caw__generator *g = a->generator;
    PyObject *raised = caw__take_raised();
    if (PyList_SetSlice(list, length, PyList_GET_SIZE(list), NULL) < 0) {
        PyErr_Clear();
        length = 0;
    }
    if (length == 0) {
        Py_CLEAR(list);
        caw__raise(raised);
        return NULL;
    }
    Py_XSETREF(g->raised, raised);
    if (!g->over && !g->cancel_sent) {
        g->cancel_sent = true;
        caw_stream_cancel(g->stream);
    }
    g->over = true;
    caw_item_destroy_all(a->items);
    a->items = NULL;
    return list;
}

CAW__APART static PyObject *
generator_step_list(caw__generator_step *a)
{
    Py_ssize_t length = a->length;
    PyObject *list = PyList_New(length);
    if (!list) {
        return NULL;
    }
    PyObject_GC_UnTrack(list); /* item functions may run Python code, which must not find a half-filled list */
    Py_ssize_t i = 0;
    for (PyObject *value; i < length && (value = generator_step_take_value(a)); i++) {
        PyList_SET_ITEM(list, i, value);
    }
    PyObject_GC_Track(list);
    return i < length ? generator_step_cut(a, list, i) : list;
}

PyObject *
caw__generator_step_result(caw_future *f)
{
    caw__generator_step *a = CAW_CONTAINER_OF(f, caw__generator_step, child.future);
    if (a->kind != GENERATOR_STEP_NEXT) {
        Py_RETURN_NONE;
    }
    PyObject *value = a->generator->function->stream->batch ? generator_step_list(a) : generator_step_take_value(a);
    a->ended |= !value;
    return value;
}

static void
generator_step_error(caw_future *f, int status)
{
    const caw__generator *g = CAW_CONTAINER_OF(f, caw__generator_step, child.future)->generator;
    g->function->stream->error(g->stream, status);
}

caw_py_spec
caw__generator_steps(const caw_py_stream_spec *stream)
{
    return (caw_py_spec){
        .name = stream->name,
        .result = caw__generator_step_result,
        .file = stream->file,
        .line = stream->line,
        .doc = stream->doc,
        .qualname = stream->qualname,
        .error = stream->error ? generator_step_error : NULL,
        .cancel = stream->cancel,
        .cancel_grace_ns = stream->cancel_grace_ns,
    };
}
