/* iterate.c: see iterate/iterate.h. */
#include "python/iterate/iterate.h"

#include "python/await/in_place.h"
#include "python/base/awaitable.h"
#include "python/loop/hub.h"
#include "python/loop/ref.h"
#include "python/loop/value.h"

#include <stdlib.h>

caw_poll
caw__iteration_end(caw__iteration *s, int status, caw_item **out)
{
    s->state = ITERATION_ENDED;
    return caw_stream_finish(&s->stream, status, out);
}

/* --- the first poll --- */

/* Hand the iterator to a pump. False when out of memory. */
static bool
iteration_post(caw__iteration *s)
{
    s->pump = caw__posted_iteration_new(s->locals, s->iterator, &s->spec);
    if (s->pump) {
        s->iterator = NULL;
        s->spec = (caw_py_iterable_spec){NULL, NULL, NULL, 0};
        s->state = ITERATION_POSTED;
    }
    return s->pump != NULL;
}

/* Polled by a coroutine of ours, with the GIL. */
static caw_poll
iteration_begin(caw__iteration *s, caw_context *cx, caw_item **out)
{
    caw__poll_place *place = cx->place;
    int status;
    s->locals = caw__locals_capture(place->state, place->coroutine, &status);
    if (!s->locals) {
        return caw__iteration_end(s, CAW_EPYTHON, out); /* the exception is set */
    }
    if (caw__py_await_may_go_in_place(place->coroutine, cx)) {
        s->state = ITERATION_IN_PLACE;
    }
    else if (!iteration_post(s)) {
        return caw__iteration_end(s, CAW_ENOMEM, out);
    }
    return CAW_PENDING;
}

/* Polled elsewhere. */
static caw_poll
iteration_begin_elsewhere(caw__iteration *s, caw_item **out)
{
    if (!s->locals) {
        s->locals = caw_py_locals_retain(caw_py_locals_current());
    }
    if (!s->locals || !iteration_post(s)) {
        return caw__iteration_end(s, s->locals ? CAW_ENOMEM : CAW_ENOREACTOR, out);
    }
    return CAW_PENDING;
}

/* --- the stream --- */

static caw_poll
iteration_poll_with_gil(caw__iteration *s, caw_context *cx, caw_item **out)
{
    caw__poll_place *place = cx->place;
    if (s->state == ITERATION_NEW && iteration_begin(s, cx, out) == CAW_READY) {
        return CAW_READY;
    }
    if (s->state != ITERATION_IN_PLACE) {
        return CAW_PENDING; /* posted: who called goes on */
    }
    return caw__iteration_poll_in_place(s, cx, (caw__coroutine *)place->coroutine, out);
}

static caw_poll
iteration_poll_posted(caw__iteration *s, caw_context *cx, caw_item **out)
{
    int status = 0;
    caw_poll poll = caw__posted_iteration_poll_next(s->pump, cx, out, &status);
    return poll == CAW_READY && !*out ? caw__iteration_end(s, status, out) : poll;
}

static caw_poll
iteration_poll_next(caw_stream *stream, caw_context *cx, caw_item **out)
{
    caw__iteration *s = CAW_CONTAINER_OF(stream, caw__iteration, stream);
    caw_poll poll = CAW_PENDING;
    *out = NULL;
    if (s->state == ITERATION_NEW && s->cancelled) {
        return caw__iteration_end(s, CAW_ECANCELED, out);
    }
    if (s->state == ITERATION_NEW && (s->posts || cx->host != &caw__poll_host)) {
        poll = iteration_begin_elsewhere(s, out);
    }
    else if (s->state != ITERATION_POSTED && cx->host != &caw__poll_host) {
        return caw__iteration_end(s, CAW_EINVAL, out); /* it has moved while it was iterated in place */
    }
    else if (s->state != ITERATION_POSTED) {
        caw__poll_place *place = cx->place;
        PyThreadState *released = place->released;
        place->released = NULL; /* for those that it polls */
        caw__gil_take(released);
        poll = iteration_poll_with_gil(s, cx, out);
        caw__gil_give(released);
        place->released = released;
    }
    return s->state == ITERATION_POSTED && poll == CAW_PENDING ? iteration_poll_posted(s, cx, out) : poll;
}

static void
iteration_cancel(caw_stream *stream)
{
    caw__iteration *s = CAW_CONTAINER_OF(stream, caw__iteration, stream);
    s->cancelled = true;
    if (s->state == ITERATION_POSTED) {
        caw__posted_iteration_cancel(s->pump);
    }
}

/* --- its end --- */

/* Given up while an item is awaited. As CPython 3.13 closes an `asend` object: the iterator gets a GeneratorExit, and has no chance
 * to await; before that it would be left as it is, for ever running. */
