/* given.c: a value or an exception goes to the author's function; or, where there is none, to the iterable of Python
 * that the stream is around, if it is around one. */
#include "python/generator/given.h"

/* False with an exception. */
static bool
given_send(const caw__generator *g, PyObject *value)
{
    int (*on_send)(caw_stream *, PyObject *) = g->function->stream->on_send;
    if (!on_send) {
        (void)caw_py_iterate_send(g->stream, value);
        return true;
    }
    int status = on_send(g->stream, value);
    if (status < 0 && !PyErr_Occurred()) {
        PyErr_Format(PyExc_SystemError, "the on_send function of '%U' returned %d without an exception",
                     g->function->qualname, status);
    }
    return !PyErr_Occurred();
}

bool
caw__generator_throw(const caw__generator *g, PyObject *exception)
{
    if (!g->started || g->over) {
        return false;
    }
    int (*on_throw)(caw_stream *, PyObject *) = g->function->stream->on_throw;
    if (!on_throw) {
        return caw_py_iterate_throw(g->stream, exception);
    }
    return on_throw(g->stream, exception) >= 0 && !PyErr_Occurred();
}

bool
caw__generator_give(caw__generator_step *a)
{
    const caw__generator *g = a->generator;
    if (!g->started || g->over) {
        return true;
    }
    if (a->kind == GENERATOR_STEP_NEXT) {
        return a->arg == Py_None || given_send(g, a->arg);
    }
    if (caw__generator_throw(g, a->arg)) {
        a->kind = GENERATOR_STEP_NEXT;
    }
    else if (PyErr_Occurred()) {
        Py_SETREF(a->arg, caw__take_raised());
    }
    return true;
}
