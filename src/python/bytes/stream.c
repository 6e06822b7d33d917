/* stream.c: a Python stream as a reader or a writer of C.
 *
 * It is new or in place as long as coroutines of ours poll it. The first poll by anybody else makes it posted for good.
 * One that is made with locals is posted from the beginning.
 */
#include "cawait/python_bytes.h"

#include "python/bytes/in_place.h"
#include "python/bytes/posted.h"
#include "python/coroutine/poll.h"
#include "python/loop/ref.h"

#include <stdlib.h>

typedef struct stream_at {
    union {
        caw__bytes_in_place in_place;
        caw__bytes_posted posted;
    };
    PyObject *end; /* in place: anyio.EndOfStream if it is a reader of an anyio stream, a reference; or NULL */
} stream_at;

typedef struct stream_reader {
    caw_reader reader;
    stream_at at;
} stream_reader;

typedef struct stream_writer {
    caw_writer writer;
    stream_at at;
} stream_writer;

/* --- from in place to posted --- */

/* Put the objects into caw_py_refs, because whoever polls or destroys from now on may not have the GIL. 0, or an error.
 * Without memory for the second reference, anyio's end is no longer recognised. */
static int
stream_post(stream_at *at, caw_py_locals *locals)
{
    caw__bytes_in_place in = at->in_place;
    caw_py_ref *end = at->end ? caw__ref_new(locals->inbox, at->end) : NULL;
    if (at->end && !end) {
        return CAW_ENOMEM;
    }
    at->end = NULL;
    caw_py_ref *stream = caw__ref_new(locals->inbox, in.stream);
    if (!stream) {
        caw_py_ref_release(end);
        return CAW_ENOMEM;
    }
    caw__bytes_posted_init(&at->posted, locals, in.kind, stream, end);
    return 0;
}

/* The poller is no coroutine of ours. 0: it is posted now. */
static int
stream_post_here(stream_at *at)
{
    caw_py_locals *locals = caw_py_locals_current();
    caw__await_made = NULL;
    if (!caw__bytes_in_place_is_idle(&at->in_place)) {
        return CAW_EINVAL; /* the poller changed while a call was under way */
    }
    return locals ? stream_post(at, locals) : CAW_ENOREACTOR;
}

/* Drop what one that is in place or new holds. True: it is posted now, and that is still to be ended. */
static bool
stream_fini_in_place(stream_at *at)
{
    caw_py_locals *locals = caw_py_locals_current();
    bool idle = caw__bytes_in_place_is_idle(&at->in_place);
    if (idle && locals && !caw__gil_released &&
        !caw__has_gil()) { /* without memory the stream leaks: nothing here may touch it */
        return stream_post(at, locals) == 0;
    }
    PyThreadState *released = caw__gil_released;
    caw__gil_take(released);
    Py_CLEAR(at->end);
    caw__gil_give(released);
    caw__bytes_in_place_fini(&at->in_place);
    return false;
}

/* --- readers --- */

static caw_poll
stream_task_poll_read(caw_reader *reader, caw_context *cx, void *buffer, size_t size, size_t *out)
{
    stream_reader *r = CAW_CONTAINER_OF(reader, stream_reader, reader);
    return caw__bytes_posted_read(&r->at.posted, reader, cx, buffer, size, out);
}

static void
stream_task_cancel_read(caw_reader *reader)
{
    caw__bytes_posted_cancel(&CAW_CONTAINER_OF(reader, stream_reader, reader)->at.posted);
}

static void
stream_task_destroy_reader(caw_reader *reader)
{
    stream_reader *r = CAW_CONTAINER_OF(reader, stream_reader, reader);
    caw__bytes_posted_fini(&r->at.posted);
    free(r);
}

static const caw_reader_ops stream_task_reader_ops = {"python.reader as a task", stream_task_poll_read,
                                                      stream_task_cancel_read, stream_task_destroy_reader};

static caw_poll
stream_poll_read(caw_reader *reader, caw_context *cx, void *buffer, size_t size, size_t *out)
{
    stream_reader *r = CAW_CONTAINER_OF(reader, stream_reader, reader);
    if (cx->host == &caw__poll_host) {
        return caw__bytes_in_place_read(&r->at.in_place, reader, cx, buffer, size, out);
    }
    int status = stream_post_here(&r->at);
    if (status < 0) {
        return caw_reader_finish(reader, status, out);
    }
    reader->ops = &stream_task_reader_ops;
    return stream_task_poll_read(reader, cx, buffer, size, out);
}

static void
stream_cancel_read(caw_reader *reader)
{
    caw__bytes_in_place_cancel(&CAW_CONTAINER_OF(reader, stream_reader, reader)->at.in_place);
}

static void
stream_destroy_reader(caw_reader *reader)
{
    stream_reader *r = CAW_CONTAINER_OF(reader, stream_reader, reader);
    caw__await_forget(r);
    if (stream_fini_in_place(&r->at)) {
        caw__bytes_posted_fini(&r->at.posted);
    }
    free(r);
}

static const caw_reader_ops stream_reader_ops = {"python.reader", stream_poll_read, stream_cancel_read,
                                                 stream_destroy_reader};

/* --- writers --- */

