/* posted.c: the methods of a Python stream, called and awaited by its loop for whoever polls elsewhere.
 *
 * The bytes are in memory that belongs to the call. The caller's buffer may be gone when the loop reads it, and the
 * loop's thread must not write to it. The reader and the writer copy the bytes, in a poll.
 */
#include "python/bytes/posted.h"

#include "python/await/posted.h"

#include <stdlib.h>
#include <string.h>

typedef enum bytes_posted_what { POSTED_RECEIVE = 0, POSTED_SEND, POSTED_CLOSE } bytes_posted_what;

/* One call. The poller fills it in, then the loop uses it, then the poller again; the call's promise orders these. */
struct caw__bytes_call {
    caw_py_ref *stream; /* a reference */
    caw__bytes_kind kind;
    bytes_posted_what what;
    char *data;    /* the bytes to send, or that were received, owned; or NULL */
    size_t length; /* the length of data; before bytes are received, how many are wanted */
    size_t taken;  /* how many of the received bytes were taken */
};

/* --- the loop's side --- */

static PyObject *
bytes_posted_make(void *arg)
{
    caw__bytes_call *call = arg;
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
bytes_posted_result(void *arg, PyObject *value)
{
    caw__bytes_call *call = arg;
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
bytes_posted_free(void *arg)
{
    caw__bytes_call *call = arg;
    caw_py_ref_release(call->stream);
    free(call->data);
    free(call);
}

static const caw_py_call_spec bytes_posted_spec = {bytes_posted_make, bytes_posted_result, bytes_posted_free};

/* --- the poller's side --- */

/* Begin a call. `data`, when not NULL, is copied. */
static int
bytes_posted_begin(caw__bytes_posted *at, bytes_posted_what what, const void *data, size_t size)
{
    caw__bytes_call *call = calloc(1, sizeof *call);
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
    at->future = caw_py_call(at->locals, &bytes_posted_spec, call); /* also frees `call` on failure */
    at->call = at->future ? call : NULL;
    return at->future ? 0 : CAW_ENOMEM;
}

static void
bytes_posted_end(caw__bytes_posted *at)
{
    caw_future *future = at->future;
    at->future = NULL;
    at->call = NULL;
    at->ready = false;
    caw_future_destroy(future);
}

/* Whether the call ended with anyio's EndOfStream. Only addresses of two objects that are held are compared: that needs
 * no GIL. */
static bool
bytes_posted_is_end(const caw__bytes_posted *at)
{
    const caw__posted *r = at->end ? caw__posted_of(at->future) : NULL;
    bool raised = r && r->raised && r->outcome;
    return raised && Py_IS_TYPE(caw_py_ref_get(r->outcome), (PyTypeObject *)caw_py_ref_get(at->end));
}

caw_poll
caw__bytes_posted_read(caw__bytes_posted *at, caw_reader *reader, caw_context *cx, void *buffer, size_t size,
                       size_t *out)
{
    int status = at->future ? 0 : bytes_posted_begin(at, POSTED_RECEIVE, NULL, size);
    if (status < 0) {
        return caw_reader_finish(reader, status, out);
    }
    if (!at->ready) { /* else bytes of an earlier call are left */
        if (caw_future_poll(at->future, cx) == CAW_PENDING) {
            return CAW_PENDING;
        }
        at->ready = true;
        status = bytes_posted_is_end(at) ? 0 : at->future->status;
    }
    size_t length = at->call->data ? at->call->length - at->call->taken : 0;
    length = length < size ? length : size;
    if (status < 0 || length == 0) {
        bytes_posted_end(at);
        return caw_reader_finish(reader, status, out);
    }
    memcpy(buffer, at->call->data + at->call->taken, length);
    at->call->taken += length;
    if (at->call->taken == at->call->length) {
        bytes_posted_end(at);
    }
    *out = length;
    return CAW_READY;
}

caw_poll
caw__bytes_posted_write(caw__bytes_posted *at, caw_writer *writer, caw_context *cx, const void *buffer, size_t size,
                        size_t *out)
{
    int status = at->future ? 0 : bytes_posted_begin(at, POSTED_SEND, buffer, size);
    if (status < 0) {
        return caw_writer_finish(writer, status, out);
    }
    if (caw_future_poll(at->future, cx) == CAW_PENDING) {
        return CAW_PENDING;
    }
    status = at->future->status;
    size_t length = at->call->what == POSTED_SEND ? at->call->length : 0;
    bytes_posted_end(at);
    if (status < 0 || length == 0) {
        return caw_writer_finish(writer, status < 0 ? status : -EPIPE, out);
    }
    *out = length < size ? length : size;
    return CAW_READY;
}

caw_poll
caw__bytes_posted_close(caw__bytes_posted *at, caw_writer *writer, caw_context *cx)
{
    bool closed = false;
    writer->status = 0;
    while (writer->status == 0 && !closed) { /* at most twice: a write whose awaiter is gone, then the close */
        writer->status = at->future ? 0 : bytes_posted_begin(at, POSTED_CLOSE, NULL, 0);
        if (writer->status == 0 && caw_future_poll(at->future, cx) == CAW_PENDING) {
            return CAW_PENDING;
        }
        if (writer->status == 0) {
            writer->status = at->future->status;
            closed = at->call->what == POSTED_CLOSE;
            bytes_posted_end(at);
        }
    }
    return CAW_READY;
}

void
caw__bytes_posted_cancel(caw__bytes_posted *at)
{
    if (at->future && !at->ready) {
        caw_future_cancel(at->future);
    }
}

/* --- birth and death --- */

void
caw__bytes_posted_init(caw__bytes_posted *at, caw_py_locals *locals, caw__bytes_kind kind, caw_py_ref *stream,
                       caw_py_ref *end)
{
    *at = (caw__bytes_posted){.locals = caw_py_locals_retain(locals), .stream = stream, .end = end, .kind = kind};
}

void
caw__bytes_posted_fini(caw__bytes_posted *at)
{
    bytes_posted_end(at);
    caw_py_ref_release(at->end);
    caw_py_ref_release(at->stream);
    caw_py_locals_release(at->locals);
}
