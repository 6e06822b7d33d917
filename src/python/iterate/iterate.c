/* iterate.c: a C stream of an async iterable of Python: its first poll decides how it is iterated. */
#include "python/iterate/iterate.h"

#include "python/await/in_place.h"
#include "python/base/awaitable.h"
#include "python/coroutine/poll.h"
#include "python/framework/detect.h"
#include "python/iterate/in_place.h"
#include "python/iterate/posted.h"
#include "python/loop/hub.h"
#include "python/loop/ref.h"

#include "core/stream/around.h"

#include <stdlib.h>

typedef struct iterating {
    caw__iteration at;             /* first: see caw__iteration_free */
    caw__posted_iteration *posted; /* POSTED: owned */
    bool posts;                    /* it was made with locals: always POSTED */
} iterating;

/* --- as a task --- */

static caw_poll
iterate_task_poll_next(caw_stream *stream, caw_context *cx, caw_item **out)
{
    iterating *s = CAW_CONTAINER_OF(stream, iterating, at.stream);
    int status = 0;
    *out = NULL;
    caw_poll poll = caw__posted_iteration_poll_next(s->posted, cx, out, &status);
    return poll == CAW_READY && !*out ? caw__iteration_end(&s->at, status, out) : poll;
}

static void
iterate_task_cancel(caw_stream *stream)
{
    caw__posted_iteration_cancel(CAW_CONTAINER_OF(stream, iterating, at.stream)->posted);
}

static void
iterate_task_destroy(caw_stream *stream)
{
    iterating *s = CAW_CONTAINER_OF(stream, iterating, at.stream);
    caw__posted_iteration_destroy(s->posted);
    caw__iteration_free(&s->at);
}

static const caw_stream_ops iterate_task_ops = {"python.iterate as a task", iterate_task_poll_next, iterate_task_cancel,
                                                iterate_task_destroy, NULL};

/* --- in place --- */

static caw_poll
iterate_in_place_poll_next(caw_stream *stream, caw_context *cx, caw_item **out)
{
    iterating *s = CAW_CONTAINER_OF(stream, iterating, at.stream);
    *out = NULL;
    if (cx->host != &caw__poll_host) {
        return caw__iteration_end(&s->at, CAW_EINVAL, out); /* the poller changed while it was iterated in place */
    }
    caw_poll poll = s->at.state == ITERATION_IN_PLACE ? caw__iteration_poll(&s->at, cx, out) : CAW_PENDING;
    if (poll == CAW_READY && !*out) {
        caw__gil_take(((caw__poll_place *)cx->place)->released);
        caw__poll_enter_notes(cx->place);
        caw__gil_give(((caw__poll_place *)cx->place)->released);
    }
    return poll;
}

static void
iterate_in_place_cancel(caw_stream *stream)
{
    CAW_CONTAINER_OF(stream, iterating, at.stream)->at.cancelled = true;
}

static void
iterate_in_place_destroy(caw_stream *stream)
{
    caw__iteration_drop(&CAW_CONTAINER_OF(stream, iterating, at.stream)->at);
}

static const caw_stream_ops iterate_in_place_ops = {"python.iterate in place", iterate_in_place_poll_next,
                                                    iterate_in_place_cancel, iterate_in_place_destroy, NULL};

/* --- the first poll --- */

/* Give the iterator to its loop. False when out of memory. */
static bool
iterate_post(iterating *s)
{
    s->posted = caw__posted_iteration_new(s->at.locals, s->at.iterator, &s->at.spec);
    if (s->posted) {
        s->at.iterator = NULL;
        s->at.spec = (caw_py_iterable_spec){NULL, NULL, NULL, 0};
        s->at.state = ITERATION_POSTED;
        s->at.stream.ops = &iterate_task_ops;
    }
    return s->posted != NULL;
}

/* The first poll by a coroutine of ours, with the GIL. CAW_PENDING: the state is set, and the stream can be polled. */
static caw_poll
iterate_begin_with_gil(iterating *s, caw_context *cx, caw_item **out)
{
    caw__poll_place *place = cx->place;
    int status;
    bool in_place = caw__py_await_may_go_in_place(place->coroutine, cx);
    s->at.locals = caw__locals_capture(place->state, &place->coroutine->waiter, &status);
    if (!s->at.locals && in_place && status == CAW_ENOREACTOR && PyErr_ExceptionMatches(PyExc_RuntimeError)) {
        PyErr_Clear(); /* an iterable that never suspends needs no loop */
        s->at.locals = caw__locals_of_no_loop(place->state->orphans);
    }
    if (!s->at.locals) {
        return caw__iteration_end(&s->at, CAW_EPYTHON, out); /* the exception is set */
    }
    if (in_place) {
        s->at.state = ITERATION_IN_PLACE;
        s->at.stream.ops = &iterate_in_place_ops;
    }
    else if (!iterate_post(s)) {
        return caw__iteration_end(&s->at, CAW_ENOMEM, out);
    }
    return CAW_PENDING;
}

/* The first poll from elsewhere. */
static caw_poll
iterate_begin_elsewhere(iterating *s, caw_item **out)
{
    if (!s->at.locals) {
        s->at.locals = caw_py_locals_retain(caw_py_locals_current());
    }
    if (!s->at.locals || !iterate_post(s)) {
        return caw__iteration_end(&s->at, s->at.locals ? CAW_ENOMEM : CAW_ENOREACTOR, out);
    }
    return CAW_PENDING;
}

