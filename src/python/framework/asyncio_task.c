/* asyncio_task.c: awaitables that run as tasks of asyncio. */
#include "python/framework/asyncio_task.h"

#include "python/base/python_code.h"
#include "python/loop/hub.h"

/* A task is made of a coroutine: for other awaitables, one of Python's own around it, which `asyncio ps` can read. */
static const char asyncio_task_source[] = "async def cawait_posted(awaitable): return await awaitable\n";

/* Called by the loop: the task has ended. */
static PyObject *
asyncio_task_done(PyObject *capsule, PyObject *task)
{
    caw__py_task *t = caw__py_task_of(capsule);
    if (t) {
        t->ops->ended(t, PyObject_CallMethod(task, "result", NULL));
    }
    Py_RETURN_NONE;
}

static PyMethodDef asyncio_task_done_def = {"cawait_done", asyncio_task_done, METH_O, NULL};

/* What asyncio takes for a future: its own test. */
static bool
asyncio_task_is_future(PyObject *object)
{
    PyObject *type = (PyObject *)Py_TYPE(object);
    return PyObject_HasAttrString(type, "_asyncio_future_blocking") && PyObject_HasAttrString(type, "get_loop");
}

/* The future itself, if it is one of this loop. */
static PyObject *
asyncio_task_of_future(PyObject *loop, PyObject *future)
{
    PyObject *its = PyObject_CallMethod(future, "get_loop", NULL);
    if (its && its != loop) {
        PyErr_Format(PyExc_RuntimeError, "%R is attached to a different event loop", future);
        Py_CLEAR(its);
    }
    Py_XDECREF(its);
    return its ? Py_NewRef(future) : NULL;
}

/* Where the loop has no create_task and no factory of its own and tasks can begin at once, this one does: it saves a
 * turn of the loop. */
static PyObject *
asyncio_task_of_coroutine(const caw__hub *hub, PyObject *coroutine)
{
    PyObject *loop = hub->loop;
#if CAW__HAS_EAGER_TASKS
    PyObject *factory = hub->plain_tasks ? PyObject_CallMethod(loop, "get_task_factory", NULL) : Py_NewRef(Py_True);
    if (factory == Py_None) {
        PyObject *task = NULL;
        PyObject *asyncio = PyImport_ImportModule("asyncio");
        PyObject *type = asyncio ? PyObject_GetAttrString(asyncio, "Task") : NULL;
        PyObject *args = type ? PyTuple_Pack(1, coroutine) : NULL;
        PyObject *options = args ? Py_BuildValue("{s:O,s:O}", "loop", loop, "eager_start", Py_True) : NULL;
        task = options ? PyObject_Call(type, args, options) : NULL;
        Py_XDECREF(options);
        Py_XDECREF(args);
        Py_XDECREF(type);
        Py_XDECREF(asyncio);
        Py_DECREF(factory);
        return task;
    }
    if (!factory) {
        return NULL;
    }
    Py_DECREF(factory);
#endif
    return PyObject_CallMethod(loop, "create_task", "O", coroutine);
}

static PyObject *
asyncio_task_new(caw__hub *hub, PyObject *awaitable)
{
    caw__state *state = hub->state;
    if (PyCoro_CheckExact(awaitable)) {
        return asyncio_task_of_coroutine(hub, awaitable);
    }
    if (!state->posted && !(state->posted = caw__python_function(asyncio_task_source, "cawait_posted"))) {
        return NULL;
    }
    PyObject *inner = caw__py_task_awaitable(state, awaitable);
    PyObject *coroutine = inner ? PyObject_CallOneArg(state->posted, inner) : NULL;
    Py_XDECREF(inner);
    PyObject *task = coroutine ? asyncio_task_of_coroutine(hub, coroutine) : NULL;
    Py_XDECREF(coroutine);
    return task;
}

/* See to it that its end is noticed; it may have ended already. */
static int
asyncio_task_watch(caw__py_task *t, PyObject *task, PyObject *done)
{
    PyObject *is_done = PyObject_CallMethod(task, "done", NULL);
    if (is_done == Py_True) {
        t->ops->ended(t, PyObject_CallMethod(task, "result", NULL)); /* which may free it */
        Py_DECREF(is_done);
        return 0;
    }
    Py_XDECREF(is_done);
    t->handle = Py_NewRef(task);
    PyObject *added = is_done ? PyObject_CallMethod(task, "add_done_callback", "O", done) : NULL;
    Py_XDECREF(added);
    return added ? 0 : -1;
}

int
caw__asyncio_begin(caw__hub *hub, caw__py_task *t, PyObject *awaitable)
{
    PyObject *done = caw__py_task_method(t, &asyncio_task_done_def);
    PyObject *task = !done                               ? NULL
                     : asyncio_task_is_future(awaitable) ? asyncio_task_of_future(hub->loop, awaitable)
                                                         : asyncio_task_new(hub, awaitable);
    int begun = task ? asyncio_task_watch(t, task, done) : -1;
    Py_XDECREF(task);
    Py_XDECREF(done);
    return begun;
}

void
caw__asyncio_cancel(PyObject *handle)
{
    Py_XDECREF(PyObject_CallMethod(handle, "cancel", NULL));
}
