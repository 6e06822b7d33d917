/* in_place.c: a Python awaitable that is driven by the polls of the coroutine that awaits it, where that is
 * possible. */
#include "python/await/in_place.h"

#include "python/base/awaitable.h"
#include "python/coroutine/end.h"
#include "python/coroutine/iterator.h"
#include "python/coroutine/poll.h"
#include "python/framework/detect.h"
#include "python/framework/trio_api.h"

#include "core/os/compiler.h"

#include <stdlib.h>

/* --- its end --- */

static void
await_end(caw__inner *inner, PyObject *value)
{
    caw__py_await *f = CAW_CONTAINER_OF(inner, caw__py_await, inner);
    caw__coroutine *c = inner->awaiter;
    PyObject *iterator = inner->object;
    if (c->extras && c->extras->inner == inner) {
        caw__coroutine_leave_inner(c);
    }
    f->raised = !value;
    inner->object = value ? value : caw__take_raised();
    f->state = AWAIT_ENDED;
    inner->awaiter = NULL;
    f->child.future.status = 0;
    if (f->raised) {
        f->child.future.status = caw__poll_note_status(c, inner->object);
    }
    Py_DECREF(iterator); /* last: may run any Python code */
}

/* --- in place --- */

/* The value of the StopIteration that is set, taken out; NULL when it is another exception. */
static PyObject *
await_stop_value(void)
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
await_throw(PyObject *iterator, PyObject *exception, PyObject **result)
{
    bool closes = PyErr_GivenExceptionMatches(exception, PyExc_GeneratorExit);
    PyObject *method = caw__awaitable_method(iterator, closes ? "close" : "throw");
    if (!method) {
        if (PyErr_Occurred() && !closes) {
            Py_DECREF(exception);
            return PYGEN_ERROR;
        }
        if (PyErr_Occurred()) {
            PyErr_WriteUnraisable(iterator);
        }
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
    *result = await_stop_value();
    return *result ? PYGEN_RETURN : PYGEN_ERROR;
}

/* What the iterator has yielded is for the coroutine to yield. False without memory, with an exception. Takes the
 * object. */
static bool
await_wait(caw__py_await *f, caw__coroutine *c, PyObject *yielded)
{
    if (!caw__coroutine_extras_get(c)) {
        Py_DECREF(yielded);
        return false;
    }
    c->extras->inner = &f->inner;
    f->inner.yielded = yielded;
    f->inner.waits = true;
    return true;
}

/* Go on with what was sent or thrown. */
static caw_poll
await_drive(caw__py_await *f)
{
    caw__coroutine *c = f->inner.awaiter;
    PyObject *thrown = c->extras ? c->extras->thrown : NULL, *sent = f->inner.sent, *result = NULL;
    PySendResult outcome;
    f->inner.resumed = false;
    if (thrown) {
        c->extras->thrown = NULL;
        outcome = await_throw(f->inner.object, thrown, &result);
    }
    else {
        f->inner.sent = NULL;
        outcome = PyIter_Send(f->inner.object, sent ? sent : Py_None, &result);
        Py_XDECREF(sent);
    }
    if (outcome != PYGEN_NEXT) {
        await_end(&f->inner, outcome == PYGEN_RETURN ? result : NULL);
        return CAW_READY;
    }
    if (!await_wait(f, c, result)) {
        await_end(&f->inner, NULL);
        return CAW_READY;
    }
    return CAW_PENDING;
}

/* It fails without having begun. */
static caw_poll
await_fail(caw__py_await *f, caw__coroutine *c)
{
    f->inner.awaiter = c;
    await_end(&f->inner, NULL);
    return CAW_READY;
}

bool
caw__py_await_may_go_in_place(const caw__coroutine *c, const caw_context *cx)
{
    return caw_waker_same(cx->waker, caw__wake_target_waker(c->waiter.target)) && !(c->extras && c->extras->inner) &&
           !caw__wake_target_is_shared(c->waiter.target) && !caw__wake_target_is_queued(c->waiter.target) &&
           c->function->spec->cancel != CAW_PY_CANCEL_SHIELD && c->function->spec->cancel != CAW_PY_CANCEL_KEEP;
}

/* --- as a task --- */

static caw_poll
await_task_poll(caw_future *future, caw_context *cx)
{
    caw_future *posted = &CAW_CONTAINER_OF(future, caw__py_await, child.future)->posted->promise.future;
    return caw_future_poll(posted, cx) == CAW_READY ? caw_future_finish(future, posted->status) : CAW_PENDING;
}

static void
await_task_cancel(caw_future *future)
{
    caw_future_cancel(&CAW_CONTAINER_OF(future, caw__py_await, child.future)->posted->promise.future);
}

static void
await_task_destroy(caw_future *future)
{
    caw__py_await *f = CAW_CONTAINER_OF(future, caw__py_await, child.future);
    caw_future_destroy(&f->posted->promise.future);
    free(f);
}

static const caw_future_ops await_task_ops = {"python.await as a task", await_task_poll, await_task_cancel,
                                              await_task_destroy};

/* False when out of memory. */
static bool
await_post(caw__py_await *f, caw_py_locals *locals)
{
    f->posted = caw__posted_new(locals, f->inner.object, NULL, NULL);
    if (f->posted) {
        f->inner.object = NULL;
        f->state = AWAIT_POSTED;
        f->child.future.ops = &await_task_ops;
        if (f->cancelled) {
            caw_future_cancel(&f->posted->promise.future);
        }
    }
    return f->posted != NULL;
}

/* --- the first poll, and the others in place --- */

/* To be awaited as a task of the coroutine's own loop. */
static CAW__APART caw_poll
await_begin_posted(caw__py_await *f, caw__state *state, caw__coroutine *c)
{
    int status; /* the exception says it */
    caw_py_locals *locals = caw__locals_capture(state, &c->waiter, &status);
    bool posted = locals && await_post(f, locals);
    caw_py_locals_release(locals);
    if (!posted && locals) {
        PyErr_NoMemory();
    }
    return posted ? CAW_PENDING : await_fail(f, c);
}

/* It was cancelled before it could begin. */
static CAW__APART caw_poll
await_never_begin(caw__py_await *f)
{
    PyObject *object = f->inner.object;
    f->inner.object = NULL;
    f->state = AWAIT_ENDED;
    f->child.future.status = CAW_ECANCELED;
    caw__awaitable_drop(object);
    return CAW_READY;
}

/* The coroutine itself, in place of the iterator of one of ours that has not begun: __await__() of a class may return
 * such a one. Takes the iterator. */
static PyObject *
await_unwrapped(const caw__state *state, PyObject *iterator)
{
    caw__coroutine *inner = caw__iterator_coroutine(state, iterator);
    if (inner && inner->waiter.state == CORO_CREATED && !inner->waiter.running) {
        Py_SETREF(iterator, Py_NewRef((PyObject *)inner));
    }
    return iterator;
}

static caw_poll
await_begin(caw__py_await *f, caw_context *cx, caw__state *state, caw__coroutine *c)
{
    if (!caw__trio_is_absent(state)) {
        caw__await_made = NULL;
    }
    if (f->cancelled) {
        return await_never_begin(f);
    }
    if (!caw__py_await_may_go_in_place(c, cx) || caw__is_concurrent_future(f->inner.object)) {
        return await_begin_posted(f, state, c);
    }
    PyObject *object = f->inner.object, *iterator = caw__await_iterator(state, object);
    if (!iterator) {
        return await_fail(f, c);
    }
    if (iterator != object) {
        iterator = await_unwrapped(state, iterator);
    }
    f->inner.object = iterator;
    f->state = AWAIT_IN_PLACE;
    f->inner.awaiter = c;
    Py_DECREF(object); /* its caller holds the awaiter, which holds this future */
    f->inner.is_ours = caw__is_coroutine(state, iterator);
    if (!f->inner.is_ours) {
        return await_drive(f);
    }
    if (!caw__coroutine_extras_get(c)) {
        return await_fail(f, c);
    }
    c->extras->inner = &f->inner;
    f->inner.waits = true;
    return CAW_PENDING;
}

static caw_poll
await_poll_in_place(caw__py_await *f, caw_context *cx)
{
    caw__poll_place *place = cx->place;
    caw__coroutine *c = (caw__coroutine *)place->coroutine;
    switch (f->state) {
    case AWAIT_NEW:
        return await_begin(f, cx, place->state, c);
    case AWAIT_IN_PLACE:
        if (f->inner.awaiter != c) {
            return caw_future_finish(&f->child.future, CAW_EINVAL); /* it has moved while it was awaited in place */
        }
        return f->inner.resumed ? await_drive(f) : CAW_PENDING;
    default:
        return CAW_READY;
    }
}

/* Not by a coroutine of ours that has the GIL: by one that has released it, or by nobody of ours. */
static CAW__APART caw_poll
await_poll_elsewhere(caw__py_await *f, caw_context *cx)
{
    if (f->state == AWAIT_NEW && cx->host != &caw__poll_host) {
        caw_py_locals *locals = caw_py_locals_current();
        caw__await_made = NULL;
        if (!locals || !await_post(f, locals)) {
            return caw_future_finish(&f->child.future, locals ? CAW_ENOMEM : CAW_ENOREACTOR);
        }
    }
    if (f->state == AWAIT_POSTED) {
        return await_task_poll(&f->child.future, cx);
    }
    if (cx->host != &caw__poll_host) {
        return caw_future_finish(&f->child.future, CAW_EINVAL); /* it has moved while it was awaited in place */
    }
    caw__poll_place *place = cx->place;
    f->without_gil = true;
    caw__gil_take(place->released);
    caw_poll poll = await_poll_in_place(f, cx);
    if (poll == CAW_READY && f->raised) {
        caw__poll_enter_notes(place);
    }
    caw__gil_give(place->released);
    return f->state == AWAIT_POSTED ? await_task_poll(&f->child.future, cx) : poll;
}

static caw_poll
await_poll(caw_future *future, caw_context *cx)
{
    caw__py_await *f = CAW_CONTAINER_OF(future, caw__py_await, child.future);
    if (cx->host != &caw__poll_host || ((caw__poll_place *)cx->place)->released) {
        return await_poll_elsewhere(f, cx);
    }
    caw_poll poll = await_poll_in_place(f, cx);
    if (poll == CAW_READY && f->raised) {
        caw__poll_enter_notes(cx->place);
    }
    return f->state == AWAIT_POSTED ? await_task_poll(future, cx) : poll;
}

/* Given up in the middle: as when Python drops a coroutine. */
static void
await_close(caw__py_await *f)
{
    PyObject *raised = caw__take_raised();
    PyObject *close = caw__awaitable_method(f->inner.object, "close");
    PyObject *closed = close ? PyObject_CallNoArgs(close) : NULL;
    if (PyErr_Occurred()) {
        PyErr_WriteUnraisable(f->inner.object);
    }
    Py_XDECREF(closed);
    Py_XDECREF(close);
    if (raised) {
        caw__raise(raised);
    }
}

static void
await_free(caw__py_await *f)
{
    Py_XDECREF(f->inner.yielded);
    Py_XDECREF(f->inner.sent);
    Py_XDECREF(f->inner.object);
    free(f);
}

/* What this thread is giving up: how many are inside each other, in which interpreter, and those that wait for them. */
static CAW__THREAD_LOCAL struct {
    PyInterpreterState *interpreter;
    int n;
    caw__py_await *waiting;
} giving_up;

/* Where a long chain through coroutines of Python is dropped, each of them is given up inside the end of the one above.
 * CPython 3.12 ends the process when that goes on for some dozens after its recursion limit; so after a few the rest
 * waits until those are through. */
static void
await_give_up(caw__py_await *f)
{
    bool nested = giving_up.n > 0 && giving_up.interpreter == PyInterpreterState_Get();
    if (nested && giving_up.n >= 8) {
        f->next = giving_up.waiting;
        giving_up.waiting = f;
        return;
    }
    if (giving_up.n == 0) {
        giving_up.interpreter = PyInterpreterState_Get();
    }
    bool outermost = giving_up.n == 0;
    giving_up.n += nested || outermost;
    while (f) {
        await_close(f);
        await_free(f);
        f = outermost ? giving_up.waiting : NULL;
        giving_up.waiting = f ? f->next : giving_up.waiting;
    }
    giving_up.n -= nested || outermost;
}

static void
await_cancel(caw_future *future)
{
    CAW_CONTAINER_OF(future, caw__py_await, child.future)->cancelled = true;
}

static void
await_destroy_with_gil(caw__py_await *f)
{
    if (f->state == AWAIT_NEW) {
        caw__await_forget(f);
    }
    if (f->state != AWAIT_IN_PLACE) {
        await_free(f);
        return;
    }
    if (f->inner.awaiter && f->inner.awaiter->extras && f->inner.awaiter->extras->inner == &f->inner) {
        caw__coroutine_leave_inner(f->inner.awaiter);
    }
    await_give_up(f);
}

/* In a poll that has released the GIL; or, before it was polled, on a thread that never had it: then it is posted,
 * which drops the awaitable on its loop. */
static CAW__APART void
await_destroy_without_gil(caw__py_await *f)
{
    PyThreadState *released = caw__gil_released;
    caw_py_locals *locals = f->state == AWAIT_NEW ? caw_py_locals_current() : NULL;
    if (released) {
        caw__gil_take(released);
        await_destroy_with_gil(f);
        caw__gil_give(released);
    }
    else if (!locals) {
        await_destroy_with_gil(f); /* in a subinterpreter, before 3.12: caw__has_gil does not see it */
    }
    else {
        if (await_post(f, locals)) {
            caw_future_destroy(&f->posted->promise.future);
        }
        free(f); /* without memory the awaitable leaks: nothing here may touch it */
    }
}

static void
await_destroy(caw_future *future)
{
    caw__py_await *f = CAW_CONTAINER_OF(future, caw__py_await, child.future);
    if ((f->without_gil || f->state == AWAIT_NEW) && !caw__has_gil()) {
        await_destroy_without_gil(f);
    }
    else {
        await_destroy_with_gil(f);
    }
}

const caw_future_ops caw__py_await_ops = {caw__await_name, await_poll, await_cancel, await_destroy};

const caw__py_await *
caw__py_await_of(const caw_future *future)
{
    bool is = future->ops == &caw__py_await_ops || future->ops == &await_task_ops;
    return is ? CAW_CONTAINER_OF(future, const caw__py_await, child.future) : NULL;
}

static int
await_traverse(const caw_future *future, visitproc visit, void *arg)
{
    const caw__py_await *f = CAW_CONTAINER_OF(future, const caw__py_await, child.future);
    if (!f->inner.awaiter) { /* else its awaiter visits it */
        Py_VISIT(f->inner.object);
    }
    return 0;
}

static const caw__child_ops await_child_ops = {.traverse = await_traverse};

/* NULL when out of memory; then the object is not taken. Field by field: compilers would clear all of it by a loop. */
static caw__py_await *
await_new(PyObject *object)
{
    caw__py_await *f = malloc(sizeof *f);
    if (f) {
        caw_future_init(&f->child.future, &caw__py_await_ops);
        f->child.ops = &await_child_ops;
        f->inner = (caw__inner){.object = object, .end = await_end};
        f->posted = NULL;
        f->next = NULL;
        f->state = AWAIT_NEW;
        f->raised = f->cancelled = f->without_gil = false;
    }
    return f;
}

caw_future *
caw__py_await_new(PyObject *awaitable)
{
    caw__py_await *f = await_new(awaitable);
    caw__await_made = f;
    return f ? &f->child.future : NULL;
}

caw_future *
caw__py_await_suspended(caw__coroutine *c, PyObject *iterator, PyObject *yielded)
{
    caw__py_await *f = await_new(iterator);
    if (!f || !await_wait(f, c, yielded)) {
        if (!f) {
            Py_DECREF(yielded);
            PyErr_NoMemory();
        }
        free(f);
        Py_DECREF(iterator);
        return NULL;
    }
    f->state = AWAIT_IN_PLACE;
    f->inner.awaiter = c;
    return &f->child.future;
}
