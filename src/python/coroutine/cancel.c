/* cancel.c: telling an operation to stop, and its author why. */
#include "python/coroutine/coroutine.h"

caw_py_cancel
caw__coroutine_policy(const caw__coroutine *c)
{
    caw_py_cancel policy = c->function ? c->function->spec->cancel : CAW_PY_CANCEL_DETACH;
    if (policy != CAW_PY_CANCEL_DEFAULT) {
        return policy;
    }
    return c->future->ops->cancel ? CAW_PY_CANCEL_WAIT : CAW_PY_CANCEL_DETACH;
}

void
caw__coroutine_tell(caw__coroutine *c)
{
    if (!c->told) {
        char was_running = c->running;
        c->told = true;
        c->running = true;
        caw_future_cancel(c->future);
        c->running = was_running;
    }
}

void
caw__coroutine_tell_why(caw__coroutine *c, PyObject *exception)
{
    if (c->function->spec->on_throw) {
        char was_running = c->running;
        c->running = true;
        c->function->spec->on_throw(c->future, exception);
        c->running = was_running;
        if (PyErr_Occurred()) {
            PyErr_WriteUnraisable((PyObject *)c);
        }
    }
}
