/* from_fd.c: a file descriptor as a reader and as a writer. */
#include "cawait/bytes.h"

#include "core/bytes/byte_fd.h"

#include <stdlib.h>

typedef struct bytefd_reader {
    caw_reader reader;
    caw__byte_fd at;
} bytefd_reader;

typedef struct bytefd_writer {
    caw_writer writer;
    caw__byte_fd at;
} bytefd_writer;

/* --- the reader --- */

static caw_poll
bytefd_poll_read(caw_reader *r, caw_context *cx, void *buffer, size_t size, size_t *out)
{
    bytefd_reader *reader = CAW_CONTAINER_OF(r, bytefd_reader, reader);
    ptrdiff_t n;
    if (!caw__byte_fd_do(&reader->at, cx, buffer, NULL, size, &n)) {
        return CAW_PENDING;
    }
    if (n <= 0) {
        return caw_reader_finish(r, (int)n, out);
    }
    *out = (size_t)n;
    return CAW_READY;
}

static void
bytefd_cancel_read(caw_reader *r)
{
    caw__byte_fd_cancel(&CAW_CONTAINER_OF(r, bytefd_reader, reader)->at);
}

static void
bytefd_destroy_reader(caw_reader *r)
{
    bytefd_reader *reader = CAW_CONTAINER_OF(r, bytefd_reader, reader);
    caw__byte_fd_fini(&reader->at);
    free(reader);
}

static const caw_reader_ops bytefd_reader_ops = {"fd", bytefd_poll_read, bytefd_cancel_read, bytefd_destroy_reader};

caw_reader *
caw_reader_from_fd(int fd)
{
    bytefd_reader *reader = malloc(sizeof *reader);
    if (!reader) {
        return NULL;
    }
    caw_reader_init(&reader->reader, &bytefd_reader_ops);
    reader->at = (caw__byte_fd){.fd = fd};
    return &reader->reader;
}

/* --- the writer --- */

static caw_poll
bytefd_poll_write(caw_writer *w, caw_context *cx, const void *buffer, size_t size, size_t *out)
{
    bytefd_writer *writer = CAW_CONTAINER_OF(w, bytefd_writer, writer);
    ptrdiff_t n;
    if (!caw__byte_fd_do(&writer->at, cx, NULL, buffer, size, &n)) {
        return CAW_PENDING;
    }
    if (n <= 0) {
        return caw_writer_finish(w, n < 0 ? (int)n : -EIO, out);
    }
    *out = (size_t)n;
    return CAW_READY;
}

static caw_poll
bytefd_poll_close(caw_writer *w, caw_context *cx)
{
    (void)cx;
    w->status = caw__byte_fd_shut(&CAW_CONTAINER_OF(w, bytefd_writer, writer)->at);
    return CAW_READY;
}

static void
bytefd_cancel_write(caw_writer *w)
{
    caw__byte_fd_cancel(&CAW_CONTAINER_OF(w, bytefd_writer, writer)->at);
}

static void
bytefd_destroy_writer(caw_writer *w)
{
    bytefd_writer *writer = CAW_CONTAINER_OF(w, bytefd_writer, writer);
    caw__byte_fd_fini(&writer->at);
    free(writer);
}

static const caw_writer_ops bytefd_writer_ops = {"fd", bytefd_poll_write, bytefd_poll_close, bytefd_cancel_write,
                                                 bytefd_destroy_writer};

caw_writer *
caw_writer_from_fd(int fd)
{
    bytefd_writer *writer = malloc(sizeof *writer);
    if (!writer) {
        return NULL;
    }
    caw_writer_init(&writer->writer, &bytefd_writer_ops);
    writer->at = (caw__byte_fd){.fd = fd};
    return &writer->writer;
}
