/* dealloc.c: what this thread is deallocating, and what waits for that. */
#include "python/base/dealloc.h"

#include <stdlib.h>

#define DEALLOC_DEPTH 32

static CAW__THREAD_LOCAL struct {
    PyInterpreterState *interpreter; /* of the outermost one: what others drop inside of it does not wait */
    unsigned depth;
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

bool
caw__dealloc_begin(PyObject *self)
{
    if (dealloc_here.depth == 0) {
        dealloc_here.interpreter = PyInterpreterState_Get();
    }
    else if (dealloc_here.depth >= DEALLOC_DEPTH && dealloc_here.interpreter == PyInterpreterState_Get() &&
             dealloc_put_off(self)) {
        return false;
    }
    dealloc_here.depth++;
    return true;
}

/* The outermost one is through. */
static CAW__APART void
dealloc_waiting(void)
{
    while (dealloc_here.n_waiting > 0) {
        PyObject *self = dealloc_here.waiting[--dealloc_here.n_waiting];
        Py_TYPE(self)->tp_dealloc(self);
    }
    free(dealloc_here.waiting);
    dealloc_here.waiting = NULL;
    dealloc_here.n_room = 0;
}

void
caw__dealloc_end(void)
{
    if (dealloc_here.depth == 1 && dealloc_here.n_waiting > 0) {
        dealloc_waiting();
    }
    dealloc_here.depth--;
}
