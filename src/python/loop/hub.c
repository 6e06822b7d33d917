/* hub.c: making, finding and closing hubs. */
#include "python/loop/hub.h"

#include "python/await/posted.h"
#include "python/coroutine/park.h"
#include "python/framework/asyncio.h"
#include "python/framework/trio.h"
#include "python/loop/job.h"
#include "python/loop/value.h"

#include "core/os/compiler.h"

/* --- suspended coroutines --- */

caw__hub *
caw__hub_open(const caw__coroutine *c)
{
    caw__hub *hub = caw__hub_of(c);
    if (!hub) {
        PyErr_SetString(PyExc_RuntimeError, "Event loop is closed");
    }
    return hub;
}

int
caw__hub_hold(caw__coroutine *c)
{
    caw__hub *hub = caw__hub_open(c);
    if (!hub) {
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

caw__coroutine *
caw__hub_let_go(caw__coroutine *c)
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
    caw__coroutine *held = caw__hub_let_go(c);
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
    caw__inbox *inbox = caw__inbox_new(state->orphans, &error);
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
    hub->thread = PyThread_get_thread_ident();
    hub->posted = NULL;
    hub->free_items = NULL;
    hub->n_free_items = 0;
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
    hub->reschedule = NULL;
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

/* What is queued and will not be delivered: targets go, jobs are told. */
static void
hub_release_nodes(caw__wake_node *nodes)
{
    while (nodes) {
        caw__wake_target *target = (caw__wake_target *)nodes;
        nodes = nodes->next;
        if (caw__wake_target_is_job(target)) {
            (void)caw__job_run((caw__job *)target, JOB_WITHOUT_LOOP, NULL);
        }
        else {
            caw__wake_target_release(target);
        }
    }
}

PyObject *
caw__hub_coroutine(caw__hub *hub, caw_future *future, const caw_py_spec *spec)
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
        caw__asyncio_thread_stop(helper);
    }
    caw__posted_close_all(hub);
    caw__value_free_list_clear(hub);
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
    Py_CLEAR(hub->reschedule);
    Py_CLEAR(hub->loop);
}

static int
hub_traverse(PyObject *self, visitproc visit, void *arg)
{
    caw__hub *hub = (caw__hub *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(hub->loop);
    Py_VISIT(hub->reschedule);
    for (uint32_t i = 0; i < hub->n_held && hub->framework->holds; i++) {
        Py_VISIT(hub->held[i]);
    }
    for (const caw__posted *r = hub->posted; r; r = r->next) {
        Py_VISIT(r->task);
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

/* --- polls --- */

CAW__THREAD_LOCAL PyThreadState *caw__gil_released;

static caw_reactor *
hub_poll_reactor(const caw_context *cx, int *error)
{
    caw__poll_place *place = cx->place;
    caw__gil_take(place->released);
    caw__hub *hub = caw__hub_current(place->state, place->coroutine, error);
    caw_reactor *reactor = hub ? hub->inbox->reactor : NULL;
    if (!hub) {
        Py_XSETREF(place->raised, caw__take_raised());
    }
    caw__gil_give(place->released);
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
    {"drain", caw__hub_drain, METH_NOARGS, "Resume what was woken. Called by the loop."},
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
