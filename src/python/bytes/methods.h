/* methods.h: recognising the streams of asyncio, trio and anyio by their methods, and calling these. */
#ifndef CAWAIT_PYTHON_BYTES_METHODS_H
#define CAWAIT_PYTHON_BYTES_METHODS_H

#include "python/base/compat.h"

CAW__INTERNAL_BEGIN

enum { BYTES_MAX = 65536 }; /* in one call: the default of trio and anyio */

typedef enum caw__bytes_kind { BYTES_TRIO = 0, BYTES_ASYNCIO, BYTES_ANYIO } caw__bytes_kind;

/* The kind of stream, by its class. -1 with a TypeError if it is none. */
int caw__bytes_kind_of_reader(PyObject *stream);
int caw__bytes_kind_of_writer(PyObject *stream);

/* Call the method: the awaitable, a new reference, or NULL with an exception. */
PyObject *caw__bytes_receive(caw__bytes_kind kind, PyObject *stream, size_t size);
PyObject *caw__bytes_send(caw__bytes_kind kind, PyObject *stream, const char *data, size_t size);
PyObject *caw__bytes_close(caw__bytes_kind kind, PyObject *stream);

/* anyio.EndOfStream: a new reference; NULL, without an exception, if anyio was not imported. */
PyObject *caw__bytes_end_of_stream(void);

CAW__INTERNAL_END

#endif
