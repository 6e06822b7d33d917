/* pystream.c: see pystream.h. */
#include "python/pystream.h"

#include "python/awaitable.h"
#include "python/hub.h"
#include "python/pyfuture.h"
#include "python/pyitem.h"
#include "python/ref.h"

#include <stdlib.h>

/* After so many values that `convert` leaves out, the loop has its turn. */
#define PYSTREAM_RUN_LENGTH 64

typedef enum pystream_state { PYSTREAM_NEW = 0, PYSTREAM_IN_PLACE, PYSTREAM_POSTED, PYSTREAM_ENDED } pystream_state;

typedef struct pystream {
    caw_stream stream;
    PyObject *iterator; /* a reference; NULL in POSTED */
    caw_py_iterable_spec spec;
    caw_py_locals *locals; /* a reference; NULL before the first poll, where it was not given any */
    caw_future *child;     /* IN_PLACE: what is awaited, or NULL: owned */
    caw__pump *pump;       /* POSTED: owned */
    pystream_state state;
    bool posts;     /* it was given its locals, for any place */
    bool cancelled; /* it was asked to stop */
    bool closing;   /* IN_PLACE: the child is that of aclose() */
    bool left;      /* ENDED, but the iterator is not at its end: a value of it could not be taken */
    bool pumped;    /* IN_PLACE: for a pump, whose task nobody but the loop's end cancels */
} pystream;

/* --- in place --- */

static caw_poll
pystream_end(pystream *s, int status, caw_item **out)
{
    s->state = PYSTREAM_ENDED;
    return caw_stream_finish(&s->stream, status, out);
}

