/* bytes.h: what the bridge's readers and writers have in common. */
#ifndef CAWAIT_PYTHON_BYTES_BYTES_H
#define CAWAIT_PYTHON_BYTES_BYTES_H

#include "python/await/in_place.h"

CAW__INTERNAL_BEGIN

enum { BYTES_MAX = 65536 }; /* of one call; what trio and anyio ask for by themselves */

typedef enum caw__bytes_kind { BYTES_TRIO = 0, BYTES_ASYNCIO, BYTES_ANYIO } caw__bytes_kind;

/* bytes/methods.c: which kind of stream it is, by its class. -1 with a TypeError: none. */
int caw__bytes_kind_of_reader(PyObject *stream);
int caw__bytes_kind_of_writer(PyObject *stream);

/* The same, and that the locals are for it. */
int caw__bytes_check_locals(const caw_py_locals *locals);

/* What is to be awaited: a new reference, or NULL with an exception. */
PyObject *caw__bytes_receive(caw__bytes_kind kind, PyObject *stream, size_t size);
PyObject *caw__bytes_send(caw__bytes_kind kind, PyObject *stream, const char *data, size_t size);
PyObject *caw__bytes_close(caw__bytes_kind kind, PyObject *stream);

/* anyio.EndOfStream: a new reference; NULL, without an exception, where nobody has imported anyio. */
PyObject *caw__bytes_end_of_stream(void);

/* What the methods of a byte stream are made of: bytes/object.c has the object, bytes/read.c and bytes/write.c its
 * futures.
 *
 * Everything here is protected by the GIL. While `reading`, the reader belongs to one future, and while `writing` the
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

extern const caw_py_async_def caw__byte_stream_inputs[], caw__byte_stream_outputs[];

/* Set the error of a use that is not allowed now, if it is one. */
bool caw__byte_stream_may_read(const caw__byte_stream *s);
bool caw__byte_stream_may_write(const caw__byte_stream *s);

/* Destroy what is to be destroyed. */
void caw__byte_stream_settle(caw__byte_stream *s);

CAW__INTERNAL_END

#endif
