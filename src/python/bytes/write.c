/* write.c: the writing methods of a byte stream, and its end.
 *
 * The bytes that write() has kept go first. If a future ends in the middle of them, the rest goes back to the stream.
 */
#include "python/bytes/write.h"

#include "python/bytes/bytes.h"

#include <stdlib.h>

typedef enum output_what {
    OUTPUT_NOTHING = 0, /* only the bytes that write() has kept */
    OUTPUT_DRAIN,
    OUTPUT_SEND,
    OUTPUT_EOF,
    OUTPUT_CLOSE,
} output_what;

typedef struct output {
    caw_future future;
    caw__byte_stream *stream; /* a reference */
    output_what what;
    PyObject *unsent;   /* taken from the stream; NULL once it is written */
    Py_buffer view;     /* the data of OUTPUT_SEND; `obj` is NULL without data */
    caw_write_op write; /* while `holds`: of `unsent`, then of `view` */
    caw_close_op close; /* while `ends` */
    bool holds;         /* the stream's writer is in use by this write */
    bool ends;          /* the writer is being closed */
    bool cancelled;     /* cancel was called: nothing else begins */
} output;

static int
output_refuse(const char *text)
{
    PyErr_SetString(PyExc_RuntimeError, text);
    return CAW_EPYTHON;
}

/* Begin the next write: the bytes that were kept, then the data. False when both are written. */
static bool
output_next(output *out)
{
    caw_writer *w = out->stream->writer;
    if (out->unsent) {
        caw_write_init(&out->write, w, PyByteArray_AS_STRING(out->unsent), (size_t)PyByteArray_GET_SIZE(out->unsent));
        return true;
    }
    if (out->view.obj) {
        caw_write_init(&out->write, w, out->view.buf, (size_t)out->view.len);
        return true;
    }
    return false;
}

/* What comes before the writer is used. True when it may be; else with a status: 0 when there is nothing to do, or
 * CAW_EPYTHON with an exception. */
static bool
output_may_begin(const output *out, int *status)
{
    caw__byte_stream *s = out->stream;
    *status = 0;
    switch (out->what) {
    case OUTPUT_NOTHING:
        return false;
    case OUTPUT_CLOSE:
        s->closing = true;
        if (s->reading) {
            caw_future_cancel(s->reading);
        }
        if (s->writing) { /* the stream is closed as soon as that write has ended */
            caw_future_cancel(s->writing);
            return false;
        }
        break;
    default:
        *status = caw__byte_stream_may_write(s) ? 0 : CAW_EPYTHON;
    }
    if (*status == 0 && s->writer && s->writing) {
        *status = output_refuse("another coroutine is already writing to this stream");
    }
    return *status == 0 && s->writer;
}

/* Begin to use the stream's writer. As above; also false when it has nothing to write. */
static bool
output_begin(output *out, int *status)
{
    caw__byte_stream *s = out->stream;
    if (!output_may_begin(out, status)) {
        return false;
    }
    s->writing = &out->future;
    out->holds = true;
    out->unsent = s->unsent;
    s->unsent = NULL;
    s->no_writes = s->no_writes || out->what == OUTPUT_EOF;
    out->ends = !output_next(out);
    if (out->ends) {
        caw_close_init(&out->close, s->writer);
    }
    return !out->ends || out->what >= OUTPUT_EOF;
}

/* A write has ended. True: another one has begun. */
static bool
output_go_on(output *out)
{
    if (out->unsent) {
        Py_CLEAR(out->unsent);
    }
    else {
        PyBuffer_Release(&out->view);
    }
    if (output_next(out)) {
        return true;
    }
    out->ends = true;
    caw_close_init(&out->close, out->stream->writer);
    return out->what >= OUTPUT_EOF;
}

/* Give the rest and the writer back to the stream. After OUTPUT_CLOSE the stream is over, also if the close failed. */
static void
output_release(output *out)
{
    caw__byte_stream *s = out->stream;
    if (out->unsent) {
        PyObject *raised = caw__take_raised(), *later = s->unsent;
        if (PySequence_DelSlice(out->unsent, 0, (Py_ssize_t)out->write.length) == 0 && later) {
            Py_XDECREF(PySequence_InPlaceConcat(out->unsent, later));
        }
        s->unsent = out->unsent;
        out->unsent = NULL;
        Py_XDECREF(later);
        if (PyErr_Occurred()) {
            PyErr_WriteUnraisable((PyObject *)s);
        }
        if (raised) {
            caw__raise(raised);
        }
    }
    if (out->holds) {
        out->holds = false;
        s->writing = NULL;
    }
    if (out->what == OUTPUT_CLOSE) {
        s->closing = s->over = true;
    }
    caw__byte_stream_settle(s);
}

static caw_future *
output_child(output *out)
{
    return out->ends ? &out->close.future : &out->write.future;
}

/* The first poll, and one after a child has ended: true when there is a child to poll; else with a status. */
static bool
output_first(output *out, int *status)
{
    *status = CAW_ECANCELED;
    return !out->cancelled && output_begin(out, status);
}

