/* await.c: what C calls to await Python, and to have what came of it. */
#include "core/base/promise.h"
#include "core/run/blocking.h"
#include "core/run/spawn.h"
#include "python/await/group.h"
#include "python/await/in_place.h"
#include "python/await/late_call.h"
#include "python/await/posted.h"
#include "python/base/awaitable.h"

static bool
await_check(PyObject *object)
{
    if (caw__is_awaitable(object)) {
        return true;
    }
    PyErr_Format(PyExc_TypeError, "object %.100s can't be used in 'await' expression", Py_TYPE(object)->tp_name);
    return false;
}

/* NULL when out of memory; then it has not taken the awaitable. */
static caw_future *
await_posted(caw_py_locals *locals, PyObject *awaitable)
{
    caw__posted *r = caw__posted_new(locals, awaitable, NULL, NULL);
    return r ? &r->promise.future : NULL;
}

caw_future *
caw_py_await(caw_py_locals *locals, PyObject *awaitable)
{
    if (!awaitable) {
        return NULL;
    }
    if (!await_check(awaitable) || (locals && !caw__locals_are_ours(locals))) {
        Py_DECREF(awaitable);
        return NULL;
    }
    caw_future *f = locals ? await_posted(locals, awaitable) : caw__py_await_new(awaitable);
    if (!f) {
        Py_DECREF(awaitable);
        PyErr_NoMemory();
    }
    return f;
}

caw_future *
caw_py_call(caw_py_locals *locals, const caw_py_call_spec *spec, void *arg)
{
    locals = locals ? locals : caw_py_locals_current();
    caw__posted *r = locals ? caw__posted_new(locals, NULL, spec, arg) : NULL;
    caw_future *f = r ? &r->promise.future : locals ? NULL : caw__call_new(spec, arg);
    if (!f && spec->free) {
        spec->free(arg);
    }
    return f;
}

/* What a future of ours that is ready ended with: borrowed, or NULL; and whether it is an exception. */
static PyObject *
await_outcome(const caw_future *future, bool *raised)
{
    const caw__py_await *f = caw__py_await_of(future);
    if (f && f->state == AWAIT_ENDED) {
        *raised = f->raised;
        return f->inner.object;
    }
    const caw__posted *r = f ? f->posted : caw__posted_of(future);
    if (!r && !f) {
        r = caw__call_posted(future);
    }
    *raised = r && r->raised;
    if (!r || !caw__posted_has_ended(r)) {
        return NULL;
    }
    return r->outcome ? caw_py_ref_get(r->outcome) : *raised ? NULL : Py_None;
}

PyObject *
caw_py_value(caw_future *future)
{
    bool raised;
    PyObject *value = await_outcome(future, &raised);
    if (!value || raised) {
        PyErr_SetString(PyExc_RuntimeError, "the future has no value of Python");
        return NULL;
    }
    return Py_NewRef(value);
}

/* The exception that the status of any other future stands for: borrowed, or NULL. */
static PyObject *
await_detail(const caw_future *future)
{
    bool is_promise = future->ops->destroy == caw_promise_destroy || caw__is_call(future) || caw__is_spawned(future);
    const caw_promise *p = is_promise ? CAW_CONTAINER_OF(future, const caw_promise, future) : NULL;
    return p ? caw__ref_object_of(caw__promise_detail(p)) : caw__py_group_exception(future);
}

PyObject *
caw_py_exception(caw_future *future)
{
    bool raised;
    PyObject *exception = await_outcome(future, &raised);
    return Py_XNewRef(raised ? exception : await_detail(future));
}
