/* step.c: one step of an async generator, as a future (generator.h has the states). It behaves as `Objects/genobject.c:
 * async_gen_asend_send` and `async_gen_athrow_send` do (CPython 3.13). */
#include "python/generator/step.h"

#include "python/await/in_place.h"
#include "python/base/errors.h"
#include "python/coroutine/end.h"
#include "python/coroutine/poll.h"
#include "python/generator/given.h"
#include "python/generator/step_result.h"
#include "python/iterate/iterate.h"
#include "python/loop/hub.h"

#include <stdlib.h>

/* When items come without suspending for this long, the loop turns (python_stream.h). */
#define GENERATOR_STEP_RUN_LENGTH 64
#define GENERATOR_STEP_RUN_NS     1000000

/* --- the stream --- */

static caw_poll
generator_step_poll_stream(caw__generator *g, caw_context *cx, caw_item **out)
{
    if (!g->function->stream->poll_without_gil) {
        return caw_stream_poll_next(g->stream, cx, out);
    }
    caw__poll_place *place = cx->place;
    place->released = caw__gil_released = PyEval_SaveThread();
    caw_poll poll = caw_stream_poll_next(g->stream, cx, out);
    caw__gil_take(place->released);
    place->released = NULL;
    return poll;
}

/* Go on at the next turn of the loop. */
static caw_poll
generator_step_breathe(caw__generator *g, caw_context *cx)
{
    g->run_began = 0;
    caw_waker_wake_by_ref(cx->waker);
    return CAW_PENDING;
}

static bool
generator_step_run_is_long(caw__generator *g)
{
    if (g->run_began == 0) {
        g->run_began = caw_now_ns();
        g->run_length = 0;
    }
    if (g->run_length < GENERATOR_STEP_RUN_LENGTH) {
        return false;
    }
    g->run_length = 0;
    return caw_now_ns() - g->run_began >= GENERATOR_STEP_RUN_NS;
}

static caw_poll
generator_step_finish(caw__generator_step *a, int status)
{
    a->ready = true;
    return caw_future_finish(&a->child.future, status);
}

/* Raise the StopAsyncIteration that is the generator's end. */
static void
generator_step_raise_stop(caw__generator_step *a)
{
    a->stops = true;
    PyErr_SetNone(PyExc_StopAsyncIteration);
}

/* The stream has ended, and there is nothing more to return. */
static caw_poll
generator_step_finish_over(caw__generator_step *a)
{
    caw__generator *g = a->generator;
    int status = g->stream->status;
    a->ended = true;
    if (g->raised) {
        caw__raise(g->raised);
        g->raised = NULL;
        return generator_step_finish(a, CAW_EPYTHON);
    }
    if (status == 0 && !PyErr_Occurred()) {
        generator_step_raise_stop(a);
    }
    return generator_step_finish(a, status == 0 ? CAW_EPYTHON : status);
}

/* The end has come after some items, which are returned first: keep the exception of the end. */
static void
generator_step_keep_raised(caw__generator *g, const caw_context *cx)
{
    const caw__coroutine *c = ((caw__poll_place *)cx->place)->coroutine;
    if (PyErr_Occurred()) {
        g->raised = caw__take_raised();
    }
    else {
        g->raised = Py_XNewRef(caw__poll_noted(c, g->stream->status));
    }
}

/* Whether the stream waits for a Python awaitable in place: then the coroutine has to wait for that too. */
static bool
generator_step_delegates(const caw_context *cx)
{
    const caw__coroutine *c = ((caw__poll_place *)cx->place)->coroutine;
    return c->extras && c->extras->inner && c->extras->inner->waits;
}

/* How many items make a step, at most. One for a Python iterable in place: it has no item ready before __anext__() is
 * called, so the first item would wait for the second. */
static size_t
generator_step_wanted(const caw__generator *g)
{
    size_t batch = g->function->stream->batch;
    return batch && !caw__iteration_is_in_place(g->stream) ? batch : 1;
}

/* The stream's end comes after the items of this step. */
static caw_poll
generator_step_end(caw__generator_step *a, const caw_context *cx)
{
    a->generator->over = true;
    if (!a->items) {
        return generator_step_finish_over(a);
    }
    generator_step_keep_raised(a->generator, cx);
    return generator_step_finish(a, 0);
}