static caw_poll
iterate_begin(iterating *s, caw_context *cx, caw_item **out)
{
    caw__await_made = NULL;
    if (s->at.cancelled || s->at.state == ITERATION_ENDED) {
        return caw__iteration_end(&s->at, s->at.cancelled ? CAW_ECANCELED : s->at.stream.status, out);
    }
    if (s->posts || cx->host != &caw__poll_host) {
        return iterate_begin_elsewhere(s, out);
    }
    PyThreadState *released = ((caw__poll_place *)cx->place)->released;
    caw__gil_take(released);
    caw_poll poll = iterate_begin_with_gil(s, cx, out);
    caw__gil_give(released);
    return poll;
}

static caw_poll
iterate_poll_next(caw_stream *stream, caw_context *cx, caw_item **out)
{
    iterating *s = CAW_CONTAINER_OF(stream, iterating, at.stream);
    *out = NULL;
    if (iterate_begin(s, cx, out) == CAW_READY) {
        return CAW_READY;
    }
    return caw_stream_poll_next(stream, cx, out); /* in the new state */
}

static void
iterate_cancel(caw_stream *stream)
{
    CAW_CONTAINER_OF(stream, iterating, at.stream)->at.cancelled = true;
}

/* Destroyed before the first poll, on a thread without the GIL: the iterator goes into a caw_py_ref, which drops it on
 * its loop. If there is no memory for that the iterator leaks, because nothing here may touch it. */
static CAW__APART void
iterate_drop_without_gil(iterating *s, const caw_py_locals *locals)
{
    caw_py_ref_release(caw__ref_new(locals->inbox, s->at.iterator));
    caw__iteration_free(&s->at);
}

static void
iterate_destroy(caw_stream *stream)
{
    iterating *s = CAW_CONTAINER_OF(stream, iterating, at.stream);
    const caw_py_locals *locals = s->at.locals ? s->at.locals : caw_py_locals_current();
    caw__await_forget(s);
    if (!caw__gil_released && locals && !caw__has_gil()) {
        iterate_drop_without_gil(s, locals);
        return;
    }
    caw__iteration_drop(&s->at);
}

static const caw_stream_ops iterate_ops = {"python.iterate", iterate_poll_next, iterate_cancel, iterate_destroy, NULL};

bool
caw__iteration_is_in_place(const caw_stream *stream)
{
    return stream->ops == &iterate_in_place_ops;
}

int
caw__iteration_traverse(const caw_stream *stream, visitproc visit, void *arg)
{
    if (stream->ops == &iterate_in_place_ops ||
        (stream->ops == &iterate_ops && !CAW_CONTAINER_OF(stream, const iterating, at.stream)->posts)) {
        Py_VISIT(CAW_CONTAINER_OF(stream, const iterating, at.stream)->at.iterator);
        Py_VISIT(CAW_CONTAINER_OF(stream, const iterating, at.stream)->at.given);
    }
    return 0; /* if it posts, a poll without the GIL may be giving the iterator away right now */
}

/* --- what is given to the iterator --- */

static bool
iterate_give(caw_stream *stream, PyObject *object, bool throws)
{
    for (caw_stream *inner; (inner = caw__around_inner(stream));) {
        stream = inner;
    }
    return stream->ops == &iterate_in_place_ops &&
           caw__iteration_give(&CAW_CONTAINER_OF(stream, iterating, at.stream)->at, object, throws);
}

bool
caw_py_iterate_send(caw_stream *stream, PyObject *value)
{
    return iterate_give(stream, value, false);
}

bool
caw_py_iterate_throw(caw_stream *stream, PyObject *exception)
{
    return iterate_give(stream, exception, true);
}

/* --- birth --- */

static iterating *
iterate_new(PyObject *iterator, const caw_py_iterable_spec *spec)
{
    iterating *s = calloc(1, sizeof *s);
    if (s) {
        caw_stream_init(&s->at.stream, &iterate_ops);
        s->at.iterator = iterator;
        if (spec) {
            s->at.spec = *spec;
        }
    }
    return s;
}

/* The iterator, got as `async for` gets it: a new reference, or NULL with an exception. Takes the iterable. */
static PyObject *
iterate_iterator(PyObject *iterable)
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
static iterating *
iterate_of(PyObject *iterable, const caw_py_iterable_spec *spec)
{
    PyObject *iterator = iterable ? iterate_iterator(iterable) : NULL;
    iterating *s = iterator ? iterate_new(iterator, spec) : NULL;
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
caw_py_iterate(caw_py_locals *locals, PyObject *iterable, const caw_py_iterable_spec *spec)
{
    if (iterable && locals && !caw__locals_are_ours(locals)) {
        Py_CLEAR(iterable);
    }
    iterating *s = iterate_of(iterable, spec);
    if (!s) {
        return NULL;
    }
    s->at.locals = caw_py_locals_retain(locals);
    s->posts = locals != NULL;
    if (!locals) {
        caw__await_made = s;
    }
    return &s->at.stream;
}
