/* group.c: a group of futures whose failure is one exception in Python, as that of a TaskGroup or of a nursery. */
#include "python/await/group.h"

#include "core/combine/group.h"
#include "python/base/errors.h"
#include "python/coroutine/poll.h"
#include "python/loop/ref.h"

#include <stdlib.h>

typedef struct py_group {
    caw_future future;
    caw_future *group;
    const char *message;
    caw_py_ref *exception; /* once it has ended: a reference, or NULL */
} py_group;

/* --- the exception --- */

/* The class is Python's own from 3.11 on. Before, trio and anyio bring it. A new reference, or NULL with an
 * exception. */
static PyObject *
py_group_class(void)
{
#if CAW__HAS_GROUPS
    return Py_NewRef(PyExc_BaseExceptionGroup);
#else
    PyObject *module = PyImport_ImportModule("exceptiongroup");
    PyObject *class = module ? PyObject_GetAttrString(module, "BaseExceptionGroup") : NULL;
    Py_XDECREF(module);
    return class;
#endif
}

/* One exception for all in the list, which is not empty. Without the class it is the first one. */
static PyObject *
py_group_of_list(const char *message, PyObject *list)
{
    PyObject *class = py_group_class();
    if (!class && PyErr_ExceptionMatches(PyExc_ImportError)) {
        PyErr_Clear();
        return Py_NewRef(PyList_GET_ITEM(list, 0));
    }
    PyObject *group = class ? PyObject_CallFunction(class, "sO", message, list) : NULL;
    Py_XDECREF(class);
    return group ? group : caw__take_raised();
}

/* Called with each error of a group: append its exception to the list. Leaves an exception set when that fails. */
static void
py_group_append(void *user, const char *name, int status, const caw__detail *detail)
{
    PyObject *list = user, *exception = Py_XNewRef(caw__ref_object_of(detail));
    if (PyErr_Occurred()) {
        Py_XDECREF(exception);
        return;
    }
    if (!exception) {
        caw__set_error_of(name, status);
        exception = caw__take_raised();
    }
    (void)PyList_Append(list, exception);
    Py_DECREF(exception);
}

/* All errors of the group as one exception: a new reference. */
static PyObject *
py_group_exception(const py_group *g)
{
    PyObject *list = PyList_New(0);
    if (list) {
        caw__group_visit_errors(g->group, py_group_append, list);
    }
    PyObject *exception = PyErr_Occurred() ? caw__take_raised() : py_group_of_list(g->message, list);
    Py_XDECREF(list);
    return exception;
}

/* --- the future --- */

/* Note the exception in the coroutine that polls: the status that it goes with. */
static CAW__APART int
py_group_note(py_group *g, caw__poll_place *place)
{
    caw__gil_take(place->released);
    PyObject *exception = py_group_exception(g);
    int status = caw__poll_note_status((caw__coroutine *)place->coroutine, exception);
    g->exception = caw__ref_new_free(place->state->orphans, NULL, exception);
    if (!g->exception) {
        Py_DECREF(exception);
    }
    caw__poll_enter_notes(place);
    caw__gil_give(place->released);
    return status;
}

static caw_poll
py_group_poll(caw_future *f, caw_context *cx)
{
    py_group *g = CAW_CONTAINER_OF(f, py_group, future);
    if (!caw__is_group(g->group)) {
        return caw_future_finish(f, CAW_EINVAL);
    }
    if (caw_future_poll(g->group, cx) == CAW_PENDING) {
        return CAW_PENDING;
    }
    int status = g->group->status;
    bool is_in_coroutine = cx->host && cx->host->name == caw__noting_name;
    bool has_errors = caw_group_errors(g->group, NULL, 0) > 0; /* else it is the group's own, in a forked child */
    if (status < 0 && status != CAW_ECANCELED && has_errors && is_in_coroutine) {
        status = py_group_note(g, cx->place);
    }
    return caw_future_finish(f, status);
}

static void
py_group_cancel(caw_future *f)
{
    caw_future_cancel(CAW_CONTAINER_OF(f, py_group, future)->group);
}

static void
py_group_destroy(caw_future *f)
{
    py_group *g = CAW_CONTAINER_OF(f, py_group, future);
    caw_future_destroy(g->group);
    caw_py_ref_release(g->exception);
    free(g);
}

static const caw_future_ops py_group_ops = {"python.group", py_group_poll, py_group_cancel, py_group_destroy};

PyObject *
caw__py_group_exception(const caw_future *future)
{
    const py_group *g = future->ops == &py_group_ops ? CAW_CONTAINER_OF(future, const py_group, future) : NULL;
    return g && g->exception ? caw_py_ref_get(g->exception) : NULL;
}

caw_future *
caw_py_group(caw_future *group, const char *message)
{
    py_group *g = group ? malloc(sizeof *g) : NULL;
    if (!g) {
        caw_future_destroy(group);
        return NULL;
    }
    *g = (py_group){.group = group, .message = message ? message : "unhandled errors in a group"};
    caw_future_init(&g->future, &py_group_ops);
    return &g->future;
}
