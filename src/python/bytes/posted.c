/* posted.c: Python streams that any thread reads and writes: each call is a caw_py_call, made by the loop's thread.
 *
 * The bytes are in memory of the call: the caller's buffer may be gone when the loop has them, and the loop's thread
 * must not write to it. The reader and the writer copy them, in a poll.
 */
#include "cawait/python_bytes.h"

#include "python/await/posted.h"
#include "python/bytes/methods.h"

#include <stdlib.h>
#include <string.h>

typedef enum postedbytes_what { POSTED_RECEIVE = 0, POSTED_SEND, POSTED_CLOSE } postedbytes_what;

/* One call. Filled in by the one side, then the other's, and then back: the promise orders that. */
typedef struct postedbytes_call {
    caw_py_ref *stream; /* a reference */
    caw__bytes_kind kind;
    postedbytes_what what;
    char *data;    /* owned: what is sent, or was received; or NULL */
    size_t length; /* of it; and before it was received, how many are wanted */
    size_t taken;  /* of what was received */
} postedbytes_call;

/* What both directions share. */
typedef struct postedbytes {
    caw_py_locals *locals; /* a reference */
    caw_py_ref *stream;    /* a reference */
    caw_py_ref *end;       /* anyio.EndOfStream, a reference; or NULL */
    caw__bytes_kind kind;
    caw_future *future;     /* owned: the call that is under way, or has bytes that nobody took; or NULL */
    postedbytes_call *call; /* with future, which owns it */
    bool ready;             /* it is: what is in the call is ours */
} postedbytes;

typedef struct postedbytes_reader {
    caw_reader reader;
    postedbytes at;
} postedbytes_reader;

typedef struct postedbytes_writer {
    caw_writer writer;
    postedbytes at;
} postedbytes_writer;

/* --- the loop's side --- */

static PyObject *
postedbytes_make(void *arg)
{
    postedbytes_call *call = arg;
    PyObject *stream = caw_py_ref_get(call->stream);
    switch (call->what) {
    case POSTED_RECEIVE:
        return caw__bytes_receive(call->kind, stream, call->length);
    case POSTED_SEND:
        return caw__bytes_send(call->kind, stream, call->data, call->length);
    default:
        return caw__bytes_close(call->kind, stream);
    }
}

static int
postedbytes_result(void *arg, PyObject *value)
{
    postedbytes_call *call = arg;
    if (call->what != POSTED_RECEIVE) {
        return 0;
    }
    PyObject *bytes = PyBytes_FromObject(value);
    if (!bytes) {
        return CAW_EPYTHON;
    }
    call->length = (size_t)PyBytes_GET_SIZE(bytes);
    call->data = call->length > 0 ? malloc(call->length) : NULL;
    if (call->data) {
        memcpy(call->data, PyBytes_AS_STRING(bytes), call->length);
    }
    Py_DECREF(bytes);
    return call->data || call->length == 0 ? 0 : CAW_ENOMEM;
}

static void
postedbytes_free(void *arg)
{
    postedbytes_call *call = arg;
    caw_py_ref_release(call->stream);
    free(call->data);
    free(call);
}

static const caw_py_call_spec postedbytes_spec = {postedbytes_make, postedbytes_result, postedbytes_free};

/* --- the poller's side --- */

/* Begin a call. `data`, when not NULL, is copied. */
static int
postedbytes_begin(postedbytes *at, postedbytes_what what, const void *data, size_t size)
{
    postedbytes_call *call = calloc(1, sizeof *call);
    size_t length = size < BYTES_MAX ? size : BYTES_MAX;
    if (!call || (data && !(call->data = malloc(length)))) {
        free(call);
        return CAW_ENOMEM;
    }
    if (data) {
        memcpy(call->data, data, length);
    }
    call->stream = caw_py_ref_retain(at->stream);
    call->kind = at->kind;
    call->what = what;
    call->length = length;
    at->future = caw_py_call(at->locals, &postedbytes_spec, call); /* frees it on failure */
    at->call = at->future ? call : NULL;
    return at->future ? 0 : CAW_ENOMEM;
}

static void
postedbytes_end(postedbytes *at)
{
    caw_future *future = at->future;
    at->future = NULL;
    at->call = NULL;
    at->ready = false;
    caw_future_destroy(future);
}

/* Whether it ended with anyio's EndOfStream. Only addresses are compared, which needs no GIL: both objects are held. */
static bool
postedbytes_is_end(const postedbytes *at)
{
    const caw__posted *r = at->end ? caw__posted_of(at->future) : NULL;
    bool raised = r && r->raised && r->outcome;
    return raised && Py_IS_TYPE(caw_py_ref_get(r->outcome), (PyTypeObject *)caw_py_ref_get(at->end));
}

static caw_poll
postedbytes_poll_read(caw_reader *reader, caw_context *cx, void *buffer, size_t size, size_t *out)
{
    postedbytes *at = &CAW_CONTAINER_OF(reader, postedbytes_reader, reader)->at;
    int status = at->future ? 0 : postedbytes_begin(at, POSTED_RECEIVE, NULL, size);
    if (status < 0) {
        return caw_reader_finish(reader, status, out);
    }
    if (!at->ready) { /* else there was more than room for it */
        if (caw_future_poll(at->future, cx) == CAW_PENDING) {
            return CAW_PENDING;
        }
        at->ready = true;
        status = postedbytes_is_end(at) ? 0 : at->future->status;
    }
    size_t length = at->call->data ? at->call->length - at->call->taken : 0;
    length = length < size ? length : size;
    if (status < 0 || length == 0) {
        postedbytes_end(at);
        return caw_reader_finish(reader, status, out);
    }
    memcpy(buffer, at->call->data + at->call->taken, length);
    at->call->taken += length;
    if (at->call->taken == at->call->length) {
        postedbytes_end(at);
    }
    *out = length;
    return CAW_READY;
}

