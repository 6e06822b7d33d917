/* task.h: an awaitable that runs as a task of a framework; its owner gets a call when it ends.
 *
 * Part of a bigger struct. What Python calls when the task has ended has a capsule with the task in it, which is
 * empty once the task has ended. If the capsule is freed before, nothing will say how the task ended, and it is lost.
 */
#ifndef CAWAIT_PYTHON_FRAMEWORK_TASK_H
#define CAWAIT_PYTHON_FRAMEWORK_TASK_H

#include "python/loop/framework.h"

CAW__INTERNAL_BEGIN

typedef struct caw__py_task_ops {
    /* It has ended: with a value, or (NULL) with the exception that is set. Takes the value. */
    void (*ended)(caw__py_task *task, PyObject *value);
    /* It has ended by a cancel of its handle, of which there is no exception. */
    void (*cancelled)(caw__py_task *task);
    /* The framework has dropped it without a word of how it ended. */
    void (*lost)(caw__py_task *task);
    /* Whether it is to be cancelled as soon as it has a handle. */
    bool (*unwanted)(const caw__py_task *task);
} caw__py_task_ops;

struct caw__py_task {
    const caw__py_task_ops *ops;
    PyObject *handle;  /* what can be cancelled: a task, a future, a scope of trio: a reference, or NULL */
    PyObject *capsule; /* borrowed: while it runs */
};

/* Make the capsule: a new reference, to be given up once the task has begun, or NULL with an exception. */
PyObject *caw__py_task_begin(caw__py_task *task);

/* It has not begun, or has ended: nothing more comes from Python. Its handle stays. */
void caw__py_task_end(caw__py_task *task);

/* The task in a capsule; NULL when it has ended. */
caw__py_task *caw__py_task_of(PyObject *capsule);

/* A Python function that is called with the capsule: a new reference. */
PyObject *caw__py_task_method(const caw__py_task *task, PyMethodDef *def);

/* The awaitable as something that a coroutine of Python can await, which an iterator without __await__ is not: a new
 * reference, or NULL with an exception. */
PyObject *caw__py_task_awaitable(caw__state *state, PyObject *awaitable);

CAW__INTERNAL_END

#endif
