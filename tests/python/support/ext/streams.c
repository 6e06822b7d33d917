/* streams.c: streams without a channel; sends that a coroutine waits for; Python's iterables consumed in C. */
#include "ext.h"

#include <stdlib.h>
#include <string.h>

/* --- a send on the heap, which a coroutine owns --- */

typedef struct sending {
    caw_future future;
    caw_send_op send;
} sending;

static caw_poll
sending_poll(caw_future *f, caw_context *cx)
{
    sending *s = CAW_CONTAINER_OF(f, sending, future);
    return caw_future_poll(&s->send.future, cx) == CAW_READY ? caw_future_finish(f, s->send.future.status)
                                                             : CAW_PENDING;
}

static void
sending_cancel(caw_future *f)
{
    caw_future_cancel(&CAW_CONTAINER_OF(f, sending, future)->send.future);
}

static void
sending_destroy(caw_future *f)
{
    sending *s = CAW_CONTAINER_OF(f, sending, future);
    caw_future_destroy(&s->send.future);
    free(s);
}

static const caw_future_ops sending_ops = {"sending", sending_poll, sending_cancel, sending_destroy};

caw_future *
ext_sending_new(caw_channel *channel, caw_item *item)
{
    sending *s = malloc(sizeof *s);
    if (!s) {
        caw_item_destroy(item);
        return NULL;
    }
    caw_future_init(&s->future, &sending_ops);
    caw_send_init(&s->send, channel, item);
    return &s->future;
}

/* --- numbers(n, status=0): 0 to n - 1, all there at once, then the status --- */

typedef struct counting {
    caw_stream stream;
    long long next, length;
    int status;
    bool cancelled;
} counting;

static caw_poll
counting_poll(caw_stream *s, caw_context *cx, caw_item **out)
{
    counting *c = CAW_CONTAINER_OF(s, counting, stream);
    (void)cx;
    if (c->cancelled || c->next >= c->length) {
        return caw_stream_finish(s, c->cancelled ? CAW_ECANCELED : c->status, out);
    }
    *out = ext_number_new(c->next++);
    return CAW_READY;
}

static void
counting_cancel(caw_stream *s)
{
    CAW_CONTAINER_OF(s, counting, stream)->cancelled = true;
}

static void
counting_destroy(caw_stream *s)
{
    free(CAW_CONTAINER_OF(s, counting, stream));
    ext_live_futures--;
}

static const caw_stream_ops counting_ops = {"counting", counting_poll, counting_cancel, counting_destroy, NULL};

static caw_stream *
numbers_start(PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"n", "status", NULL};
    long long length;
    int status = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "L|i:numbers", keywords, &length, &status)) {
        return NULL;
    }
    counting *c = calloc(1, sizeof *c);
    if (!c) {
        return NULL;
    }
    ext_live_futures++;
    c->length = length;
    c->status = status;
    caw_stream_init(&c->stream, &counting_ops);
    return &c->stream;
}

static void
numbers_error(caw_stream *Py_UNUSED(s), int status)
{
    PyErr_Format(PyExc_KeyError, "status %d", status);
}

/* --- numbers_told(n): asend(m) goes on with m; athrow(LookupError) with 100, ValueError becomes a KeyError. One that
 *     can be called is called first. What is wrong is sent as a str --- */

static int
numbers_on_send(caw_stream *s, PyObject *value)
{
    long long next = PyLong_AsLongLong(value);
    if (PyErr_Occurred()) {
        return -1;
    }
    CAW_CONTAINER_OF(s, counting, stream)->next = next;
    return 0;
}

static int
numbers_on_throw(caw_stream *s, PyObject *exception)
{
    PyObject *called = PyCallable_Check(exception) ? PyObject_CallNoArgs(exception) : NULL;
    Py_XDECREF(called);
    if (PyErr_Occurred()) {
        return -1;
    }
    if (PyErr_GivenExceptionMatches(exception, PyExc_LookupError)) {
        CAW_CONTAINER_OF(s, counting, stream)->next = 100;
        return 0;
    }
    if (PyErr_GivenExceptionMatches(exception, PyExc_ValueError)) {
        PyErr_SetString(PyExc_KeyError, "instead");
    }
    return -1;
}

/* --- relay_around(iterable): an author's own stream around one of Python, with its own functions --- */

typedef struct own_around {
    caw_stream stream;
    caw_stream *inner;
} own_around;

static caw_poll
own_around_poll(caw_stream *s, caw_context *cx, caw_item **out)
{
    own_around *o = CAW_CONTAINER_OF(s, own_around, stream);
    caw_poll poll = caw_stream_poll_next(o->inner, cx, out);
    s->status = o->inner->status;
    return poll;
}

