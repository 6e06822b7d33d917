/* step.h: one step of an async generator: the future of what __anext__, asend, athrow and aclose return. */
#ifndef CAWAIT_PYTHON_GENERATOR_STEP_H
#define CAWAIT_PYTHON_GENERATOR_STEP_H

#include "python/generator/generator.h"

CAW__INTERNAL_BEGIN

/* A coroutine that makes one step. `arg` is borrowed, may be NULL. */
PyObject *caw__generator_step_new(caw__generator *g, caw__generator_step_kind kind, PyObject *arg);

/* The first step of a coroutine that makes one, where there is nothing to wait for: the shortest way. PYGEN_NEXT, and
 * nothing was done: it is to be polled as any other. */
PySendResult caw__generator_step_at_once(caw__coroutine *c, PyObject **result);

/* The step that the future is, or NULL. */
caw__generator_step *caw__generator_step_of(const caw_future *future);

/* The next three do nothing where the future is no step. */

/* An exception is thrown in, or it is closed, before the first poll: that ends the generator, as if it had come at the
 * `yield`. -1 with an exception where another step has begun: that one is raised then, and the generator goes on. */
int caw__generator_step_throw(const caw_future *future);

/* A value is sent before the first poll: it counts as if it had been given to asend(). False where that makes no
 * sense. */
bool caw__generator_step_send(const caw_future *future, PyObject *value);

/* An exception is set, which leaves the generator: a StopAsyncIteration that is not its end becomes a RuntimeError. The
 * future may be NULL. */
void caw__generator_step_guard_stop(const caw_future *future);

CAW__INTERNAL_END

#endif