/* The awaitable of the next item, or of the end: a new reference. NULL: with an exception, or the end. */
static PyObject *
pystream_next_awaitable(pystream *s)
{
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

/* The iterator has said so: not an error. The coroutine that polls is not to raise it. */
static void
pystream_forget_stop(caw__coroutine *c, PyObject *stop)
{
    if (c->extras && c->extras->raised == stop) {
        c->extras->raised = NULL;
        Py_DECREF(stop);
    }
}

/* What is set, or nothing, ends it. */
static caw_poll
pystream_end_raised(pystream *s, caw__coroutine *c, caw_item **out)
{
    PyObject *raised = caw__take_raised();
    int status = s->cancelled ? CAW_ECANCELED : 0;
    if (raised && !PyErr_GivenExceptionMatches(raised, PyExc_StopAsyncIteration)) {
        status = caw__pyfuture_keep(c, raised);
    }
    Py_XDECREF(raised);
    return pystream_end(s, status, out);
}

/* Who waits for aclose() was cancelled: that is not the end that was asked for, so it has not the status of that. */
static int
pystream_interrupted(caw__coroutine *c, PyObject *exception)
{
    if (c->extras && c->extras->raised == exception) {
        c->extras->raised_status = CAW_EPYTHON;
    }
    return CAW_EPYTHON;
}

/* The child ended without a value. */
static caw_poll
pystream_end_of_child(pystream *s, caw__coroutine *c, int status, PyObject *exception, caw_item **out)
{
    if (exception && PyErr_GivenExceptionMatches(exception, PyExc_StopAsyncIteration)) {
        pystream_forget_stop(c, exception);
        status = s->cancelled ? CAW_ECANCELED : 0;
    }
    else if (exception && status == CAW_ECANCELED && s->closing && !s->pumped) {
        status = pystream_interrupted(c, exception);
    }
    Py_XDECREF(exception);
    return pystream_end(s, status, out);
}

/* A value has come, which is taken: CAW_READY where it makes an item or an error. */
static caw_poll
pystream_take_value(pystream *s, PyObject *value, caw_item **out)
{
    *out = NULL;
    if (s->cancelled) {
        Py_DECREF(value);
        return CAW_PENDING;
    }
    if (!s->spec.convert) {
        *out = caw__pyitem_new(s->locals->inbox, value);
        s->left = !*out;
        return *out ? CAW_READY : pystream_end(s, CAW_ENOMEM, out);
    }
    int status = s->spec.convert(s->spec.user, value, out);
    Py_DECREF(value);
    if (status < 0 || PyErr_Occurred()) {
        caw_item_destroy(*out);
        s->left = true;
        return pystream_end(s, PyErr_Occurred() ? CAW_EPYTHON : status, out);
    }
    return *out ? CAW_READY : CAW_PENDING;
}

/* The child is ready: CAW_PENDING where it gave nothing, and the next one is wanted. */
static caw_poll
pystream_take_child(pystream *s, caw__coroutine *c, caw_item **out)
{
    caw_future *child = s->child;
    int status = child->status;
    PyObject *value = status == 0 ? caw_py_value(child) : caw_py_exception(child);
    s->child = NULL;
    caw_future_destroy(child);
    if (status != 0) {
        return pystream_end_of_child(s, c, status, value, out);
    }
    if (s->closing) {
        Py_DECREF(value);
        return pystream_end(s, CAW_ECANCELED, out);
    }
    return pystream_take_value(s, value, out);
}

/* The next item's awaitable is begun here, and becomes a child only if it suspends: most do not, and a future for each would
 * cost as much as all the rest. CAW_PENDING: there is a child, or else nothing came and the next one is wanted. */
static caw_poll
pystream_begin_next(pystream *s, caw__coroutine *c, PyObject *awaitable, caw_item **out)
{
    PyObject *iterator = caw__await_iterator(caw__coroutine_state_of(c), awaitable), *result = NULL;
    Py_DECREF(awaitable);
    if (!iterator) {
        return pystream_end_raised(s, c, out);
    }
    PySendResult outcome = PyIter_Send(iterator, Py_None, &result);
    if (outcome == PYGEN_NEXT) {
        s->child = caw__pyfuture_suspended(c, iterator, result);
        return s->child ? CAW_PENDING : pystream_end_raised(s, c, out);
    }
    Py_DECREF(iterator);
    return outcome == PYGEN_RETURN ? pystream_take_value(s, result, out) : pystream_end_raised(s, c, out);
}

/* There is no child: ask for the next item, or for the end. As above. */
static caw_poll
pystream_ask(pystream *s, caw_context *cx, caw__coroutine *c, caw_item **out)
{
    PyObject *awaitable = pystream_next_awaitable(s);
    if (!awaitable) {
        return pystream_end_raised(s, c, out);
    }
    const PyAsyncMethods *methods = Py_TYPE(awaitable)->tp_as_async;
    bool is_ours = Py_TYPE(awaitable) == caw__coroutine_state_of(c)->coroutine_type;
    if (!s->closing && !is_ours && methods && methods->am_await && caw__pyfuture_may_go_in_place(c, cx)) {
        return pystream_begin_next(s, c, awaitable, out);
    }
    s->child = caw_py_await(awaitable);
    return s->child ? CAW_PENDING : pystream_end_raised(s, c, out);
}

static caw_poll
pystream_poll_in_place(pystream *s, caw_context *cx, caw__coroutine *c, caw_item **out)
{
    for (int n = 0; n < PYSTREAM_RUN_LENGTH; n++) {
        if (!s->child && pystream_ask(s, cx, c, out) == CAW_READY) {
            return CAW_READY;
        }
        if (!s->child) {
            continue;
        }
        if (caw_future_poll(s->child, cx) == CAW_PENDING) {
            return CAW_PENDING;
        }
        if (pystream_take_child(s, c, out) == CAW_READY) {
            return CAW_READY;
        }
    }
    caw_waker_wake_by_ref(cx->waker);
    return CAW_PENDING;
}

/* --- the first poll --- */

/* Hand the iterator to a pump. False when out of memory. */
static bool
pystream_post(pystream *s)
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
pystream_begin(pystream *s, caw_context *cx, caw_item **out)
{
    caw__poll_place *place = cx->place;
    int status;
    s->locals = caw__locals_capture(place->state, place->coroutine, &status);
    if (!s->locals) {
        return pystream_end(s, CAW_EPYTHON, out); /* the exception is set */
    }
    if (caw__pyfuture_may_go_in_place(place->coroutine, cx)) {
        s->state = PYSTREAM_IN_PLACE;
    }
    else if (!pystream_post(s)) {
        return pystream_end(s, CAW_ENOMEM, out);
    }
    return CAW_PENDING;
}

/* Polled elsewhere. */
static caw_poll
pystream_begin_elsewhere(pystream *s, caw_item **out)
{
    if (!s->locals) {
        s->locals = caw_py_locals_retain(caw_py_locals_current());
    }
    if (!s->locals || !pystream_post(s)) {
        return pystream_end(s, s->locals ? CAW_ENOMEM : CAW_ENOREACTOR, out);
    }
    return CAW_PENDING;
}

/* --- the stream --- */

static caw_poll
pystream_poll_with_gil(pystream *s, caw_context *cx, caw_item **out)
{
    caw__poll_place *place = cx->place;
    if (s->state == PYSTREAM_NEW && pystream_begin(s, cx, out) == CAW_READY) {
        return CAW_READY;
    }
    if (s->state != PYSTREAM_IN_PLACE) {
        return CAW_PENDING; /* posted: who called goes on */
    }
    return pystream_poll_in_place(s, cx, (caw__coroutine *)place->coroutine, out);
}

static caw_poll
pystream_poll_pump(pystream *s, caw_context *cx, caw_item **out)
{
    int status = 0;
    caw_poll poll = caw__pump_poll_next(s->pump, cx, out, &status);
    return poll == CAW_READY && !*out ? pystream_end(s, status, out) : poll;
}

static caw_poll
pystream_poll_next(caw_stream *stream, caw_context *cx, caw_item **out)
{
    pystream *s = CAW_CONTAINER_OF(stream, pystream, stream);
    caw_poll poll = CAW_PENDING;
    *out = NULL;
    if (s->state == PYSTREAM_NEW && s->cancelled) {
        return pystream_end(s, CAW_ECANCELED, out);
    }
    if (s->state == PYSTREAM_NEW && (s->posts || cx->host != &caw__poll_host)) {
        poll = pystream_begin_elsewhere(s, out);
    }
    else if (s->state != PYSTREAM_POSTED && cx->host != &caw__poll_host) {
        return pystream_end(s, CAW_EINVAL, out); /* it has moved while it was iterated in place */
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
    pystream *s = CAW_CONTAINER_OF(stream, pystream, stream);
    s->cancelled = true;
    if (s->state == PYSTREAM_POSTED) {
        caw__pump_cancel(s->pump);
    }
}

/* --- its end --- */

/* Given up while an item is awaited. As CPython 3.13 closes an `asend` object: the iterator gets a GeneratorExit, and has no chance
 * to await; before that it would be left as it is, for ever running. */
static void
pystream_throw_exit(const pystream *s)
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
        PyErr_WriteUnraisable(s->iterator);
    }
    Py_XDECREF(yielded);
    Py_XDECREF(exit);
}

