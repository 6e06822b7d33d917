/* in_place.c: an async iterator that is iterated by whoever polls: its items, its end, and how it is dropped. */
#include "python/iterate/in_place.h"

#include "python/await/in_place.h"
#include "python/base/awaitable.h"
#include "python/coroutine/poll.h"
#include "python/iterate/aclose.h"
#include "python/loop/hub.h"
#include "python/loop/value.h"

#include <stdlib.h>

/* After so many values in a row that `convert` leaves out, the loop turns. */
#define ITERATION_RUN_LENGTH 64

/* --- items --- */

caw_poll
caw__iteration_end(caw__iteration *s, int status, caw_item **out)
{
    s->state = ITERATION_ENDED;
    return caw_stream_finish(&s->stream, status, out);
}

bool
caw__iteration_give(caw__iteration *s, PyObject *object, bool throws)
{
    if (s->state != ITERATION_IN_PLACE || s->cancelled || s->closing) {
        return false;
    }
    if (!PyAsyncGen_CheckExact(s->iterator)) {
        PyObject *method = caw__awaitable_method(s->iterator, throws ? "athrow" : "asend");
        Py_XDECREF(method);
        if (!method) {
            PyErr_Clear();
            return false;
        }
    }
    s->throws = throws;
    Py_XSETREF(s->given, Py_NewRef(object));
    return true;
}

/* The awaitable of the next item, which is asked for with what was given. */
static PyObject *
iteration_answer(caw__iteration *s)
{
    PyObject *given = s->given;
    s->given = NULL;
    PyObject *awaitable = PyObject_CallMethod(s->iterator, s->throws ? "athrow" : "asend", "O", given);
    Py_DECREF(given);
    return awaitable;
}

/* The awaitable of the next item, or once the stream was cancelled of aclose(): a new reference. NULL with an
 * exception, or without one if there is no aclose(): that is the end. */
static PyObject *
iteration_next_awaitable(caw__iteration *s)
{
    if (!s->cancelled && s->given) {
        return iteration_answer(s);
    }
    if (!s->cancelled) {
        return Py_TYPE(s->iterator)->tp_as_async->am_anext(s->iterator);
    }
    s->closing = true;
    PyObject *aclose = caw__aclose(s->iterator);
    if (aclose == Py_None) {
        Py_CLEAR(aclose);
    }
    return aclose;
}

/* StopAsyncIteration is the end and not an error: the coroutine that polls must not raise it. */
static void
iteration_forget_stop(caw__coroutine *c, PyObject *stop)
{
    if (c->extras && c->extras->noted == stop) {
        Py_DECREF(caw__poll_take_noted(c));
    }
}

/* End the stream with the exception that is set, or with none. */
static caw_poll
iteration_end_raised(caw__iteration *s, caw__coroutine *c, caw_item **out)
{
    PyObject *raised = caw__take_raised();
    int status = s->cancelled ? CAW_ECANCELED : 0;
    if (raised && !PyErr_GivenExceptionMatches(raised, PyExc_StopAsyncIteration)) {
        status = caw__poll_note_status(c, raised);
    }
    Py_XDECREF(raised);
    return caw__iteration_end(s, status, out);
}

/* The wait for aclose() was cancelled. CAW_ECANCELED would mean that the stream was closed as requested, so the status
 * is another one. */
static int
iteration_interrupted(caw__coroutine *c, PyObject *exception)
{
    if (c->extras && c->extras->noted == exception) {
        caw__poll_note(c, exception, CAW_EPYTHON);
    }
    return CAW_EPYTHON;
}

/* The child ended without a value. */
static caw_poll
iteration_end_of_child(caw__iteration *s, caw__coroutine *c, int status, PyObject *exception, caw_item **out)
{
    if (exception && PyErr_GivenExceptionMatches(exception, PyExc_StopAsyncIteration)) {
        iteration_forget_stop(c, exception);
        status = s->cancelled ? CAW_ECANCELED : 0;
    }
    else if (exception && status == CAW_ECANCELED && s->closing && !s->in_task) {
        status = iteration_interrupted(c, exception);
    }
    Py_XDECREF(exception);
    return caw__iteration_end(s, status, out);
}

