/* aclose.c: when an iterator is no longer iterated, a task of its loop awaits its aclose(). */
#include "python/iterate/aclose.h"

#include "python/await/posted.h"
#include "python/base/awaitable.h"
#include "python/coroutine/coroutine.h"
#include "python/loop/hub.h"
#include "python/loop/ref.h"

#include <stdlib.h>

PyObject *
caw__aclose(PyObject *iterator)
{
    PyObject *method = caw__awaitable_method(iterator, "aclose");
    if (!method) {
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    }
    PyObject *awaitable = PyObject_CallNoArgs(method);
    Py_DECREF(method);
    return awaitable;
}

/* --- the task's coroutine --- */

typedef struct closing {
    caw_future future;
    PyObject *iterator;
    caw_future *child; /* aclose(), once it is awaited */
} closing;

/* A failure is reported as unraisable, because no caller is left to take it. */
static caw_poll
aclose_fail(closing *c)
{
    if (PyErr_Occurred()) {
        PyErr_WriteUnraisable(c->iterator);
    }
    return caw_future_finish(&c->future, 0);
}

static caw_poll
aclose_poll(caw_future *f, caw_context *cx)
{
    closing *c = CAW_CONTAINER_OF(f, closing, future);
    if (!c->child) {
        PyObject *awaitable = caw__aclose(c->iterator);
        if (awaitable == Py_None) {
            Py_CLEAR(awaitable);
        }
        if (!awaitable || !(c->child = caw_py_await(NULL, awaitable))) {
            return aclose_fail(c);
        }
    }
    if (caw_future_poll(c->child, cx) == CAW_PENDING) {
        return CAW_PENDING;
    }
    if (c->child->status != CAW_EPYTHON) {
        return caw_future_finish(f, c->child->status);
    }
    caw__raise(caw_py_exception(c->child));
    return aclose_fail(c);
}

static void
aclose_destroy(caw_future *f)
{
    closing *c = CAW_CONTAINER_OF(f, closing, future);
    caw_future_destroy(c->child);
    Py_DECREF(c->iterator);
    free(c);
}

static const caw_future_ops aclose_ops = {"python.aclose", aclose_poll, NULL, aclose_destroy};

/* --- the call that makes it --- */

typedef struct aclose_arg {
    caw_py_locals *locals; /* a reference */
    caw_py_ref *iterator;  /* a reference */
} aclose_arg;

static PyObject *
aclose_call(void *arg)
{
    static const caw_py_spec spec = {.name = "aclose"};
    const aclose_arg *a = arg;
    closing *c = calloc(1, sizeof *c);
    if (!c) {
        return PyErr_NoMemory();
    }
    caw_future_init(&c->future, &aclose_ops);
    c->iterator = Py_NewRef(caw_py_ref_get(a->iterator));
    /* The hub is alive: it calls this function. */
    PyObject *coroutine = caw__coroutine_on(a->locals->inbox->hub, &c->future, &spec);
    if (coroutine) {
        ((caw__coroutine *)coroutine)->waiter.silent = true; /* if the loop ends first */
    }
    return coroutine;
}

static void
aclose_free(void *arg)
{
    aclose_arg *a = arg;
    caw_py_ref_release(a->iterator);
    caw_py_locals_release(a->locals);
    free(a);
}

static const caw_py_call_spec aclose_spec = {aclose_call, NULL, aclose_free};

/* --- the call's future, which nobody waits for --- */

static void
detached_keep(void *Py_UNUSED(data))
{
}

static void
detached_wake(void *data)
{
    caw_future_destroy(data);
}

/* The one clone is the promise's, which wakes it at the end and touches nothing afterwards. */
static const caw_waker_ops detached_ops = {detached_keep, detached_wake, detached_keep};

/* Let a posted future run to its end. Takes the future. */
static void
aclose_detach(caw_future *f)
{
    caw_context cx = {.waker = {&detached_ops, f}};
    if (caw_future_poll(f, &cx) == CAW_READY) {
        caw_future_destroy(f);
    }
}

void
caw__aclose_later(caw_py_locals *locals, PyObject *iterator)
{
    PyObject *method = caw__awaitable_method(iterator, "aclose");
    aclose_arg *a = method ? malloc(sizeof *a) : NULL;
    caw_py_ref *ref = a ? caw__ref_new(locals->inbox, iterator) : NULL;
    Py_XDECREF(method);
    PyErr_Clear();
    if (!ref) {
        free(a);
        Py_DECREF(iterator);
        return;
    }
    *a = (aclose_arg){caw_py_locals_retain(locals), ref};
    caw_future *f = caw_py_call(locals, &aclose_spec, a);
    if (f) {
        aclose_detach(f);
    }
}
