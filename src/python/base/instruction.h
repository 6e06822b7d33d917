/* instruction.h: what the Python code that has called us is doing. For errors and rare cases: it takes microseconds. */
#ifndef CAWAIT_PYTHON_BASE_INSTRUCTION_H
#define CAWAIT_PYTHON_BASE_INSTRUCTION_H

#include "python/base/compat.h"

CAW__INTERNAL_BEGIN

/* Whether it begins an `await`: this is asked for an iterator to drive. False where nothing is known. Never raises. */
bool caw__begins_await(void);

typedef enum caw__yield_from { YIELD_FROM_NONE = 0, YIELD_FROM_GENERATOR, YIELD_FROM_COROUTINE } caw__yield_from;

/* Whether it begins a `yield from`, and whether in a generator that is a coroutine (@types.coroutine). Never raises. */
caw__yield_from caw__begins_yield_from(void);

CAW__INTERNAL_END

#endif