/* Take a value: CAW_READY if it becomes an item or an error, CAW_PENDING if it is left out. */
static caw_poll
iteration_take_value(caw__iteration *s, PyObject *value, caw_item **out)
{
    *out = NULL;
    if (s->cancelled) {
        Py_DECREF(value);
        return CAW_PENDING;
    }
    if (!s->spec.convert) {
        *out = caw__value_new(s->locals->inbox, value);
        s->left = !*out;
        return *out ? CAW_READY : caw__iteration_end(s, CAW_ENOMEM, out);
    }
    int status = s->spec.convert(s->spec.user, value, out);
    Py_DECREF(value);
    if (status != 0 || PyErr_Occurred()) {
        caw_item_destroy(*out);
        s->left = true;
        status = PyErr_Occurred() ? CAW_EPYTHON : caw_error_from_return(s->stream.ops->name, "convert", status);
        return caw__iteration_end(s, status, out);
    }
    return *out ? CAW_READY : CAW_PENDING;
}

/* Take the result of the child, which is ready: CAW_PENDING if it is left out, and the next one is to be begun. */
static caw_poll
iteration_take_child(caw__iteration *s, caw__coroutine *c, caw_item **out)
{
    caw_future *child = s->child;
    int status = child->status;
    PyObject *value = status == 0 ? caw_py_value(child) : caw_py_exception(child);
    s->child = NULL;
    caw_future_destroy(child);
    if (status != 0) {
        return iteration_end_of_child(s, c, status, value, out);
    }
    if (s->closing) {
        Py_DECREF(value);
        return caw__iteration_end(s, CAW_ECANCELED, out);
    }
    return iteration_take_value(s, value, out);
}

/* Begin the iterator of the next item. It becomes a child only if it suspends: most do not, and a future for each would
 * cost as much as all the rest. Takes the iterator. CAW_PENDING: there is a child now; or there is none, and the next
 * one is to be begun. */
static caw_poll
iteration_begin_next(caw__iteration *s, caw__coroutine *c, PyObject *iterator, caw_item **out)
{
    PyObject *result = NULL;
    PySendResult outcome = PyIter_Send(iterator, Py_None, &result);
    if (outcome == PYGEN_NEXT) {
        s->child = caw__py_await_suspended(c, iterator, result);
        return s->child ? CAW_PENDING : iteration_end_raised(s, c, out);
    }
    Py_DECREF(iterator);
    return outcome == PYGEN_RETURN ? iteration_take_value(s, result, out) : iteration_end_raised(s, c, out);
}

/* Whether it can be begun here. Not a coroutine of ours, which the trampoline drives, nor an object without
 * __await__. */
static bool
iteration_may_begin(const caw__coroutine *c, PyObject *awaitable)
{
    const PyAsyncMethods *methods = Py_TYPE(awaitable)->tp_as_async;
    return methods && methods->am_await && !caw__is_coroutine(caw__coroutine_state_of(c), awaitable);
}

/* There is no child: begin the next item, or aclose(). The result is that of iteration_begin_next. */
static caw_poll
iteration_ask(caw__iteration *s, caw_context *cx, caw__coroutine *c, caw_item **out)
{
    PyObject *awaitable = iteration_next_awaitable(s);
    if (!awaitable) {
        return iteration_end_raised(s, c, out);
    }
    bool begins = !s->closing && caw__py_await_may_go_in_place(c, cx);
    if (begins && PyAsyncGen_CheckExact(s->iterator)) {
        return iteration_begin_next(s, c, awaitable, out); /* an awaitable of an async generator is its own iterator */
    }
    if (begins && iteration_may_begin(c, awaitable)) {
        PyObject *iterator = caw__await_iterator(caw__coroutine_state_of(c), awaitable);
        Py_DECREF(awaitable);
        return iterator ? iteration_begin_next(s, c, iterator, out) : iteration_end_raised(s, c, out);
    }
    s->child = caw_py_await(NULL, awaitable);
    return s->child ? CAW_PENDING : iteration_end_raised(s, c, out);
}

static caw_poll
iteration_poll_with_gil(caw__iteration *s, caw_context *cx, caw__coroutine *c, caw_item **out)
{
    for (int n = 0; n < ITERATION_RUN_LENGTH; n++) {
        if (!s->child && iteration_ask(s, cx, c, out) == CAW_READY) {
            return CAW_READY;
        }
        if (!s->child) {
            continue;
        }
        if (caw_future_poll(s->child, cx) == CAW_PENDING) {
            return CAW_PENDING;
        }
        if (iteration_take_child(s, c, out) == CAW_READY) {
            return CAW_READY;
        }
    }
    caw_waker_wake_by_ref(cx->waker);
    return CAW_PENDING;
}

/* The surrounding poll has released the GIL: take it for this one. */
static CAW__APART caw_poll
iteration_poll_without_gil(caw__iteration *s, caw_context *cx, caw_item **out)
{
    caw__poll_place *place = cx->place;
    PyThreadState *released = place->released;
    place->released = NULL; /* what it polls runs with the GIL */
    caw__gil_take(released);
    caw_poll poll = iteration_poll_with_gil(s, cx, (caw__coroutine *)place->coroutine, out);
    caw__gil_give(released);
    place->released = released;
    return poll;
}

