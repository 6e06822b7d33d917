/* iterate.h: an async iterable of Python as a C stream.
 *
 *     NEW ── first poll ──> IN_PLACE ── end, error ──> ENDED
 *      └──── first poll ──> POSTED   ── end, error ──> ENDED
 *
 * IN_PLACE: each item is a Python awaitable, the iterator's __anext__(), that is awaited by whoever polls (await/in_place.h); when the
 * stream is asked to stop, the last one is its aclose(). Nothing is asked for before a poll wants it.
 *
 * POSTED: the iterator runs on its loop, in a task of its own, whose coroutine polls a stream that is IN_PLACE there and sends
 * the items through a channel (iterate/posted.c). Here is the channel's other end.
 *
 * Everything here is protected by the GIL, but in POSTED, where nothing of it is Python's.
 */
#ifndef CAWAIT_PYTHON_ITERATE_ITERATE_H
#define CAWAIT_PYTHON_ITERATE_ITERATE_H

#include "python/coroutine/coroutine.h"
#include "python/loop/locals.h"

CAW__INTERNAL_BEGIN

typedef struct caw__posted_iteration caw__posted_iteration;
typedef struct caw__iteration caw__iteration;

typedef enum caw__iteration_state {
    ITERATION_NEW = 0,
    ITERATION_IN_PLACE,
    ITERATION_POSTED,
    ITERATION_ENDED
} caw__iteration_state;

struct caw__iteration {
    caw_stream stream;
    PyObject *iterator; /* a reference; NULL in POSTED */
    caw_py_iterable_spec spec;
    caw_py_locals *locals;       /* a reference; NULL before the first poll, where it was not given any */
    caw_future *child;           /* IN_PLACE: what is awaited, or NULL: owned */
    caw__posted_iteration *pump; /* POSTED: owned */
    caw__iteration_state state;
    bool posts;     /* it was given its locals, for any place */
    bool cancelled; /* it was asked to stop */
    bool closing;   /* IN_PLACE: the child is that of aclose() */
    bool left;      /* ENDED, but the iterator is not at its end: a value of it could not be taken */
    bool pumped;    /* IN_PLACE: for a pump, whose task nobody but the loop's end cancels */
};

/* iterate/iterate.c */

/* Iterated in place only: for a coroutine in the iterator's own loop, which the locals say. Takes the iterator; NULL when out of
 * memory: then it does not. */
caw_stream *caw__iteration_new(caw_py_locals *locals, PyObject *iterator, const caw_py_iterable_spec *spec);

/* Have the collector see what a stream of this kind holds; nothing where it is another one. */
int caw__iteration_traverse(const caw_stream *s, visitproc visit, void *arg);

/* Whether it waits for the iterator's aclose(). */
bool caw__iteration_is_closing(const caw_stream *s);

/* Whether it is one, and iterated in place. */
bool caw__iteration_is_in_place(const caw_stream *s);

/* Its end: of the stream, not of the struct. */
caw_poll caw__iteration_end(caw__iteration *s, int status, caw_item **out);

/* iterate/in_place.c: poll one that is IN_PLACE, in a poll of the coroutine, which has the GIL. */
caw_poll caw__iteration_poll_in_place(caw__iteration *s, caw_context *cx, caw__coroutine *c, caw_item **out);

/* iterate/posted.c */

/* The consumer's end of an iterator that runs on the loop of the locals. Takes the iterator and spec->user; NULL when out of
 * memory: then it does not.
 *   any-thread · no-gil · borrows(locals), which are retained · returns-new · quiet */
caw__posted_iteration *caw__posted_iteration_new(caw_py_locals *locals, PyObject *iterator,
                                                 const caw_py_iterable_spec *spec);

/* As of a stream; *status at the end.
 *   poller · no-gil */
caw_poll caw__posted_iteration_poll_next(caw__posted_iteration *p, caw_context *cx, caw_item **out, int *status);
void caw__posted_iteration_cancel(caw__posted_iteration *p);
void caw__posted_iteration_destroy(caw__posted_iteration *p);

/* iterate/aclose.c */

/* Have the iterator's aclose() awaited by a task of the loop, where it has one. Takes the iterator. Never raises.
 *   any-thread · gil · borrows(locals) · never fails · wakes, runs-python */
void caw__close_later(caw_py_locals *locals, PyObject *iterator);

/* The awaitable of iterator.aclose(): a new reference; None where it has no such method. */
PyObject *caw__aclose(PyObject *iterator);

/* Let a posted future run to its end, with nobody to wait for it. Takes the future.
 *   any-thread · no-gil */
void caw__future_detach(caw_future *f);

CAW__INTERNAL_END

#endif
