/* trio_task.c: awaitables that run as system tasks of trio. */
#include "python/framework/trio_task.h"

#include "python/base/python_code.h"
#include "python/framework/trio_api.h"
#include "python/loop/hub.h"

/* Each in a cancel scope of its own, by which it is cancelled. A system task must raise nothing but Cancelled; what
 * it awaits may raise anything, and `end` and `fail` keep it. */
static const char trio_task_source[] = "async def cawait_posted(awaitable, begin, end, fail, trio):\n"
                                       "    try:\n"
                                       "        with trio.CancelScope() as scope:\n"
                                       "            begin(scope)\n"
                                       "            end(await awaitable)\n"
                                       "        fail(None)\n"
                                       "    except trio.Cancelled as error:\n"
                                       "        fail(error)\n"
                                       "        raise\n"
                                       "    except BaseException as error:\n"
                                       "        fail(error)\n";

static PyObject *
trio_task_begin(PyObject *capsule, PyObject *scope)
{
    caw__py_task *t = caw__py_task_of(capsule);
    if (!t) { /* ended before its first step */
        return PyObject_CallMethod(scope, "cancel", NULL);
    }
    Py_XSETREF(t->handle, Py_NewRef(scope));
    if (t->ops->unwanted(t)) { /* a cancel that came before there was a scope */
        return PyObject_CallMethod(scope, "cancel", NULL);
    }
    Py_RETURN_NONE;
}

static PyObject *
trio_task_end(PyObject *capsule, PyObject *value)
{
    caw__py_task *t = caw__py_task_of(capsule);
    if (t) {
        t->ops->ended(t, Py_NewRef(value));
    }
    Py_RETURN_NONE;
}

/* With None: its scope was cancelled, and took the exception. */
static PyObject *
trio_task_fail(PyObject *capsule, PyObject *error)
{
    caw__py_task *t = caw__py_task_of(capsule);
    if (t && error == Py_None) {
        t->ops->cancelled(t);
    }
    else if (t) {
        caw__raise(Py_NewRef(error));
        t->ops->ended(t, NULL);
    }
    Py_RETURN_NONE;
}

static PyMethodDef trio_task_begin_def = {"cawait_begin", trio_task_begin, METH_O, NULL};
static PyMethodDef trio_task_end_def = {"cawait_end", trio_task_end, METH_O, NULL};
static PyMethodDef trio_task_fail_def = {"cawait_fail", trio_task_fail, METH_O, NULL};

/* spawn_system_task(cawait_posted, awaitable, begin, end, fail, trio, context=the current one) */
static PyObject *
trio_task_spawn(caw__state *state, PyObject *awaitable, PyObject *begin, PyObject *end, PyObject *fail)
{
    PyObject *context = PyContext_CopyCurrent();
    if (!context) {
        return NULL;
    }
    PyObject *args[] = {NULL, state->trio_posted, awaitable, begin, end, fail, state->trio.trio, context};
    PyObject *task = PyObject_Vectorcall(state->trio.spawn_system_task, args + 1, 6 | PY_VECTORCALL_ARGUMENTS_OFFSET,
                                         state->call_soon_kwnames);
    Py_DECREF(context);
    return task;
}

int
caw__trio_begin(caw__hub *hub, caw__py_task *t, PyObject *awaitable)
{
    caw__state *state = hub->state;
    if (!state->trio_posted && !(state->trio_posted = caw__python_function(trio_task_source, "cawait_posted"))) {
        return -1;
    }
    PyObject *begin = caw__py_task_method(t, &trio_task_begin_def), *end = caw__py_task_method(t, &trio_task_end_def);
    PyObject *fail = caw__py_task_method(t, &trio_task_fail_def), *inner = caw__py_task_awaitable(state, awaitable);
    PyObject *task = begin && end && fail && inner ? trio_task_spawn(state, inner, begin, end, fail) : NULL;
    Py_XDECREF(inner);
    Py_XDECREF(task);
    Py_XDECREF(begin);
    Py_XDECREF(end);
    Py_XDECREF(fail);
    return task ? 0 : -1;
}

void
caw__trio_cancel(PyObject *scope)
{
    Py_XDECREF(PyObject_CallMethod(scope, "cancel", NULL));
}
