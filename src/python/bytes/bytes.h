/* bytes.h: the byte stream that Python gets, with a reader and a writer of C behind it, as a struct. */
#ifndef CAWAIT_PYTHON_BYTES_BYTES_H
#define CAWAIT_PYTHON_BYTES_BYTES_H

#include "python/base/compat.h"

CAW__INTERNAL_BEGIN

/* Everything here is protected by the GIL. While `reading`, the reader belongs to one future, and while `writing` the
 * writer; what is to be destroyed is then destroyed when that one ends. */
typedef struct caw__byte_stream {
    PyObject_HEAD
    caw_reader *reader; /* owned; NULL where there is none, or no more */
    caw_writer *writer; /* likewise */
    PyObject *kept;     /* bytes that were read, and that nobody took: for the next read; or NULL */
    PyObject *unsent;   /* a bytearray: what write() was given; or NULL */
    PyObject *weakrefs;
    caw_future *reading, *writing; /* borrowed: whose they are now, or NULL */
    bool closing;                  /* close() or aclose() was called */
    bool no_writes;                /* send_eof() was called */
    bool over;                     /* reader and writer are to be destroyed as soon as they are free */
} caw__byte_stream;

/* Set the error of a use that is not allowed now, if it is one. */
bool caw__byte_stream_may_read(const caw__byte_stream *s);
bool caw__byte_stream_may_write(const caw__byte_stream *s);

/* Destroy what is to be destroyed. */
void caw__byte_stream_settle(caw__byte_stream *s);

CAW__INTERNAL_END

#endif