/* Append an item, and behind it the items that are ready in the stream, up to `most` in all. */
static void
generator_step_add(caw__generator_step *a, caw_item ***last, caw_item *item, size_t most)
{
    caw__generator *g = a->generator;
    item->next = NULL;
    a->length++;
    size_t more = most > a->length ? caw_stream_take_ready(g->stream, most - a->length, &item->next) : 0;
    **last = item;
    a->length += (uint32_t)more;
    g->run_length += 1 + (uint32_t)more;
    if (a->length < most) { /* others may follow behind the last one */
        for (size_t i = 0; i < more; i++) {
            item = item->next;
        }
        *last = &item->next;
    }
}

/* Take one item, or for a list as many as are ready. */
static caw_poll
generator_step_take(caw__generator_step *a, caw_context *cx)
{
    caw__generator *g = a->generator;
    caw_item **last = &a->items, *item;
    while (*last) { /* from an earlier poll, which had to wait for more */
        last = &(*last)->next;
    }
    do {
        if (generator_step_poll_stream(g, cx, &item) == CAW_PENDING) {
            g->run_began = 0;
            return a->items && !generator_step_delegates(cx) ? generator_step_finish(a, 0) : CAW_PENDING;
        }
        if (!item) {
            return generator_step_end(a, cx);
        }
        generator_step_add(a, &last, item, generator_step_wanted(g));
    } while (a->length < generator_step_wanted(g));
    return generator_step_finish(a, 0);
}

static caw_poll
generator_step_collect(caw__generator_step *a, caw_context *cx)
{
    caw__generator *g = a->generator;
    if (g->kept) {
        a->items = g->kept;
        g->kept = NULL;
        for (const caw_item *item = a->items; item; item = item->next) {
            a->length++;
        }
        return generator_step_finish(a, 0);
    }
    if (g->over) {
        return generator_step_finish_over(a);
    }
    return generator_step_run_is_long(g) ? generator_step_breathe(g, cx) : generator_step_take(a, cx);
}

/* --- stopping --- */

/* The stream was cancelled: wait for its end, and destroy the items that still come. */
static caw_poll
generator_step_drain(caw__generator_step *a, caw_context *cx)
{
    caw__generator *g = a->generator;
    caw_item *item;
    for (int n = 0; n < GENERATOR_STEP_RUN_LENGTH && !g->over; n++) {
        if (generator_step_poll_stream(g, cx, &item) == CAW_PENDING) {
            return CAW_PENDING;
        }
        g->over = !item;
        caw_item_destroy(item);
    }
    if (!g->over) {
        return generator_step_breathe(g, cx);
    }
    a->ended = true;
    int status = g->stream->status;
    if (a->kind == GENERATOR_STEP_THROW && status != CAW_EPYTHON) { /* else another exception was raised meanwhile */
        caw__raise(Py_NewRef(a->arg));
        return generator_step_finish(a, CAW_EPYTHON);
    }
    return generator_step_finish(a, a->kind == GENERATOR_STEP_CLOSE && status == CAW_ECANCELED ? 0 : status);
}

/* Whether athrow() and aclose() wait for the stream's end. */
static bool
generator_step_waits_to_stop(const caw__generator *g)
{
    caw_py_cancel cancel = g->function->stream->cancel;
    bool by_default = cancel == CAW_PY_CANCEL_DEFAULT || cancel == CAW_PY_CANCEL_KEEP;
    return cancel == CAW_PY_CANCEL_WAIT || (by_default && g->stream->ops->cancel);
}

/* athrow() and aclose(), the first poll. */
static caw_poll
generator_step_stop(caw__generator_step *a, caw_context *cx)
{
    caw__generator *g = a->generator;
    if (generator_step_waits_to_stop(g) && g->started && !g->over) {
        a->cancelled = true;
        g->cancel_sent = true;
        caw_stream_cancel(g->stream);
        return generator_step_drain(a, cx);
    }
    a->ended = true;
    if (a->kind == GENERATOR_STEP_CLOSE) {
        return generator_step_finish(a, 0);
    }
    caw__raise(Py_NewRef(a->arg));
    return generator_step_finish(a, CAW_EPYTHON);
}

/* --- the future --- */

/* Whether the stream stays as it is when the step ends without the next item. */
static bool
generator_step_keeps(const caw__generator_step *a)
{
    const caw__generator *g = a->generator;
    return a->kind == GENERATOR_STEP_NEXT && g->function && g->function->stream->cancel == CAW_PY_CANCEL_KEEP;
}