static void
iteration_throw_exit(const caw__iteration *s, PyObject *iterator)
{
    if (s->child->ops != &caw__py_await_ops || s->closing) {
        return;
    }
    const caw__py_await *f = CAW_CONTAINER_OF(s->child, const caw__py_await, future);
    if (f->state != AWAIT_IN_PLACE || f->is_ours) {
        return;
    }
    PyObject *exit = PyObject_CallNoArgs(PyExc_GeneratorExit);
    PyObject *yielded = exit ? PyObject_CallMethod(f->object, "throw", "O", exit) : NULL;
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

static void
iteration_free(caw__iteration *s)
{
    if (s->spec.free) {
        s->spec.free(s->spec.user);
    }
    caw_py_locals_release(s->locals);
    free(s);
}

/* With the GIL; not POSTED. */
static void
iteration_drop(caw__iteration *s)
{
    PyObject *raised = caw__take_raised(), *iterator = s->iterator;
    s->iterator = NULL;
    if (s->child) {
        iteration_throw_exit(s, iterator);
        caw_future_destroy(s->child);
        Py_DECREF(iterator);
    }
    else if (s->state == ITERATION_IN_PLACE || s->left) {
        caw__close_later(s->locals, iterator);
    }
    else {
        Py_DECREF(iterator);
    }
    iteration_free(s);
    if (raised) {
        caw__raise(raised);
    }
}

/* On a thread that never had the GIL, before the first poll: the iterator goes by a reference, which drops it on its loop. Without
 * memory it leaks: nothing here may touch it. */
static CAW__APART void
iteration_drop_without_gil(caw__iteration *s, const caw_py_locals *locals)
{
    caw_py_ref_release(caw__ref_new(locals->inbox, s->iterator));
    iteration_free(s);
}

static void
iteration_destroy(caw_stream *stream)
{
    caw__iteration *s = CAW_CONTAINER_OF(stream, caw__iteration, stream);
    if (s->pump) {
        caw__posted_iteration_destroy(s->pump);
        iteration_free(s);
        return;
    }
    PyThreadState *released = caw__gil_released;
    const caw_py_locals *locals = s->locals ? s->locals : caw_py_locals_current();
    bool plain = s->state != ITERATION_IN_PLACE && !s->left; /* nothing but references */
    if (!released && plain && locals && !caw__has_gil()) {
        iteration_drop_without_gil(s, locals);
        return;
    }
    caw__gil_take(released);
    iteration_drop(s);
    caw__gil_give(released);
}

static const caw_stream_ops iteration_ops = {"python.stream", iteration_poll_next, iteration_cancel, iteration_destroy,
                                             NULL};

bool
caw__iteration_is_closing(const caw_stream *stream)
{
    return CAW_CONTAINER_OF(stream, const caw__iteration, stream)->closing;
}

bool
caw__iteration_is_in_place(const caw_stream *stream)
{
    return stream->ops == &iteration_ops &&
           CAW_CONTAINER_OF(stream, const caw__iteration, stream)->state == ITERATION_IN_PLACE;
}

int
caw__iteration_traverse(const caw_stream *stream, visitproc visit, void *arg)
{
    if (stream->ops == &iteration_ops && !CAW_CONTAINER_OF(stream, const caw__iteration, stream)->posts) {
        Py_VISIT(CAW_CONTAINER_OF(stream, const caw__iteration, stream)->iterator);
    }
    return 0; /* of one that posts a poll without the GIL may just be giving the iterator away */
}

/* --- birth --- */

static caw__iteration *
iteration_new(PyObject *iterator, const caw_py_iterable_spec *spec)
{
    caw__iteration *s = calloc(1, sizeof *s);
    if (s) {
        caw_stream_init(&s->stream, &iteration_ops);
        s->iterator = iterator;
        if (spec) {
            s->spec = *spec;
        }
    }
    return s;
}

caw_stream *
caw__iteration_new(caw_py_locals *locals, PyObject *iterator, const caw_py_iterable_spec *spec)
{
    caw__iteration *s = iteration_new(iterator, spec);
    if (!s) {
        return NULL;
    }
    s->locals = caw_py_locals_retain(locals);
    s->state = ITERATION_IN_PLACE;
    s->pumped = true;
    return &s->stream;
}

/* What iterates it, as `async for` asks for it: a new reference. Takes the iterable. */
static PyObject *
iteration_iterator(PyObject *iterable)
{
    PyAsyncMethods *methods = Py_TYPE(iterable)->tp_as_async;
    PyObject *iterator = NULL;
    if (!methods || !methods->am_aiter) {
        PyErr_Format(PyExc_TypeError, "'async for' requires an object with __aiter__ method, got %.100s",
                     Py_TYPE(iterable)->tp_name);
    }
    else {
        iterator = methods->am_aiter(iterable);
    }
    Py_DECREF(iterable);
    methods = iterator ? Py_TYPE(iterator)->tp_as_async : NULL;
    if (iterator && (!methods || !methods->am_anext)) {
        PyErr_Format(PyExc_TypeError,
                     "'async for' received an object from __aiter__ that does not implement __anext__: %.100s",
                     Py_TYPE(iterator)->tp_name);
        Py_CLEAR(iterator);
    }
    return iterator;
}

/* Takes the iterable and spec->user, also on failure. */
static caw__iteration *
iteration_of(PyObject *iterable, const caw_py_iterable_spec *spec)
{
    PyObject *iterator = iterable ? iteration_iterator(iterable) : NULL;
    caw__iteration *s = iterator ? iteration_new(iterator, spec) : NULL;
    if (iterator && !s) {
        Py_DECREF(iterator);
        PyErr_NoMemory();
    }
    if (!s && spec && spec->free) {
        spec->free(spec->user);
    }
    return s;
}

caw_stream *
caw_py_iterate(PyObject *iterable, const caw_py_iterable_spec *spec)
{
    caw__iteration *s = iteration_of(iterable, spec);
    return s ? &s->stream : NULL;
}

caw_stream *
caw_py_iterate_on(caw_py_locals *locals, PyObject *iterable, const caw_py_iterable_spec *spec)
{
    bool foreign = iterable && !caw__orphans_is_of_this_interpreter(locals->inbox->orphans);
    if (foreign) {
        PyErr_SetString(PyExc_RuntimeError, "the locals belong to another interpreter");
        Py_CLEAR(iterable);
    }
    caw__iteration *s = iteration_of(iterable, spec);
    if (!s) {
        return NULL;
    }
    s->locals = caw_py_locals_retain(locals);
    s->posts = true;
    return &s->stream;
}