static caw_poll
stream_task_poll_write(caw_writer *writer, caw_context *cx, const void *buffer, size_t size, size_t *out)
{
    stream_writer *w = CAW_CONTAINER_OF(writer, stream_writer, writer);
    return caw__bytes_posted_write(&w->at.posted, writer, cx, buffer, size, out);
}

static caw_poll
stream_task_poll_close(caw_writer *writer, caw_context *cx)
{
    stream_writer *w = CAW_CONTAINER_OF(writer, stream_writer, writer);
    return caw__bytes_posted_close(&w->at.posted, writer, cx);
}

static void
stream_task_cancel_write(caw_writer *writer)
{
    caw__bytes_posted_cancel(&CAW_CONTAINER_OF(writer, stream_writer, writer)->at.posted);
}

static void
stream_task_destroy_writer(caw_writer *writer)
{
    stream_writer *w = CAW_CONTAINER_OF(writer, stream_writer, writer);
    caw__bytes_posted_fini(&w->at.posted);
    free(w);
}

static const caw_writer_ops stream_task_writer_ops = {"python.writer as a task", stream_task_poll_write,
                                                      stream_task_poll_close, stream_task_cancel_write,
                                                      stream_task_destroy_writer};

static caw_poll
stream_poll_write(caw_writer *writer, caw_context *cx, const void *buffer, size_t size, size_t *out)
{
    stream_writer *w = CAW_CONTAINER_OF(writer, stream_writer, writer);
    if (cx->host == &caw__poll_host) {
        return caw__bytes_in_place_write(&w->at.in_place, writer, cx, buffer, size, out);
    }
    int status = stream_post_here(&w->at);
    if (status < 0) {
        return caw_writer_finish(writer, status, out);
    }
    writer->ops = &stream_task_writer_ops;
    return stream_task_poll_write(writer, cx, buffer, size, out);
}

static caw_poll
stream_poll_close(caw_writer *writer, caw_context *cx)
{
    stream_writer *w = CAW_CONTAINER_OF(writer, stream_writer, writer);
    if (cx->host == &caw__poll_host) {
        return caw__bytes_in_place_close(&w->at.in_place, writer, cx);
    }
    writer->status = stream_post_here(&w->at);
    if (writer->status < 0) {
        return CAW_READY;
    }
    writer->ops = &stream_task_writer_ops;
    return stream_task_poll_close(writer, cx);
}

static void
stream_cancel_write(caw_writer *writer)
{
    caw__bytes_in_place_cancel(&CAW_CONTAINER_OF(writer, stream_writer, writer)->at.in_place);
}

static void
stream_destroy_writer(caw_writer *writer)
{
    stream_writer *w = CAW_CONTAINER_OF(writer, stream_writer, writer);
    caw__await_forget(w);
    if (stream_fini_in_place(&w->at)) {
        caw__bytes_posted_fini(&w->at.posted);
    }
    free(w);
}

static const caw_writer_ops stream_writer_ops = {"python.writer", stream_poll_write, stream_poll_close,
                                                 stream_cancel_write, stream_destroy_writer};

/* --- birth --- */

/* Set up one that is posted, or new if locals is NULL. False with an exception. */
static bool
stream_init(stream_at *at, caw_py_locals *locals, caw__bytes_kind kind, PyObject *stream, PyObject *end)
{
    if (!locals) {
        at->in_place = (caw__bytes_in_place){.stream = Py_NewRef(stream), .kind = kind};
        at->end = Py_XNewRef(end);
        return true;
    }
    caw_py_ref *stream_ref = caw_py_ref_new(locals, stream);
    caw_py_ref *end_ref = stream_ref && end ? caw_py_ref_new(locals, end) : NULL;
    if (PyErr_Occurred()) {
        caw_py_ref_release(stream_ref);
        return false;
    }
    caw__bytes_posted_init(&at->posted, locals, kind, stream_ref, end_ref);
    return true;
}

caw_reader *
caw_py_reader(caw_py_locals *locals, PyObject *stream)
{
    int kind = locals && !caw__locals_are_ours(locals) ? -1 : caw__bytes_kind_of_reader(stream);
    if (kind < 0) {
        return NULL;
    }
    stream_reader *r = calloc(1, sizeof *r);
    PyObject *end = r && kind == BYTES_ANYIO ? caw__bytes_end_of_stream() : NULL;
    bool made = r && stream_init(&r->at, locals, (caw__bytes_kind)kind, stream, end);
    Py_XDECREF(end);
    if (!made) {
        free(r);
        PyErr_NoMemory();
        return NULL;
    }
    caw_reader_init(&r->reader, locals ? &stream_task_reader_ops : &stream_reader_ops);
    if (!locals) {
        caw__await_made = r;
    }
    return &r->reader;
}

caw_writer *
caw_py_writer(caw_py_locals *locals, PyObject *stream)
{
    int kind = locals && !caw__locals_are_ours(locals) ? -1 : caw__bytes_kind_of_writer(stream);
    if (kind < 0) {
        return NULL;
    }
    stream_writer *w = calloc(1, sizeof *w);
    if (!w || !stream_init(&w->at, locals, (caw__bytes_kind)kind, stream, NULL)) {
        free(w);
        PyErr_NoMemory();
        return NULL;
    }
    caw_writer_init(&w->writer, locals ? &stream_task_writer_ops : &stream_writer_ops);
    if (!locals) {
        caw__await_made = w;
    }
    return &w->writer;
}
