/* read.c: the reading methods of a byte stream.
 *
 * The bytes are read into the object that Python gets. If the awaiter is gone, the bytes that were read go back to the
 * stream, for the next read.
 */
#include "python/bytes/read.h"

#include "python/bytes/bytes.h"
#include "python/bytes/methods.h"

#include <stdlib.h>
#include <string.h>

typedef struct input {
    caw_future future;
    caw__byte_stream *stream; /* a reference */
    caw_read_op read;         /* while `holds` */
    PyObject *bytes;          /* of `size`, with `length` bytes read; NULL until the first poll, and once it is taken */
    size_t size, length;
    bool to_end;
    bool holds;     /* the stream's reader is in use by this read */
    bool cancelled; /* cancel was called: no other read begins */
} input;

/* Take the bytes that an earlier read left. */
static void
input_take_kept(input *in)
{
    PyObject *kept = in->stream->kept;
    in->stream->kept = NULL;
    size_t there = (size_t)PyBytes_GET_SIZE(kept), length = there < in->size ? there : in->size;
    memcpy(PyBytes_AS_STRING(in->bytes), PyBytes_AS_STRING(kept), length);
    in->length = length;
    if (length < there) {
        in->stream->kept = PyBytes_FromStringAndSize(PyBytes_AS_STRING(kept) + length, (Py_ssize_t)(there - length));
    }
    Py_DECREF(kept);
}

/* 0, or CAW_EPYTHON with an exception. */
static int
input_begin(input *in)
{
    caw__byte_stream *s = in->stream;
    if (!caw__byte_stream_may_read(s)) {
        return CAW_EPYTHON;
    }
    size_t kept = s->kept ? (size_t)PyBytes_GET_SIZE(s->kept) : 0;
    in->size = in->to_end && kept >= in->size ? kept + in->size : in->size;
    in->bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)in->size);
    if (!in->bytes) {
        return CAW_EPYTHON;
    }
    if (s->kept) {
        input_take_kept(in);
    }
    s->reading = &in->future;
    in->holds = true;
    caw_read_init(&in->read, s->reader, PyBytes_AS_STRING(in->bytes) + in->length, in->size - in->length);
    return PyErr_Occurred() ? CAW_EPYTHON : 0;
}

/* Make room for more, when all bytes until the end are read: 0, or CAW_EPYTHON with an exception. */
static int
input_make_room(input *in)
{
    if (in->length == in->size) {
        PyObject *bytes = in->bytes;
        in->bytes = NULL;
        if (_PyBytes_Resize(&bytes, (Py_ssize_t)(2 * in->size)) < 0) {
            in->length = 0;
            return CAW_EPYTHON;
        }
        in->bytes = bytes;
        in->size *= 2;
    }
    caw_read_init(&in->read, in->stream->reader, PyBytes_AS_STRING(in->bytes) + in->length, in->size - in->length);
    return 0;
}

static void
input_release(input *in)
{
    if (in->holds) {
        in->holds = false;
        in->stream->reading = NULL;
        caw__byte_stream_settle(in->stream);
    }
}

/* The status of a read that ended without bytes. */
static int
input_end(input *in)
{
    int status = in->read.future.status;
    if (status == CAW_ECANCELED && in->stream->closing) { /* close() was called during this read */
        PyErr_SetString(PyExc_RuntimeError, "the stream is closed");
        return CAW_EPYTHON;
    }
    return status;
}

/* The first poll. True when there is something to read; false when an earlier read has left enough, or it fails. */
static bool
input_first(input *in, int *status)
{
    *status = in->cancelled ? CAW_ECANCELED : input_begin(in);
    bool enough = !in->to_end && (in->length > 0 || in->size == 0);
    return *status == 0 && !enough;
}

/* A read of the reader has ended. True when the next one follows; else with the status of this future. */
static bool
input_go_on(input *in, int *status)
{
    if (in->read.length == 0) {
        *status = input_end(in);
        return false;
    }
    in->length += in->read.length;
    *status = !in->to_end ? 0 : in->cancelled ? CAW_ECANCELED : input_make_room(in);
    return in->to_end && *status == 0;
}

static caw_poll
input_poll(caw_future *f, caw_context *cx)
{
    input *in = CAW_CONTAINER_OF(f, input, future);
    int status = 0;
    bool more = in->holds || input_first(in, &status);
    while (more) {
        if (caw_future_poll(&in->read.future, cx) == CAW_PENDING) {
            return CAW_PENDING;
        }
        more = input_go_on(in, &status);
    }
    input_release(in);
    return caw_future_finish(f, status);
}