caw_poll
caw__iteration_poll(caw__iteration *s, caw_context *cx, caw_item **out)
{
    const caw__poll_place *place = cx->place;
    return place->released ? iteration_poll_without_gil(s, cx, out)
                           : iteration_poll_with_gil(s, cx, (caw__coroutine *)place->coroutine, out);
}

/* --- dropped --- */

/* Drop it while an item is awaited, as CPython 3.13 closes an `asend` object: a GeneratorExit is thrown into the
 * iterator, which cannot await any more. Older versions would leave it as it is, running for ever. */
static void
iteration_throw_exit(const caw__iteration *s, PyObject *iterator)
{
    if (s->child->ops != &caw__py_await_ops || s->closing) {
        return;
    }
    const caw__py_await *f = CAW_CONTAINER_OF(s->child, const caw__py_await, child.future);
    if (f->state != AWAIT_IN_PLACE || f->inner.is_ours) {
        return;
    }
    PyObject *exit = PyObject_CallNoArgs(PyExc_GeneratorExit);
    PyObject *yielded = exit ? PyObject_CallMethod(f->inner.object, "throw", "O", exit) : NULL;
    if (yielded) {
        PyErr_SetString(PyExc_RuntimeError, "async generator ignored GeneratorExit");
    }
    else if (PyErr_ExceptionMatches(PyExc_GeneratorExit) || PyErr_ExceptionMatches(PyExc_StopAsyncIteration) ||
             PyErr_ExceptionMatches(PyExc_StopIteration) || PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
    }
    if (PyErr_Occurred()) {
        PyErr_WriteUnraisable(iterator);
    }
    Py_XDECREF(yielded);
    Py_XDECREF(exit);
}

void
caw__iteration_free(caw__iteration *s)
{
    if (s->spec.free) {
        s->spec.free(s->spec.user);
    }
    caw_py_locals_release(s->locals);
    free(s);
}

static void
iteration_drop_with_gil(caw__iteration *s)
{
    PyObject *raised = caw__take_raised(), *iterator = s->iterator;
    s->iterator = NULL;
    Py_CLEAR(s->given);
    if (s->child) {
        iteration_throw_exit(s, iterator);
        caw_future_destroy(s->child);
        Py_DECREF(iterator);
    }
    else if ((s->state == ITERATION_IN_PLACE || s->left) && !caw_py_locals_is_closed(s->locals)) {
        caw__aclose_later(s->locals, iterator);
    }
    else {
        Py_DECREF(iterator);
    }
    caw__iteration_free(s);
    if (raised) {
        caw__raise(raised);
    }
}

void
caw__iteration_drop(caw__iteration *s)
{
    PyThreadState *released = caw__gil_released;
    caw__gil_take(released);
    iteration_drop_with_gil(s);
    caw__gil_give(released);
}

/* --- in a task of its own --- */

static caw_poll
iteration_in_task_poll_next(caw_stream *stream, caw_context *cx, caw_item **out)
{
    caw__iteration *s = CAW_CONTAINER_OF(stream, caw__iteration, stream);
    *out = NULL;
    return caw__iteration_poll(s, cx, out);
}

static void
iteration_in_task_cancel(caw_stream *stream)
{
    CAW_CONTAINER_OF(stream, caw__iteration, stream)->cancelled = true;
}

static void
iteration_in_task_destroy(caw_stream *stream)
{
    caw__iteration_drop(CAW_CONTAINER_OF(stream, caw__iteration, stream));
}

static const caw_stream_ops iteration_in_task_ops = {"python.iterate in place", iteration_in_task_poll_next,
                                                     iteration_in_task_cancel, iteration_in_task_destroy, NULL};

caw_stream *
caw__iteration_new(caw_py_locals *locals, PyObject *iterator, const caw_py_iterable_spec *spec)
{
    caw__iteration *s = calloc(1, sizeof *s);
    if (!s) {
        return NULL;
    }
    caw_stream_init(&s->stream, &iteration_in_task_ops);
    s->iterator = iterator;
    s->spec = *spec;
    s->locals = caw_py_locals_retain(locals);
    s->state = ITERATION_IN_PLACE;
    s->in_task = true;
    return &s->stream;
}

bool
caw__iteration_is_closing(const caw_stream *stream)
{
    return CAW_CONTAINER_OF(stream, const caw__iteration, stream)->closing;
}