static void
own_around_cancel(caw_stream *s)
{
    caw_stream_cancel(CAW_CONTAINER_OF(s, own_around, stream)->inner);
}

static void
own_around_destroy(caw_stream *s)
{
    own_around *o = CAW_CONTAINER_OF(s, own_around, stream);
    caw_stream_destroy(o->inner);
    free(o);
}

static const caw_stream_ops own_around_ops = {"around", own_around_poll, own_around_cancel, own_around_destroy, NULL};

static caw_stream *
relay_around_start(PyObject *Py_UNUSED(module), PyObject *iterable)
{
    own_around *o = calloc(1, sizeof *o);
    caw_stream *inner = o ? caw_py_iterate(NULL, Py_NewRef(iterable), NULL) : NULL;
    if (!inner) {
        free(o);
        return NULL;
    }
    caw_stream_init(&o->stream, &own_around_ops);
    o->inner = inner;
    return &o->stream;
}

static int
relay_around_on_send(caw_stream *s, PyObject *value)
{
    (void)caw_py_iterate_send(CAW_CONTAINER_OF(s, own_around, stream)->inner, value);
    return 0;
}

static int
relay_around_on_throw(caw_stream *s, PyObject *exception)
{
    return caw_py_iterate_throw(CAW_CONTAINER_OF(s, own_around, stream)->inner, exception) ? 0 : -1;
}

/* --- relay_inside(iterable): inside of map and take --- */

static int
relay_same(void *Py_UNUSED(user), caw_item *item, caw_item **out)
{
    *out = item;
    return 0;
}

static caw_stream *
relay_inside_start(PyObject *Py_UNUSED(module), PyObject *iterable)
{
    caw_stream *stream = caw_py_iterate(NULL, Py_NewRef(iterable), NULL);
    return stream ? caw_stream_take(caw_stream_map(stream, relay_same, NULL, NULL), 1000) : NULL;
}

/* --- relay(iterable), relay_posted(iterable, capacity): Python -> C -> Python --- */

static caw_stream *
relay_start(PyObject *Py_UNUSED(module), PyObject *iterable)
{
    return caw_py_iterate(NULL, Py_NewRef(iterable), NULL);
}

static caw_stream *
relay_posted_start(PyObject *module, PyObject *const *args, Py_ssize_t nargs, PyObject *Py_UNUSED(kwnames))
{
    if (nargs != 2) {
        PyErr_SetString(PyExc_TypeError, "relay_posted(iterable, capacity)");
        return NULL;
    }
    const caw_py_iterable_spec spec = {.capacity = PyLong_AsSize_t(args[1])};
    caw_py_locals *locals = caw_py_locals_new(module);
    caw_stream *s = locals ? caw_py_iterate(locals, Py_NewRef(args[0]), &spec) : NULL;
    caw_py_locals_release(locals);
    return s;
}

const caw_py_stream_def ext_streams[] = {
    CAW_PY_STREAM("numbers", numbers_start, ext_number_object, "numbers(n, status=0)\n--\n\nNumbers that are there."),
    CAW_PY_STREAM("numbers_or_fail", numbers_start, ext_number_object, NULL, .error = numbers_error),
    CAW_PY_STREAM("number_lists", numbers_start, ext_number_object, NULL, .batch = 64),
    CAW_PY_STREAM_O("relay", relay_start, NULL,
                    "relay(iterable: AsyncIterable[Any]) -> AsyncGenerator[Any, Any]\n--\n\nIts items, in place."),
    CAW_PY_STREAM_O("relay_lists", relay_start, NULL, NULL, .batch = 64),
    CAW_PY_STREAM("numbers_told", numbers_start, ext_number_object, NULL, .on_send = numbers_on_send,
                  .on_throw = numbers_on_throw),
    CAW_PY_STREAM_O("relay_around", relay_around_start, NULL, NULL, .on_send = relay_around_on_send,
                    .on_throw = relay_around_on_throw),
    CAW_PY_STREAM_O("relay_inside", relay_inside_start, NULL, NULL),
    CAW_PY_STREAM_O("relay_without_gil", relay_start, NULL, NULL, .poll_without_gil = true),
    CAW_PY_STREAM_O("relay_keeping", relay_start, NULL, NULL, .cancel = CAW_PY_CANCEL_KEEP),
    CAW_PY_STREAM_FASTCALL("relay_posted", relay_posted_start, NULL, NULL),
    CAW_PY_STREAM_FASTCALL("relay_posted_with_grace", relay_posted_start, NULL, NULL, .cancel = CAW_PY_CANCEL_WAIT,
                           .cancel_grace_ns = 5000000),
    CAW_PY_STREAM_END,
};

