/* framework.c: which framework runs here. */
#include "python/framework.h"

#include "python/asyncio.h"

const caw__framework *
caw__framework_running(caw__state *state, PyObject **loop)
{
    if (caw__asyncio_running_loop(state, loop) < 0) {
        return NULL;
    }
    if (!*loop) {
        PyErr_SetString(PyExc_RuntimeError, "no running event loop: a C operation that does not end at once has to be "
                                            "awaited inside one");
        return NULL;
    }
    return &caw__asyncio;
}
