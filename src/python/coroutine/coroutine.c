/* coroutine.c: birth and memory of coroutines. */
#include "python/coroutine/coroutine.h"

#include "python/base/errors.h"
#include "python/coroutine/wrapper.h"
#include "python/framework/trio_api.h"
#include "python/function/function.h"
#include "python/loop/hub.h"

#include <assert.h>
#include <string.h>

/* Between these a new coroutine is all zeros: all of it, and the part that is not so in memory from a free list. */
#define COROUTINE_BLANK     offsetof(caw__coroutine, waiter.park)
#define COROUTINE_REUSED    offsetof(caw__coroutine, waiter.self)
#define COROUTINE_BLANK_END offsetof(caw__coroutine, future)

/* The memory of an earlier one, from the free list, or NULL. */
static inline caw__coroutine *
coroutine_take_free(caw__coroutine **list, int *n)
{
    caw__coroutine *c = *list;
    if (c) {
        *list = (caw__coroutine *)c->waiter.self;
        --*n;
        caw__revive((PyObject *)c);
    }
    return c;
}

/* New memory. The future is destroyed if this fails. */
static caw__coroutine *
coroutine_alloc(PyTypeObject *type, caw_future *future)
{
    caw__coroutine *c = PyObject_GC_New(caw__coroutine, type);
    if (c) {
        c->waiter.target = NULL;
        memset((char *)c + COROUTINE_BLANK, 0, COROUTINE_BLANK_END - COROUTINE_BLANK);
    }
    else {
        caw__future_drop(future);
    }
    return c;
}

/* All but what most have not. */
static inline void
coroutine_init(caw__coroutine *c, caw__function *function, caw_future *future)
{
    c->future = future;
    c->function = (caw__function *)Py_NewRef(function);
    assert(!c->waiter.park && !c->waiter.callback && !c->waiter.context && !c->waiter.weakrefs && !c->extras);
    memset((char *)c + COROUTINE_REUSED, 0, offsetof(caw__coroutine, extras) - COROUTINE_REUSED); /* CORO_CREATED */
    c->waiter.frame_state = CAW__FRAME_CLEARED;
}

/* One entry of cr_origin: (filename, lineno, name). */
static PyObject *
origin_entry(PyFrameObject *frame)
{
    PyCodeObject *code = PyFrame_GetCode(frame);
    PyObject *entry = Py_BuildValue("OiO", code->co_filename, PyFrame_GetLineNumber(frame), code->co_name);
    Py_DECREF(code);
    return entry;
}

CAW__SLOW static void
coroutine_remember_origin(caw__coroutine *c, int depth)
{
    PyFrameObject *frame = (PyFrameObject *)Py_XNewRef((PyObject *)PyEval_GetFrame());
    PyObject *entries = PyList_New(0);
    for (int i = 0; entries && frame && i < depth; i++) {
        PyObject *entry = origin_entry(frame);
        if (!entry || PyList_Append(entries, entry) < 0) {
            Py_CLEAR(entries);
        }
        Py_XDECREF(entry);
        Py_SETREF(frame, PyFrame_GetBack(frame));
    }
    Py_XDECREF(frame);
    PyObject *origin = entries ? PyList_AsTuple(entries) : NULL;
    Py_XDECREF(entries);
    if (origin && caw__coroutine_extras_get(c)) {
        c->extras->origin = origin;
        return;
    }
    Py_XDECREF(origin);
    PyErr_Clear(); /* it only helps debugging */
}

/* What most new ones do not need. Each of these is the last call of its caller, which then saves no registers. */

CAW__APART static PyObject *
coroutine_tracked(caw__coroutine *c)
{
    caw__coroutine_track(c);
    return (PyObject *)c;
}

CAW__SLOW static PyObject *
coroutine_with_origin(caw__coroutine *c, int depth)
{
    coroutine_remember_origin(c, depth);
    return coroutine_tracked(c);
}

/* With trio. Without memory for that it is a checkpoint, as operations that await nothing. */
CAW__SLOW static void
coroutine_note_await(caw__coroutine *c)
{
    if (caw__await_made && caw__coroutine_extras_get(c)) {
        c->extras->awaits = true;
    }
    caw__await_made = NULL;
    PyErr_Clear();
}

static inline PyObject *
coroutine_begin(caw__coroutine *c, caw__function *function, caw_future *future, PyObject *self, PyThreadState *tstate)
{
    coroutine_init(c, function, future);
    c->waiter.self = Py_XNewRef(self);
    if (!caw__trio_is_absent(function->state)) {
        coroutine_note_await(c);
    }
    int depth = caw__origin_depth(tstate);
    if (depth > 0) {
        return coroutine_with_origin(c, depth);
    }
    return self || caw__coroutine_awaits_python(c) ? coroutine_tracked(c) : (PyObject *)c;
}

