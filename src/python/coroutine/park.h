/* park.h: what a suspended coroutine yields to asyncio: an object with the protocol of a future, and nothing else of
 * one.
 *
 * It is a separate object because asyncio takes whatever has `_asyncio_future_blocking` for a future: gather() and
 * shield() would treat a coroutine that had it as one (CPython asyncio.isfuture). It has nothing of its own but a
 * borrowed reference to its coroutine, which takes that away when it is through; so it takes part in no reference
 * cycle. A coroutine uses one park for all its suspensions.
 */
#ifndef CAWAIT_PYTHON_COROUTINE_PARK_H
#define CAWAIT_PYTHON_COROUTINE_PARK_H

#include "python/coroutine/coroutine.h"

CAW__INTERNAL_BEGIN

extern PyType_Spec caw__park_spec;

/* A park for this coroutine; NULL with MemoryError. */
caw__park *caw__park_new(caw__state *state, caw__coroutine *c);

/* The coroutine is through with it: takes its reference. A park that has a message for trio is used again together
 * with it, since making one is a fifth of what an operation costs there; where trio still has the message or its
 * function, the cycle of the two is taken apart. */
void caw__park_orphan(caw__park *park);

void caw__park_free_list_clear(caw__state *state);

CAW__INTERNAL_END

#endif
