/* framework.h: the few places where async frameworks differ: asyncio (and uvloop, which speaks its protocol) and trio.
 * anyio needs no place of its own: a run of it is a run of one of the two.
 *
 * Which one runs is found out when a coroutine suspends, by what runs then and there, and never remembered for a
 * thread: in trio's guest mode both live in one.
 */
#ifndef CAWAIT_PYTHON_LOOP_FRAMEWORK_H
#define CAWAIT_PYTHON_LOOP_FRAMEWORK_H

#include "python/loop/waiter.h"

CAW__INTERNAL_BEGIN

typedef struct caw__py_task caw__py_task;

struct caw__framework {
    /* Have the loop call hub.drain() when the hub's reactor has something to do, and own the hub until it is closed. */
    int (*attach)(caw__hub *hub);

    /* The hub is closed: end what attach has put into hub->attached. NULL where it puts nothing there. */
    void (*detach)(caw__hub *hub);

    /* Where there is something in hub->attached: a drain begins; it has run. */
    void (*draining)(caw__hub *hub);
    void (*drained)(caw__hub *hub);

    /* Something that stays the same object as long as the same loop runs in this thread: borrowed, and cheap to get.
     * NULL, without an exception, where there is no such thing, as since Python 3.13. Called in drains that may resume
     * directly. */
    PyObject *(*mark)(caw__state *state);

    /* Whether awaiters may be resumed straight from a drain. -1 with a KeyboardInterrupt or the like. */
    int (*may_step)(caw__hub *hub);

    /* What the waiter yields, so that its awaiter waits: a new reference. */
    PyObject *(*suspend)(caw__hub *hub, caw__waiter *w);

    /* Have the awaiter of a suspended waiter that has a callback resume, later. On failure the callback stays. */
    int (*resume)(caw__hub *hub, caw__waiter *w);

    /* Begin to run an awaitable as a task, in the current context; its end comes to task->ops. -1 with an exception,
     * and it has not begun. */
    int (*begin)(caw__hub *hub, caw__py_task *task, PyObject *awaitable);

    /* Cancel what `begin` has left in task->handle. May leave an exception. */
    void (*cancel)(PyObject *handle);

    /* What the loop of a hub that is open does. Calls Python. Never raises. */
    caw_py_loop_state (*loop_state)(caw__hub *hub);

    /* Whether a KeyboardInterrupt or SystemExit may leave the drain, and with it the loop. */
    bool may_leave;

    /* Whether a loop stays in the thread that it began in, as a run of trio does. A loop of asyncio may go on in
     * another one. */
    bool stays;

    /* Whether the hub keeps what waits alive. asyncio has only weak references to its tasks, so the hub has to. trio
     * keeps its tasks; and there a waiter that is driven by hand looks like one that a task awaits, and may be
     * dropped. */
    bool holds;
};

CAW__INTERNAL_END

#endif
