/* anyio.c: a shielded scope around the wait of a cancelled task.
 *
 * On asyncio a cancelled scope of anyio cancels its tasks again on every turn of the loop, `_backends/_asyncio.py:
 * CancelScope._deliver_cancellation`, as long as it has a task: a task that waits for its operation to let go would
 * keep the loop at 100 % of a CPU (anyio issues 1257 and 1258; some 10 000 turns in 50 ms). It leaves out a task that
 * is in a shielded scope of its own. So that is what the rest of the wait happens in: entered and left in the task's
 * own steps, by the public API. The exception that was thrown in is raised afterwards, unchanged: anyio recognises
 * its own by the message.
 */
#include "python/framework/anyio.h"

bool
caw__anyio_is_loaded(caw__state *state)
{
    PyObject *modules = PyImport_GetModuleDict(); /* borrowed */
    bool loaded = modules && PyDict_GetItemWithError(modules, state->names.anyio);
    PyErr_Clear();
    return loaded;
}

/* A shielded scope that has been entered: a new reference; NULL with an exception when that was not possible. */
static PyObject *
anyio_enter(PyObject *anyio)
{
    PyObject *type = PyObject_GetAttrString(anyio, "CancelScope");
    PyObject *shield = type ? Py_BuildValue("{sO}", "shield", Py_True) : NULL;
    PyObject *scope = shield ? PyObject_VectorcallDict(type, NULL, 0, shield) : NULL;
    PyObject *entered = scope ? PyObject_CallMethod(scope, "__enter__", NULL) : NULL;
    Py_XDECREF(shield);
    Py_XDECREF(type);
    if (!entered) {
        Py_CLEAR(scope);
    }
    Py_XDECREF(entered);
    return scope;
}

int
caw__anyio_shield(caw__state *state, PyObject **scope)
{
    PyObject *anyio = Py_XNewRef(PyDict_GetItemWithError(PyImport_GetModuleDict(), state->names.anyio));
    *scope = anyio ? anyio_enter(anyio) : NULL;
    Py_XDECREF(anyio);
    if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_Exception)) {
        return -1;
    }
    PyErr_Clear(); /* not a loop or a task of anyio: then no scope of it cancels again either */
    return 0;
}

void
caw__anyio_unshield(PyObject **place)
{
    PyObject *scope = *place;
    if (!scope) {
        return;
    }
    *place = NULL;
    PyObject *raised = caw__take_raised();
    PyObject *left = PyObject_CallMethod(scope, "__exit__", "OOO", Py_None, Py_None, Py_None);
    caw__forget_raised();
    if (left) {
        Py_DECREF(left);
        Py_DECREF(scope);
    }
    else {
        *place = scope;
    }
    if (raised) {
        caw__raise(raised);
    }
}