static const char *const generator_step_names[] = {"anext", "athrow", "aclose"};

/* Whether another step has begun: then with an exception set. */
static bool
generator_step_is_refused(const caw__generator_step *a)
{
    if (a->generator->running) {
        PyErr_Format(PyExc_RuntimeError, "%s(): asynchronous generator is already running",
                     generator_step_names[a->kind]);
    }
    return a->generator->running;
}

/* Begin the step. False when there is nothing to do: with an exception, or because the generator is closed already. */
static bool
generator_step_begin(caw__generator_step *a)
{
    caw__generator *g = a->generator;
    if (generator_step_is_refused(a)) {
        return false;
    }
    if (!g->stream) {
        if (a->kind == GENERATOR_STEP_NEXT) {
            generator_step_raise_stop(a);
        }
        return false;
    }
    if (a->kind == GENERATOR_STEP_NEXT && a->arg && a->arg != Py_None && !g->started) {
        PyErr_SetString(PyExc_TypeError, "can't send non-None value to a just-started async generator");
        return false;
    }
    a->begun = true;
    g->running = true;
    return true;
}

static caw_poll
generator_step_poll(caw_future *f, caw_context *cx)
{
    caw__generator_step *a = CAW_CONTAINER_OF(f, caw__generator_step, child.future);
    bool begins = !a->begun;
    if (begins && !generator_step_begin(a)) {
        return generator_step_finish(a, PyErr_Occurred() ? CAW_EPYTHON : 0);
    }
    if (begins && a->arg && !caw__generator_give(a)) {
        a->ended = true;
        return generator_step_finish(a, CAW_EPYTHON);
    }
    if (begins && a->kind != GENERATOR_STEP_NEXT) {
        return generator_step_stop(a, cx);
    }
    caw__generator *g = a->generator;
    g->started = true;
    caw_poll poll = a->cancelled ? generator_step_drain(a, cx) : generator_step_collect(a, cx);
    g->waiter = poll == CAW_PENDING ? ((caw__poll_place *)cx->place)->coroutine : NULL;
    return poll;
}

/* The awaiter was cancelled. */
static void
generator_step_cancel(caw_future *f)
{
    caw__generator_step *a = CAW_CONTAINER_OF(f, caw__generator_step, child.future);
    caw__generator *g = a->generator;
    a->cancelled = true;
    if (!g->cancel_sent && !g->over) {
        g->cancel_sent = true;
        caw_stream_cancel(g->stream);
    }
}

/* Free the step's memory, unless it is the generator's own. The reference to the generator is left. */
static inline void
generator_step_free(caw__generator_step *a, caw__generator *g)
{
    if (a == &g->own) {
        g->own_used = false;
    }
    else {
        free(a);
    }
}

static void
generator_step_destroy(caw_future *f)
{
    caw__generator_step *a = CAW_CONTAINER_OF(f, caw__generator_step, child.future);
    caw__generator *g = a->generator;
    PyObject *arg = a->arg;
    caw_item *items = a->items;
    if (a->begun) {
        g->waiter = NULL;
        g->running = false;
        if (a->ended || (!a->ready && !generator_step_keeps(a))) {
            caw__generator_end(g);
        }
        else {
            g->kept = items;
            items = NULL;
        }
    }
    generator_step_free(a, g);
    caw_item_destroy_all(items);
    Py_XDECREF(arg);
    Py_DECREF(g);
}

static const caw_future_ops generator_step_ops = {"async_generator", generator_step_poll, generator_step_cancel,
                                                  generator_step_destroy};
static const caw_future_ops generator_step_ops_without_cancel = {"async_generator", generator_step_poll, NULL,
                                                                 generator_step_destroy};

static int
generator_step_traverse(const caw_future *future, visitproc visit, void *arg)
{
    const caw__generator_step *a = CAW_CONTAINER_OF(future, const caw__generator_step, child.future);
    Py_VISIT(a->generator);
    Py_VISIT(a->arg);
    return 0;
}

