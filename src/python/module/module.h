/* module.h: the bridge's own module object, held by a module of the user's. */
#ifndef CAWAIT_PYTHON_MODULE_MODULE_H
#define CAWAIT_PYTHON_MODULE_MODULE_H

#include "python/base/state.h"

CAW__INTERNAL_BEGIN

/* The state that belongs to a module of the user's; made at the first call. Borrowed from the module; NULL with an
 * exception. */
caw__state *caw__state_of_module(PyObject *module);

/* The same, also with the type of async generators. An extension without streams is linked without that. */
caw__state *caw__state_with_generators(PyObject *module);

/* Have the types of plain functions in the state. -1 with an exception. */
int caw__state_add_plain_functions(caw__state *state);

CAW__INTERNAL_END

#endif
