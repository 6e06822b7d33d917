/* hub.c: making, finding and closing hubs; the drain. */
#include "python/hub.h"

#include "python/asyncio.h"
#include "python/park.h"
#include "python/trio.h"

/* --- suspended coroutines --- */

int
caw__hub_hold(caw__coroutine *c)
{
    caw__hub *hub = caw__hub_of(c);
    if (!hub) {
        PyErr_SetString(PyExc_RuntimeError, "Event loop is closed");
        return -1;
    }
    if (hub->n_held == hub->n_room) {
        uint32_t n_room = hub->n_room ? hub->n_room * 2 : 16;
        caw__coroutine **held = PyMem_Realloc(hub->held, n_room * sizeof *held);
        if (!held) {
            PyErr_NoMemory();
            return -1;
        }
        hub->held = held;
        hub->n_room = n_room;
    }
    c->held_at = hub->n_held;
    hub->held[hub->n_held++] = c;
    if (hub->framework->holds) {
        Py_INCREF(c);
    }
    return 0;
}

/* Take the coroutine out of the hub's list: the caller has the reference now, if there was one. */
static caw__coroutine *
hub_let_go(caw__coroutine *c)
{
    caw__hub *hub = caw__hub_of(c);
    if (!hub || c->held_at >= hub->n_held || hub->held[c->held_at] != c) {
        return NULL;
    }
    caw__coroutine *last = hub->held[--hub->n_held];
    hub->held[c->held_at] = last;
    last->held_at = c->held_at;
    if (hub->ending && !hub->drainer) {
        caw_reactor_ring(hub->inbox->reactor); /* nobody wakes who was given up: have trio's system task ask again */
    }
    return hub->framework->holds ? c : NULL;
}

void
caw__hub_drop_callback(caw__coroutine *c)
{
    caw__coroutine *held = hub_let_go(c);
    PyObject *callback = c->callback, *context = c->context;
    c->callback = c->context = NULL;
    Py_XDECREF(callback);
    Py_XDECREF(context);
    Py_XDECREF(held);
}

/* --- finding and making --- */

static caw__hub *
hub_new(caw__state *state, const caw__framework *framework, PyObject *loop)
{
    int error;
    caw__inbox *inbox = caw__inbox_new(&error);
    if (!inbox) {
        caw_py_set_error(error);
        return NULL;
    }
    caw__hub *hub = PyObject_GC_New(caw__hub, state->hub_type);
    if (!hub) {
        caw__inbox_release(inbox);
        return NULL;
    }
    hub->state = state;
    hub->framework = framework;
    hub->loop = Py_NewRef(loop);
    hub->inbox = inbox;
    inbox->hub = hub;
    hub->batch = NULL;
    hub->held = NULL;
    hub->n_held = hub->n_room = 0;
    hub->drainer = NULL;
    hub->mark = NULL;
    hub->helper = NULL;
    hub->ending = false;
    hub->next = state->hubs;
    state->hubs = hub;
    PyObject_GC_Track(hub);
    return hub;
}

/* Make a hub that the loop owns. Borrowed. */
static caw__hub *
hub_attach(caw__state *state, const caw__framework *framework, PyObject *loop)
{
    caw__hub *hub = hub_new(state, framework, loop);
    if (!hub || framework->attach(hub) < 0) {
        Py_XDECREF(hub);
        return NULL;
    }
    Py_DECREF(hub); /* what attach gave to the loop keeps it */
    return hub;
}

/* The hub of the loop; NULL with an exception, and the status that says the same to a future. */
static caw__hub *
hub_of_loop(caw__state *state, const caw__framework *framework, PyObject *loop, int *status)
{
    caw__hub *hub = state->hubs;
    while (hub && hub->loop != loop) {
        hub = hub->next;
    }
    if (!hub) {
        hub = hub_attach(state, framework, loop);
        *status = hub ? 0 : PyErr_ExceptionMatches(PyExc_MemoryError) ? CAW_ENOMEM : CAW_ENOREACTOR;
    }
    else if (caw__reactor_forked(hub->inbox->reactor)) {
        hub = NULL;
        *status = CAW_EFORKED;
        caw_py_set_error(*status);
    }
    return hub;
}