CAW__APART static PyObject *
coroutine_begin_in_new_memory(caw__function *function, caw_future *future, PyObject *self, PyThreadState *tstate)
{
    caw__coroutine *c = coroutine_alloc(function->state->coroutine_type, future);
    return c ? coroutine_begin(c, function, future, self, tstate) : NULL;
}

PyObject *
caw__coroutine_new(caw__function *function, caw_future *future, PyObject *self, PyThreadState *tstate)
{
    caw__state *state = function->state;
    caw__coroutine *c = coroutine_take_free(&state->free_coroutines, &state->n_free_coroutines);
    return c ? coroutine_begin(c, function, future, self, tstate)
             : coroutine_begin_in_new_memory(function, future, self, tstate);
}

PyObject *
caw__coroutine_new_wrapped(caw__function *function, caw_future *future, PyObject *self, PyThreadState *tstate)
{
    PyObject *coroutine = caw__coroutine_new(function, future, self, tstate);
    if (coroutine) {
        ((caw__coroutine *)coroutine)->waiter.silent = true; /* the wrapper is what was never awaited */
    }
    return caw__coroutine_wrap(function, coroutine);
}

PyObject *
caw__coroutine_new_step(caw__function *function, caw_future *future, bool stops)
{
    caw__state *state = function->state;
    caw__coroutine *c = coroutine_take_free(&state->free_steps, &state->n_free_steps);
    if (!c && !(c = coroutine_alloc(state->step_type, future))) {
        return NULL;
    }
    coroutine_init(c, function, future);
    c->waiter.steps = true;
    c->waiter.stops = stops;
    return (PyObject *)c;
}

PyObject *
caw__coroutine_for(caw__state *state, PyObject *module, caw_future *future, const caw_py_spec *spec)
{
    const caw__function_def def = {.spec = spec, .name = spec->name};
    caw__function *function = caw__function_for(state, module, &def, future->ops->name);
    if (!function) {
        caw__future_drop(future);
        return NULL;
    }
    PyThreadState *tstate = PyThreadState_Get();
    PyObject *coroutine = spec->wrap_in_python ? caw__coroutine_new_wrapped(function, future, NULL, tstate)
                                               : caw__coroutine_new(function, future, NULL, tstate);
    Py_DECREF((PyObject *)function);
    return coroutine;
}

PyObject *
caw__coroutine_on(caw__hub *hub, caw_future *future, const caw_py_spec *spec)
{
    caw__state *state = hub->state;
    if (!state) {
        caw_future_destroy(future);
        PyErr_SetString(PyExc_RuntimeError, "the module is gone");
        return NULL;
    }
    return caw__coroutine_for(state, ((PyHeapTypeObject *)state->function_type)->ht_module, future, spec);
}

void
caw__coroutine_extras_free(caw__coroutine *c)
{
    caw__coroutine_extras *extras = c->extras;
    if (extras) {
        c->extras = NULL;
        Py_XDECREF(extras->name);
        Py_XDECREF(extras->qualname);
        Py_XDECREF(extras->origin);
        Py_XDECREF(extras->frame);
        Py_XDECREF(extras->pending);
        Py_XDECREF(extras->message);
        Py_XDECREF(extras->before);
        Py_XDECREF(extras->awaiter);
        Py_XDECREF(extras->scope);
        Py_XDECREF(extras->thrown);
        Py_XDECREF(extras->noted);
        PyMem_Free(extras);
    }
}

caw__coroutine_extras *
caw__coroutine_extras_get(caw__coroutine *c)
{
    if (!c->extras) {
        c->extras = PyMem_Calloc(1, sizeof *c->extras);
        if (!c->extras) {
            PyErr_NoMemory();
            return NULL;
        }
        caw__coroutine_track(c);
    }
    return c->extras;
}

void
caw__coroutine_free(caw__coroutine *c)
{
    PyTypeObject *type = Py_TYPE(c);
    if (c->waiter.target) {
        caw__wake_target_release(c->waiter.target);
    }
    PyObject_GC_Del(c);
    Py_DECREF(type);
}

void
caw__coroutine_free_list_clear(caw__state *state)
{
    caw__coroutine *c;
    while ((c = state->free_coroutines) || (c = state->free_steps)) {
        caw__coroutine **list = state->free_coroutines ? &state->free_coroutines : &state->free_steps;
        *list = (caw__coroutine *)c->waiter.self;
        caw__coroutine_free(c);
    }
}

PyObject *
caw__coroutine_awaits(const caw__coroutine *c)
{
    if (c->waiter.running) {
        Py_RETURN_NONE; /* as with Python's, also where what it awaits is what runs */
    }
    if (c->waiter.delegates) {
        return Py_NewRef(c->extras->inner->object);
    }
    return Py_NewRef(c->waiter.state == CORO_SUSPENDED && c->waiter.park ? (PyObject *)c->waiter.park : Py_None);
}

PyObject *
caw__coroutine_qualname(const caw__coroutine *c)
{
    if (c->extras && c->extras->qualname) {
        return c->extras->qualname;
    }
    return c->function ? c->function->qualname : NULL;
}
