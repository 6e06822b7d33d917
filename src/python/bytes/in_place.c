/* in_place.c: Python streams that a coroutine of ours reads and writes: each call is a caw_py_await. */
#include "cawait/python_bytes.h"

#include "python/bytes/methods.h"
#include "python/coroutine/poll.h"
#include "python/loop/hub.h"

#include <stdlib.h>
#include <string.h>

/* What both directions share. */
typedef struct inplace {
    PyObject *stream; /* a reference */
    caw__bytes_kind kind;
    caw_future *awaits; /* owned: the call that is under way, or NULL */
} inplace;

typedef struct bytes_in_place_reader {
    caw_reader reader;
    inplace in;
    PyObject *kept; /* bytes that were received, or NULL */
    size_t taken;   /* so many of them */
} bytes_in_place_reader;

typedef struct bytes_in_place_writer {
    caw_writer writer;
    inplace in;
    size_t length; /* of what is being written */
    bool closes;   /* what is under way is not a write, but the close */
} bytes_in_place_writer;

/* The place, where it is a coroutine of ours that polls; or NULL. */
static caw__poll_place *
bytes_in_place_place(const caw_context *cx)
{
    return cx->host == &caw__poll_host ? cx->place : NULL;
}

/* The exception that is set goes to the coroutine, which raises it if its own future ends with this status. */
static int
bytes_in_place_raised(const caw__poll_place *place)
{
    PyObject *raised = caw__take_raised();
    caw__poll_note((caw__coroutine *)place->coroutine, raised, CAW_EPYTHON);
    Py_XDECREF(raised);
    return CAW_EPYTHON;
}

/* Await this, which is taken over; NULL with an exception. */
static int
bytes_in_place_begin(inplace *in, const caw__poll_place *place, PyObject *awaitable)
{
    in->awaits = caw_py_await(awaitable);
    return in->awaits ? 0 : bytes_in_place_raised(place);
}

static void
bytes_in_place_end(inplace *in)
{
    caw_future *awaits = in->awaits;
    in->awaits = NULL;
    caw_future_destroy(awaits);
}

static void
bytes_in_place_cancel(inplace *in)
{
    if (in->awaits) {
        caw_future_cancel(in->awaits);
    }
}

/* --- reading --- */

/* Take what was received. 0, also at the end, or an error. */
static int
bytes_in_place_take_received(bytes_in_place_reader *r, const caw__poll_place *place)
{
    int status = r->in.awaits->status;
    if (status == CAW_EPYTHON && r->in.kind == BYTES_ANYIO) {
        PyObject *raised = caw_py_exception(r->in.awaits), *end = caw__bytes_end_of_stream();
        status = raised && end && PyErr_GivenExceptionMatches(raised, end) ? 0 : status;
        Py_XDECREF(raised);
        Py_XDECREF(end);
    }
    else if (status == 0) {
        PyObject *value = caw_py_value(r->in.awaits);
        r->kept = value ? PyBytes_FromObject(value) : NULL;
        r->taken = 0;
        Py_XDECREF(value);
        status = r->kept ? 0 : bytes_in_place_raised(place);
    }
    bytes_in_place_end(&r->in);
    return status;
}

/* As much as there is room for. */
static size_t
bytes_in_place_take_kept(bytes_in_place_reader *r, void *buffer, size_t size)
{
    size_t length = (size_t)PyBytes_GET_SIZE(r->kept) - r->taken;
    length = length < size ? length : size;
    memcpy(buffer, PyBytes_AS_STRING(r->kept) + r->taken, length);
    r->taken += length;
    if (r->taken == (size_t)PyBytes_GET_SIZE(r->kept)) {
        Py_CLEAR(r->kept);
    }
    return length;
}

static caw_poll
bytes_in_place_poll_read(caw_reader *reader, caw_context *cx, void *buffer, size_t size, size_t *out)
{
    bytes_in_place_reader *r = CAW_CONTAINER_OF(reader, bytes_in_place_reader, reader);
    caw__poll_place *place = bytes_in_place_place(cx);
    if (!place) {
        return caw_reader_finish(reader, CAW_ENOREACTOR, out);
    }
    int status = 0;
    if (!r->kept && !r->in.awaits) {
        caw__gil_take(place->released);
        status = bytes_in_place_begin(&r->in, place, caw__bytes_receive(r->in.kind, r->in.stream, size));
        caw__gil_give(place->released);
    }
    if (r->in.awaits && caw_future_poll(r->in.awaits, cx) == CAW_PENDING) {
        return CAW_PENDING;
    }
    caw__gil_take(place->released);
    status = r->in.awaits ? bytes_in_place_take_received(r, place) : status;
    *out = r->kept ? bytes_in_place_take_kept(r, buffer, size) : 0;
    caw__gil_give(place->released);
    return *out > 0 ? CAW_READY : caw_reader_finish(reader, status, out);
}

static void
bytes_in_place_cancel_read(caw_reader *reader)
{
    bytes_in_place_cancel(&CAW_CONTAINER_OF(reader, bytes_in_place_reader, reader)->in);
}

