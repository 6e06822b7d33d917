/* step_result.h: what a step of an async generator returns, or raises. */
#ifndef CAWAIT_PYTHON_GENERATOR_STEP_RESULT_H
#define CAWAIT_PYTHON_GENERATOR_STEP_RESULT_H

#include "python/generator/generator.h"

CAW__INTERNAL_BEGIN

/* The spec of the coroutines that make the steps of a generator with this spec. */
caw_py_spec caw__generator_steps(const caw_py_stream_spec *stream);

/* The `result` of such a coroutine: a new reference, or NULL with an exception. */
PyObject *caw__generator_step_result(caw_future *f);

CAW__INTERNAL_END

#endif
