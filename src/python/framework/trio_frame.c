/* trio_frame.c: the frame that trio looks for on the stack of a task.
 *
 * A Ctrl-C is raised in the code that it interrupts, unless trio protects that code. To find out, trio goes through the
 * frames from the interrupted one outwards, and stops at `task.coro.cr_frame`: what has come so far belongs to the task
 * and is not protected. Behind it comes trio's own code, which is. (trio/_core/_ki.py: ki_protection_enabled.)
 *
 * A native coroutine has no frame on the stack. While it runs Python code, the outermost frame of that code stands for
 * it: the last one, on the way out, that was called by the function in which trio steps its tasks, `unrolled_run`. That
 * is private to trio; where it is gone, such code is protected.
 */
#include "python/framework/trio_frame.h"

#include "python/framework/trio_api.h"

static bool
trio_frame_runs(PyFrameObject *frame, PyObject *code)
{
    PyCodeObject *own = PyFrame_GetCode(frame);
    Py_DECREF(own);
    return (PyObject *)own == code;
}

/* The outermost frame that was called by this code. */
static PyObject *
trio_frame_below(PyObject *code)
{
    PyObject *found = NULL;
    PyFrameObject *frame = (PyFrameObject *)Py_XNewRef((PyObject *)PyEval_GetFrame());
    while (frame) {
        PyFrameObject *back = PyFrame_GetBack(frame);
        if (back && trio_frame_runs(back, code)) {
            Py_XSETREF(found, Py_NewRef((PyObject *)frame));
        }
        Py_SETREF(frame, back);
    }
    return found;
}

/* The code of trio's unrolled_run, which is in the same module as current_task: a new reference, or NULL. */
static PyObject *
trio_frame_stepping_code(const caw__state *state)
{
    PyObject *globals = PyObject_GetAttrString(state->trio.current_task, "__globals__");
    PyObject *steps = globals && PyDict_Check(globals) ? PyDict_GetItemString(globals, "unrolled_run") : NULL;
    PyObject *code = steps ? PyObject_GetAttrString(steps, "__code__") : NULL;
    Py_XDECREF(globals);
    return code;
}

PyObject *
caw__trio_running_frame(caw__state *state, PyObject *coroutine)
{
    PyObject *task, *raised = caw__take_raised(), *frame = NULL;
    if (caw__trio_task(state, &task) > 0) {
        PyObject *root = PyObject_GetAttrString(task, "coro");
        PyObject *code = root == coroutine ? trio_frame_stepping_code(state) : NULL;
        frame = code ? trio_frame_below(code) : NULL;
        Py_XDECREF(code);
        Py_XDECREF(root);
    }
    Py_XDECREF(task);
    PyErr_Clear();
    if (raised) {
        caw__raise(raised);
    }
    return frame;
}
