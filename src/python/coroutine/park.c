/* park.c: what a suspended coroutine yields. The protocol is that of `_asynciomodule.c: task_step_handle_result_impl`
 * (CPython 3.13). */
#include "python/coroutine/park.h"

#include "python/coroutine/cancel.h"
#include "python/loop/hub.h"

static caw__coroutine *
park_coroutine(PyObject *self)
{
    return (caw__coroutine *)((caw__park *)self)->waiter;
}

caw__park *
caw__park_new(caw__state *state, caw__coroutine *c)
{
    caw__park *park = state->trio.free_parks;
    if (park) {
        state->trio.free_parks = (caw__park *)park->waiter;
        state->trio.n_free_parks--;
    }
    else if ((park = state->free_parks)) {
        state->free_parks = (caw__park *)park->waiter;
        state->n_free_parks--;
        caw__revive((PyObject *)park);
    }
    else {
        park = PyObject_New(caw__park, state->park_type);
        if (park) {
            park->wait = NULL;
        }
    }
    if (park) {
        park->waiter = &c->waiter;
    }
    return park;
}

/* Whether nobody else has the message, or the method in it, or the park. */
static bool
park_is_ours(caw__state *state, const caw__park *park)
{
    PyObject *abort = caw__attribute(park->wait, state->names.abort_func);
    bool is_ours = abort && Py_REFCNT(abort) == 2 && Py_REFCNT(park->wait) == 1 && Py_REFCNT(park) == 2;
    Py_XDECREF(abort);
    return is_ours;
}

void
caw__park_orphan(caw__park *park)
{
    park->waiter = NULL;
    if (park->wait) {
        caw__state *state = caw__state_of_type(Py_TYPE(park));
        if (state && state->trio.n_free_parks < CAW__FREELIST_MAX && park_is_ours(state, park)) {
            park->waiter = (caw__waiter *)state->trio.free_parks;
            state->trio.free_parks = park; /* the reference goes with it */
            state->trio.n_free_parks++;
            return;
        }
        Py_CLEAR(park->wait);
    }
    Py_DECREF(park);
}

static void
park_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    caw__state *state = caw__state_of_type(type);
    if (state && state->n_free_parks < CAW__FREELIST_MAX) {
        ((caw__park *)self)->waiter = (caw__waiter *)state->free_parks;
        state->free_parks = (caw__park *)self;
        state->n_free_parks++;
    }
    else {
        type->tp_free(self);
        Py_DECREF(type);
    }
}

void
caw__park_free_list_clear(caw__state *state)
{
    while (state->trio.free_parks) {
        caw__park *park = state->trio.free_parks;
        state->trio.free_parks = (caw__park *)park->waiter;
        park->waiter = NULL;
        Py_CLEAR(park->wait);
        Py_DECREF(park);
    }
    while (state->free_parks) {
        caw__park *park = state->free_parks;
        state->free_parks = (caw__park *)park->waiter;
        Py_DECREF(Py_TYPE(park));
        PyObject_Free(park);
    }
}

static PyObject *
park_get_loop(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    caw__coroutine *c = park_coroutine(self);
    if (!c) {
        PyErr_SetString(PyExc_RuntimeError, "the operation has ended");
        return NULL;
    }
    caw__hub *hub = caw__hub_open(&c->waiter);
    return hub ? Py_NewRef(hub->loop) : NULL;
}

/* add_done_callback(callback, *, context=None) */
static PyObject *
park_add_done_callback(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    Py_ssize_t n_keywords = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
    if (nargs != 1 || n_keywords > 1 ||
        (n_keywords == 1 && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(kwnames, 0), "context") != 0)) {
        PyErr_SetString(PyExc_TypeError, "add_done_callback(callback, *, context=None) takes one callback");
        return NULL;
    }
    caw__coroutine *c = park_coroutine(self);
    if (!c || c->waiter.state != CORO_SUSPENDED) {
        PyErr_SetString(PyExc_RuntimeError, "the operation has ended");
        return NULL;
    }
    if (c->waiter.callback) {
        PyErr_SetString(PyExc_RuntimeError, "coroutine is being awaited already");
        return NULL;
    }
    PyObject *context = n_keywords == 1 && args[1] != Py_None ? Py_NewRef(args[1]) : PyContext_CopyCurrent();
    if (!context) {
        return NULL;
    }
    if (caw__hub_hold(&c->waiter) < 0) {
        Py_DECREF(context);
        return NULL;
    }
    c->waiter.callback = Py_NewRef(args[0]);
    c->waiter.context = context;
    if (c->waiter.woken && caw__hub_resume_soon(&c->waiter) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
park_remove_done_callback(PyObject *self, PyObject *callback)
{
    caw__coroutine *c = park_coroutine(self);
    if (!c || !c->waiter.callback) {
        return PyLong_FromLong(0);
    }
    Py_INCREF(c);
    PyObject *mine = Py_NewRef(c->waiter.callback);
    int removed = PyObject_RichCompareBool(mine, callback, Py_EQ);
    if (removed > 0) {
        removed = c->waiter.callback == mine; /* else it was resumed while they were compared */
        if (removed) {
            caw__hub_drop_callback(&c->waiter);
        }
    }
    Py_DECREF(mine);
    Py_DECREF(c);
    return removed < 0 ? NULL : PyLong_FromLong(removed);
}

/* cancel(msg=None), called by Task.cancel. */
static PyObject *
park_cancel(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"msg", NULL};
    PyObject *message = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:cancel", keywords, &message)) {
        return NULL;
    }
    caw__coroutine *c = park_coroutine(self);
    return c ? caw__coroutine_cancel(c, message) : Py_NewRef(Py_False);
}

