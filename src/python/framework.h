/* framework.h: the few places where async frameworks differ. So far there is one: asyncio, and uvloop, which speaks its
 * protocol.
 *
 * Which one it is is asked when a coroutine suspends, of what runs then and there, and never remembered for a thread.
 */
#ifndef CAWAIT_SRC_FRAMEWORK_H
#define CAWAIT_SRC_FRAMEWORK_H

#include "python/hub.h"

CAW__INTERNAL_BEGIN

struct caw__framework {
    /* Have the loop call hub.drain() when the hub's reactor has something to do, and own the hub until it is closed. */
    int (*attach)(caw__hub *hub);

    /* Whether awaiters may be resumed straight from a drain. -1 with a KeyboardInterrupt or the like. */
    int (*may_step)(caw__hub *hub);

    /* What the coroutine yields, so that its awaiter waits: a new reference. */
    PyObject *(*suspend)(caw__hub *hub, caw__coroutine *c);

    /* Have the awaiter of a suspended coroutine that has a callback resume, later. On failure the callback stays. */
    int (*resume)(caw__hub *hub, caw__coroutine *c);
};

extern const caw__framework caw__asyncio;

/* What runs in this thread, and in `loop`, a new reference, what its hub is found by. NULL with a RuntimeError when nothing
 * runs. */
const caw__framework *caw__framework_running(caw__state *state, PyObject **loop);

CAW__INTERNAL_END

#endif
