/* returns.c: functions of an author's that return a number which the test chooses, wherever the library calls them. */
#include "ext.h"

#include <stdlib.h>
#include <string.h>

/* --- futures --- */

typedef struct returning {
    caw_future future;
    caw_future *child; /* polled first, or NULL */
    int returned;
    int pending;  /* so many polls are pending before, and wake */
    bool forgets; /* then it is pending without a clone */
} returning;

static caw_poll
returning_poll(caw_future *f, caw_context *cx)
{
    returning *r = CAW_CONTAINER_OF(f, returning, future);
    if (r->child) { /* whose status it ends with: as authors write it */
        return caw_future_poll(r->child, cx) == CAW_READY ? caw_future_finish(f, r->child->status) : CAW_PENDING;
    }
    if (r->pending > 0) {
        r->pending--;
        caw_waker_wake_by_ref(cx->waker);
        return CAW_PENDING;
    }
    return r->forgets ? CAW_PENDING : (caw_poll)r->returned;
}

static void
returning_cancel(caw_future *f)
{
    returning *r = CAW_CONTAINER_OF(f, returning, future);
    if (r->child) {
        caw_future_cancel(r->child);
    }
}

static void
returning_destroy(caw_future *f)
{
    returning *r = CAW_CONTAINER_OF(f, returning, future);
    caw_future_destroy(r->child);
    free(r);
    atomic_fetch_sub(&ext_live_futures, 1);
}

static const caw_future_ops returning_ops = {"test.returns", returning_poll, returning_cancel, returning_destroy};
static const caw_future_ops returning_ops_without_cancel = {"test.returns", returning_poll, NULL, returning_destroy};

static caw_future *
returning_new(int returned, int pending, caw_future *child)
{
    returning *r = calloc(1, sizeof *r);
    if (!r) {
        abort();
    }
    atomic_fetch_add(&ext_live_futures, 1);
    r->returned = returned;
    r->pending = pending;
    r->child = child;
    caw_future_init(&r->future, &returning_ops);
    return &r->future;
}

/* A promise whose start, or a piece of work whose run, returns the number. */
typedef struct returning_promise {
    caw_promise promise;
    int returned;
} returning_promise;

static int
returning_start(caw_promise *p)
{
    return CAW_CONTAINER_OF(p, returning_promise, promise)->returned;
}

static caw_future *
returning_promise_new(int returned)
{
    static const caw_promise_ops ops = CAW_PROMISE_OPS("test.starts", returning_start, NULL);
    returning_promise *p = malloc(sizeof *p);
    if (!p) {
        abort();
    }
    p->returned = returned;
    caw_promise_init(&p->promise, &ops);
    return &p->promise.future;
}

static int
returning_call(void *arg)
{
    return (int)(intptr_t)arg;
}

static PyObject *
returning_none(void *Py_UNUSED(arg))
{
    Py_RETURN_NONE;
}

static int
returning_result(void *arg, PyObject *Py_UNUSED(value))
{
    return (int)(intptr_t)arg;
}

static caw_future *
returning_posted(int returned)
{
    static const caw_py_call_spec spec = {returning_none, returning_result, NULL};
    return caw_py_call(NULL, &spec, (void *)(intptr_t)returned);
}

/* returns(where, number): how the number is returned */
static caw_future *
returns_start(PyObject *module, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    const char *where;
    int returned;
    if (!PyArg_ParseTuple(args, "si:returns", &where, &returned)) {
        return NULL;
    }
    if (strcmp(where, "poll") == 0) {
        return returning_new(returned, 0, NULL);
    }
    if (strcmp(where, "later poll") == 0) {
        return returning_new(returned, 2, NULL);
    }
    if (strcmp(where, "child's poll") == 0) {
        return returning_new(0, 0, returning_new(returned, 1, NULL));
    }
    if (strcmp(where, "spawned poll") == 0) {
        return caw_spawn(NULL, returning_new(returned, 1, NULL));
    }
    if (strcmp(where, "poll in a scope") == 0) {
        caw_py_locals *locals = caw_py_locals_new(module);
        caw_future *f = locals ? caw_py_scope(locals, returning_new(returned, 1, NULL)) : NULL;
        caw_py_locals_release(locals);
        return f;
    }
    if (strcmp(where, "start") == 0) {
        return returning_promise_new(returned);
    }
    if (strcmp(where, "run") == 0) {
        return caw_blocking(NULL, returning_call, (void *)(intptr_t)returned, NULL);
    }
    if (strcmp(where, "result") == 0) {
        return returning_posted(returned);
    }
    PyErr_SetString(PyExc_KeyError, where);
    return NULL;
}

