/* in_place.h: a Python stream that a coroutine of ours reads or writes: each call of its methods is a caw_py_await,
 * which is in place where possible.
 *
 * Everything here is protected by the GIL. If a poll has released it, it is taken again for these functions.
 */
#ifndef CAWAIT_PYTHON_BYTES_IN_PLACE_H
#define CAWAIT_PYTHON_BYTES_IN_PLACE_H

#include "python/bytes/methods.h"

CAW__INTERNAL_BEGIN

typedef struct caw__bytes_in_place {
    PyObject *stream; /* a reference */
    caw__bytes_kind kind;
    caw_future *call; /* the call that is under way, owned; or NULL */
    PyObject *kept;   /* reader: bytes that were received, or NULL */
    size_t taken;     /* how many of them were taken */
    size_t length;    /* writer: the length of what is being written */
    bool closes;      /* the call under way is the close, not a write */
} caw__bytes_in_place;

/* The polls of a reader and of a writer, by a coroutine of ours. */
caw_poll caw__bytes_in_place_read(caw__bytes_in_place *in, caw_reader *reader, caw_context *cx, void *buffer,
                                  size_t size, size_t *out);
caw_poll caw__bytes_in_place_write(caw__bytes_in_place *in, caw_writer *writer, caw_context *cx, const void *buffer,
                                   size_t size, size_t *out);
caw_poll caw__bytes_in_place_close(caw__bytes_in_place *in, caw_writer *writer, caw_context *cx);

/* Whether no call is under way and all bytes that were received were taken. */
bool caw__bytes_in_place_is_idle(const caw__bytes_in_place *in);

void caw__bytes_in_place_cancel(caw__bytes_in_place *in);

/* Drop what it holds, also the stream. */
void caw__bytes_in_place_fini(caw__bytes_in_place *in);

CAW__INTERNAL_END

#endif
