/* posted.h: a Python stream that any thread reads or writes: each call of its methods is a caw_py_call, which the
 * loop's thread makes and awaits as a task. */
#ifndef CAWAIT_PYTHON_BYTES_POSTED_H
#define CAWAIT_PYTHON_BYTES_POSTED_H

#include "python/bytes/methods.h"
#include "python/loop/locals.h"

CAW__INTERNAL_BEGIN

typedef struct caw__bytes_call caw__bytes_call;

typedef struct caw__bytes_posted {
    caw_py_locals *locals; /* a reference */
    caw_py_ref *stream;    /* a reference */
    caw_py_ref *end;       /* anyio.EndOfStream, a reference; or NULL */
    caw__bytes_kind kind;
    caw_future *future;    /* the call that is under way or has bytes that were not taken, owned; or NULL */
    caw__bytes_call *call; /* owned by `future`, and NULL with it */
    bool ready;            /* `future` is ready: the call's fields may be used here */
} caw__bytes_posted;

/* All functions below:
 *   any-thread · no-gil */

/* For a stream that is to be read or written on the loop of the locals. Takes the references; `end` may be NULL. */
void caw__bytes_posted_init(caw__bytes_posted *at, caw_py_locals *locals, caw__bytes_kind kind, caw_py_ref *stream,
                            caw_py_ref *end);

/* The polls of a reader and of a writer. */
caw_poll caw__bytes_posted_read(caw__bytes_posted *at, caw_reader *reader, caw_context *cx, void *buffer, size_t size,
                                size_t *out);
caw_poll caw__bytes_posted_write(caw__bytes_posted *at, caw_writer *writer, caw_context *cx, const void *buffer,
                                 size_t size, size_t *out);
caw_poll caw__bytes_posted_close(caw__bytes_posted *at, caw_writer *writer, caw_context *cx);

void caw__bytes_posted_cancel(caw__bytes_posted *at);

/* Drop what it holds, the stream too. */
void caw__bytes_posted_fini(caw__bytes_posted *at);

CAW__INTERNAL_END

#endif