/* pends(polls): pending without a clone of the waker, after so many polls that wake. */
static caw_future *
pends_start(PyObject *Py_UNUSED(module), PyObject *polls)
{
    int pending = (int)PyLong_AsLong(polls);
    caw_future *f = returning_new(0, pending, NULL);
    CAW_CONTAINER_OF(f, returning, future)->forgets = true;
    f->ops = &returning_ops_without_cancel; /* so a cancelled awaiter resumes */
    return f;
}

const caw_py_async_def ext_return_functions[] = {
    CAW_PY_ASYNC("returns", returns_start, NULL, NULL),
    CAW_PY_ASYNC("returns_nogil", returns_start, NULL, NULL, .poll_without_gil = true),
    CAW_PY_ASYNC_O("pends", pends_start, NULL, NULL, .sync_name = "pends_sync"),
    CAW_PY_ASYNC_END,
};

/* --- streams --- */

typedef struct returning_stream {
    caw_stream stream;
    int returned, items; /* so many come before */
} returning_stream;

static caw_poll
returning_poll_next(caw_stream *s, caw_context *Py_UNUSED(cx), caw_item **out)
{
    returning_stream *r = CAW_CONTAINER_OF(s, returning_stream, stream);
    if (r->items > 0) {
        *out = ext_number_new(r->items--);
        return CAW_READY;
    }
    return (caw_poll)r->returned;
}

static void
returning_stream_destroy(caw_stream *s)
{
    free(CAW_CONTAINER_OF(s, returning_stream, stream));
    atomic_fetch_sub(&ext_live_futures, 1);
}

static const caw_stream_ops returning_stream_ops = {"test.returns", returning_poll_next, NULL, returning_stream_destroy,
                                                    NULL};

static caw_stream *
returning_stream_new(int returned, int items)
{
    returning_stream *r = malloc(sizeof *r);
    if (!r) {
        abort();
    }
    atomic_fetch_add(&ext_live_futures, 1);
    r->returned = returned;
    r->items = items;
    caw_stream_init(&r->stream, &returning_stream_ops);
    return &r->stream;
}

/* The last of the items, 1, is mapped to nothing but the number; the others to themselves. */
static int
returning_map(void *user, caw_item *item, caw_item **out)
{
    *out = item;
    return ext_number_value(item) == 1 ? (int)(intptr_t)user : 0;
}

static int
returning_channel_start(caw_channel *Py_UNUSED(channel), void *user)
{
    return (int)(intptr_t)user;
}

static caw_stream *
returning_channel(int returned)
{
    caw_channel_spec spec = {.capacity = 1, .start = returning_channel_start, .user = (void *)(intptr_t)returned};
    caw_channel *channel;
    int error = caw_channel_new(&spec, &channel);
    return error ? (caw_stream *)caw_py_set_error(error) : caw_channel_stream(channel);
}

static int
returning_convert(void *user, PyObject *value, caw_item **out)
{
    *out = ext_number_new(PyLong_AsLongLong(value));
    return PyLong_AsLong(value) == 1 ? (int)(intptr_t)user : 0;
}

