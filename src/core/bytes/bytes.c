/* bytes.c: readers and writers as futures.
 *
 * A cancel belongs to one poll that is pending. When that is given up before it was ready with CAW_ECANCELED, the next
 * one gets that, which was not cancelled. So where `cancel_sent` was set before it came, it polls again.
 */
#include "cawait/bytes.h"

/* --- polls --- */

caw_poll
caw_reader_poll_read(caw_reader *r, caw_context *cx, void *buffer, size_t size, size_t *out)
{
    if (size == 0) {
        return caw_reader_finish(r, CAW_EINVAL, out);
    }
    *out = 0;
    caw_poll poll = r->ops->poll_read(r, cx, buffer, size, out);
    if (poll != CAW_PENDING && poll != CAW_READY) {
        poll = caw_reader_finish(r, caw_error_from_return(r->ops->name, "poll_read", (int)poll), out);
    }
    r->cancel_sent = r->cancel_sent && poll == CAW_PENDING;
    return poll;
}

caw_poll
caw_writer_poll_write(caw_writer *w, caw_context *cx, const void *buffer, size_t size, size_t *out)
{
    if (size == 0) {
        return caw_writer_finish(w, CAW_EINVAL, out);
    }
    *out = 0;
    caw_poll poll = w->ops->poll_write(w, cx, buffer, size, out);
    if (poll != CAW_PENDING && poll != CAW_READY) {
        poll = caw_writer_finish(w, caw_error_from_return(w->ops->name, "poll_write", (int)poll), out);
    }
    w->cancel_sent = w->cancel_sent && poll == CAW_PENDING;
    return poll;
}

caw_poll
caw_writer_poll_close(caw_writer *w, caw_context *cx)
{
    caw_poll poll = w->ops->poll_close(w, cx);
    if (poll != CAW_PENDING && poll != CAW_READY) {
        w->status = caw_error_from_return(w->ops->name, "poll_close", (int)poll);
        poll = CAW_READY;
    }
    w->cancel_sent = w->cancel_sent && poll == CAW_PENDING;
    return poll;
}

void
caw_reader_cancel(caw_reader *r)
{
    if (r->ops->cancel && !r->cancel_sent) {
        r->cancel_sent = true;
        r->ops->cancel(r);
    }
}

void
caw_writer_cancel(caw_writer *w)
{
    if (w->ops->cancel && !w->cancel_sent) {
        w->cancel_sent = true;
        w->ops->cancel(w);
    }
}

/* The memory is the caller's, and what is pending stays with the reader or writer. */
static void
bytes_destroy(caw_future *f)
{
    (void)f;
}

/* --- one read --- */

static caw_poll
read_poll(caw_future *f, caw_context *cx)
{
    caw_read_op *read = CAW_CONTAINER_OF(f, caw_read_op, future);
    caw_reader *r = read->reader;
    if (read->cancelled && !read->pending) {
        return caw_future_finish(f, CAW_ECANCELED);
    }
    bool of_another = r->cancel_sent && !read->cancelled;
    size_t length = 0;
    caw_poll poll = caw_reader_poll_read(r, cx, read->buffer, read->size, &length);
    if (of_another && poll == CAW_READY && length == 0 && r->status == CAW_ECANCELED) {
        poll = caw_reader_poll_read(r, cx, read->buffer, read->size, &length);
    }
    if (poll == CAW_PENDING) {
        read->pending = true;
        return CAW_PENDING;
    }
    read->length = length;
    return caw_future_finish(f, length > 0 ? 0 : r->status);
}

static void
read_cancel(caw_future *f)
{
    caw_read_op *read = CAW_CONTAINER_OF(f, caw_read_op, future);
    read->cancelled = true;
    if (read->pending) {
        caw_reader_cancel(read->reader);
    }
}

static const caw_future_ops read_ops = {"read", read_poll, read_cancel, bytes_destroy};
static const caw_future_ops read_ops_without_cancel = {"read", read_poll, NULL, bytes_destroy};

void
caw_read_init(caw_read_op *read, caw_reader *reader, void *buffer, size_t size)
{
    *read = (caw_read_op){.reader = reader, .buffer = buffer, .size = size};
    caw_future_init(&read->future, reader->ops->cancel ? &read_ops : &read_ops_without_cancel);
}

/* --- the write of all --- */

static caw_poll
write_once(caw_write_op *write, caw_context *cx, size_t *out)
{
    caw_writer *w = write->writer;
    bool of_another = w->cancel_sent && !write->cancelled;
    const char *buffer = write->buffer + write->length;
    size_t size = write->size - write->length;
    caw_poll poll = caw_writer_poll_write(w, cx, buffer, size, out);
    if (of_another && poll == CAW_READY && *out == 0 && w->status == CAW_ECANCELED) {
        poll = caw_writer_poll_write(w, cx, buffer, size, out);
    }
    return poll;
}

static caw_poll
write_poll(caw_future *f, caw_context *cx)
{
    caw_write_op *write = CAW_CONTAINER_OF(f, caw_write_op, future);
    while (write->length < write->size) {
        if (write->cancelled && !write->pending) {
            return caw_future_finish(f, CAW_ECANCELED);
        }
        size_t length = 0;
        write->pending = write_once(write, cx, &length) == CAW_PENDING;
        if (write->pending) {
            return CAW_PENDING;
        }
        if (length == 0) {
            return caw_future_finish(f, write->writer->status);
        }
        write->length += length;
    }
    return caw_future_finish(f, 0);
}

static void
write_cancel(caw_future *f)
{
    caw_write_op *write = CAW_CONTAINER_OF(f, caw_write_op, future);
    write->cancelled = true;
    if (write->pending) {
        caw_writer_cancel(write->writer);
    }
}

static const caw_future_ops write_ops = {"write", write_poll, write_cancel, bytes_destroy};
static const caw_future_ops write_ops_without_cancel = {"write", write_poll, NULL, bytes_destroy};

void
caw_write_init(caw_write_op *write, caw_writer *writer, const void *buffer, size_t size)
{
    *write = (caw_write_op){.writer = writer, .buffer = buffer, .size = size};
    caw_future_init(&write->future, writer->ops->cancel ? &write_ops : &write_ops_without_cancel);
}

/* --- the end of writing --- */

static caw_poll
close_poll(caw_future *f, caw_context *cx)
{
    caw_close_op *close = CAW_CONTAINER_OF(f, caw_close_op, future);
    caw_writer *w = close->writer;
    if (close->cancelled && !close->pending) {
        return caw_future_finish(f, CAW_ECANCELED);
    }
    bool of_another = w->cancel_sent && !close->cancelled;
    caw_poll poll = caw_writer_poll_close(w, cx);
    if (of_another && poll == CAW_READY && w->status == CAW_ECANCELED) {
        poll = caw_writer_poll_close(w, cx);
    }
    close->pending = poll == CAW_PENDING;
    return poll == CAW_READY ? caw_future_finish(f, w->status) : CAW_PENDING;
}

static void
close_cancel(caw_future *f)
{
    caw_close_op *close = CAW_CONTAINER_OF(f, caw_close_op, future);
    close->cancelled = true;
    if (close->pending) {
        caw_writer_cancel(close->writer);
    }
}

static const caw_future_ops close_ops = {"close", close_poll, close_cancel, bytes_destroy};
static const caw_future_ops close_ops_without_cancel = {"close", close_poll, NULL, bytes_destroy};

void
caw_close_init(caw_close_op *close, caw_writer *writer)
{
    *close = (caw_close_op){.writer = writer};
    caw_future_init(&close->future, writer->ops->cancel ? &close_ops : &close_ops_without_cancel);
}
