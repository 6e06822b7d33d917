/* posted.h: an async iterator of Python that runs as a task of its loop, for a consumer elsewhere. */
#ifndef CAWAIT_PYTHON_ITERATE_POSTED_H
#define CAWAIT_PYTHON_ITERATE_POSTED_H

#include "python/loop/locals.h"

CAW__INTERNAL_BEGIN

/* The consumer's end. */
typedef struct caw__posted_iteration caw__posted_iteration;

/* For an iterator that is to run on the loop of the locals. Takes the iterator and spec->user, unless it returns NULL:
 * out of memory.
 *   any-thread · no-gil · borrows(locals), which are retained · returns-new · quiet */
caw__posted_iteration *caw__posted_iteration_new(caw_py_locals *locals, PyObject *iterator,
                                                 const caw_py_iterable_spec *spec);

/* The operations of a stream. At the end the status is in *status.
 *   poller · no-gil */
caw_poll caw__posted_iteration_poll_next(caw__posted_iteration *p, caw_context *cx, caw_item **out, int *status);
void caw__posted_iteration_cancel(caw__posted_iteration *p);
void caw__posted_iteration_destroy(caw__posted_iteration *p);

CAW__INTERNAL_END

#endif