static caw_stream *
returning_iterable(PyObject *module, PyObject *iterable, int returned, bool posted)
{
    const caw_py_iterable_spec spec = {.convert = returning_convert, .user = (void *)(intptr_t)returned};
    caw_py_locals *locals = posted ? caw_py_locals_new(module) : NULL;
    caw_stream *s = posted && !locals ? NULL : caw_py_iterate(locals, Py_NewRef(iterable), &spec);
    caw_py_locals_release(locals);
    return s;
}

/* items_and_returns(where, number, iterable=None): 3, 2, perhaps 1, and then the number is returned. */
static caw_stream *
items_start(PyObject *module, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    const char *where;
    int returned;
    PyObject *iterable = Py_None;
    if (!PyArg_ParseTuple(args, "si|O:items_and_returns", &where, &returned, &iterable)) {
        return NULL;
    }
    if (strcmp(where, "poll_next") == 0) {
        return returning_stream_new(returned, 3);
    }
    if (strcmp(where, "poll_next in a merge") == 0) {
        caw_stream *both[] = {returning_stream_new(returned, 3), returning_stream_new(returned, 3)};
        return caw_stream_merge(both, 2);
    }
    if (strcmp(where, "map") == 0) {
        return caw_stream_map(returning_stream_new(CAW_READY, 3), returning_map, (void *)(intptr_t)returned, NULL);
    }
    if (strcmp(where, "channel's start") == 0) {
        return returning_channel(returned);
    }
    if (strcmp(where, "convert") == 0 || strcmp(where, "convert in a task") == 0) {
        return returning_iterable(module, iterable, returned, strlen(where) > strlen("convert"));
    }
    PyErr_SetString(PyExc_KeyError, where);
    return NULL;
}

const caw_py_stream_def ext_return_streams[] = {
    CAW_PY_STREAM("items_and_returns", items_start, ext_number_object, NULL),
    CAW_PY_STREAM("lists_and_returns", items_start, ext_number_object, NULL, .batch = 2),
    CAW_PY_STREAM_END,
};

/* --- readers and writers --- */

typedef struct returning_bytes {
    caw_reader reader;
    caw_writer writer;
    int returned;
} returning_bytes;

static caw_poll
returning_poll_read(caw_reader *r, caw_context *Py_UNUSED(cx), void *Py_UNUSED(buffer), size_t Py_UNUSED(size),
                    size_t *Py_UNUSED(out))
{
    return (caw_poll)CAW_CONTAINER_OF(r, returning_bytes, reader)->returned;
}

static void
returning_reader_destroy(caw_reader *r)
{
    free(CAW_CONTAINER_OF(r, returning_bytes, reader));
}

static caw_poll
returning_poll_write(caw_writer *w, caw_context *Py_UNUSED(cx), const void *Py_UNUSED(buffer), size_t Py_UNUSED(size),
                     size_t *Py_UNUSED(out))
{
    return (caw_poll)CAW_CONTAINER_OF(w, returning_bytes, writer)->returned;
}

static caw_poll
returning_poll_close(caw_writer *w, caw_context *Py_UNUSED(cx))
{
    return (caw_poll)CAW_CONTAINER_OF(w, returning_bytes, writer)->returned;
}

static void
returning_writer_destroy(caw_writer *w)
{
    free(CAW_CONTAINER_OF(w, returning_bytes, writer));
}

PyObject *
ext_returning_bytes(PyObject *module, PyObject *number)
{
    static const caw_reader_ops reader_ops = {"test.reads", returning_poll_read, NULL, returning_reader_destroy};
    static const caw_writer_ops writer_ops = {"test.writes", returning_poll_write, returning_poll_close, NULL,
                                              returning_writer_destroy};
    int returned = (int)PyLong_AsLong(number);
    returning_bytes *in = calloc(1, sizeof *in), *to = calloc(1, sizeof *to);
    if (!in || !to) {
        abort();
    }
    in->returned = to->returned = returned;
    caw_reader_init(&in->reader, &reader_ops);
    caw_writer_init(&to->writer, &writer_ops);
    return caw_py_byte_stream(module, &in->reader, &to->writer);
}
