/* iterate.h: an async iterable of Python as a C stream.
 *
 *     NEW ── first poll ──> IN_PLACE ── end, error ──> ENDED
 *      └──── first poll ──> POSTED   ── end, error ──> ENDED
 *
 * IN_PLACE: it is iterated by whoever polls (iterate/in_place.h).
 *
 * POSTED: the iterator runs on its loop, in a task of its own, whose coroutine polls a stream that is IN_PLACE there
 * and sends the items through a channel (iterate/posted.h). The stream here is the channel's other end.
 *
 * Everything here is protected by the GIL, except in POSTED, where it holds no Python object.
 */
#ifndef CAWAIT_PYTHON_ITERATE_ITERATE_H
#define CAWAIT_PYTHON_ITERATE_ITERATE_H

#include "python/base/compat.h"

CAW__INTERNAL_BEGIN

/* tp_traverse of the objects that such a stream holds; nothing for a stream of another kind. */
int caw__iteration_traverse(const caw_stream *s, visitproc visit, void *arg);

/* Whether the stream is such a one, and iterated in place. */
bool caw__iteration_is_in_place(const caw_stream *s);

CAW__INTERNAL_END

#endif
