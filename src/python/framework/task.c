/* task.c: what awaitables that run as tasks have in common, whatever the framework. */
#include "python/framework/task.h"

#include "python/base/awaitable.h"
#include "python/base/python_code.h"

static const char task_capsule_name[] = "cawait.task";

static const char task_bare_source[] = "class cawait_bare:\n"
                                       "    def __init__(self, iterator):\n"
                                       "        self.iterator = iterator\n"
                                       "    def __await__(self):\n"
                                       "        return self.iterator\n";

static void
task_capsule_gone(PyObject *capsule)
{
    caw__py_task *task = caw__py_task_of(capsule);
    if (task) {
        PyObject *raised = caw__take_raised();
        task->capsule = NULL;
        task->ops->lost(task);
        if (raised) {
            caw__raise(raised);
        }
    }
}

PyObject *
caw__py_task_begin(caw__py_task *task)
{
    task->capsule = PyCapsule_New(task, task_capsule_name, task_capsule_gone);
    return task->capsule;
}

void
caw__py_task_end(caw__py_task *task)
{
    if (task->capsule) {
        (void)PyCapsule_SetContext(task->capsule, task);
        task->capsule = NULL;
    }
}

caw__py_task *
caw__py_task_of(PyObject *capsule)
{
    return PyCapsule_GetContext(capsule) ? NULL : PyCapsule_GetPointer(capsule, task_capsule_name);
}

PyObject *
caw__py_task_method(const caw__py_task *task, PyMethodDef *def)
{
    return PyCFunction_New(def, task->capsule);
}

PyObject *
caw__py_task_awaitable(caw__state *state, PyObject *awaitable)
{
    if (!caw__is_bare_iterator(awaitable)) {
        return Py_NewRef(awaitable);
    }
    if (!state->bare_type && !(state->bare_type = caw__python_function(task_bare_source, "cawait_bare"))) {
        return NULL;
    }
    return PyObject_CallOneArg(state->bare_type, awaitable);
}
