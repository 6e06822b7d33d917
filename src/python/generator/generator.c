/* generator.c: making an async generator, and ending its stream. */
#include "python/generator/generator.h"

#include "python/base/errors.h"

PyObject *
caw__generator_new(caw__function *function, caw_stream *stream, PyObject *self)
{
    caw__await_made = NULL; /* what its stream awaits is no coroutine's */
    caw__generator *g = PyObject_GC_New(caw__generator, function->state->generator_type);
    if (!g) {
        caw__stream_drop(stream);
        return NULL;
    }
    g->stream = stream;
    g->function = (caw__function *)Py_NewRef(function);
    g->self = Py_XNewRef(self);
    g->raised = g->name = g->qualname = g->weakrefs = NULL;
    g->kept = NULL;
    g->waiter = NULL;
    g->run_began = 0;
    g->run_length = 0;
    g->running = 0;
    g->own_used = g->hooked = g->started = g->over = g->cancel_sent = false;
    PyObject_GC_Track(g);
    return (PyObject *)g;
}

void
caw__generator_end(caw__generator *g)
{
    caw_stream *stream = g->stream;
    caw_item *kept = g->kept;
    PyObject *raised = g->raised;
    g->stream = NULL;
    g->kept = NULL;
    g->raised = NULL;
    if (stream && g->started && !g->over && !g->cancel_sent) {
        g->cancel_sent = true;
        caw_stream_cancel(stream);
    }
    caw_stream_destroy(stream);
    caw_item_destroy_all(kept);
    Py_XDECREF(raised);
}