caw__hub *
caw__hub_current(caw__state *state, const caw__coroutine *c, int *status)
{
    /* In a drain the loop is known, and asking asyncio costs up to 100 ns (getpid on 3.10 and 3.11). Unless a step runs
     * another loop inside itself. */
    caw__hub *recent = state->recent;
    if (recent && recent->drainer == PyThreadState_Get() && recent->mark &&
        recent->mark == caw__asyncio_running_mark(state)) {
        PyObject *task;
        int found = caw__trio_task(state, &task);
        Py_XDECREF(task);
        if (found <= 0) {
            *status = CAW_ENOREACTOR;
            return found == 0 ? recent : NULL;
        }
    }
    PyObject *loop;
    const caw__framework *framework = caw__framework_running(state, c, &loop);
    if (!framework) {
        *status = CAW_ENOREACTOR;
        return NULL;
    }
    caw__hub *hub = hub_of_loop(state, framework, loop, status);
    Py_DECREF(loop);
    return hub;
}

/* --- the end --- */

static void
hub_unlink(caw__hub *hub)
{
    if (!hub->state) {
        return;
    }
    caw__hub **at = &hub->state->hubs;
    while (*at && *at != hub) {
        at = &(*at)->next;
    }
    if (*at) {
        *at = hub->next;
    }
    if (hub->state->recent == hub) {
        hub->state->recent = NULL;
    }
}

static void
hub_release_nodes(caw__wake_node *nodes)
{
    while (nodes) {
        caw__wake_node *next = nodes->next;
        caw__node_release((caw__node *)nodes);
        nodes = next;
    }
}

void
caw__hub_close(caw__hub *hub)
{
    if (!hub->inbox->hub) {
        return;
    }
    hub->inbox->hub = NULL;
    hub_unlink(hub);
    if (hub->helper) {
        caw__helper *helper = hub->helper;
        hub->helper = NULL;
        caw__helper_stop(helper);
    }
    caw_reactor_close(hub->inbox->reactor);
    caw__wake_node *batch = hub->batch;
    hub->batch = NULL;
    hub_release_nodes(batch);
    hub_release_nodes(caw__reactor_take(hub->inbox->reactor));
    caw__coroutine **held = hub->held;
    uint32_t n_held = hub->n_held;
    hub->held = NULL;
    hub->n_held = hub->n_room = 0;
    for (uint32_t i = 0; i < n_held && hub->framework->holds; i++) {
        Py_DECREF(held[i]); /* may run any Python code; the hub is empty by now */
    }
    PyMem_Free(held);
    Py_CLEAR(hub->loop);
}

