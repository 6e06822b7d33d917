/* iterate.c: see iterate/iterate.h. */
#include "python/iterate/iterate.h"

#include "python/await/in_place.h"
#include "python/base/awaitable.h"
#include "python/loop/hub.h"
#include "python/loop/ref.h"
#include "python/loop/value.h"

#include <stdlib.h>

caw_poll
caw__pystream_end(caw__pystream *s, int status, caw_item **out)
{
    s->state = PYSTREAM_ENDED;
    return caw_stream_finish(&s->stream, status, out);
}

/* --- the first poll --- */

/* Hand the iterator to a pump. False when out of memory. */
static bool
pystream_post(caw__pystream *s)
{
    s->pump = caw__pump_new(s->locals, s->iterator, &s->spec);
    if (s->pump) {
        s->iterator = NULL;
        s->spec = (caw_py_iterable_spec){NULL, NULL, NULL, 0};
        s->state = PYSTREAM_POSTED;
    }
    return s->pump != NULL;
}

/* Polled by a coroutine of ours, with the GIL. */
static caw_poll
pystream_begin(caw__pystream *s, caw_context *cx, caw_item **out)
{
    caw__poll_place *place = cx->place;
    int status;
    s->locals = caw__locals_capture(place->state, place->coroutine, &status);
    if (!s->locals) {
        return caw__pystream_end(s, CAW_EPYTHON, out); /* the exception is set */
    }
    if (caw__pyfuture_may_go_in_place(place->coroutine, cx)) {
        s->state = PYSTREAM_IN_PLACE;
    }
    else if (!pystream_post(s)) {
        return caw__pystream_end(s, CAW_ENOMEM, out);
    }
    return CAW_PENDING;
}

/* Polled elsewhere. */
static caw_poll
pystream_begin_elsewhere(caw__pystream *s, caw_item **out)
{
    if (!s->locals) {
        s->locals = caw_py_locals_retain(caw_py_locals_current());
    }
    if (!s->locals || !pystream_post(s)) {
        return caw__pystream_end(s, s->locals ? CAW_ENOMEM : CAW_ENOREACTOR, out);
    }
    return CAW_PENDING;
}

/* --- the stream --- */

static caw_poll
pystream_poll_with_gil(caw__pystream *s, caw_context *cx, caw_item **out)
{
    caw__poll_place *place = cx->place;
    if (s->state == PYSTREAM_NEW && pystream_begin(s, cx, out) == CAW_READY) {
        return CAW_READY;
    }
    if (s->state != PYSTREAM_IN_PLACE) {
        return CAW_PENDING; /* posted: who called goes on */
    }
    return caw__pystream_poll_in_place(s, cx, (caw__coroutine *)place->coroutine, out);
}

static caw_poll
pystream_poll_pump(caw__pystream *s, caw_context *cx, caw_item **out)
{
    int status = 0;
    caw_poll poll = caw__pump_poll_next(s->pump, cx, out, &status);
    return poll == CAW_READY && !*out ? caw__pystream_end(s, status, out) : poll;
}

static caw_poll
pystream_poll_next(caw_stream *stream, caw_context *cx, caw_item **out)
{
    caw__pystream *s = CAW_CONTAINER_OF(stream, caw__pystream, stream);
    caw_poll poll = CAW_PENDING;
    *out = NULL;
    if (s->state == PYSTREAM_NEW && s->cancelled) {
        return caw__pystream_end(s, CAW_ECANCELED, out);
    }
    if (s->state == PYSTREAM_NEW && (s->posts || cx->host != &caw__poll_host)) {
        poll = pystream_begin_elsewhere(s, out);
    }
    else if (s->state != PYSTREAM_POSTED && cx->host != &caw__poll_host) {
        return caw__pystream_end(s, CAW_EINVAL, out); /* it has moved while it was iterated in place */
    }
    else if (s->state != PYSTREAM_POSTED) {
        caw__poll_place *place = cx->place;
        PyThreadState *released = place->released;
        place->released = NULL; /* for those that it polls */
        caw__gil_take(released);
        poll = pystream_poll_with_gil(s, cx, out);
        caw__gil_give(released);
        place->released = released;
    }
    return s->state == PYSTREAM_POSTED && poll == CAW_PENDING ? pystream_poll_pump(s, cx, out) : poll;
}

static void
pystream_cancel(caw_stream *stream)
{
    caw__pystream *s = CAW_CONTAINER_OF(stream, caw__pystream, stream);
    s->cancelled = true;
    if (s->state == PYSTREAM_POSTED) {
        caw__pump_cancel(s->pump);
    }
}

/* --- its end --- */

/* Given up while an item is awaited. As CPython 3.13 closes an `asend` object: the iterator gets a GeneratorExit, and has no chance
 * to await; before that it would be left as it is, for ever running. */
