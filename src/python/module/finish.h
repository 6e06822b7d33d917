/* finish.h: operations that are finished before the interpreter is. */
#ifndef CAWAIT_PYTHON_MODULE_FINISH_H
#define CAWAIT_PYTHON_MODULE_FINISH_H

#include "python/base/state.h"

CAW__INTERNAL_BEGIN

/* Have the interpreter wait, at its end, for the calls that are to be finished at exit. Once is enough. -1 with an
 * exception. */
int caw__finish_register(caw__state *state);

CAW__INTERNAL_END

#endif
