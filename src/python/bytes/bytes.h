/* bytes.h: the struct of the byte stream that Python gets, with a reader and a writer of C behind it. */
#ifndef CAWAIT_PYTHON_BYTES_BYTES_H
#define CAWAIT_PYTHON_BYTES_BYTES_H

#include "python/base/compat.h"

CAW__INTERNAL_BEGIN

/* Everything here is protected by the GIL. The reader belongs to the future `reading` while that is not NULL, and the
 * writer to `writing`. What is to be destroyed meanwhile is destroyed when that future ends. */
typedef struct caw__byte_stream {
    PyObject_HEAD
    caw_reader *reader; /* owned; NULL if there is none, or none any more */
    caw_writer *writer; /* the same */
    PyObject *kept;     /* bytes that were read but not taken, for the next read; or NULL */
    PyObject *unsent;   /* a bytearray, the data of write(); or NULL */
    PyObject *weakrefs;
    caw_future *reading, *writing; /* borrowed: the futures that use them now, or NULL */
    bool closing;                  /* close() or aclose() was called */
    bool no_writes;                /* send_eof() was called */
    bool over;                     /* reader and writer are destroyed as soon as no future uses them */
} caw__byte_stream;

/* Whether it may be used in this way now: if not, with an exception set. */
bool caw__byte_stream_may_read(const caw__byte_stream *s);
bool caw__byte_stream_may_write(const caw__byte_stream *s);

/* Destroy the reader and the writer if they are to be destroyed and are not in use. */
void caw__byte_stream_settle(caw__byte_stream *s);

CAW__INTERNAL_END

#endif
