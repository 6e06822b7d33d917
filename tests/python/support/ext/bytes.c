/* bytes.c: byte streams: a copy from any source to any sink, and C sources and sinks for Python. */
#include "ext.h"

#include <stdlib.h>
#include <string.h>

/* A source or sink is an fd or a Python stream. It has locals, or it belongs where it is polled first. */
static caw_reader *
bytes_reader(PyObject *source, caw_py_locals *locals)
{
    if (PyLong_Check(source)) {
        return caw_reader_from_fd((int)PyLong_AsLong(source));
    }
    return caw_py_reader(locals, source);
}

static caw_writer *
bytes_writer(PyObject *sink, caw_py_locals *locals)
{
    if (PyLong_Check(sink)) {
        return caw_writer_from_fd((int)PyLong_AsLong(sink));
    }
    return caw_py_writer(locals, sink);
}

/* --- copy(source, sink, size=65536, how="here", closes=True): how many bytes --- */

typedef enum copy_state { COPY_READS = 0, COPY_WRITES, COPY_CLOSES } copy_state;

typedef struct copy {
    caw_future future;
    caw_reader *reader;
    caw_writer *writer;
    copy_state state;
    caw_read_op read;
    caw_write_op write;
    caw_close_op close;
    long long total;
    int closes;
    bool cancelled; /* the operation under way may still succeed */
    size_t size;
    char buffer[];
} copy;

static caw_future *
copy_child(copy *c)
{
    return c->state == COPY_READS ? &c->read.future : c->state == COPY_WRITES ? &c->write.future : &c->close.future;
}

/* One operation has ended: begin the next one. False if it was the last. */
static bool
copy_go_on(copy *c)
{
    if (c->state == COPY_READS && c->read.length > 0) {
        caw_write_init(&c->write, c->writer, c->buffer, c->read.length);
        c->total += (long long)c->read.length;
        c->state = COPY_WRITES;
    }
    else if (c->state == COPY_WRITES) {
        caw_read_init(&c->read, c->reader, c->buffer, c->size);
        c->state = COPY_READS;
    }
    else if (c->state == COPY_READS && c->closes) {
        caw_close_init(&c->close, c->writer);
        c->state = COPY_CLOSES;
    }
    else {
        return false;
    }
    return true;
}

static caw_poll
copy_poll(caw_future *f, caw_context *cx)
{
    copy *c = CAW_CONTAINER_OF(f, copy, future);
    caw_future *child;
    do {
        child = copy_child(c);
        if (caw_future_poll(child, cx) == CAW_PENDING) {
            return CAW_PENDING;
        }
    } while (child->status == 0 && !c->cancelled && copy_go_on(c));
    return caw_future_finish(f, child->status < 0 ? child->status : c->cancelled ? CAW_ECANCELED : 0);
}

static void
copy_cancel(caw_future *f)
{
    copy *c = CAW_CONTAINER_OF(f, copy, future);
    c->cancelled = true;
    caw_future_cancel(copy_child(c));
}

static void
copy_destroy(caw_future *f)
{
    copy *c = CAW_CONTAINER_OF(f, copy, future);
    caw_future_destroy(copy_child(c));
    caw_reader_destroy(c->reader);
    caw_writer_destroy(c->writer);
    free(c);
    atomic_fetch_sub(&ext_live_futures, 1);
}

static const caw_future_ops copy_ops = {"test.copy", copy_poll, copy_cancel, copy_destroy};

static int
copy_block(void *arg)
{
    return caw_block_on(arg);
}

static void
copy_free(void *arg)
{
    caw_future_destroy(arg);
}

/* how: "here", in the coroutine; "posted", in the coroutine, but by calls; "pool", as a future on the pool; "scope",
 * also on the pool, but the streams have no locals of their own; "thread", on a thread of its own, which blocks */
static caw_future *
copy_place(copy *c, const char *how, caw_py_locals *locals)
{
    caw_future *f = &c->future;
    if (strcmp(how, "pool") == 0 || strcmp(how, "scope") == 0) { /* in a scope, which holds the exception */
        f = caw_py_scope(locals, f);
        f = f ? caw_spawn(NULL, f) : NULL;
    }
    else if (how[0] == 't') {
        f = caw_blocking(NULL, copy_block, f, copy_free);
    }
    return f;
}

/* how "moved": the coroutine copies the first bytes, a future on the pool the others */
typedef struct moved {
    caw_future future;
    copy *copy;
    caw_py_locals *locals;
    caw_future *join; /* NULL before it moves */
} moved;