static void
pystream_free(pystream *s)
{
    if (s->spec.free) {
        s->spec.free(s->spec.user);
    }
    caw_py_locals_release(s->locals);
    free(s);
}

/* With the GIL; not POSTED. */
static void
pystream_drop(pystream *s)
{
    PyObject *raised = caw__take_raised(), *iterator = s->iterator;
    s->iterator = NULL;
    if (s->child) {
        pystream_throw_exit(s);
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
pystream_drop_without_gil(pystream *s, const caw_py_locals *locals)
{
    caw_py_ref_release(caw__ref_new(locals->inbox, s->iterator));
    pystream_free(s);
}

static void
pystream_destroy(caw_stream *stream)
{
    pystream *s = CAW_CONTAINER_OF(stream, pystream, stream);
    if (s->pump) {
        caw__pump_destroy(s->pump);
        pystream_free(s);
        return;
    }
    PyThreadState *released = caw__gil_released;
    const caw_py_locals *locals = s->locals ? s->locals : caw_py_locals_current();
    if (!released && s->state == PYSTREAM_NEW && locals && !caw__has_gil()) {
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
    return CAW_CONTAINER_OF(stream, const pystream, stream)->closing;
}

bool
caw__pystream_is_in_place(const caw_stream *stream)
{
    return stream->ops == &pystream_ops && CAW_CONTAINER_OF(stream, const pystream, stream)->state == PYSTREAM_IN_PLACE;
}

int
caw__pystream_traverse(const caw_stream *stream, visitproc visit, void *arg)
{
    if (stream->ops == &pystream_ops) {
        Py_VISIT(CAW_CONTAINER_OF(stream, const pystream, stream)->iterator);
    }
    return 0;
}

/* --- birth --- */

static pystream *
pystream_new(PyObject *iterator, const caw_py_iterable_spec *spec)
{
    pystream *s = calloc(1, sizeof *s);
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
    pystream *s = pystream_new(iterator, spec);
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
static pystream *
pystream_of(PyObject *iterable, const caw_py_iterable_spec *spec)
{
    PyObject *iterator = iterable ? pystream_iterator(iterable) : NULL;
    pystream *s = iterator ? pystream_new(iterator, spec) : NULL;
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
    pystream *s = pystream_of(iterable, spec);
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
    pystream *s = pystream_of(iterable, spec);
    if (!s) {
        return NULL;
    }
    s->locals = caw_py_locals_retain(locals);
    s->posts = true;
    return &s->stream;
}