/* --- total(iterable, limit=-1, stop="cancel", where="place", capacity=1): the sum of the numbers that it gives, by a C
 *     future, which stops after `limit` of them: it cancels the stream and waits for its end, or destroys it --- */

typedef struct total {
    caw_future future;
    caw_stream *stream;
    long long sum;
    long count, limit;
    bool cancels;
} total;

static int
total_convert(void *Py_UNUSED(user), PyObject *value, caw_item **out)
{
    long long number = PyLong_AsLongLong(value);
    if (PyErr_Occurred()) {
        return CAW_EPYTHON;
    }
    *out = number == 0 ? NULL : ext_number_new(number);
    return 0;
}

/* The limit is reached: stop the stream. */
static caw_poll
total_stop(total *t)
{
    if (!t->cancels) {
        caw_stream *stream = t->stream;
        t->stream = NULL;
        caw_stream_destroy(stream);
        return CAW_READY;
    }
    caw_stream_cancel(t->stream);
    return CAW_PENDING;
}

static caw_poll
total_poll(caw_future *f, caw_context *cx)
{
    total *t = CAW_CONTAINER_OF(f, total, future);
    for (;;) {
        caw_item *item;
        if (caw_stream_poll_next(t->stream, cx, &item) == CAW_PENDING) {
            return CAW_PENDING;
        }
        if (!item) {
            bool stopped = t->count == t->limit && t->stream->status == CAW_ECANCELED;
            return caw_future_finish(f, stopped ? 0 : t->stream->status);
        }
        t->sum += ext_number_value(item);
        caw_item_destroy(item);
        if (++t->count == t->limit && total_stop(t) == CAW_READY) {
            return caw_future_finish(f, 0);
        }
    }
}

static void
total_cancel(caw_future *f)
{
    caw_stream_cancel(CAW_CONTAINER_OF(f, total, future)->stream);
}

static void
total_destroy(caw_future *f)
{
    total *t = CAW_CONTAINER_OF(f, total, future);
    caw_stream_destroy(t->stream);
    free(t);
    ext_live_futures--;
}

static const caw_future_ops total_ops = {"total", total_poll, total_cancel, total_destroy};

/* Where it runs: in place; on the pool, by a scope or by locals of its own; or here, but as a task. */
static caw_future *
total_place(PyObject *module, caw_future *f, const char *where)
{
    if (strcmp(where, "pool") != 0 && strcmp(where, "scope") != 0) {
        return f;
    }
    caw_py_locals *locals = caw_py_locals_new(module);
    caw_future *scope = locals ? caw_py_scope(locals, f) : NULL;
    caw_py_locals_release(locals);
    return scope ? caw_spawn(NULL, scope) : NULL;
}

static caw_future *
total_start(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"iterable", "limit", "stop", "where", "capacity", NULL};
    PyObject *iterable;
    long limit = -1;
    const char *stop = "cancel", *where = "place";
    Py_ssize_t capacity = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$lssn:total", keywords, &iterable, &limit, &stop, &where,
                                     &capacity)) {
        return NULL;
    }
    const caw_py_iterable_spec spec = {.convert = total_convert, .capacity = (size_t)capacity};
    bool on = strcmp(where, "task") == 0 || strcmp(where, "pool") == 0;
    caw_py_locals *locals = on ? caw_py_locals_new(module) : NULL;
    caw_stream *stream = on && !locals ? NULL : caw_py_iterate(locals, Py_NewRef(iterable), &spec);
    caw_py_locals_release(locals);
    total *t = stream ? calloc(1, sizeof *t) : NULL;
    if (!t) {
        caw_stream_destroy(stream);
        return NULL;
    }
    ext_live_futures++;
    t->stream = stream;
    t->limit = limit;
    t->cancels = strcmp(stop, "cancel") == 0;
    caw_future_init(&t->future, &total_ops);
    return total_place(module, &t->future, where);
}

static PyObject *
total_result(caw_future *f)
{
    if (f->ops !=
        &total_ops) { /* a join: its child is the scope, whose child cannot be reached, so only the end can be seen */
        Py_RETURN_NONE;
    }
    const total *t = CAW_CONTAINER_OF(f, const total, future);
    return Py_BuildValue("(lL)", t->count, t->sum);
}

const caw_py_async_def ext_iterable_functions[] = {
    CAW_PY_ASYNC("total", total_start, total_result, NULL),
    CAW_PY_ASYNC_END,
};
