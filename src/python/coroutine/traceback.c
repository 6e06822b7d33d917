/* traceback.c: the frame of a coroutine, made only when somebody looks: a traceback, a debugger, Task.get_stack,
 * asyncio's call graph (which reads cr_frame of whatever has cr_await, since 3.14). */
#include "python/coroutine/traceback.h"

#include "python/function/code.h"

PyObject *
caw__coroutine_frame(caw__coroutine *c)
{
    caw__coroutine_extras *extras = caw__coroutine_extras_get(c);
    if (extras && !extras->frame) {
        extras->frame = caw__function_frame(c->function);
    }
    if (extras && extras->frame && c->waiter.state != CORO_CREATED) {
        caw__frame_begin((PyFrameObject *)extras->frame);
    }
    return extras ? Py_XNewRef(extras->frame) : NULL;
}

void
caw__coroutine_add_traceback(caw__coroutine *c)
{
    if (!c->function) {
        return;
    }
    PyObject *raised = caw__take_raised();
    PyObject *frame = caw__function_frame(c->function);
    if (!frame) {
        PyErr_Clear(); /* the exception matters, its decoration does not */
    }
    caw__raise(raised);
    if (frame) {
        PyTraceBack_Here((PyFrameObject *)frame);
        Py_DECREF(frame);
    }
}
