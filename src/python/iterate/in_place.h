/* in_place.h: an async iterator of Python that is iterated by whoever polls.
 *
 * Each item is a Python awaitable, the iterator's __anext__(), that is awaited in place (await/in_place.h); when the
 * stream is asked to stop, the last one is its aclose(). Nothing is asked for before a poll wants it.
 *
 * Everything here is protected by the GIL.
 */
#ifndef CAWAIT_PYTHON_ITERATE_IN_PLACE_H
#define CAWAIT_PYTHON_ITERATE_IN_PLACE_H

#include "python/loop/locals.h"

CAW__INTERNAL_BEGIN

/* The states of iterate/iterate.h; POSTED has no part in here. */
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
    caw_py_locals *locals; /* a reference; NULL before the first poll, where it was not given any */
    caw_future *child;     /* IN_PLACE: what is awaited, or NULL: owned */
    caw__iteration_state state;
    bool cancelled; /* it was asked to stop */
    bool closing;   /* IN_PLACE: the child is that of aclose() */
    bool left;      /* ENDED, but the iterator is not at its end: a value of it could not be taken */
    bool in_task;   /* IN_PLACE: in a task of its own, which nobody but the loop's end cancels */
} caw__iteration;

/* In place only, in a task of its own, in the loop of the locals. Takes the iterator; NULL when out of memory: then it
 * does not. */
caw_stream *caw__iteration_new(caw_py_locals *locals, PyObject *iterator, const caw_py_iterable_spec *spec);

/* Whether it waits for the iterator's aclose(). */
bool caw__iteration_is_closing(const caw_stream *s);

/* Poll one that is IN_PLACE, by a coroutine of ours. */
caw_poll caw__iteration_poll(caw__iteration *s, caw_context *cx, caw_item **out);

/* Its end: of the stream, not of the struct. */
caw_poll caw__iteration_end(caw__iteration *s, int status, caw_item **out);

/* Its death, with the GIL or in a poll that has released it: the iterator is closed, if it was begun. */
void caw__iteration_drop(caw__iteration *s);

/* Its death where the iterator is gone already. The struct is freed, and so what it is the first member of.
 *   any-thread · no-gil */
void caw__iteration_free(caw__iteration *s);

CAW__INTERNAL_END

#endif
