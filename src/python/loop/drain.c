/* drain.c: what the loop calls when the hub's reactor has something to do: resume what was woken. */
#include "python/loop/drain.h"

/* A wakeup failed: report that. -1 for what has to leave the drain: asyncio lets KeyboardInterrupt and SystemExit leave
 * the loop. */
static int
drain_report(PyObject *culprit)
{
    if (!PyErr_ExceptionMatches(PyExc_Exception)) {
        return -1;
    }
    PyErr_WriteUnraisable(culprit);
    return 0;
}

static int
drain_step_soon(caw__waiter *w)
{
    Py_INCREF(w); /* a loop's call_soon may be anybody's code */
    int failed = caw__hub_resume_soon(w) < 0 ? drain_report((PyObject *)w) : 0;
    if (failed && w->callback && w->state == CORO_SUSPENDED) {
        w->woken = false; /* a signal came before the work was done: again, later */
        caw__wake_target_wake(w->target);
    }
    Py_DECREF(w);
    return failed;
}

/* Call the task's wakeup here and now, in the task's context. This is what saves the Handle. */
static int
drain_step(caw__waiter *w)
{
    if (PyContext_Enter(w->context) < 0) {
        PyErr_Clear(); /* somebody is in that context: one loop turn later nobody is */
        return drain_step_soon(w);
    }
    PyObject *callback = w->callback, *context = w->context;
    w->callback = w->context = NULL;
    PyObject *park = Py_NewRef((PyObject *)w->park);
    /* Now: what the awaiter drops after its await goes then, not when the step is over. */
    Py_XDECREF(caw__hub_let_go(w));
    PyObject *outcome = PyObject_CallOneArg(callback, park);
    if (PyContext_Exit(context) < 0) {
        PyErr_WriteUnraisable(context);
    }
    int failed = outcome ? 0 : drain_report(callback);
    Py_XDECREF(outcome);
    Py_DECREF(park);
    Py_DECREF(callback);
    Py_DECREF(context);
    return failed;
}

/* Tell a woken coroutine's awaiter. The coroutine may be gone afterwards. -1 with an exception only for what has to
 * leave the drain. */
static int
drain_deliver(caw__waiter *w, bool direct)
{
    if (w->state != CORO_SUSPENDED || w->woken) {
        return 0; /* a wake that came late, or twice */
    }
    w->woken = true;
    if (!w->callback) {
        return 0; /* add_done_callback will see `woken` */
    }
    return direct ? drain_step(w) : drain_step_soon(w); /* the hub holds what has a callback */
}

static int
drain_deliver_batch(caw__hub *hub, bool direct)
{
    while (hub->batch) {
        caw__wake_target *target = (caw__wake_target *)hub->batch;
        hub->batch =
            target->link.next; /* before anything is called: a step may run the loop, and so the drain, again */
        if (caw__wake_target_is_job(target)) {
            if (caw__job_run((caw__job *)target, JOB_ON_LOOP, hub) < 0) {
                return -1;
            }
            continue;
        }
        caw__waiter *w = caw__wake_target_take(target); /* nothing runs before drain_deliver that could drop it */
        if (w && drain_deliver(w, direct) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Add what the queue has to what is left of the batch. */
static void
drain_take(caw__hub *hub)
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
drain_passes(caw__hub *hub, bool direct)
{
    drain_take(hub);
    if (drain_deliver_batch(hub, direct) < 0) {
        return -1;
    }
    int turned = caw_reactor_turn(hub->inbox->reactor, 0);
    if (turned < 0 && hub->loop) {
        caw_py_set_error(turned);
        return -1;
    }
    drain_take(hub);
    if (hub->batch && hub->batch->next) {
        /* the turn may have used up the ring of what was queued just before it */
        caw_reactor_ring(hub->inbox->reactor);
    }
    return drain_deliver_batch(hub, direct);
}

/* The loop calls the drain in a context that belongs to the reader. It is left while the drain runs: a step that runs
 * the loop inside itself would otherwise find it entered, and the loop could not call the drain. A new reference;
 * NULL where there is none to leave. */
static PyObject *
drain_leave_context(void)
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
drain_enter_context(PyObject *context)
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

/* An exception leaves the drain before all was done. The fd is still readable, or made so; but a loop that looks for
 * edges (rloop) has seen that one, and a push rings only if the queue was empty. */
static void
drain_again(caw__hub *hub)
{
    if (hub->loop) {
        caw_reactor_ring(hub->inbox->reactor);
    }
    if (hub->attached) {
        hub->framework->drained(hub);
    }
}

PyObject *
caw__hub_drain(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    caw__hub *hub = (caw__hub *)self;
    if (!hub->loop || !hub->state) {
        Py_RETURN_NONE;
    }
    Py_INCREF(hub); /* a step may close the loop */
    caw__state *state = hub->state;
    int direct = hub->drainer ? 0 : hub->framework->may_step(hub);
    if (direct < 0) { /* nothing was taken */
        drain_again(hub);
        Py_DECREF(hub);
        return NULL;
    }
    if (hub->attached) {
        hub->framework->draining(hub);
    }
    PyThreadState *outer = hub->drainer;
    PyObject *outer_mark = hub->mark;
    hub->drainer = PyThreadState_Get();
    caw__hub_note_thread(hub);
    hub->mark = CAW__HAS_RUNNING_MARK && direct ? Py_XNewRef(hub->framework->mark(state)) : NULL;
    state->recent = hub;
    PyObject *context = drain_leave_context();
    int failed = drain_passes(hub, direct);
    if (!failed && hub->state) {
        caw__orphans_run(state->orphans);
    }
    drain_enter_context(context);
    hub->drainer = outer;
    Py_XSETREF(hub->mark, outer_mark);
    if (failed) {
        drain_again(hub);
    }
    else if (hub->attached) {
        hub->framework->drained(hub);
    }
    Py_DECREF(hub);
    if (failed) {
        return NULL;
    }
    Py_RETURN_NONE;
}