static bool
output_step(output *out, int *status)
{
    *status = output_child(out)->status;
    if (*status < 0 || out->ends || !output_go_on(out)) {
        return false;
    }
    *status = out->cancelled ? CAW_ECANCELED : 0;
    return !out->cancelled;
}

static caw_poll
output_poll(caw_future *f, caw_context *cx)
{
    output *out = CAW_CONTAINER_OF(f, output, future);
    int status = 0;
    bool more = out->holds || output_first(out, &status);
    while (more) {
        if (caw_future_poll(output_child(out), cx) == CAW_PENDING) {
            return CAW_PENDING;
        }
        more = output_step(out, &status);
    }
    if (status == CAW_ECANCELED && out->what != OUTPUT_CLOSE && out->stream->closing) {
        status = output_refuse("the stream is closed"); /* close() was called during this write */
    }
    output_release(out);
    return caw_future_finish(f, status < 0 ? status : 0);
}

static void
output_cancel(caw_future *f)
{
    output *out = CAW_CONTAINER_OF(f, output, future);
    out->cancelled = true;
    if (out->holds) {
        caw_future_cancel(out->ends ? &out->close.future : &out->write.future);
    }
}

static void
output_destroy(caw_future *f)
{
    output *out = CAW_CONTAINER_OF(f, output, future);
    if (out->holds) {
        output_release(out); /* the awaiter is gone */
    }
    PyBuffer_Release(&out->view);
    Py_DECREF(out->stream);
    free(out);
}

static const caw_future_ops output_ops = {"byte_stream.write", output_poll, output_cancel, output_destroy};
static const caw_future_ops output_ops_without_cancel = {"byte_stream.write", output_poll, NULL, output_destroy};

static output *
output_new(PyObject *self, output_what what)
{
    caw__byte_stream *s = (caw__byte_stream *)self;
    output *out = calloc(1, sizeof *out);
    if (!out) {
        return NULL;
    }
    bool can_cancel = s->writer && s->writer->ops->cancel;
    caw_future_init(&out->future, can_cancel ? &output_ops : &output_ops_without_cancel);
    out->stream = (caw__byte_stream *)Py_NewRef(self);
    out->what = what;
    return out;
}

static caw_future *
output_start_nothing(PyObject *self)
{
    output *out = output_new(self, OUTPUT_NOTHING);
    return out ? &out->future : NULL;
}

static caw_future *
output_start_drain(PyObject *self)
{
    output *out = output_new(self, OUTPUT_DRAIN);
    return out ? &out->future : NULL;
}

static caw_future *
output_start_eof(PyObject *self)
{
    output *out = output_new(self, OUTPUT_EOF);
    return out ? &out->future : NULL;
}

static caw_future *
output_start_close(PyObject *self)
{
    output *out = output_new(self, OUTPUT_CLOSE);
    return out ? &out->future : NULL;
}

/* The arguments of __aexit__ are ignored. */
static caw_future *
output_start_exit(PyObject *self, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    return output_start_close(self);
}

static caw_future *
output_start_send(PyObject *self, PyObject *data)
{
    output *out = output_new(self, OUTPUT_SEND);
    if (out && PyObject_GetBuffer(data, &out->view, PyBUF_SIMPLE) < 0) {
        output_destroy(&out->future);
        return NULL;
    }
    return out ? &out->future : NULL;
}

static PyObject *
output_result_self(caw_future *f)
{
    return Py_NewRef((PyObject *)CAW_CONTAINER_OF(f, output, future)->stream);
}

const caw_py_async_def caw__byte_stream_outputs[] = {
    CAW_PY_ASYNC_O("send_all", output_start_send, NULL, "send_all($self, data, /)\n--\n\nWrite all of it."),
    CAW_PY_ASYNC_O("send", output_start_send, NULL, "send($self, data, /)\n--\n\nWrite all of it."),
    CAW_PY_ASYNC_NOARGS("drain", output_start_drain, NULL, "drain($self)\n--\n\nWrite what write() has kept."),
    CAW_PY_ASYNC_NOARGS("wait_send_all_might_not_block", output_start_nothing, NULL,
                        "wait_send_all_might_not_block($self)\n--\n\nReturns at once; a write may block all the same."),
    CAW_PY_ASYNC_NOARGS("send_eof", output_start_eof, NULL,
                        "send_eof($self)\n--\n\nWrite what was kept, then end writing; reading goes on."),
    CAW_PY_ASYNC_NOARGS("wait_closed", output_start_close, NULL,
                        "wait_closed($self)\n--\n\nClose it; returns when it is closed."),
    CAW_PY_ASYNC_NOARGS("aclose", output_start_close, NULL,
                        "aclose($self)\n--\n\nClose it; returns when it is closed."),
    CAW_PY_ASYNC_NOARGS("__aenter__", output_start_nothing, output_result_self, NULL),
    CAW_PY_ASYNC("__aexit__", output_start_exit, NULL, NULL),
    CAW_PY_ASYNC_END,
};
