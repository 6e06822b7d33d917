/* pyfuture.c: see pyfuture.h. What is awaitable is what `Objects/genobject.c: _PyCoro_GetAwaitableIter` says (CPython
 * 3.13), and besides an iterator that can be thrown into. */
#include "python/pyfuture.h"

#include "python/asyncio.h"

#include <stdlib.h>

/* --- what can be awaited --- */

/* An iterator that an __await__ may have returned, and that can be driven as `await` does. */
static bool
pyfuture_is_bare_iterator(PyObject *object)
{
    return PyIter_Check(object) && PyObject_HasAttrString(object, "send") && PyObject_HasAttrString(object, "throw");
}

static unaryfunc
pyfuture_await_slot(PyObject *object)
{
    const PyAsyncMethods *methods = Py_TYPE(object)->tp_as_async;
    return methods ? methods->am_await : NULL;
}

static bool
pyfuture_is_awaitable(PyObject *object)
{
    return PyCoro_CheckExact(object) || pyfuture_await_slot(object) || pyfuture_is_bare_iterator(object);
}

/* A coroutine of Python that somebody is waiting for: to send into it would resume what it waits for. */
static bool
pyfuture_is_awaited(caw__state *state, PyObject *coroutine)
{
    PyObject *inner = caw__attribute(coroutine, state->names.cr_await);
    bool is = inner && inner != Py_None;
    Py_XDECREF(inner);
    if (is) {
        PyErr_SetString(PyExc_RuntimeError, "coroutine is being awaited already");
    }
    return is;
}

/* What drives it: a new reference, or NULL with an exception. */
static PyObject *
pyfuture_iterator(caw__state *state, PyObject *object)
{
    if (PyCoro_CheckExact(object)) {
        return pyfuture_is_awaited(state, object) ? NULL : Py_NewRef(object);
    }
    unaryfunc await_slot = pyfuture_await_slot(object);
    if (!await_slot) { /* a generator that is a coroutine has none either */
        return Py_NewRef(object);
    }
    PyObject *iterator = await_slot(object);
    if (iterator && (!PyIter_Check(iterator) || PyCoro_CheckExact(iterator))) {
        PyErr_Format(PyExc_TypeError,
                     PyCoro_CheckExact(iterator) ? "__await__() returned a coroutine"
                                                 : "__await__() returned non-iterator of type '%.100s'",
                     Py_TYPE(iterator)->tp_name);
        Py_CLEAR(iterator);
    }
    return iterator;
}

/* --- its end --- */

static bool
pyfuture_is_cancellation(caw__state *state, PyObject *exception)
{
    PyObject *trios = state->trio.cancelled;
    return caw__is_cancellation(state, exception) || (trios && PyErr_GivenExceptionMatches(exception, trios)) ||
           PyErr_GivenExceptionMatches(exception, PyExc_GeneratorExit);
}

/* Its awaiter waits for it no more. */
static void
pyfuture_unlink(const caw__pyfuture *f, caw__coroutine *awaiter)
{
    if (awaiter->extras && awaiter->extras->inner == f) {
        awaiter->extras->inner = NULL;
        awaiter->delegates = false;
    }
}

void
caw__pyfuture_end(caw__pyfuture *f, PyObject *value)
{
    caw__coroutine *c = f->awaiter;
    PyObject *iterator = f->object;
    f->raised = !value;
    f->object = value ? value : caw__take_raised();
    f->state = PYFUTURE_ENDED;
    f->awaiter = NULL;
    f->future.status = 0;
    pyfuture_unlink(f, c);
    if (f->raised) {
        caw__state *state = caw__coroutine_state_of(c);
        f->future.status = state && pyfuture_is_cancellation(state, f->object) ? CAW_ECANCELED : CAW_EPYTHON;
        if (caw__coroutine_extras_get(c)) {
            c->extras->raised_status = f->future.status;
            Py_XSETREF(c->extras->raised, Py_NewRef(f->object));
        }
        PyErr_Clear();
    }
    Py_DECREF(iterator); /* last: may run any Python code */
}

/* --- in place --- */

/* The value of the StopIteration that is set, taken out; NULL when it is another exception. */
static PyObject *
pyfuture_stop_value(void)
{
    if (!PyErr_ExceptionMatches(PyExc_StopIteration)) {
        return NULL;
    }
    PyObject *stop = caw__take_raised();
    PyObject *value = PyObject_GetAttrString(stop, "value");
    Py_DECREF(stop);
    return value;
}

