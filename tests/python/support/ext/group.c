/* group.c: groups of Python awaitables and of operations in C, awaited from Python. */
#include "ext.h"

#include <stdlib.h>

static int
member_status(void *user, caw_future *Py_UNUSED(slept))
{
    return (int)(intptr_t)user;
}

/* --- an operation whose poll raises, and leaves the exception set --- */

typedef struct raising {
    caw_future future;
    PyObject *exception;
} raising;

static caw_poll
raising_poll(caw_future *f, caw_context *Py_UNUSED(cx))
{
    PyObject *exception = CAW_CONTAINER_OF(f, raising, future)->exception;
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    return caw_future_finish(f, CAW_EPYTHON);
}

static void
raising_destroy(caw_future *f)
{
    raising *self = CAW_CONTAINER_OF(f, raising, future);
    Py_DECREF(self->exception);
    free(self);
}

static const caw_future_ops raising_ops = {"test.raising", raising_poll, NULL, raising_destroy};

static caw_future *
raising_new(PyObject *exception)
{
    raising *self = malloc(sizeof *self);
    if (!self) {
        abort();
    }
    caw_future_init(&self->future, &raising_ops);
    self->exception = Py_NewRef(exception);
    return &self->future;
}

/* --- groups --- */

static caw_future *group_of(PyObject *members, const char *message);

/* An int: an operation that ends with that status; an exception: one whose poll raises it; a tuple: a group in the
 * group; else it is awaited. */
static caw_future *
member_of(PyObject *object)
{
    if (PyTuple_Check(object)) {
        return group_of(object, "inner");
    }
    if (PyExceptionInstance_Check(object)) {
        return raising_new(object);
    }
    if (!PyLong_Check(object)) {
        return caw_py_await(NULL, Py_NewRef(object));
    }
    int status = (int)PyLong_AsLong(object);
    return caw_map(caw_sleep(1000), member_status, (void *)(intptr_t)status, NULL);
}

static caw_future *
group_of(PyObject *members, const char *message)
{
    caw_group_spec spec = {.limit = 0};
    caw_group *group;
    caw_future *all;
    if (caw_group_new(&spec, &group, &all) < 0) {
        return NULL;
    }
    int error = 0;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(members) && error == 0; i++) {
        error = caw_group_add(group, member_of(PyTuple_GET_ITEM(members, i)));
    }
    caw_group_release(group);
    if (error) {
        caw_future_destroy(all);
        return NULL;
    }
    return caw_py_group(all, message);
}

/* group(*members) */
static caw_future *
group_start(PyObject *Py_UNUSED(module), PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    return group_of(args, NULL);
}

static caw_future *
no_group_start(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    return caw_py_group(caw_sleep(0), NULL);
}

/* --- other futures around several --- */

static int
status_of(void *Py_UNUSED(user), caw_future *child)
{
    return PyErr_Occurred() ? CAW_EFAILED : child->status;
}

/* all_in_c(*members): each with a function that looks at its end. */
static caw_future *
all_start(PyObject *Py_UNUSED(module), PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    caw_future *members[8];
    size_t n = (size_t)PyTuple_GET_SIZE(args);
    if (n > 8) {
        abort();
    }
    for (size_t i = 0; i < n; i++) {
        members[i] = caw_map(member_of(PyTuple_GET_ITEM(args, (Py_ssize_t)i)), status_of, NULL, NULL);
    }
    return caw_all_array(members, n);
}

/* catches(exception): whether it is set where an async function goes on after an await that has failed. */
typedef struct catches {
    caw_async async;
    PyObject *exception; /* a reference */
    int status;
    bool is_set;
} catches;

CAW_ASYNC_FUNCTION(catches)

static caw_step
catches_run(catches *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        CAW_AWAIT_STATUS(self->status, raising_new(self->exception));
        self->is_set = PyErr_Occurred() != NULL;
        PyErr_Clear();
        CAW_AWAIT(caw_sleep(1000));
        CAW_TRY(self->status == CAW_EPYTHON || self->status == CAW_ECANCELED ? 0 : CAW_EFAILED);
    }
    CAW_FINALLY
    {
        Py_CLEAR(self->exception);
    }
}

static int
catches_arguments(caw_async *frame, PyObject *Py_UNUSED(module), PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    CAW_CONTAINER_OF(frame, catches, async)->exception = Py_NewRef(PyTuple_GET_ITEM(args, 0));
    return 0;
}

static PyObject *
catches_result(caw_future *f)
{
    return PyBool_FromLong(CAW_CONTAINER_OF(f, catches, async.future)->is_set);
}

/* --- a group that an async function catches --- */

typedef struct group_caught {
    caw_async async;
    PyObject *members, *exception; /* references */
    caw_future *group;
    int status;
} group_caught;

static void
group_caught_fini(group_caught *self)
{
    Py_CLEAR(self->members);
    Py_CLEAR(self->exception);
    ext_live_futures--;
}

CAW_ASYNC_FUNCTION_FINI(group_caught, group_caught_fini)

static caw_step
group_caught_run(group_caught *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        self->group = group_of(self->members, "caught");
        CAW_AWAIT_REF_STATUS(self->status, self->group);
        self->exception = caw_py_exception(self->group);
        CAW_TRY(self->exception ? 0 : self->status);
    }
    CAW_FINALLY
    {
        caw_future_destroy(self->group);
    }
}

/* group_caught(*members): the exception as a value; None if there was none. */
static int
group_caught_arguments(caw_async *frame, PyObject *Py_UNUSED(module), PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    CAW_CONTAINER_OF(frame, group_caught, async)->members = Py_NewRef(args);
    ext_live_futures++;
    return 0;
}

static PyObject *
group_caught_result(caw_future *f)
{
    PyObject *exception = CAW_CONTAINER_OF(f, group_caught, async.future)->exception;
    return Py_NewRef(exception ? exception : Py_None);
}

const caw_py_async_def ext_group_functions[] = {
    CAW_PY_ASYNC("group", group_start, NULL, "group(*members)\n--\n\nNone, when all have ended."),
    CAW_PY_ASYNC("group_without_gil", group_start, NULL, NULL, .poll_without_gil = true),
    CAW_PY_ASYNC("all_in_c", all_start, NULL, NULL),
    CAW_PY_ROUTINE("catches", catches, catches_arguments, catches_result, NULL),
    CAW_PY_ASYNC("no_group", no_group_start, NULL, NULL),
    CAW_PY_ROUTINE("group_caught", group_caught, group_caught_arguments, group_caught_result, NULL),
    CAW_PY_ASYNC_END,
};