static int
hub_traverse(PyObject *self, visitproc visit, void *arg)
{
    caw__hub *hub = (caw__hub *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(hub->loop);
    for (uint32_t i = 0; i < hub->n_held && hub->framework->holds; i++) {
        Py_VISIT(hub->held[i]);
    }
    return 0;
}

static int
hub_clear(PyObject *self)
{
    caw__hub_close((caw__hub *)self);
    return 0;
}

static void
hub_dealloc(PyObject *self)
{
    caw__hub *hub = (caw__hub *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    PyObject *raised = caw__take_raised();
    caw__hub_close(hub);
    if (raised) {
        caw__raise(raised);
    }
    caw__inbox_release(hub->inbox);
    type->tp_free(self);
    Py_DECREF(type);
}

/* --- the drain --- */

int
caw__hub_resume_soon(caw__coroutine *c)
{
    caw__hub *hub = caw__hub_of(c);
    if (!hub) {
        PyErr_SetString(PyExc_RuntimeError, "Event loop is closed");
        return -1;
    }
    Py_INCREF(hub);
    int failed = hub->framework->resume(hub, c);
    Py_DECREF(hub);
    return failed;
}

/* A wakeup failed: report that. -1 for what has to leave the drain: asyncio lets KeyboardInterrupt and SystemExit leave
 * the loop. */
static int
hub_report(PyObject *culprit)
{
    if (!PyErr_ExceptionMatches(PyExc_Exception)) {
        return -1;
    }
    PyErr_WriteUnraisable(culprit);
    return 0;
}

static int
hub_step_soon(caw__coroutine *c)
{
    Py_INCREF(c); /* a loop's call_soon may be anybody's code */
    int failed = caw__hub_resume_soon(c) < 0 ? hub_report((PyObject *)c) : 0;
    if (failed && c->callback &&
        c->state == CORO_SUSPENDED) { /* a signal came before the work was done: again, later */
        c->woken = false;
        caw__node_wake(c->node);
    }
    Py_DECREF(c);
    return failed;
}

/* Call the task's wakeup here and now, in the task's context. This is what saves the Handle. */
static int
hub_step(caw__coroutine *c)
{
    if (PyContext_Enter(c->context) < 0) {
        PyErr_Clear(); /* somebody is in that context: one loop turn later nobody is */
        return hub_step_soon(c);
    }
    PyObject *callback = c->callback, *context = c->context;
    c->callback = c->context = NULL;
    PyObject *park = Py_NewRef((PyObject *)c->park);
    Py_XDECREF(hub_let_go(c)); /* now: what the awaiter drops after its await goes then, not when the step is over */
    PyObject *outcome = PyObject_CallOneArg(callback, park);
    if (PyContext_Exit(context) < 0) {
        PyErr_WriteUnraisable(context);
    }
    int failed = outcome ? 0 : hub_report(callback);
    Py_XDECREF(outcome);
    Py_DECREF(park);
    Py_DECREF(callback);
    Py_DECREF(context);
    return failed;
}

/* Tell a woken coroutine's awaiter. The coroutine may be gone afterwards. -1 with an exception only for what has to leave
 * the drain. */
static int
hub_deliver(caw__coroutine *c, bool direct)
{
    if (c->state != CORO_SUSPENDED || c->woken) {
        return 0; /* a wake that came late, or twice */
    }
    c->woken = true;
    if (!c->callback) {
        return 0; /* add_done_callback will see `woken` */
    }
    return direct ? hub_step(c) : hub_step_soon(c); /* the hub holds what has a callback */
}

static int
hub_deliver_batch(caw__hub *hub, bool direct)
{
    while (hub->batch) {
        caw__node *node = (caw__node *)hub->batch;
        hub->batch = node->link.next; /* before anything is called: a step may run the loop, and so the drain, again */
        caw__node_rearm(node);
        caw__coroutine *c = node->owner; /* borrowed; nothing runs before hub_deliver that could drop it */
        caw__node_release(node);
        if (c && hub_deliver(c, direct) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Add what the queue has to what is left of the batch. */
static void
hub_take(caw__hub *hub)
{
    caw__wake_node **end = &hub->batch;
    while (*end) {
        end = &(*end)->next;
    }
    *end = caw__reactor_take(hub->inbox->reactor);
}

/* Deliver what is queued; turn the reactor, which also makes its fd silent; deliver what came of that. While there is
 * something to deliver the fd is readable, in the first pass because the turn comes after it: a step that runs the loop
 * inside itself (nest_asyncio) needs that, and so does a loop that goes on after an exception left the drain. */
static int
hub_drain_passes(caw__hub *hub, bool direct)
{
    hub_take(hub);
    if (hub_deliver_batch(hub, direct) < 0) {
        return -1;
    }
    int turned = caw_reactor_turn(hub->inbox->reactor, 0);
    if (turned < 0 && hub->loop) {
        caw_py_set_error(turned);
        return -1;
    }
    hub_take(hub);
    if (hub->batch && hub->batch->next) {
        caw_reactor_ring(
            hub->inbox->reactor); /* the turn may have used up the ring of what was queued just before it */
    }
    return hub_deliver_batch(hub, direct);
}

/* The loop calls the drain in a context that belongs to the reader. It is left while the drain runs: a step that runs the
 * loop inside itself would otherwise find it entered, and the loop could not call the drain. A new reference; NULL where
 * there is none to leave. */
static PyObject *
hub_leave_context(void)
{
    PyObject *context = Py_XNewRef(PyThreadState_Get()->context);
    if (context && PyContext_Exit(context) < 0) {
        PyErr_Clear(); /* called by hand, not by a loop */
        Py_CLEAR(context);
    }
    return context;
}

/* Takes the reference, and keeps the exception that is set. */
static void
hub_enter_context(PyObject *context)
{
    if (context) {
        PyObject *raised = caw__take_raised();
        if (PyContext_Enter(context) < 0) {
            PyErr_WriteUnraisable(context);
        }
        Py_DECREF(context);
        if (raised) {
            caw__raise(raised);
        }
    }
}

static PyObject *
hub_drain(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    caw__hub *hub = (caw__hub *)self;
    if (!hub->loop || !hub->state) {
        Py_RETURN_NONE;
    }
    Py_INCREF(hub); /* a step may close the loop */
    caw__state *state = hub->state;
    int direct = hub->drainer ? 0 : hub->framework->may_step(hub);
    if (direct < 0) { /* nothing was taken: the fd is still readable */
        if (hub->helper) {
            caw__helper_drained(hub->helper);
        }
        Py_DECREF(hub);
        return NULL;
    }
    PyThreadState *outer = hub->drainer;
    PyObject *outer_mark = hub->mark;
    hub->drainer = PyThreadState_Get();
    hub->mark = direct ? Py_XNewRef(caw__asyncio_running_mark(state)) : NULL;
    state->recent = hub;
    PyObject *context = hub_leave_context();
    int failed = hub_drain_passes(hub, direct);
    hub_enter_context(context);
    hub->drainer = outer;
    Py_XSETREF(hub->mark, outer_mark);
    if (hub->helper) {
        caw__helper_drained(hub->helper);
    }
    Py_DECREF(hub);
    if (failed) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static caw_reactor *
hub_poll_reactor(const caw_context *cx, int *error)
{
    caw__poll_place *place = cx->place;
    PyThreadState *released = place->released;
    if (released) {
        PyEval_RestoreThread(released);
    }
    caw__hub *hub = caw__hub_current(place->state, place->coroutine, error);
    caw_reactor *reactor = hub ? hub->inbox->reactor : NULL;
    if (!hub) {
        Py_XSETREF(place->raised, caw__take_raised());
    }
    if (released) {
        PyEval_SaveThread();
    }
    return reactor;
}

const caw_host caw__poll_host = {"a Python coroutine", hub_poll_reactor};

static PyObject *
hub_close_method(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    caw__hub_close((caw__hub *)self);
    Py_RETURN_NONE;
}

static PyMethodDef hub_methods[] = {
    {"drain", hub_drain, METH_NOARGS, "Resume what was woken. Called by the loop."},
    {"close", hub_close_method, METH_NOARGS, "End what waits here. Called when the loop ends."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot hub_slots[] = {
    {Py_tp_doc, "The bridge's end of one event loop. Private."},
    {Py_tp_dealloc, CAW__SLOT(hub_dealloc)},
    {Py_tp_traverse, CAW__SLOT(hub_traverse)},
    {Py_tp_clear, CAW__SLOT(hub_clear)},
    {Py_tp_methods, hub_methods},
    {0, NULL},
};

PyType_Spec caw__hub_spec = {
    .name = "cawait.hub",
    .basicsize = sizeof(caw__hub),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = hub_slots,
};