/* As `yield from` does: GeneratorExit closes, others are thrown where they can be. Takes the exception. */
static PySendResult
pyfuture_throw(PyObject *iterator, PyObject *exception, PyObject **result)
{
    bool closes = PyErr_GivenExceptionMatches(exception, PyExc_GeneratorExit);
    PyObject *method = NULL;
    if (!PyObject_HasAttrString(iterator, closes ? "close" : "throw") ||
        !(method = PyObject_GetAttrString(iterator, closes ? "close" : "throw"))) {
        PyErr_Clear();
        caw__raise(exception);
        return PYGEN_ERROR;
    }
    *result = closes ? PyObject_CallNoArgs(method) : PyObject_CallOneArg(method, exception);
    Py_DECREF(method);
    if (closes && *result) {
        Py_CLEAR(*result);
        caw__raise(exception);
        return PYGEN_ERROR;
    }
    Py_DECREF(exception);
    if (*result) {
        return PYGEN_NEXT;
    }
    *result = pyfuture_stop_value();
    return *result ? PYGEN_RETURN : PYGEN_ERROR;
}

/* Go on with what was sent or thrown. */
static caw_poll
pyfuture_drive(caw__pyfuture *f)
{
    caw__coroutine *c = f->awaiter;
    PyObject *thrown = c->extras ? c->extras->thrown : NULL, *sent = f->sent, *result = NULL;
    PySendResult outcome;
    f->resumed = false;
    if (thrown) {
        c->extras->thrown = NULL;
        outcome = pyfuture_throw(f->object, thrown, &result);
    }
    else {
        f->sent = NULL;
        outcome = PyIter_Send(f->object, sent ? sent : Py_None, &result);
        Py_XDECREF(sent);
    }
    if (outcome != PYGEN_NEXT) {
        caw__pyfuture_end(f, outcome == PYGEN_RETURN ? result : NULL);
        return CAW_READY;
    }
    if (!caw__coroutine_extras_get(c)) {
        Py_DECREF(result);
        caw__pyfuture_end(f, NULL);
        return CAW_READY;
    }
    c->extras->inner = f;
    f->yielded = result;
    f->waits = true;
    return CAW_PENDING;
}

/* It fails without having begun. */
static caw_poll
pyfuture_fail(caw__pyfuture *f, caw__coroutine *c)
{
    f->awaiter = c;
    caw__pyfuture_end(f, NULL);
    return CAW_READY;
}

/* Whether the poll is one of the coroutine itself, which waits for nothing else. */
static bool
pyfuture_may_go_in_place(const caw__coroutine *c, const caw_context *cx)
{
    return caw_waker_same(cx->waker, caw__node_waker(c->node)) && !(c->extras && c->extras->inner) &&
           !caw__node_is_shared(c->node);
}

static caw_poll
pyfuture_begin(caw__pyfuture *f, caw_context *cx, caw__state *state, caw__coroutine *c)
{
    if (!pyfuture_may_go_in_place(c, cx)) {
        PyErr_SetString(PyExc_RuntimeError, "a Python awaitable is polled beside another future");
        return pyfuture_fail(f, c);
    }
    PyObject *object = f->object, *iterator = pyfuture_iterator(state, object);
    if (!iterator) {
        return pyfuture_fail(f, c);
    }
    f->object = iterator;
    f->state = PYFUTURE_INNER;
    f->awaiter = c;
    Py_DECREF(object); /* the awaiter is held by who polls it, and holds this future */
    f->is_ours = Py_IS_TYPE(iterator, state->coroutine_type);
    if (!f->is_ours) {
        return pyfuture_drive(f);
    }
    if (!caw__coroutine_extras_get(c)) {
        return pyfuture_fail(f, c);
    }
    c->extras->inner = f;
    f->waits = true;
    return CAW_PENDING;
}

static caw_poll
pyfuture_poll_inner(caw__pyfuture *f, caw_context *cx)
{
    caw__poll_place *place = cx->place;
    caw__coroutine *c = (caw__coroutine *)place->coroutine;
    switch (f->state) {
    case PYFUTURE_NEW:
        return pyfuture_begin(f, cx, place->state, c);
    case PYFUTURE_INNER:
        return f->resumed && f->awaiter == c ? pyfuture_drive(f) : CAW_PENDING;
    default:
        return CAW_READY;
    }
}

static caw_poll
pyfuture_poll(caw_future *future, caw_context *cx)
{
    caw__pyfuture *f = CAW_CONTAINER_OF(future, caw__pyfuture, future);
    if (cx->host != &caw__poll_host) {
        return caw_future_finish(future, CAW_ENOREACTOR);
    }
    caw__poll_place *place = cx->place;
    PyThreadState *released = place->released;
    if (released) {
        PyEval_RestoreThread(released);
    }
    caw_poll poll = pyfuture_poll_inner(f, cx);
    if (released) {
        PyEval_SaveThread();
    }
    return poll;
}