/* abort(raise_cancel), called by trio to cancel, at most once for each suspension. */
static PyObject *
park_abort(PyObject *self, PyObject *raise_cancel)
{
    caw__coroutine *c = park_coroutine(self);
    caw__state *state = caw__state_of_type(Py_TYPE(self));
    if (!state) {
        PyErr_SetString(PyExc_RuntimeError, "the module is gone");
        return NULL;
    }
    if (!c) {
        return Py_NewRef(state->trio.abort_succeeded); /* it was ended without a wake of the task */
    }
    return caw__coroutine_abort(c, state, raise_cancel);
}

/* The task's wakeup calls it before it resumes the coroutine. The value comes from the coroutine, not from here. */
static PyObject *
park_result(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    caw__coroutine *c = park_coroutine(self);
    if (c && (c->waiter.detached || c->waiter.thrown_early)) {
        PyObject *type = caw__coroutine_state_of(c)->cancelled_error;
        PyObject *message = c->extras->message;
        /* Exactly CancelledError: asyncio.timeout compares the type on 3.11 and 3.12. With the message: anyio
         * recognises its own cancellations by it. */
        PyObject *error = message == Py_None ? PyObject_CallNoArgs(type) : PyObject_CallOneArg(type, message);
        if (error) {
            PyErr_SetObject(type, error);
            Py_DECREF(error);
        }
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
park_done(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    caw__coroutine *c = park_coroutine(self);
    return PyBool_FromLong(!c || c->waiter.woken);
}

static PyObject *
park_repr(PyObject *self)
{
    caw__coroutine *c = park_coroutine(self);
    if (!c) {
        return PyUnicode_FromString("<cawait.park ended>");
    }
    return PyUnicode_FromFormat("<cawait.park of %R>", c);
}

static PyMethodDef park_methods[] = {
    {"get_loop", park_get_loop, METH_NOARGS, NULL},
    {"add_done_callback", (PyCFunction)(void (*)(void))park_add_done_callback, METH_FASTCALL | METH_KEYWORDS, NULL},
    {"remove_done_callback", park_remove_done_callback, METH_O, NULL},
    {"cancel", (PyCFunction)(void (*)(void))park_cancel, METH_VARARGS | METH_KEYWORDS, NULL},
    {"result", park_result, METH_NOARGS, NULL},
    {"done", park_done, METH_NOARGS, NULL},
    {"abort", park_abort, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyObject *
park_get_blocking(PyObject *self, void *Py_UNUSED(closure))
{
    const caw__coroutine *c = park_coroutine(self);
    return PyBool_FromLong(c && c->waiter.blocking);
}

static int
park_set_blocking(PyObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    caw__coroutine *c = park_coroutine(self);
    if (!value || !PyBool_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "attribute value type must be bool");
        return -1;
    }
    if (c) {
        c->waiter.blocking = value == Py_True;
    }
    return 0;
}

static PyGetSetDef park_getset[] = {
    {"_asyncio_future_blocking", park_get_blocking, park_set_blocking, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot park_slots[] = {
    {Py_tp_doc, "What a suspended C operation yields to the event loop. Private."},
    {Py_tp_dealloc, CAW__SLOT(park_dealloc)},
    {Py_tp_repr, CAW__SLOT(park_repr)},
    {Py_tp_methods, park_methods},
    {Py_tp_getset, park_getset},
    {0, NULL},
};

PyType_Spec caw__park_spec = {
    .name = "cawait.park",
    .basicsize = sizeof(caw__park),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = park_slots,
};
