/* park.c: see park.h. The protocol is that of `_asynciomodule.c: task_step_handle_result_impl` (CPython 3.13). */
#include "python/coroutine/park.h"

#include "python/framework/anyio.h"
#include "python/framework/trio.h"

caw__park *
caw__park_new(caw__state *state, caw__coroutine *c)
{
    caw__park *park = state->trio.free_parks;
    if (park) {
        state->trio.free_parks = (caw__park *)park->coroutine;
        state->trio.n_free_parks--;
    }
    else if ((park = state->free_parks)) {
        state->free_parks = (caw__park *)park->coroutine;
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
        park->coroutine = c;
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
    park->coroutine = NULL;
    if (park->wait) {
        caw__state *state = caw__state_of_type(Py_TYPE(park));
        if (state && state->trio.n_free_parks < CAW__FREELIST_MAX && park_is_ours(state, park)) {
            park->coroutine = (caw__coroutine *)state->trio.free_parks;
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
        ((caw__park *)self)->coroutine = (caw__coroutine *)state->free_parks;
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
        state->trio.free_parks = (caw__park *)park->coroutine;
        park->coroutine = NULL;
        Py_CLEAR(park->wait);
        Py_DECREF(park);
    }
    while (state->free_parks) {
        caw__park *park = state->free_parks;
        state->free_parks = (caw__park *)park->coroutine;
        Py_DECREF(Py_TYPE(park));
        PyObject_Free(park);
    }
}

static PyObject *
park_get_loop(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    caw__coroutine *c = ((caw__park *)self)->coroutine;
    if (!c) {
        PyErr_SetString(PyExc_RuntimeError, "the operation has ended");
        return NULL;
    }
    caw__hub *hub = caw__hub_open(c);
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
    caw__coroutine *c = ((caw__park *)self)->coroutine;
    if (!c || c->state != CORO_SUSPENDED) {
        PyErr_SetString(PyExc_RuntimeError, "the operation has ended");
        return NULL;
    }
    if (c->callback) {
        PyErr_SetString(PyExc_RuntimeError, "coroutine is being awaited already");
        return NULL;
    }
    PyObject *context = n_keywords == 1 && args[1] != Py_None ? Py_NewRef(args[1]) : PyContext_CopyCurrent();
    if (!context) {
        return NULL;
    }
    if (caw__hub_hold(c) < 0) {
        Py_DECREF(context);
        return NULL;
    }
    c->callback = Py_NewRef(args[0]);
    c->context = context;
    if (c->woken && caw__hub_resume_soon(c) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
park_remove_done_callback(PyObject *self, PyObject *callback)
{
    caw__coroutine *c = ((caw__park *)self)->coroutine;
    if (!c || !c->callback) {
        return PyLong_FromLong(0);
    }
    Py_INCREF(c);
    PyObject *mine = Py_NewRef(c->callback);
    int removed = PyObject_RichCompareBool(mine, callback, Py_EQ);
    if (removed > 0) {
        removed = c->callback == mine; /* else it was told while they were compared */
        if (removed) {
            caw__hub_drop_callback(c);
        }
    }
    Py_DECREF(mine);
    Py_DECREF(c);
    return removed < 0 ? NULL : PyLong_FromLong(removed);
}

/* The awaiter resumes now, without the end of the operation, by result() raising CancelledError(message). When it is only
 * `delivered` it waits on. */
static PyObject *
park_raise(caw__coroutine *c, PyObject *message, bool detach)
{
    caw__coroutine_extras *extras = caw__coroutine_extras_get(c);
    if (!extras) {
        return NULL;
    }
    Py_XSETREF(extras->message, Py_NewRef(message));
    c->detached = detach;
    c->delivered = !detach;
    c->woken = true; /* first: call_soon may run a signal handler that cancels again */
    /* Never called directly: cancel() runs inside another task's step. */
    if (c->callback && caw__hub_resume_soon(c) < 0) {
        c->detached = c->delivered = c->woken = false;
        return NULL;
    }
    Py_RETURN_TRUE;
}

/* Whether an awaiter that waits for the end of its operation is to see the cancel at once: where the author wants to, and
 * under anyio, whose scopes would go on asking. */
static bool
park_delivers(const caw__coroutine *c)
{
    return c->function->spec->on_throw || caw__anyio_is_loaded(caw__coroutine_state_of(c));
}

/* Whether a cancel that comes before the awaiter has seen the last one is the second, that detaches. Two scopes of anyio
 * that are cancelled in one turn of the loop look the same, and do not. */
static bool
park_detaches_next(const caw__coroutine *c)
{
    return caw__coroutine_policy(c) == CAW_PY_CANCEL_WAIT && !caw__anyio_is_loaded(caw__coroutine_state_of(c));
}

/* cancel(msg=None), called by Task.cancel. True: this resumes the task with a CancelledError. False: the operation has
 * the last word; the task remembers the cancellation and throws it at its next step. */
static PyObject *
park_cancel(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"msg", NULL};
    PyObject *message = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:cancel", keywords, &message)) {
        return NULL;
    }
    caw__coroutine *c = ((caw__park *)self)->coroutine;
    if (c && c->delivered && !c->running && park_detaches_next(c)) {
        c->delivered = false;
        c->detached = true;
        Py_XSETREF(c->extras->message, Py_NewRef(message));
        Py_RETURN_TRUE;
    }
    if (!c || c->woken || c->running) {
        Py_RETURN_FALSE; /* too late, the awaiter is about to resume: it will throw then, and the result is destroyed */
    }
    Py_INCREF(c);
    caw_py_cancel policy = caw__coroutine_policy(c);
    bool first = !c->cancelling;
    bool waits = policy == CAW_PY_CANCEL_SHIELD || (policy == CAW_PY_CANCEL_WAIT && first);
    c->cancelling = true;
    if (policy != CAW_PY_CANCEL_SHIELD) {
        caw__coroutine_tell(c);
    }
    bool at_once = !waits || (first && park_delivers(c));
    PyObject *answer = at_once ? park_raise(c, message, !waits) : NULL;
    if (waits && !answer && (!at_once || PyErr_ExceptionMatches(PyExc_RuntimeError))) { /* the loop is closed */
        PyErr_Clear();
        answer = Py_NewRef(Py_False); /* the task throws when the operation has ended */
    }
    Py_DECREF(c);
    return answer;
}

/* What the task's wakeup asks before it resumes the coroutine. The value comes from the coroutine, not from here. */
static PyObject *
park_result(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    caw__coroutine *c = ((caw__park *)self)->coroutine;
    if (c && (c->detached || c->delivered)) {
        PyObject *type = caw__coroutine_state_of(c)->cancelled_error;
        PyObject *message = c->extras->message;
        /* Exactly CancelledError: asyncio.timeout compares the type on 3.11 and 3.12. With the message: anyio knows its
         * own cancellations by it. */
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
    caw__coroutine *c = ((caw__park *)self)->coroutine;
    return PyBool_FromLong(!c || c->woken);
}

static PyObject *
park_repr(PyObject *self)
{
    caw__coroutine *c = ((caw__park *)self)->coroutine;
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
    {"abort", caw__trio_abort, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyObject *
park_get_blocking(PyObject *self, void *Py_UNUSED(closure))
{
    const caw__coroutine *c = ((caw__park *)self)->coroutine;
    return PyBool_FromLong(c && c->blocking);
}

static int
park_set_blocking(PyObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    caw__coroutine *c = ((caw__park *)self)->coroutine;
    if (!value || !PyBool_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "attribute value type must be bool");
        return -1;
    }
    if (c) {
        c->blocking = value == Py_True;
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
