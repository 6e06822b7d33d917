/* finish.c: the end of the interpreter waits for calls that are to be finished. exit() does so too (core/run/exit.c),
 * but then there is no Python any more, which such a call may want. */
#include "python/module/finish.h"

#include "core/run/exit.h"

#define FINISH_LOOK_NS UINT64_C(50000000) /* how often it looks for a Ctrl-C */

static PyObject *
finish_all(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(ignored))
{
    bool done = false;
    while (!done) {
        PyThreadState *released = PyEval_SaveThread();
        done = caw__exit_finish(FINISH_LOOK_NS);
        PyEval_RestoreThread(released);
        if (PyErr_CheckSignals() < 0) {
            return NULL;
        }
    }
    Py_RETURN_NONE;
}

static PyMethodDef finish_def = {"cawait_finish", finish_all, METH_NOARGS, NULL};

int
caw__finish_register(caw__state *state)
{
    if (state->finishes_at_exit) {
        return 0;
    }
    PyObject *function = PyCFunction_New(&finish_def, NULL);
    PyObject *atexit = function ? PyImport_ImportModule("atexit") : NULL;
    PyObject *done = atexit ? PyObject_CallMethod(atexit, "register", "O", function) : NULL;
    state->finishes_at_exit = done != NULL;
    Py_XDECREF(function);
    Py_XDECREF(atexit);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

#undef FINISH_LOOK_NS
