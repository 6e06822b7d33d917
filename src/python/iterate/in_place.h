/* in_place.h: an async iterator of Python that is iterated by whoever polls.
 *
 * Each item comes from a Python awaitable, the iterator's __anext__(), that is awaited in place (await/in_place.h).
 * Once the stream is cancelled, the last awaitable is the iterator's aclose(). Each is made by the poll that needs it,
 * not earlier.
 *
 * Everything here is protected by the GIL.
 */
#ifndef CAWAIT_PYTHON_ITERATE_IN_PLACE_H
#define CAWAIT_PYTHON_ITERATE_IN_PLACE_H

#include "python/loop/locals.h"

CAW__INTERNAL_BEGIN

/* The states of iterate/iterate.h; POSTED is not used here. */
typedef enum caw__iteration_state {
    ITERATION_NEW = 0,
    ITERATION_IN_PLACE,
    ITERATION_POSTED,
    ITERATION_ENDED
} caw__iteration_state;

typedef struct caw__iteration {
    caw_stream stream;
    PyObject *iterator; /* a reference; NULL in POSTED */
    caw_py_iterable_spec spec;
    caw_py_locals *locals; /* a reference; NULL before the first poll if it was made without */
    caw_future *child;     /* IN_PLACE: what is awaited, owned; or NULL */
    PyObject *given;       /* IN_PLACE: a value or an exception for the iterator: a reference; or NULL */
    caw__iteration_state state;
    bool cancelled; /* cancel was called */
    bool throws;    /* `given` is an exception */
    bool closing;   /* IN_PLACE: the child awaits aclose() */
    bool left;      /* ENDED, but the iterator has not ended: one of its values could not be taken */
    bool in_task;   /* IN_PLACE: in a task of its own, which only the loop's end cancels */
} caw__iteration;

/* A stream that is IN_PLACE from the beginning, for a task of its own in the loop of the locals. Takes the iterator,
 * unless it returns NULL: out of memory. */
caw_stream *caw__iteration_new(caw_py_locals *locals, PyObject *iterator, const caw_py_iterable_spec *spec);

/* Whether the stream waits for the iterator's aclose(). */
bool caw__iteration_is_closing(const caw_stream *s);

/* Ask for the next item by asend(value), or by athrow(exception) if it `throws`. Borrows the object. False where that
 * cannot be. */
bool caw__iteration_give(caw__iteration *s, PyObject *object, bool throws);

/* Poll a stream that is IN_PLACE, from a coroutine of ours. */
caw_poll caw__iteration_poll(caw__iteration *s, caw_context *cx, caw_item **out);

/* End the stream, with the status; the struct stays. */
caw_poll caw__iteration_end(caw__iteration *s, int status, caw_item **out);

/* Free it, with the GIL or in a poll that has released it. The iterator is closed, if it was begun. */
void caw__iteration_drop(caw__iteration *s);

/* Free it when the iterator is gone already: the struct, and the struct whose first member it is.
 *   any-thread · no-gil */
void caw__iteration_free(caw__iteration *s);

CAW__INTERNAL_END

#endif
