/* methods.h: the streams of asyncio, trio and anyio, by their methods. */
#ifndef CAWAIT_PYTHON_BYTES_METHODS_H
#define CAWAIT_PYTHON_BYTES_METHODS_H

#include "python/base/compat.h"

CAW__INTERNAL_BEGIN

enum { BYTES_MAX = 65536 }; /* of one call; what trio and anyio ask for by themselves */

typedef enum caw__bytes_kind { BYTES_TRIO = 0, BYTES_ASYNCIO, BYTES_ANYIO } caw__bytes_kind;

/* Which kind of stream it is, by its class. -1 with a TypeError: none. */
int caw__bytes_kind_of_reader(PyObject *stream);
int caw__bytes_kind_of_writer(PyObject *stream);

/* What is to be awaited: a new reference, or NULL with an exception. */
PyObject *caw__bytes_receive(caw__bytes_kind kind, PyObject *stream, size_t size);
PyObject *caw__bytes_send(caw__bytes_kind kind, PyObject *stream, const char *data, size_t size);
PyObject *caw__bytes_close(caw__bytes_kind kind, PyObject *stream);

/* anyio.EndOfStream: a new reference; NULL, without an exception, where nobody has imported anyio. */
PyObject *caw__bytes_end_of_stream(void);

CAW__INTERNAL_END

#endif