static int
generator_step_throw_in(caw_future *future, PyObject *exception)
{
    caw__generator_step *a = CAW_CONTAINER_OF(future, caw__generator_step, child.future);
    if (generator_step_keeps(a)) {
        return 0;
    }
    if (generator_step_is_refused(a)) {
        return -1;
    }
    if (!a->generator->stream) {
        return 0;
    }
    a->begun = true;
    a->generator->running = true; /* first: the author's function may run any Python code */
    bool throws = exception && a->kind == GENERATOR_STEP_NEXT;
    if (throws && caw__generator_throw(a->generator, exception)) {
        return 1;
    }
    return PyErr_Occurred() ? -1 : 0;
}

static bool
generator_step_send(caw_future *future, PyObject *value)
{
    caw__generator_step *a = CAW_CONTAINER_OF(future, caw__generator_step, child.future);
    bool takes = a->kind == GENERATOR_STEP_NEXT;
    if (takes) {
        Py_XSETREF(a->arg, Py_NewRef(value));
    }
    return takes;
}

static void
generator_step_leaving(const caw_future *future)
{
    const caw__generator_step *a = CAW_CONTAINER_OF(future, const caw__generator_step, child.future);
    if (!a->stops && a->generator->stream && a->generator->started &&
        PyErr_ExceptionMatches(PyExc_StopAsyncIteration)) {
        caw__raise_instead_of("async generator raised StopAsyncIteration");
    }
}

static const char *
generator_step_method(const caw_future *future, PyObject **qualname)
{
    static const char *const methods[] = {"asend", "athrow", "aclose"};
    const caw__generator_step *a = CAW_CONTAINER_OF(future, const caw__generator_step, child.future);
    const caw__generator *g = a->generator;
    *qualname = g->qualname ? g->qualname : g->function ? g->function->qualname : NULL;
    return methods[a->kind];
}

/* --- at once --- */

/* Whether an item that is ready can be returned at once. Every 64th item goes the usual way, where the clock is
 * read. */
static bool
generator_step_is_simple(const caw__generator_step *a)
{
    const caw__generator *g = a->generator;
    return a->kind == GENERATOR_STEP_NEXT && !a->arg && !g->running && g->stream && !g->over && !g->kept &&
           g->run_began != 0 && g->run_length < GENERATOR_STEP_RUN_LENGTH && !g->function->stream->poll_without_gil;
}

static PySendResult
generator_step_at_once(caw__coroutine *c, PyObject **result)
{
    caw__generator_step *a = CAW_CONTAINER_OF(c->future, caw__generator_step, child.future);
    caw__generator *g = a->generator;
    size_t n;
    *result = NULL;
    if (!generator_step_is_simple(a) || !(n = caw_stream_take_ready(g->stream, generator_step_wanted(g), &a->items))) {
        return PYGEN_NEXT;
    }
    a->length = (uint32_t)n;
    g->run_length += (uint32_t)n;
    a->begun = a->ready = true;
    g->running = c->waiter.running = true;
    *result = caw__generator_step_result(&a->child.future);
    if (!*result) {
        PySendResult failed = caw__coroutine_fail(c, result);
        c->waiter.running = false;
        return failed;
    }
    c->future = NULL;
    c->waiter.state = CORO_CLOSED;
    g->running = false;
    generator_step_free(a, g); /* nothing is left in it */
    Py_DECREF(g);
    c->waiter.running = false;
    return PYGEN_RETURN;
}

/* --- birth --- */

static const caw__child_ops generator_step_child_ops = {
    .traverse = generator_step_traverse,
    .at_once = generator_step_at_once,
    .send = generator_step_send,
    .throw_in = generator_step_throw_in,
    .leaving = generator_step_leaving,
    .method = generator_step_method,
};

PyObject *
caw__generator_step_new(caw__generator *g, caw__generator_step_kind kind, PyObject *arg)
{
    caw__generator_step *a = g->own_used ? malloc(sizeof *a) : &g->own;
    if (!a) {
        return PyErr_NoMemory();
    }
    bool can_cancel = g->stream && g->stream->ops->cancel;
    *a = (caw__generator_step){
        .child.ops = &generator_step_child_ops, .generator = g, .arg = arg, .kind = (unsigned char)kind};
    a->child.future.ops = can_cancel ? &generator_step_ops : &generator_step_ops_without_cancel;
    g->own_used |= a == &g->own;
    Py_INCREF(g);
    Py_XINCREF(arg);
    return caw__coroutine_new_step(g->function, &a->child.future, kind != GENERATOR_STEP_NEXT);
}