static void
pystream_throw_exit(const caw__pystream *s, PyObject *iterator)
{
    if (s->child->ops != &caw__pyfuture_ops || s->closing) {
        return;
    }
    const caw__pyfuture *f = CAW_CONTAINER_OF(s->child, const caw__pyfuture, future);
    if (f->state != PYFUTURE_INNER || f->is_ours) {
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
pystream_free(caw__pystream *s)
{
    if (s->spec.free) {
        s->spec.free(s->spec.user);
    }
    caw_py_locals_release(s->locals);
    free(s);
}

/* With the GIL; not POSTED. */
static void
pystream_drop(caw__pystream *s)
{
    PyObject *raised = caw__take_raised(), *iterator = s->iterator;
    s->iterator = NULL;
    if (s->child) {
        pystream_throw_exit(s, iterator);
        caw_future_destroy(s->child);
        Py_DECREF(iterator);
    }
    else if (s->state == PYSTREAM_IN_PLACE || s->left) {
        caw__close_later(s->locals, iterator);
    }
    else {
        Py_DECREF(iterator);
    }
    pystream_free(s);
    if (raised) {
        caw__raise(raised);
    }
}

/* On a thread that never had the GIL, before the first poll: the iterator goes by a reference, which drops it on its loop. Without
 * memory it leaks: nothing here may touch it. */
static CAW__APART void
pystream_drop_without_gil(caw__pystream *s, const caw_py_locals *locals)
{
    caw_py_ref_release(caw__ref_new(locals->inbox, s->iterator));
    pystream_free(s);
}

static void
pystream_destroy(caw_stream *stream)
{
    caw__pystream *s = CAW_CONTAINER_OF(stream, caw__pystream, stream);
    if (s->pump) {
        caw__pump_destroy(s->pump);
        pystream_free(s);
        return;
    }
    PyThreadState *released = caw__gil_released;
    const caw_py_locals *locals = s->locals ? s->locals : caw_py_locals_current();
    bool plain = s->state != PYSTREAM_IN_PLACE && !s->left; /* nothing but references */
    if (!released && plain && locals && !caw__has_gil()) {
        pystream_drop_without_gil(s, locals);
        return;
    }
    caw__gil_take(released);
    pystream_drop(s);
    caw__gil_give(released);
}

static const caw_stream_ops pystream_ops = {"python.stream", pystream_poll_next, pystream_cancel, pystream_destroy};

bool
caw__pystream_is_closing(const caw_stream *stream)
{
    return CAW_CONTAINER_OF(stream, const caw__pystream, stream)->closing;
}

bool
caw__pystream_is_in_place(const caw_stream *stream)
{
    return stream->ops == &pystream_ops &&
           CAW_CONTAINER_OF(stream, const caw__pystream, stream)->state == PYSTREAM_IN_PLACE;
}

int
caw__pystream_traverse(const caw_stream *stream, visitproc visit, void *arg)
{
    if (stream->ops == &pystream_ops && !CAW_CONTAINER_OF(stream, const caw__pystream, stream)->posts) {
        Py_VISIT(CAW_CONTAINER_OF(stream, const caw__pystream, stream)->iterator);
    }
    return 0; /* of one that posts a poll without the GIL may just be giving the iterator away */
}

/* --- birth --- */

static caw__pystream *
pystream_new(PyObject *iterator, const caw_py_iterable_spec *spec)
{
    caw__pystream *s = calloc(1, sizeof *s);
    if (s) {
        caw_stream_init(&s->stream, &pystream_ops);
        s->iterator = iterator;
        if (spec) {
            s->spec = *spec;
        }
    }
    return s;
}

caw_stream *
caw__pystream_new(caw_py_locals *locals, PyObject *iterator, const caw_py_iterable_spec *spec)
{
    caw__pystream *s = pystream_new(iterator, spec);
    if (!s) {
        return NULL;
    }
    s->locals = caw_py_locals_retain(locals);
    s->state = PYSTREAM_IN_PLACE;
    s->pumped = true;
    return &s->stream;
}

/* What iterates it, as `async for` asks for it: a new reference. Takes the iterable. */
static PyObject *
pystream_iterator(PyObject *iterable)
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
static caw__pystream *
pystream_of(PyObject *iterable, const caw_py_iterable_spec *spec)
{
    PyObject *iterator = iterable ? pystream_iterator(iterable) : NULL;
    caw__pystream *s = iterator ? pystream_new(iterator, spec) : NULL;
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
caw_py_stream(PyObject *iterable, const caw_py_iterable_spec *spec)
{
    caw__pystream *s = pystream_of(iterable, spec);
    return s ? &s->stream : NULL;
}

caw_stream *
caw_py_stream_on(caw_py_locals *locals, PyObject *iterable, const caw_py_iterable_spec *spec)
{
    bool foreign = iterable && !caw__late_is_of_this_interpreter(locals->inbox->late);
    if (foreign) {
        PyErr_SetString(PyExc_RuntimeError, "the locals belong to another interpreter");
        Py_CLEAR(iterable);
    }
    caw__pystream *s = pystream_of(iterable, spec);
    if (!s) {
        return NULL;
    }
    s->locals = caw_py_locals_retain(locals);
    s->posts = true;
    return &s->stream;
}
