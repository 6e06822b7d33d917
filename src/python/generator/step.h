/* step.h: one step of an async generator: the future of what __anext__, asend, athrow and aclose return. */
#ifndef CAWAIT_PYTHON_GENERATOR_STEP_H
#define CAWAIT_PYTHON_GENERATOR_STEP_H

#include "python/generator/generator.h"

CAW__INTERNAL_BEGIN

/* A coroutine that makes one step. `arg` is borrowed, may be NULL. */
PyObject *caw__generator_step_new(caw__generator *g, caw__generator_step_kind kind, PyObject *arg);

CAW__INTERNAL_END

#endif
