/* trio.c: the framework trio.
 *
 * One system task per run waits for the reactor's fd and drains the hub. The drain resumes tasks by trio's
 * reschedule(), which only queues them: what trio promises of its scheduler (its order, its clock, its instruments)
 * stays true.
 *
 * A coroutine that suspends yields what trio.lowlevel.wait_task_rescheduled() yields (its class is private: learned
 * by driving one), and is resumed with an outcome sent in, never by throw(). Each operation is a checkpoint, as trio
 * requires: a task that is cancelled already starts nothing; a future that is ready at once lets the scheduler run
 * before it is taken. What a cancel does is in coroutine/cancel.c.
 */
#include "python/framework/trio.h"

#include "python/framework/trio_api.h"
#include "python/framework/trio_task.h"
#include "python/loop/hub.h"

/* There is no public way to find out; where the private one is gone, it is taken to wait. */
bool
caw__trio_waits(const caw__waiter *w)
{
    if (w->aborted) {
        return true;
    }
    PyObject *abort = PyObject_GetAttrString(w->callback, "_abort_func");
    bool waits = !abort || (PyCFunction_Check(abort) && PyCFunction_GET_SELF(abort) == (PyObject *)w->park);
    Py_XDECREF(abort);
    PyErr_Clear();
    return waits;
}

/* Asked at the end of a run: whether a task waits for one of those that are suspended on the hub. */
static PyObject *
trio_awaited(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    caw__hub *hub = (caw__hub *)self;
    bool awaited = false;
    hub->ending = true;
    for (uint32_t i = 0; i < hub->n_held && !awaited; i++) {
        awaited = caw__trio_waits(hub->held[i]);
    }
    return PyBool_FromLong(awaited);
}

static PyMethodDef trio_awaited_def = {"awaited", trio_awaited, METH_NOARGS, "Whether a task waits here."};

static int
trio_attach(caw__hub *hub)
{
    const caw__trio_api *api = &hub->state->trio;
    /* lowlevel.reschedule() finds out the run and calls this */
    hub->reschedule = caw__attribute(hub->loop, hub->state->names.reschedule);
    if (!hub->reschedule) {
        hub->reschedule = Py_NewRef(api->reschedule);
    }
    PyObject *awaited = PyCFunction_New(&trio_awaited_def, (PyObject *)hub);
    PyObject *task =
        awaited ? PyObject_CallFunction(api->spawn_system_task, "OOiOOO", api->watch, hub,
                                        caw_reactor_fd(hub->inbox->reactor), awaited, api->wait_readable, api->trio)
                : NULL;
    Py_XDECREF(task);
    Py_XDECREF(awaited);
    return task ? 0 : -1;
}

static int
trio_may_step(caw__hub *hub)
{
    (void)hub; /* trio steps its tasks itself */
    return 0;
}

/* What the task yields to wait: a new reference, or NULL with an exception. */
static PyObject *
trio_wait(caw__hub *hub, caw__waiter *w)
{
    if (!w->park->wait) {
        PyObject *abort = PyObject_GetAttr((PyObject *)w->park, hub->state->names.abort);
        w->park->wait = abort ? PyObject_CallOneArg(hub->state->trio.wait_type, abort) : NULL;
        Py_XDECREF(abort);
    }
    return Py_XNewRef(w->park->wait);
}

static PyObject *
trio_suspend(caw__hub *hub, caw__waiter *w)
{
    if (w->callback && caw__trio_waits(w)) {
        return trio_wait(hub, w); /* thrown into by somebody else: its task waits on */
    }
    if (w->callback) {
        caw__hub_drop_callback(w); /* driven by hand */
    }
    PyObject *wait = trio_wait(hub, w);
    PyObject *task = NULL;
    if (!wait || caw__trio_task(hub->state, &task) <= 0 || caw__hub_hold(w) < 0) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_RuntimeError, "must be called from async context");
        }
        Py_XDECREF(wait);
        Py_XDECREF(task);
        return NULL;
    }
    w->callback = task;
    w->aborted = false;
    return wait;
}

static int
trio_resume(caw__hub *hub, caw__waiter *w)
{
    if (caw__trio_waits(w)) {
        PyObject *args[] = {w->callback, hub->state->trio.nothing};
        PyObject *reschedule = Py_NewRef(hub->reschedule);
        PyObject *done = PyObject_Vectorcall(reschedule, args, 2, NULL);
        Py_DECREF(reschedule);
        if (!done) {
            return -1;
        }
        Py_DECREF(done);
    }
    caw__hub_drop_callback(w);
    return 0;
}

/* The hub is closed with the run. Whether the host loop of a run in guest mode runs cannot be seen. */
static caw_py_loop_state
trio_loop_state(caw__hub *hub)
{
    (void)hub;
    return CAW_PY_LOOP_RUNNING;
}

const caw__framework caw__trio = {
    .attach = trio_attach,
    .may_step = trio_may_step,
    .suspend = trio_suspend,
    .resume = trio_resume,
    .begin = caw__trio_begin,
    .cancel = caw__trio_cancel,
    .loop_state = trio_loop_state,
    .may_leave = false,
    .stays = true,
    .holds = false,
};