static caw_poll
postedbytes_poll_write(caw_writer *writer, caw_context *cx, const void *buffer, size_t size, size_t *out)
{
    postedbytes *at = &CAW_CONTAINER_OF(writer, postedbytes_writer, writer)->at;
    int status = at->future ? 0 : postedbytes_begin(at, POSTED_SEND, buffer, size);
    if (status < 0) {
        return caw_writer_finish(writer, status, out);
    }
    if (caw_future_poll(at->future, cx) == CAW_PENDING) {
        return CAW_PENDING;
    }
    status = at->future->status;
    size_t length = at->call->what == POSTED_SEND ? at->call->length : 0;
    postedbytes_end(at);
    if (status < 0 || length == 0) {
        return caw_writer_finish(writer, status < 0 ? status : -EPIPE, out);
    }
    *out = length < size ? length : size;
    return CAW_READY;
}

static caw_poll
postedbytes_poll_close(caw_writer *writer, caw_context *cx)
{
    postedbytes *at = &CAW_CONTAINER_OF(writer, postedbytes_writer, writer)->at;
    bool closed = false;
    writer->status = 0;
    while (writer->status == 0 && !closed) { /* a write that was given up, perhaps, and the close */
        writer->status = at->future ? 0 : postedbytes_begin(at, POSTED_CLOSE, NULL, 0);
        if (writer->status == 0 && caw_future_poll(at->future, cx) == CAW_PENDING) {
            return CAW_PENDING;
        }
        if (writer->status == 0) {
            writer->status = at->future->status;
            closed = at->call->what == POSTED_CLOSE;
            postedbytes_end(at);
        }
    }
    return CAW_READY;
}

static void
postedbytes_cancel(postedbytes *at)
{
    if (at->future && !at->ready) {
        caw_future_cancel(at->future);
    }
}

static void
postedbytes_cancel_read(caw_reader *reader)
{
    postedbytes_cancel(&CAW_CONTAINER_OF(reader, postedbytes_reader, reader)->at);
}

static void
postedbytes_cancel_write(caw_writer *writer)
{
    postedbytes_cancel(&CAW_CONTAINER_OF(writer, postedbytes_writer, writer)->at);
}

/* --- birth and death --- */

static int
postedbytes_check_locals(const caw_py_locals *locals)
{
    if (!caw__orphans_is_of_this_interpreter(locals->inbox->orphans)) {
        PyErr_SetString(PyExc_RuntimeError, "the locals belong to another interpreter");
        return -1;
    }
    return 0;
}

static int
postedbytes_init(postedbytes *at, caw_py_locals *locals, PyObject *stream, int kind)
{
    PyObject *end = kind == BYTES_ANYIO ? caw__bytes_end_of_stream() : NULL;
    at->kind = (caw__bytes_kind)kind;
    at->stream = caw_py_ref_new(locals, stream);
    at->end = at->stream && end ? caw_py_ref_new(locals, end) : NULL;
    Py_XDECREF(end);
    if (PyErr_Occurred()) {
        caw_py_ref_release(at->stream);
        return -1;
    }
    at->locals = caw_py_locals_retain(locals);
    return 0;
}

static void
postedbytes_fini(postedbytes *at)
{
    postedbytes_end(at);
    caw_py_ref_release(at->end);
    caw_py_ref_release(at->stream);
    caw_py_locals_release(at->locals);
}

static void
postedbytes_destroy_reader(caw_reader *reader)
{
    postedbytes_reader *r = CAW_CONTAINER_OF(reader, postedbytes_reader, reader);
    postedbytes_fini(&r->at);
    free(r);
}

static void
postedbytes_destroy_writer(caw_writer *writer)
{
    postedbytes_writer *w = CAW_CONTAINER_OF(writer, postedbytes_writer, writer);
    postedbytes_fini(&w->at);
    free(w);
}

static const caw_reader_ops postedbytes_reader_ops = {"python.posted_reader", postedbytes_poll_read,
                                                      postedbytes_cancel_read, postedbytes_destroy_reader};
static const caw_writer_ops postedbytes_writer_ops = {"python.posted_writer", postedbytes_poll_write,
                                                      postedbytes_poll_close, postedbytes_cancel_write,
                                                      postedbytes_destroy_writer};

caw_reader *
caw_py_reader_on(caw_py_locals *locals, PyObject *stream)
{
    int kind = postedbytes_check_locals(locals) < 0 ? -1 : caw__bytes_kind_of_reader(stream);
    postedbytes_reader *r = kind < 0 ? NULL : calloc(1, sizeof *r);
    if (!r) {
        return kind < 0 ? NULL : (caw_reader *)PyErr_NoMemory();
    }
    caw_reader_init(&r->reader, &postedbytes_reader_ops);
    if (postedbytes_init(&r->at, locals, stream, kind) < 0) {
        free(r);
        return NULL;
    }
    return &r->reader;
}

caw_writer *
caw_py_writer_on(caw_py_locals *locals, PyObject *stream)
{
    int kind = postedbytes_check_locals(locals) < 0 ? -1 : caw__bytes_kind_of_writer(stream);
    postedbytes_writer *w = kind < 0 ? NULL : calloc(1, sizeof *w);
    if (!w) {
        return kind < 0 ? NULL : (caw_writer *)PyErr_NoMemory();
    }
    caw_writer_init(&w->writer, &postedbytes_writer_ops);
    if (postedbytes_init(&w->at, locals, stream, kind) < 0) {
        free(w);
        return NULL;
    }
    return &w->writer;
}
