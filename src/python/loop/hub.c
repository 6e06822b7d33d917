/* hub.c: hubs: what is suspended on them, what else lives there, and their end. */
#include "python/loop/hub.h"

/* --- suspended waiters --- */

caw__hub *
caw__hub_open(const caw__waiter *w)
{
    caw__hub *hub = caw__hub_of(w);
    if (!hub) {
        PyErr_SetString(PyExc_RuntimeError, "Event loop is closed");
    }
    return hub;
}

int
caw__hub_resume_soon(caw__waiter *w)
{
    caw__hub *hub = caw__hub_open(w);
    if (!hub) {
        return -1;
    }
    Py_INCREF(hub);
    int failed = hub->framework->resume(hub, w);
    Py_DECREF(hub);
    return failed;
}

int
caw__hub_hold(caw__waiter *w)
{
    caw__hub *hub = caw__hub_open(w);
    if (!hub) {
        return -1;
    }
    if (hub->n_held == hub->n_room) {
        uint32_t n_room = hub->n_room ? hub->n_room * 2 : 16;
        caw__waiter **held = PyMem_Realloc(hub->held, n_room * sizeof *held);
        if (!held) {
            PyErr_NoMemory();
            return -1;
        }
        hub->held = held;
        hub->n_room = n_room;
    }
    w->held_at = hub->n_held;
    hub->held[hub->n_held++] = w;
    if (hub->framework->holds) {
        Py_INCREF(w);
    }
    return 0;
}

caw__waiter *
caw__hub_let_go(caw__waiter *w)
{
    caw__hub *hub = caw__hub_of(w);
    if (!hub || w->held_at >= hub->n_held || hub->held[w->held_at] != w) {
        return NULL;
    }
    caw__waiter *last = hub->held[--hub->n_held];
    hub->held[w->held_at] = last;
    last->held_at = w->held_at;
    if (hub->ending && !hub->drainer) {
        caw_reactor_ring(hub->inbox->reactor); /* no wake comes for it any more: trio's system task has to look again */
    }
    return hub->framework->holds ? w : NULL;
}

void
caw__hub_drop_callback(caw__waiter *w)
{
    caw__waiter *held = caw__hub_let_go(w);
    PyObject *callback = w->callback, *context = w->context;
    w->callback = w->context = NULL;
    Py_XDECREF(callback);
    Py_XDECREF(context);
    Py_XDECREF(held);
}

bool
caw__hub_is_here(const caw__inbox *inbox)
{
    if (!caw__has_gil() || !caw__orphans_is_of_this_interpreter(inbox->orphans)) {
        return false; /* each interpreter may have a GIL of its own */
    }
    const caw__hub *hub = inbox->hub;
    return hub && hub->thread == PyThread_get_thread_ident();
}

/* --- birth --- */

caw__hub *
caw__hub_new(caw__state *state, const caw__framework *framework, PyObject *loop)
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
    hub->tenants = NULL;
    hub->free_items = NULL;
    hub->n_free_items = 0;
    hub->free_item = NULL;
    hub->framework = framework;
    hub->loop = Py_NewRef(loop);
    hub->inbox = inbox;
    inbox->hub = hub;
    inbox->id.loop = loop;
    inbox->id.lock = caw__gil();
    inbox->id.stays = framework->stays;
    caw__hub_note_thread(hub);
    hub->batch = NULL;
    hub->held = NULL;
    hub->n_held = hub->n_room = 0;
    hub->drainer = NULL;
    hub->mark = NULL;
    hub->attached = NULL;
    hub->plain_tasks = false;
    hub->reschedule = NULL;
    hub->ending = false;
    hub->next = state->hubs;
    state->hubs = hub;
    PyObject_GC_Track(hub);
    return hub;
}

/* --- tenants --- */

void
caw__hub_add(caw__hub *hub, caw__tenant *tenant)
{
    tenant->hub = hub;
    tenant->previous = NULL;
    tenant->next = hub->tenants;
    if (tenant->next) {
        tenant->next->previous = tenant;
    }
    hub->tenants = tenant;
}

void
caw__hub_remove(caw__tenant *tenant)
{
    if (tenant->previous) {
        tenant->previous->next = tenant->next;
    }
    else {
        tenant->hub->tenants = tenant->next;
    }
    if (tenant->next) {
        tenant->next->previous = tenant->previous;
    }
    tenant->hub = NULL;
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

/* What is queued when the loop is closed: targets are released, jobs run without a loop. */
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

/* The memory that is kept for items; no more is kept. */
static void
hub_free_items(caw__hub *hub)
{
    hub->n_free_items = CAW__FREELIST_MAX; /* full from now on */
    while (hub->free_items) {
        caw_item *item = hub->free_items;
        hub->free_items = item->next;
        hub->free_item(item);
    }
}

/* Let go of a waiter that was held. Nobody resumes its awaiter any more, so its callback goes too, here and now: later
 * it would go in the midst of the finalizers of what awaits, where the callback may be all that keeps their task. */
static void
hub_forget(caw__waiter *w)
{
    PyObject *callback = w->callback, *context = w->context;
    w->callback = w->context = NULL;
    Py_XDECREF(callback);
    Py_XDECREF(context);
    Py_DECREF(w);
}

void
caw__hub_close(caw__hub *hub)
{
    if (!hub->inbox->hub) {
        return;
    }
    hub->inbox->hub = NULL;
    hub_unlink(hub);
    if (hub->attached) {
        hub->framework->detach(hub);
    }
    while (hub->tenants) {
        hub->tenants->ops->close(hub->tenants);
    }
    hub_free_items(hub);
    caw_reactor_close(hub->inbox->reactor);
    caw__wake_node *batch = hub->batch;
    hub->batch = NULL;
    hub_release_nodes(batch);
    hub_release_nodes(caw__reactor_take(hub->inbox->reactor));
    caw__waiter **held = hub->held;
    uint32_t n_held = hub->n_held;
    hub->held = NULL;
    hub->n_held = hub->n_room = 0;
    for (uint32_t i = 0; i < n_held && hub->framework->holds; i++) {
        hub_forget(held[i]); /* may run any Python code; the hub is empty by now */
    }
    PyMem_Free(held);
    Py_CLEAR(hub->reschedule);
    Py_CLEAR(hub->loop);
}
