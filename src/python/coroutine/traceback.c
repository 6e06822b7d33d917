/* traceback.c: the frame of a coroutine, made only when somebody looks: a traceback, a debugger, Task.get_stack,
 * asyncio's call graph (which reads cr_frame of whatever has cr_await, since 3.14). */
#include "python/coroutine/traceback.h"

#include "core/async/trace.h"
#include "python/function/code.h"

#include <string.h>

void
caw__future_places(const caw_future *future, caw__places *out)
{
    caw__async_place place;
    out->n = 0;
    for (bool more = future && caw__async_walk(&place, future); more; more = caw__async_walk(&place, NULL)) {
        if (!place.point) {
            continue;
        }
        if (out->n == CAW__PLACES) {
            memmove(&out->at[CAW__PLACES / 2], &out->at[CAW__PLACES / 2 + 1], (CAW__PLACES / 2 - 1) * sizeof *out->at);
            out->n--;
        }
        out->at[out->n].function = place.name;
        out->at[out->n].file = place.point->file;
        out->at[out->n].line = place.point->line;
        out->n++;
    }
}

/* While one that delegates runs, what it awaits is what is polled. */
void
caw__coroutine_places(const caw__coroutine *c, caw__places *out)
{
    bool is_polled = c->waiter.running && !c->waiter.delegates;
    bool is_written = is_polled && c->function && c->function->spec->poll_without_gil;
    caw__future_places(is_written ? NULL : c->future, out);
}

PyObject *
caw__coroutine_frame(caw__coroutine *c)
{
    caw__coroutine_extras *extras = caw__coroutine_extras_get(c);
    caw__places places;
    caw__coroutine_places(c, &places);
    int line = places.n > 0 ? places.at[0].line : 0;
    if (extras && extras->frame && extras->frame_line != line) {
        Py_CLEAR(extras->frame);
    }
    if (extras && !extras->frame) {
        extras->frame_line = line;
        extras->frame = caw__function_frame(c->function, NULL, places.n > 0 ? places.at[0].file : NULL, line);
    }
    if (extras && extras->frame && c->waiter.state != CORO_CREATED) {
        caw__frame_begin((PyFrameObject *)extras->frame);
    }
    return extras ? Py_XNewRef(extras->frame) : NULL;
}

/* One line. The exception matters, its decoration does not. */
static void
traceback_add(caw__function *function, const char *name, const char *file, int line)
{
    PyObject *raised = caw__take_raised();
    PyObject *frame = caw__function_frame(function, name, file, line);
    if (!frame) {
        PyErr_Clear();
    }
    caw__raise(raised);
    if (frame) {
        PyTraceBack_Here((PyFrameObject *)frame);
        Py_DECREF(frame);
    }
}

void
caw__coroutine_add_traceback(caw__coroutine *c, const caw__places *failed)
{
    if (!c->function) {
        return;
    }
    for (size_t i = failed->n; i > 1; i--) { /* each is added above the last */
        traceback_add(c->function, failed->at[i - 1].function, failed->at[i - 1].file, failed->at[i - 1].line);
    }
    bool is_known = failed->n > 0;
    traceback_add(c->function, NULL, is_known ? failed->at[0].file : NULL, is_known ? failed->at[0].line : 0);
}
