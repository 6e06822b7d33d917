/* traceback.c: the frame of a coroutine, made only when somebody looks: a traceback, a debugger, Task.get_stack,
 * asyncio's call graph (which reads cr_frame of whatever has cr_await, since 3.14). */
#include "python/coroutine/traceback.h"

#include "core/async/routine.h"
#include "python/function/code.h"

caw_point
caw__future_point(const caw_future *future)
{
    const caw_async *a = caw__async_of(future);
    const caw_point *point = a ? caw__async_point(a) : NULL;
    return point ? *point : (caw_point){.file = NULL};
}

/* While one that delegates runs, what it awaits is what is polled. */
caw_point
caw__coroutine_point(const caw__coroutine *c)
{
    bool is_polled = c->waiter.running && !c->waiter.delegates;
    bool is_written = is_polled && c->function && c->function->spec->poll_without_gil;
    return caw__future_point(is_written ? NULL : c->future);
}

PyObject *
caw__coroutine_frame(caw__coroutine *c)
{
    caw__coroutine_extras *extras = caw__coroutine_extras_get(c);
    caw_point point = caw__coroutine_point(c);
    if (extras && extras->frame && extras->frame_line != point.line) {
        Py_CLEAR(extras->frame);
    }
    if (extras && !extras->frame) {
        extras->frame_line = point.line;
        extras->frame = caw__function_frame(c->function, point.file, point.line);
    }
    if (extras && extras->frame && c->waiter.state != CORO_CREATED) {
        caw__frame_begin((PyFrameObject *)extras->frame);
    }
    return extras ? Py_XNewRef(extras->frame) : NULL;
}

void
caw__coroutine_add_traceback(caw__coroutine *c, caw_point failed)
{
    if (!c->function) {
        return;
    }
    PyObject *raised = caw__take_raised();
    PyObject *frame = caw__function_frame(c->function, failed.file, failed.line);
    if (!frame) {
        PyErr_Clear(); /* the exception matters, its decoration does not */
    }
    caw__raise(raised);
    if (frame) {
        PyTraceBack_Here((PyFrameObject *)frame);
        Py_DECREF(frame);
    }
}