static void
bytes_in_place_destroy_reader(caw_reader *reader)
{
    bytes_in_place_reader *r = CAW_CONTAINER_OF(reader, bytes_in_place_reader, reader);
    PyThreadState *released = caw__gil_released;
    caw__gil_take(released);
    bytes_in_place_end(&r->in);
    Py_XDECREF(r->kept);
    Py_DECREF(r->in.stream);
    caw__gil_give(released);
    free(r);
}

static const caw_reader_ops bytes_in_place_reader_ops = {"python.reader", bytes_in_place_poll_read,
                                                         bytes_in_place_cancel_read, bytes_in_place_destroy_reader};

caw_reader *
caw_py_reader(PyObject *stream)
{
    int kind = caw__bytes_kind_of_reader(stream);
    if (kind < 0) {
        return NULL;
    }
    bytes_in_place_reader *r = calloc(1, sizeof *r);
    if (!r) {
        PyErr_NoMemory();
        return NULL;
    }
    caw_reader_init(&r->reader, &bytes_in_place_reader_ops);
    r->in = (inplace){.stream = Py_NewRef(stream), .kind = (caw__bytes_kind)kind};
    return &r->reader;
}

/* --- writing --- */

/* Begin a write, or with NULL the close, unless something is under way. */
static int
bytes_in_place_begin_output(bytes_in_place_writer *w, const caw__poll_place *place, const void *buffer, size_t size)
{
    if (w->in.awaits) {
        return 0;
    }
    caw__gil_take(place->released);
    w->closes = !buffer;
    w->length = size < BYTES_MAX ? size : BYTES_MAX;
    PyObject *awaitable = buffer ? caw__bytes_send(w->in.kind, w->in.stream, buffer, w->length)
                                 : caw__bytes_close(w->in.kind, w->in.stream);
    int status = bytes_in_place_begin(&w->in, place, awaitable);
    caw__gil_give(place->released);
    return status;
}

/* Poll what is under way, in *status how it has ended. */
static caw_poll
bytes_in_place_poll_output(bytes_in_place_writer *w, caw_context *cx, int *status)
{
    if (caw_future_poll(w->in.awaits, cx) == CAW_PENDING) {
        return CAW_PENDING;
    }
    PyThreadState *released = bytes_in_place_place(cx)->released;
    *status = w->in.awaits->status;
    caw__gil_take(released);
    bytes_in_place_end(&w->in);
    caw__gil_give(released);
    return CAW_READY;
}

static caw_poll
bytes_in_place_poll_write(caw_writer *writer, caw_context *cx, const void *buffer, size_t size, size_t *out)
{
    bytes_in_place_writer *w = CAW_CONTAINER_OF(writer, bytes_in_place_writer, writer);
    caw__poll_place *place = bytes_in_place_place(cx);
    int status = place ? bytes_in_place_begin_output(w, place, buffer, size) : CAW_ENOREACTOR;
    if (status == 0 && bytes_in_place_poll_output(w, cx, &status) == CAW_PENDING) {
        return CAW_PENDING;
    }
    if (status < 0 || w->closes) {
        return caw_writer_finish(writer, status < 0 ? status : -EPIPE, out);
    }
    *out = w->length < size ? w->length : size;
    return CAW_READY;
}

static caw_poll
bytes_in_place_poll_close(caw_writer *writer, caw_context *cx)
{
    bytes_in_place_writer *w = CAW_CONTAINER_OF(writer, bytes_in_place_writer, writer);
    caw__poll_place *place = bytes_in_place_place(cx);
    int status = place ? 0 : CAW_ENOREACTOR;
    bool closed = false;
    while (status == 0 && !closed) { /* a write that was given up, perhaps, and the close */
        status = bytes_in_place_begin_output(w, place, NULL, 0);
        if (status == 0 && bytes_in_place_poll_output(w, cx, &status) == CAW_PENDING) {
            return CAW_PENDING;
        }
        closed = w->closes;
    }
    writer->status = status;
    return CAW_READY;
}

static void
bytes_in_place_cancel_write(caw_writer *writer)
{
    bytes_in_place_cancel(&CAW_CONTAINER_OF(writer, bytes_in_place_writer, writer)->in);
}

static void
bytes_in_place_destroy_writer(caw_writer *writer)
{
    bytes_in_place_writer *w = CAW_CONTAINER_OF(writer, bytes_in_place_writer, writer);
    PyThreadState *released = caw__gil_released;
    caw__gil_take(released);
    bytes_in_place_end(&w->in);
    Py_DECREF(w->in.stream);
    caw__gil_give(released);
    free(w);
}

static const caw_writer_ops bytes_in_place_writer_ops = {"python.writer", bytes_in_place_poll_write,
                                                         bytes_in_place_poll_close, bytes_in_place_cancel_write,
                                                         bytes_in_place_destroy_writer};

caw_writer *
caw_py_writer(PyObject *stream)
{
    int kind = caw__bytes_kind_of_writer(stream);
    if (kind < 0) {
        return NULL;
    }
    bytes_in_place_writer *w = calloc(1, sizeof *w);
    if (!w) {
        PyErr_NoMemory();
        return NULL;
    }
    caw_writer_init(&w->writer, &bytes_in_place_writer_ops);
    w->in = (inplace){.stream = Py_NewRef(stream), .kind = (caw__bytes_kind)kind};
    return &w->writer;
}
