/* locals.c: a loop and a context, counted without the GIL. */
#include "python/loop/locals.h"

#include "python/loop/hub.h"
#include "python/loop/orphans.h"
#include "python/loop/ref.h"

#include "core/reactor/wake_queue.h"

#include <stdlib.h>

caw_py_locals *
caw__locals_new(caw__inbox *inbox)
{
    PyObject *context = PyContext_CopyCurrent();
    if (!context) {
        return NULL;
    }
    caw_py_locals *locals = malloc(sizeof *locals);
    caw_py_ref *ref = locals ? caw__ref_new(inbox, context) : NULL;
    if (!ref) {
        free(locals);
        Py_DECREF(context);
        PyErr_NoMemory();
        return NULL;
    }
    atomic_init(&locals->refs, 1);
    locals->inbox = caw__inbox_retain(inbox);
    locals->context = ref;
    return locals;
}

caw_py_locals *
caw__locals_of_no_loop(caw__orphans *orphans)
{
    caw__inbox *inbox = caw__inbox_of_no_loop(orphans);
    if (!inbox) {
        PyErr_NoMemory();
        return NULL;
    }
    caw_py_locals *locals = caw__locals_new(inbox);
    caw__inbox_release(inbox);
    return locals;
}

bool
caw__locals_are_ours(const caw_py_locals *locals)
{
    bool ours = caw__orphans_is_of_this_interpreter(locals->inbox->orphans);
    if (!ours) {
        PyErr_SetString(PyExc_RuntimeError, "the locals belong to another interpreter");
    }
    return ours;
}

caw_py_locals *
caw_py_locals_retain(caw_py_locals *locals)
{
    if (locals) {
        atomic_fetch_add_explicit(&locals->refs, 1, memory_order_relaxed); /* relaxed: the caller has a reference */
    }
    return locals;
}

void
caw_py_locals_release(caw_py_locals *locals)
{
    /* acq_rel: all uses by others, before their release, come before the free. */
    if (locals && atomic_fetch_sub_explicit(&locals->refs, 1, memory_order_acq_rel) == 1) {
        caw_py_ref_release(locals->context);
        caw__inbox_release(locals->inbox);
        free(locals);
    }
}

bool
caw_py_locals_is_closed(const caw_py_locals *locals)
{
    const caw_reactor *reactor = locals->inbox->reactor;
    return !reactor || caw__reactor_forked(reactor) || caw__reactor_queue(reactor) == WAKE_QUEUE_CLOSED;
}

caw_py_loop_state
caw_py_locals_loop_state(const caw_py_locals *locals)
{
    caw__hub *hub = locals->inbox->hub;
    if (!hub || !hub->loop || caw_py_locals_is_closed(locals)) {
        return CAW_PY_LOOP_CLOSED;
    }
    PyObject *raised = caw__take_raised();
    Py_INCREF(hub);
    caw_py_loop_state state = hub->framework->loop_state(hub);
    Py_DECREF(hub);
    if (raised) {
        caw__raise(raised);
    }
    return state;
}

caw_py_ref *
caw_py_ref_new(caw_py_locals *locals, PyObject *object)
{
    caw_py_ref *ref = caw__ref_new(locals->inbox, object);
    if (!ref) {
        PyErr_NoMemory();
        return NULL;
    }
    Py_INCREF(object);
    return ref;
}
