/* in_place.c: the methods of a Python stream, called and awaited in the polls of a coroutine of ours. */
#include "python/bytes/in_place.h"

#include "python/coroutine/poll.h"
#include "python/loop/hub.h"

#include <stdlib.h>
#include <string.h>

/* Note the exception that is set for the coroutine, which raises it if its own future ends with this status. */
static int
bytes_in_place_raised(const caw__poll_place *place)
{
    PyObject *raised = caw__take_raised();
    caw__poll_note((caw__coroutine *)place->coroutine, raised, CAW_EPYTHON);
    Py_XDECREF(raised);
    return CAW_EPYTHON;
}

/* Begin to await it. Takes the awaitable; where that is NULL an exception is set. */
static int
bytes_in_place_begin(caw__bytes_in_place *in, const caw__poll_place *place, PyObject *awaitable)
{
    in->call = caw_py_await(NULL, awaitable);
    return in->call ? 0 : bytes_in_place_raised(place);
}

static void
bytes_in_place_end(caw__bytes_in_place *in)
{
    caw_future *awaits = in->call;
    in->call = NULL;
    caw_future_destroy(awaits);
}

bool
caw__bytes_in_place_is_idle(const caw__bytes_in_place *in)
{
    return !in->call && !in->kept;
}

void
caw__bytes_in_place_cancel(caw__bytes_in_place *in)
{
    if (in->call) {
        caw_future_cancel(in->call);
    }
}

void
caw__bytes_in_place_fini(caw__bytes_in_place *in)
{
    PyThreadState *released = caw__gil_released;
    caw__gil_take(released);
    bytes_in_place_end(in);
    Py_CLEAR(in->kept);
    Py_CLEAR(in->stream);
    caw__gil_give(released);
}

/* --- reading --- */

/* Take the bytes that were received. 0, also at the end, or an error. */
static int
bytes_in_place_take_received(caw__bytes_in_place *in, const caw__poll_place *place)
{
    int status = in->call->status;
    if (status == CAW_EPYTHON && in->kind == BYTES_ANYIO) {
        PyObject *raised = caw_py_exception(in->call), *end = caw__bytes_end_of_stream();
        status = raised && end && PyErr_GivenExceptionMatches(raised, end) ? 0 : status;
        Py_XDECREF(raised);
        Py_XDECREF(end);
    }
    else if (status == 0) {
        PyObject *value = caw_py_value(in->call);
        in->kept = value ? PyBytes_FromObject(value) : NULL;
        in->taken = 0;
        Py_XDECREF(value);
        status = in->kept ? 0 : bytes_in_place_raised(place);
    }
    bytes_in_place_end(in);
    return status;
}

/* Copy as many of the received bytes as there is room for. */
static size_t
bytes_in_place_take_kept(caw__bytes_in_place *in, void *buffer, size_t size)
{
    size_t length = (size_t)PyBytes_GET_SIZE(in->kept) - in->taken;
    length = length < size ? length : size;
    memcpy(buffer, PyBytes_AS_STRING(in->kept) + in->taken, length);
    in->taken += length;
    if (in->taken == (size_t)PyBytes_GET_SIZE(in->kept)) {
        Py_CLEAR(in->kept);
    }
    return length;
}

caw_poll
caw__bytes_in_place_read(caw__bytes_in_place *in, caw_reader *reader, caw_context *cx, void *buffer, size_t size,
                         size_t *out)
{
    const caw__poll_place *place = cx->place;
    int status = 0;
    if (caw__bytes_in_place_is_idle(in)) {
        caw__gil_take(place->released);
        status = bytes_in_place_begin(in, place, caw__bytes_receive(in->kind, in->stream, size));
        caw__gil_give(place->released);
    }
    if (in->call && caw_future_poll(in->call, cx) == CAW_PENDING) {
        return CAW_PENDING;
    }
    caw__gil_take(place->released);
    status = in->call ? bytes_in_place_take_received(in, place) : status;
    *out = in->kept ? bytes_in_place_take_kept(in, buffer, size) : 0;
    caw__gil_give(place->released);
    return *out > 0 ? CAW_READY : caw_reader_finish(reader, status, out);
}

/* --- writing --- */

/* Begin a write, or the close where the writer is NULL, unless a call is under way. */
static int
bytes_in_place_begin_output(caw__bytes_in_place *in, const caw__poll_place *place, const void *buffer, size_t size)
{
    if (in->call) {
        return 0;
    }
    caw__gil_take(place->released);
    in->closes = !buffer;
    in->length = size < BYTES_MAX ? size : BYTES_MAX;
    PyObject *awaitable =
        buffer ? caw__bytes_send(in->kind, in->stream, buffer, in->length) : caw__bytes_close(in->kind, in->stream);
    int status = bytes_in_place_begin(in, place, awaitable);
    caw__gil_give(place->released);
    return status;
}

/* Poll the call that is under way. When it is ready, its status is in *status. */
static caw_poll
bytes_in_place_poll_output(caw__bytes_in_place *in, caw_context *cx, int *status)
{
    if (caw_future_poll(in->call, cx) == CAW_PENDING) {
        return CAW_PENDING;
    }
    PyThreadState *released = ((caw__poll_place *)cx->place)->released;
    *status = in->call->status;
    caw__gil_take(released);
    bytes_in_place_end(in);
    caw__gil_give(released);
    return CAW_READY;
}

caw_poll
caw__bytes_in_place_write(caw__bytes_in_place *in, caw_writer *writer, caw_context *cx, const void *buffer, size_t size,
                          size_t *out)
{
    int status = bytes_in_place_begin_output(in, cx->place, buffer, size);
    if (status == 0 && bytes_in_place_poll_output(in, cx, &status) == CAW_PENDING) {
        return CAW_PENDING;
    }
    if (status < 0 || in->closes) {
        return caw_writer_finish(writer, status < 0 ? status : -EPIPE, out);
    }
    *out = in->length < size ? in->length : size;
    return CAW_READY;
}

caw_poll
caw__bytes_in_place_close(caw__bytes_in_place *in, caw_writer *writer, caw_context *cx)
{
    int status = 0;
    bool closed = false;
    while (status == 0 && !closed) { /* at most twice: a write whose awaiter is gone, then the close */
        status = bytes_in_place_begin_output(in, cx->place, NULL, 0);
        if (status == 0 && bytes_in_place_poll_output(in, cx, &status) == CAW_PENDING) {
            return CAW_PENDING;
        }
        closed = in->closes;
    }
    writer->status = status;
    return CAW_READY;
}
