/* dealloc.c: what this thread is deallocating, and what waits for that. */
#include "python/base/dealloc.h"

#include <stdlib.h>

#define DEALLOC_DEPTH 32

static CAW__THREAD_LOCAL struct {
    unsigned depth;
    bool draining;
    PyInterpreterState *interpreter; /* of the innermost one that may be: what others drop inside of it does not wait */
    PyObject **waiting;
    size_t n_waiting, n_room;
} dealloc_here;

/* False without memory: then it is ended inside the others all the same. */
static bool
dealloc_put_off(PyObject *self)
{
    if (dealloc_here.n_waiting == dealloc_here.n_room) {
        size_t n_room = dealloc_here.n_room ? dealloc_here.n_room * 2 : 16;
        PyObject **waiting = realloc(dealloc_here.waiting, n_room * sizeof *waiting);
        if (!waiting) {
            return false;
        }
        dealloc_here.waiting = waiting;
        dealloc_here.n_room = n_room;
    }
    dealloc_here.waiting[dealloc_here.n_waiting++] = self;
    return true;
}

/* The innermost one that may be begins; or one that has to wait. */
static CAW__APART bool
dealloc_begin_deep(PyObject *self)
{
    PyInterpreterState *interpreter = PyInterpreterState_Get();
    if (dealloc_here.depth + 1 == DEALLOC_DEPTH) {
        dealloc_here.interpreter = interpreter;
    }
    else if (dealloc_here.interpreter == interpreter && dealloc_put_off(self)) {
        PyObject_GC_UnTrack(self);
        return false;
    }
    dealloc_here.depth++;
    return true;
}

bool
caw__dealloc_begin(PyObject *self)
{
    if (dealloc_here.depth + 1 >= DEALLOC_DEPTH) {
        return dealloc_begin_deep(self);
    }
    dealloc_here.depth++;
    return true;
}

/* The innermost one is through: in its place, those that wait. */
static CAW__APART void
dealloc_waiting(void)
{
    dealloc_here.draining = true;
    dealloc_here.depth--;
    while (dealloc_here.n_waiting > 0) {
        PyObject *self = dealloc_here.waiting[--dealloc_here.n_waiting];
        Py_TYPE(self)->tp_dealloc(self);
    }
    dealloc_here.depth++;
    dealloc_here.draining = false;
    free(dealloc_here.waiting);
    dealloc_here.waiting = NULL;
    dealloc_here.n_room = 0;
}

void
caw__dealloc_end(void)
{
    if (dealloc_here.depth == DEALLOC_DEPTH && dealloc_here.n_waiting > 0 && !dealloc_here.draining) {
        dealloc_waiting();
    }
    dealloc_here.depth--;
}