static caw_poll
moved_poll(caw_future *f, caw_context *cx)
{
    moved *m = CAW_CONTAINER_OF(f, moved, future);
    while (!m->join) {
        caw_future *child = copy_child(m->copy);
        if (caw_future_poll(child, cx) == CAW_PENDING) {
            return CAW_PENDING;
        }
        bool moves = m->copy->state == COPY_WRITES;
        if (child->status < 0 || !copy_go_on(m->copy)) {
            return caw_future_finish(f, child->status);
        }
        if (moves && !(m->join = copy_place(m->copy, "scope", m->locals))) {
            m->copy = NULL;
            return caw_future_finish(f, CAW_ENOMEM);
        }
    }
    return caw_future_poll(m->join, cx) == CAW_READY ? caw_future_finish(f, m->join->status) : CAW_PENDING;
}

static void
moved_destroy(caw_future *f)
{
    moved *m = CAW_CONTAINER_OF(f, moved, future);
    if (m->join) {
        caw_future_destroy(m->join);
    }
    else if (m->copy) {
        copy_destroy(&m->copy->future);
    }
    caw_py_locals_release(m->locals);
    free(m);
}

static const caw_future_ops moved_ops = {"test.moved", moved_poll, NULL, moved_destroy};

static caw_future *
moved_new(copy *c, caw_py_locals *locals)
{
    moved *m = calloc(1, sizeof *m);
    if (!m) {
        copy_destroy(&c->future);
        return NULL;
    }
    *m = (moved){.copy = c, .locals = caw_py_locals_retain(locals)};
    caw_future_init(&m->future, &moved_ops);
    return &m->future;
}

static caw_future *
copy_start(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"source", "sink", "size", "how", "closes", NULL};
    PyObject *source, *sink;
    Py_ssize_t size = 65536;
    const char *how = "here";
    int closes = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|nsp:copy", names, &source, &sink, &size, &how, &closes)) {
        return NULL;
    }
    caw_py_locals *locals = how[0] == 'h' ? NULL : caw_py_locals_new(module);
    copy *c = how[0] == 'h' || locals ? calloc(1, sizeof *c + (size_t)size) : NULL;
    if (c) {
        atomic_fetch_add(&ext_live_futures, 1);
        caw_future_init(&c->future, &copy_ops);
        caw_py_locals *own = how[0] == 's' || how[0] == 'm' ? NULL : locals;
        c->reader = bytes_reader(source, own);
        c->writer = c->reader ? bytes_writer(sink, own) : NULL;
        c->size = (size_t)size;
        c->closes = closes;
    }
    if (!c || !c->writer) {
        caw_py_locals_release(locals);
        if (c) {
            caw_reader_destroy(c->reader);
            free(c);
            atomic_fetch_sub(&ext_live_futures, 1);
        }
        return NULL;
    }
    caw_read_init(&c->read, c->reader, c->buffer, c->size);
    caw_future *f = how[0] == 'm' ? moved_new(c, locals) : copy_place(c, how, locals);
    caw_py_locals_release(locals);
    return f;
}

/* wrong_place(source): a reader without locals, polled by a thread that has none. */
static caw_future *
wrong_place_start(PyObject *Py_UNUSED(module), PyObject *source)
{
    copy *c = calloc(1, sizeof *c + 1);
    if (!c || !(c->reader = caw_py_reader(NULL, source))) {
        free(c);
        return NULL;
    }
    atomic_fetch_add(&ext_live_futures, 1);
    caw_future_init(&c->future, &copy_ops);
    caw_read_init(&c->read, c->reader, c->buffer, 1);
    int status = caw_block_on(&c->read.future); /* not a coroutine of the library, whether the GIL is held or not */
    copy_destroy(&c->future);
    return caw_ready(status);
}

static PyObject *
copy_result(caw_future *f)
{
    if (f->ops != &copy_ops) {
        Py_RETURN_NONE; /* elsewhere */
    }
    return PyLong_FromLongLong(CAW_CONTAINER_OF(f, copy, future)->total);
}

/* --- byte_stream(source, sink): either may be None --- */

PyObject *
ext_byte_stream(PyObject *module, PyObject *args)
{
    PyObject *source, *sink;
    if (!PyArg_ParseTuple(args, "OO:byte_stream", &source, &sink)) {
        return NULL;
    }
    caw_reader *reader = source == Py_None ? NULL : bytes_reader(source, NULL);
    caw_writer *writer = PyErr_Occurred() || sink == Py_None ? NULL : bytes_writer(sink, NULL);
    if ((!reader && source != Py_None) || (!writer && sink != Py_None)) {
        caw_reader_destroy(reader);
        caw_writer_destroy(writer);
        return PyErr_Occurred() ? NULL : PyErr_NoMemory();
    }
    return caw_py_byte_stream(module, reader, writer);
}

const caw_py_async_def ext_bytes_functions[] = {
    CAW_PY_ASYNC("copy", copy_start, copy_result, NULL),
    CAW_PY_ASYNC("copy_nogil", copy_start, copy_result, NULL, .poll_without_gil = true),
    CAW_PY_ASYNC_O("wrong_place", wrong_place_start, NULL, NULL),
    CAW_PY_ASYNC_END,
};
