/* finish.c: the end of the interpreter waits for calls that are to be finished. exit() does so too (core/run/exit.c),
 * but then there is no Python any more, which such a call may want. */
#include "python/module/finish.h"

#include "core/run/exit.h"
#include "python/base/python_code.h"

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
    state->finishes_at_exit = caw__at_python_exit(&finish_def, NULL) == 0;
    return state->finishes_at_exit ? 0 : -1;
}

#undef FINISH_LOOK_NS
