/* checkpoint.h: an operation is a checkpoint of trio: before it starts, a cancelled task raises; and where it is ready
 * at once, others have their turn before its value is taken. Unless its awaits are its checkpoints, see
 * caw_py_checkpoint.
 *
 * The first part is trio's own coroutine, `extras->before`, which has to end in the task that it began in,
 * `extras->awaiter`: it may be inside a cancel scope of its own. So when another task ends the coroutine meanwhile,
 * that part stays until its own task comes back.
 */
#ifndef CAWAIT_PYTHON_COROUTINE_CHECKPOINT_H
#define CAWAIT_PYTHON_COROUTINE_CHECKPOINT_H

#include "python/coroutine/coroutine.h"

CAW__INTERNAL_BEGIN

/* Before the coroutine is ended by close() or throw(): if that is done by the task of trio that awaits the checkpoint
 * before the operation, end that first, in its order. Never raises. */
void caw__checkpoint_leave(caw__coroutine *c);

/* The first step, in a task of trio. PYGEN_RETURN: the operation may start. */
PySendResult caw__checkpoint_begin(caw__state *state, caw__coroutine *c, PyObject *task, PyObject **result);

/* Go on with the part before the operation. PYGEN_RETURN: it may start. */
PySendResult caw__checkpoint_go_on(caw__coroutine *c, PyObject *sent, PyObject **result);

/* The future is ready in its first step: let other tasks run before it is taken. */
PySendResult caw__checkpoint_end(caw__state *state, caw__coroutine *c, PyObject **result);

CAW__INTERNAL_END

#endif