/* Given up in the middle: as when Python drops a coroutine. */
static void
pyfuture_close(caw__pyfuture *f)
{
    PyObject *raised = caw__take_raised();
    if (f->is_ours && ((caw__coroutine *)f->object)->extras) {
        ((caw__coroutine *)f->object)->extras->outer = NULL;
    }
    PyObject *close = PyObject_HasAttrString(f->object, "close") ? PyObject_GetAttrString(f->object, "close") : NULL;
    PyObject *closed = close ? PyObject_CallNoArgs(close) : NULL;
    if (PyErr_Occurred()) {
        PyErr_WriteUnraisable(f->object);
    }
    Py_XDECREF(closed);
    Py_XDECREF(close);
    if (raised) {
        caw__raise(raised);
    }
}

static void
pyfuture_free(caw__pyfuture *f)
{
    Py_XDECREF(f->yielded);
    Py_XDECREF(f->sent);
    Py_XDECREF(f->object);
    free(f);
}

/* Where a long chain through coroutines of Python is dropped, each of them is given up inside the end of the one above.
 * CPython 3.12 ends the process when that goes on for some dozens after its recursion limit; so after a few the rest
 * waits until those are through. */
static void
pyfuture_give_up(caw__state *state, caw__pyfuture *f)
{
    if (state->n_giving_up >= 8) {
        f->next = state->given_up;
        state->given_up = f;
        return;
    }
    state->n_giving_up++;
    while (f) {
        pyfuture_close(f);
        pyfuture_free(f);
        f = NULL;
        if (state->n_giving_up == 1 && state->given_up) {
            f = state->given_up;
            state->given_up = f->next;
        }
    }
    state->n_giving_up--;
}

static void
pyfuture_destroy(caw_future *future)
{
    caw__pyfuture *f = CAW_CONTAINER_OF(future, caw__pyfuture, future);
    if (f->state != PYFUTURE_INNER) {
        pyfuture_free(f);
        return;
    }
    caw__coroutine *awaiter = f->awaiter;
    pyfuture_unlink(f, awaiter);
    f->awaiter = NULL;
    caw__state *state = caw__coroutine_state_of(awaiter);
    if (state) {
        pyfuture_give_up(state, f);
    }
    else {
        pyfuture_close(f);
        pyfuture_free(f);
    }
}

const caw_future_ops caw__pyfuture_ops = {"python.await", pyfuture_poll, NULL, pyfuture_destroy};

int
caw__pyfuture_traverse(const caw__coroutine *c, visitproc visit, void *arg)
{
    const caw__pyfuture *inner = c->extras ? c->extras->inner : NULL;
    if (inner) {
        Py_VISIT(inner->object);
        Py_VISIT(inner->sent);
    }
    if (c->future && c->future->ops == &caw__pyfuture_ops) {
        const caw__pyfuture *own = CAW_CONTAINER_OF(c->future, const caw__pyfuture, future);
        if (own != inner) {
            Py_VISIT(own->object);
        }
    }
    return 0;
}

/* --- public --- */

caw_future *
caw_py_await(PyObject *awaitable)
{
    if (!awaitable) {
        return NULL;
    }
    if (!pyfuture_is_awaitable(awaitable)) {
        PyErr_Format(PyExc_TypeError, "object %.100s can't be used in 'await' expression", Py_TYPE(awaitable)->tp_name);
        Py_DECREF(awaitable);
        return NULL;
    }
    caw__pyfuture *f = malloc(sizeof *f);
    if (!f) {
        Py_DECREF(awaitable);
        PyErr_NoMemory();
        return NULL;
    }
    *f = (caw__pyfuture){.future = {.ops = &caw__pyfuture_ops}, .object = awaitable};
    return &f->future;
}

static caw__pyfuture *
pyfuture_ended(caw_future *future, bool raised)
{
    caw__pyfuture *f = CAW_CONTAINER_OF(future, caw__pyfuture, future);
    return future->ops == &caw__pyfuture_ops && f->state == PYFUTURE_ENDED && f->raised == raised ? f : NULL;
}

PyObject *
caw_py_value(caw_future *future)
{
    const caw__pyfuture *f = pyfuture_ended(future, false);
    if (!f) {
        PyErr_SetString(PyExc_RuntimeError, "the future has no value of Python");
        return NULL;
    }
    return Py_NewRef(f->object);
}

PyObject *
caw_py_exception(caw_future *future)
{
    const caw__pyfuture *f = pyfuture_ended(future, true);
    return f ? Py_NewRef(f->object) : NULL;
}
