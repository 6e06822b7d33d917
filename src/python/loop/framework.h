/* framework.h: the few places where async frameworks differ: asyncio (and uvloop, which speaks its protocol) and trio.
 * anyio needs no place of its own: a run of it is a run of one of the two.
 *
 * Which one it is is asked when a coroutine suspends, of what runs then and there, and never remembered for a thread: in
 * trio's guest mode both live in one.
 */
#ifndef CAWAIT_PYTHON_LOOP_FRAMEWORK_H
#define CAWAIT_PYTHON_LOOP_FRAMEWORK_H

#include "python/loop/hub.h"

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

    /* Begin to run an awaitable as a task, in the current context, for a remote: its end is said by caw__posted_end. -1 with
     * an exception, and it has not begun. */
    int (*begin)(caw__hub *hub, caw__posted *posted, PyObject *awaitable);

    /* Cancel what `begin` has left in remote->task. May leave an exception. */
    void (*cancel)(PyObject *task);

    /* Whether a KeyboardInterrupt or SystemExit may leave the drain, and with it the loop. */
    bool may_leave;

    /* Whether the hub keeps what waits alive: nobody else may know of a task of asyncio. trio knows its tasks, and who
     * suspends cannot be told from who is driven by hand, and may be dropped. */
    bool holds;
};

extern const caw__framework caw__asyncio, caw__trio;

/* What runs in this thread, and in `loop`, a new reference, what its hub is found by: the loop, or the token of the trio
 * run. Where a run of each is inside the other, the one that awaits this coroutine. NULL with a RuntimeError when nothing
 * runs. */
const caw__framework *caw__framework_running(caw__state *state, const caw__coroutine *c, PyObject **loop);

/* The task of trio that awaits this coroutine, in `task`: 1 and a new reference; 0 and NULL when trio does not run here, or
 * runs only around what awaits it; -1 and NULL with an exception. Costs next to nothing without trio. */
int caw__framework_trio_task(caw__state *state, const caw__coroutine *c, PyObject **task);

CAW__INTERNAL_END

#endif
