/* trio_frame.c: the frame that trio looks for on the stack of a task.
 *
 * A Ctrl-C is raised in the code that it interrupts, unless trio protects that code. To find out, trio goes through the
 * frames from the interrupted one outwards, and stops at `task.coro.cr_frame`: what has come so far belongs to the task
 * and is not protected. Behind it comes trio's own code, which is. (trio/_core/_ki.py: ki_protection_enabled.)
 *
 * A native coroutine has no frame on the stack. While it runs Python code, the outermost frame of that code stands for
 * it: the last one, on the way out, that was called by the module in which trio steps its tasks.
 */
#include "python/framework/trio_frame.h"

#include "python/framework/trio_api.h"

/* Whether the frame runs code of the module with these globals. */
static bool
trio_frame_is_of(PyFrameObject *frame, PyObject *globals)
{
    PyObject *own = PyObject_GetAttrString((PyObject *)frame, "f_globals");
    Py_XDECREF(own);
    PyErr_Clear();
    return own == globals;
}

static PyObject *
trio_frame_outermost(PyObject *globals)
{
    PyObject *found = NULL;
    PyFrameObject *frame = (PyFrameObject *)Py_XNewRef((PyObject *)PyEval_GetFrame());
    bool is_trios = frame && trio_frame_is_of(frame, globals);
    while (frame) {
        PyFrameObject *back = PyFrame_GetBack(frame);
        bool back_is_trios = back && trio_frame_is_of(back, globals);
        if (back_is_trios && !is_trios) {
            Py_XSETREF(found, Py_NewRef((PyObject *)frame));
        }
        is_trios = back_is_trios;
        Py_SETREF(frame, back);
    }
    return found;
}

PyObject *
caw__trio_running_frame(caw__state *state, PyObject *coroutine)
{
    PyObject *task, *raised = caw__take_raised(), *frame = NULL;
    if (caw__trio_task(state, &task) > 0) {
        PyObject *root = PyObject_GetAttrString(task, "coro");
        /* a function of that module */
        PyObject *globals = root == coroutine ? PyObject_GetAttrString(state->trio.current_task, "__globals__") : NULL;
        frame = globals ? trio_frame_outermost(globals) : NULL;
        Py_XDECREF(globals);
        Py_XDECREF(root);
    }
    Py_XDECREF(task);
    PyErr_Clear();
    if (raised) {
        caw__raise(raised);
    }
    return frame;
}