static void
input_cancel(caw_future *f)
{
    input *in = CAW_CONTAINER_OF(f, input, future);
    in->cancelled = true;
    if (in->holds) {
        caw_future_cancel(&in->read.future);
    }
}

/* Put the bytes back, before those that are kept: these can only be a rest that there was no room for. */
static void
input_give_back(input *in)
{
    PyObject *raised = caw__take_raised();
    PyObject *rest = in->stream->kept;
    in->stream->kept = PyBytes_FromStringAndSize(PyBytes_AS_STRING(in->bytes), (Py_ssize_t)in->length);
    if (in->stream->kept && rest) {
        PyBytes_Concat(&in->stream->kept, rest);
    }
    Py_XDECREF(rest);
    if (PyErr_Occurred()) {
        PyErr_WriteUnraisable((PyObject *)in->stream);
    }
    if (raised) {
        caw__raise(raised);
    }
}

static void
input_destroy(caw_future *f)
{
    input *in = CAW_CONTAINER_OF(f, input, future);
    if (in->bytes && in->length > 0) {
        input_give_back(in);
    }
    Py_XDECREF(in->bytes);
    input_release(in);
    Py_DECREF(in->stream);
    free(in);
}

static const caw_future_ops input_ops = {"byte_stream.read", input_poll, input_cancel, input_destroy};
static const caw_future_ops input_ops_without_cancel = {"byte_stream.read", input_poll, NULL, input_destroy};

static caw_future *
input_new(PyObject *self, size_t size, bool to_end)
{
    caw__byte_stream *s = (caw__byte_stream *)self;
    input *in = calloc(1, sizeof *in);
    if (!in) {
        return NULL;
    }
    bool can_cancel = s->reader && s->reader->ops->cancel;
    caw_future_init(&in->future, can_cancel ? &input_ops : &input_ops_without_cancel);
    in->stream = (caw__byte_stream *)Py_NewRef(self);
    in->size = size < BYTES_MAX ? size : BYTES_MAX;
    in->to_end = to_end;
    return &in->future;
}

static caw_future *
input_start_read(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"n", NULL};
    Py_ssize_t n = -1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|n:read", names, &n)) {
        return NULL;
    }
    return input_new(self, n < 0 ? BYTES_MAX : (size_t)n, n < 0);
}

static caw_future *
input_start_receive(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"max_bytes", NULL};
    PyObject *limit = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:receive", names, &limit)) {
        return NULL;
    }
    Py_ssize_t n = limit == Py_None ? BYTES_MAX : PyNumber_AsSsize_t(limit, NULL); /* there is no limit */
    if (n == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (n < 1) {
        PyErr_SetString(PyExc_ValueError, "max_bytes has to be at least 1");
        return NULL;
    }
    return input_new(self, (size_t)n, false);
}

static PyObject *
input_result(caw_future *f)
{
    input *in = CAW_CONTAINER_OF(f, input, future);
    PyObject *bytes = in->bytes;
    in->bytes = NULL;
    if (in->length < in->size) {
        (void)_PyBytes_Resize(&bytes, (Py_ssize_t)in->length); /* NULL with an exception on failure */
    }
    return bytes;
}

/* As in anyio, the end is an exception. */
static PyObject *
input_result_or_end(caw_future *f)
{
    if (CAW_CONTAINER_OF(f, input, future)->length > 0) {
        return input_result(f);
    }
    Py_XDECREF(PyImport_ImportModule("anyio"));
    PyObject *end = caw__bytes_end_of_stream();
    PyErr_SetNone(end ? end : PyExc_EOFError);
    Py_XDECREF(end);
    return NULL;
}

const caw_py_async_def caw__byte_stream_inputs[] = {
    CAW_PY_ASYNC("read", input_start_read, input_result,
                 "read($self, n=-1)\n--\n\nAt most n bytes, or all until the end; b\"\" is the end."),
    CAW_PY_ASYNC("receive_some", input_start_receive, input_result,
                 "receive_some($self, max_bytes=None)\n--\n\nThe bytes that are there; b\"\" at the end."),
    CAW_PY_ASYNC(
        "receive", input_start_receive, input_result_or_end,
        "receive($self, max_bytes=65536)\n--\n\nThe bytes that are there; raises anyio.EndOfStream at the end."),
    CAW_PY_ASYNC_END,
};
