/* in_place.h: a Python stream that a coroutine of ours reads or writes: each call of its methods is a caw_py_await, and
 * so in place where that can be.
 *
 * Everything here is protected by the GIL. Where a poll has released it, it is taken meanwhile.
 */
#ifndef CAWAIT_PYTHON_BYTES_IN_PLACE_H
#define CAWAIT_PYTHON_BYTES_IN_PLACE_H

#include "python/bytes/methods.h"

CAW__INTERNAL_BEGIN

typedef struct caw__bytes_in_place {
    PyObject *stream; /* a reference */
    caw__bytes_kind kind;
    caw_future *call; /* owned: the call that is under way, or NULL */
    PyObject *kept;   /* of a reader: bytes that were received, or NULL */
    size_t taken;     /* so many of them */
    size_t length;    /* of a writer: of what is being written */
    bool closes;      /* what is under way is not a write, but the close */
} caw__bytes_in_place;

/* The polls of a reader and of a writer, by a coroutine of ours. */
caw_poll caw__bytes_in_place_read(caw__bytes_in_place *in, caw_reader *reader, caw_context *cx, void *buffer,
                                  size_t size, size_t *out);
caw_poll caw__bytes_in_place_write(caw__bytes_in_place *in, caw_writer *writer, caw_context *cx, const void *buffer,
                                   size_t size, size_t *out);
caw_poll caw__bytes_in_place_close(caw__bytes_in_place *in, caw_writer *writer, caw_context *cx);

/* Nothing is under way, and nothing was received that nobody took. */
bool caw__bytes_in_place_is_idle(const caw__bytes_in_place *in);

void caw__bytes_in_place_cancel(caw__bytes_in_place *in);

/* Drop what it holds, the stream too. */
void caw__bytes_in_place_fini(caw__bytes_in_place *in);

CAW__INTERNAL_END

#endif
