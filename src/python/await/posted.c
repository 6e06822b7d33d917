/* posted.c: awaitables and calls that run on a loop for a consumer that is elsewhere. */
#include "python/await/posted.h"

#include "core/base/promise.h"
#include "python/base/awaitable.h"
#include "python/coroutine/poll.h"
#include "python/framework/detect.h"

#include <stdlib.h>

#define POSTED_BEGIN  1u
#define POSTED_CANCEL 2u
#define POSTED_FINISH 4u

/* --- its end, and its way into the queue --- */

static int
posted_run_drop(caw__job *job, caw__job_place place, caw__hub *hub)
{
    caw__posted *r = CAW_CONTAINER_OF(job, caw__posted, drop);
    (void)hub;
    PyObject *object = r->object;
    caw_py_ref_release(r->outcome);
    caw_py_locals_release(r->locals);
    if (r->spec.free) {
        r->spec.free(r->arg);
    }
    free(r);
    if (object && place != JOB_WITHOUT_PYTHON) {
        caw__awaitable_drop(object);
    }
    return 0;
}

static void
posted_release(caw__posted *r)
{
    /* acq_rel: all uses by others, before their release, come before the end. */
    if (atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    if (r->object) {
        caw__job_push_or_orphan(&r->drop);
    }
    else {
        (void)posted_run_drop(&r->drop, JOB_WITHOUT_PYTHON, NULL); /* nothing of it is Python's */
    }
}

/* Have the loop look at `requests`. False when it is closed. */
static bool
posted_push(caw__posted *r)
{
    atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed); /* relaxed: the caller has one */
    caw__job_pushed pushed = caw__job_push(&r->begin);
    if (pushed != JOB_PUSHED) {
        posted_release(r);
    }
    return pushed != JOB_CLOSED;
}

/* --- the loop's side --- */

/* The status that an exception, which is taken out and kept, ends it with. */
static int
posted_keep_raised(caw__posted *r, caw__state *state)
{
    PyObject *exception = caw__take_raised();
    r->raised = true;
    r->outcome = caw__ref_new(r->locals->inbox, exception);
    if (!r->outcome) {
        Py_DECREF(exception);
        return CAW_ENOMEM;
    }
    return state && caw__is_cancellation_of_any(state, exception) ? CAW_ECANCELED : CAW_EPYTHON;
}

static int
posted_keep_value(caw__posted *r, PyObject *value, caw__state *state)
{
    int status = 0;
    if (r->spec.result) {
        status = r->spec.result(r->arg, value);
    }
    if (PyErr_Occurred()) {
        Py_DECREF(value);
        return posted_keep_raised(r, state);
    }
    if (status > 0) {
        status = caw_error_from_return(r->promise.future.ops->name, "result", status);
    }
    if (status < 0 || value == Py_None) {
        Py_DECREF(value);
        return status;
    }
    r->outcome = caw__ref_new(r->locals->inbox, value);
    if (!r->outcome) {
        Py_DECREF(value);
        return CAW_ENOMEM;
    }
    return 0;
}

/* Its end, whatever it was: it may be freed in here. */
static void
posted_resolve(caw__posted *r, int status)
{
    PyObject *handle = r->task.handle, *object = r->object;
    r->task.handle = r->object = NULL;
    if (r->tenant.hub) {
        caw__hub_remove(&r->tenant);
    }
    caw__py_task_end(&r->task);
    caw__promise_resolve_with(&r->promise, status, NULL); /* the exception is the outcome */
    if (object) {
        caw__awaitable_drop(object); /* last: they may run any Python code */
    }
    Py_XDECREF(handle);
}

static void
posted_end(caw__posted *r, PyObject *value)
{
    caw__state *state = r->tenant.hub ? r->tenant.hub->state : NULL;
    int status = value ? posted_keep_value(r, value, state) : posted_keep_raised(r, state);
    PyObject *raised = caw__take_raised();
    posted_resolve(r, status);
    if (raised) {
        caw__raise(raised);
    }
}

/* --- the task's side --- */

static void
posted_task_ended(caw__py_task *task, PyObject *value)
{
    posted_end(CAW_CONTAINER_OF(task, caw__posted, task), value);
}

static void
posted_task_cancelled(caw__py_task *task)
{
    posted_resolve(CAW_CONTAINER_OF(task, caw__posted, task), CAW_ECANCELED);
}

/* Where a future of concurrent.futures has just ended, the loop will see how. */
static void
posted_task_lost(caw__py_task *task)
{
    caw__posted *r = CAW_CONTAINER_OF(task, caw__posted, task);
    if (!(atomic_load_explicit(&r->requests, memory_order_relaxed) & POSTED_FINISH)) {
        posted_resolve(r, CAW_EBROKEN);
    }
}

static bool
posted_task_unwanted(const caw__py_task *task)
{
    return caw_promise_abandoned(&CAW_CONTAINER_OF(task, const caw__posted, task)->promise);
}

static const caw__py_task_ops posted_task_ops = {posted_task_ended, posted_task_cancelled, posted_task_lost,
                                                 posted_task_unwanted};

/* --- the hub's side --- */

static void
posted_tenant_close(caw__tenant *tenant)
{
    posted_resolve(CAW_CONTAINER_OF(tenant, caw__posted, tenant), CAW_ECLOSED);
}

static int
posted_tenant_traverse(const caw__tenant *tenant, visitproc visit, void *arg)
{
    Py_VISIT(CAW_CONTAINER_OF(tenant, const caw__posted, tenant)->task.handle);
    return 0;
}

static const caw__tenant_ops posted_tenant_ops = {posted_tenant_close, posted_tenant_traverse};

/* --- beginning --- */

/* A future of concurrent.futures has ended, in any thread that has the GIL: have the loop's thread take its result. */
static PyObject *
posted_finished(PyObject *capsule, PyObject *future)
{
    caw__py_task *task = caw__py_task_of(capsule);
    (void)future;
    if (task) {
        caw__posted *r = CAW_CONTAINER_OF(task, caw__posted, task);
        atomic_fetch_or_explicit(&r->requests, POSTED_FINISH, memory_order_release);
        (void)posted_push(r); /* closed: then it has ended */
    }
    Py_RETURN_NONE;
}

static PyMethodDef posted_finished_def = {"cawait_finished", posted_finished, METH_O, NULL};

static int
posted_watch(caw__posted *r, PyObject *future)
{
    PyObject *finished = caw__py_task_method(&r->task, &posted_finished_def);
    r->task.handle = Py_NewRef(future);
    PyObject *added = finished ? PyObject_CallMethod(future, "add_done_callback", "O", finished) : NULL;
    Py_XDECREF(finished);
    Py_XDECREF(added);
    return added ? 0 : -1;
}

static void
posted_cancel(const caw__posted *r, caw__hub *hub)
{
    if (r->shields && r->shields(r->arg)) {
        return;
    }
    PyObject *task = Py_NewRef(r->task.handle);
    if (caw__is_concurrent_future(task)) {
        Py_XDECREF(PyObject_CallMethod(task, "cancel", NULL));
    }
    else {
        hub->framework->cancel(task);
    }
    if (PyErr_Occurred()) {
        PyErr_WriteUnraisable(task);
    }
    Py_DECREF(task);
}

/* Begin, in the context that is entered. False with an exception: it has not begun. */
static bool
posted_begin_awaiting(caw__posted *r, caw__hub *hub)
{
    PyObject *object = r->object, *capsule = caw__py_task_begin(&r->task);
    if (!capsule) {
        return false;
    }
    r->object = NULL;
    bool begun = (caw__is_concurrent_future(object) ? posted_watch(r, object)
                                                    : hub->framework->begin(hub, &r->task, object)) == 0;
    if (!begun && caw__py_task_of(capsule)) {
        caw__py_task_end(&r->task); /* it is ended by the caller */
    }
    else if (!begun) {
        if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) {
            caw__forget_raised();
        }
        else {
            PyErr_WriteUnraisable(object); /* it has ended, and then failed */
        }
        begun = true;
    }
    if (caw__py_task_of(capsule) && r->task.handle && caw_promise_abandoned(&r->promise)) {
        posted_cancel(r, hub); /* the cancel came while it began, when there was no task yet */
    }
    Py_DECREF(object);
    Py_DECREF(capsule);
    return begun;
}

/* The exception that is set, which stays, if it is one that ends a loop: a new reference. */
static PyObject *
posted_leaving(void)
{
    bool leaves = PyErr_Occurred() &&
                  (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt) || PyErr_ExceptionMatches(PyExc_SystemExit));
    PyObject *raised = leaves ? caw__take_raised() : NULL;
    if (raised) {
        caw__raise(Py_NewRef(raised));
    }
    return raised;
}

/* The call that comes before, if there is one. True: there is something to await. False: it has ended. */
static bool
posted_call(caw__posted *r, PyObject **leaving)
{
    if (!r->spec.call) {
        return true;
    }
    PyObject *value = r->spec.call(r->arg);
    if (!value && !PyErr_Occurred()) {
        PyErr_SetString(PyExc_SystemError, "a function of caw_py_call returned NULL without an exception");
    }
    if (value && caw__is_awaitable(value)) {
        r->object = value;
        return true;
    }
    *leaving = value ? NULL : posted_leaving();
    posted_end(r, value);
    return false;
}

/* Enter the context of the locals; or a copy of it where it is entered already, by code that runs this loop inside a
 * call. What is entered: a new reference, or NULL with an exception. */
static PyObject *
posted_enter_context(const caw__posted *r)
{
    PyObject *context = Py_NewRef(caw_py_ref_get(r->locals->context));
    if (PyContext_Enter(context) == 0) {
        return context;
    }
    PyErr_Clear();
    PyObject *copy = PyContext_Copy(context);
    Py_DECREF(context);
    if (copy && PyContext_Enter(copy) < 0) {
        Py_CLEAR(copy);
    }
    return copy;
}

/* In the context that is entered, which is left. -1: something has to leave the drain. */
static int
posted_begin_in(caw__posted *r, caw__hub *hub, PyObject *context)
{
    bool may_leave = hub->framework->may_leave;
    PyObject *leaving = NULL;
    if (posted_call(r, &leaving) && !posted_begin_awaiting(r, hub)) {
        leaving = posted_leaving();
        posted_end(r, NULL);
    }
    if (PyContext_Exit(context) < 0) {
        PyErr_WriteUnraisable(context);
    }
    if (leaving && may_leave) {
        caw__raise(leaving);
        return -1;
    }
    if (leaving && PyErr_GivenExceptionMatches(leaving, PyExc_KeyboardInterrupt)) {
        PyErr_SetInterrupt(); /* trio gives it to the main task */
    }
    Py_XDECREF(leaving);
    return 0;
}

static int
posted_begin(caw__posted *r, caw__hub *hub)
{
    caw__hub_add(hub, &r->tenant);
    if (caw_promise_abandoned(&r->promise)) {
        posted_resolve(r, CAW_ECANCELED);
        return 0;
    }
    PyObject *context = posted_enter_context(r);
    if (!context) {
        posted_end(r, NULL);
        return 0;
    }
    int failed = posted_begin_in(r, hub, context);
    Py_DECREF(context);
    return failed;
}

static int
posted_do_requests(caw__posted *r, caw__job_place place, caw__hub *hub)
{
    uint32_t requests = atomic_exchange_explicit(&r->requests, 0, memory_order_acquire);
    if (place != JOB_ON_LOOP) {
        if (requests & POSTED_BEGIN) {
            posted_resolve(r, CAW_ECLOSED);
        }
        return 0;
    }
    if (requests & POSTED_BEGIN) {
        return posted_begin(r, hub);
    }
    if ((requests & POSTED_CANCEL) && r->tenant.hub && r->task.handle) {
        posted_cancel(r, hub);
    }
    if ((requests & POSTED_FINISH) && r->tenant.hub) {
        posted_end(r, PyObject_CallMethod(r->task.handle, "result", NULL));
    }
    return 0;
}

static int
posted_run_begin(caw__job *job, caw__job_place place, caw__hub *hub)
{
    caw__posted *r = CAW_CONTAINER_OF(job, caw__posted, begin);
    int failed = posted_do_requests(r, place, hub);
    posted_release(r); /* the queue's */
    return failed;
}

/* --- the consumer's side --- */

static int
posted_start(caw_promise *p)
{
    caw__posted *r = CAW_CONTAINER_OF(p, caw__posted, promise);
    if (caw__reactor_forked(r->locals->inbox->reactor)) {
        return CAW_EFORKED;
    }
    /* Release: publishes the object, to the exchange in posted_run_begin. */
    atomic_fetch_or_explicit(&r->requests, POSTED_BEGIN, memory_order_release);
    return posted_push(r) ? 0 : CAW_ECLOSED;
}

static void
posted_on_cancel(caw_promise *p)
{
    caw__posted *r = CAW_CONTAINER_OF(p, caw__posted, promise);
    atomic_fetch_or_explicit(&r->requests, POSTED_CANCEL, memory_order_release);
    (void)posted_push(r); /* closed: then it is over, or will be at once */
}

/* Whether the consumer's thread waits in vain, asleep or awaited where the loop runs. A loop's polls do not sleep. */
static bool
posted_is_vain(const caw__posted *r, const caw_context *cx)
{
    return cx->host != &caw__poll_host && caw__block_is_vain(&r->locals->inbox->id);
}

/* The loop may still end it, once it goes on: until then the consumer has destroyed it. */
static caw_poll
posted_give_up(caw__posted *r)
{
    return caw_future_finish(&r->promise.future, CAW_EDEADLOCK);
}

static caw_poll
posted_poll(caw_future *f, caw_context *cx)
{
    caw__posted *r = CAW_CONTAINER_OF(f, caw__posted, promise.future);
    if (!r->begun && posted_is_vain(r, cx)) {
        return posted_give_up(r);
    }
    r->begun = true;
    caw_poll poll = caw_promise_poll(f, cx);
    if (poll == CAW_PENDING && posted_is_vain(r, cx)) {
        return posted_give_up(r);
    }
    if (poll == CAW_READY) {
        r->seen = true;
        if (r->raised && r->outcome) {
            caw__note(cx, caw__ref_detail(r->outcome), f->status);
        }
    }
    return poll;
}

bool
caw__posted_has_ended(const caw__posted *r)
{
    return r->seen && (r->raised || r->promise.future.status == 0);
}

/* Dropping is cancelling. */
static void
posted_destroy(caw_future *f)
{
    caw_promise_cancel(f);
    caw_promise_destroy(f);
}

static void
posted_free(caw_promise *p)
{
    posted_release(CAW_CONTAINER_OF(p, caw__posted, promise));
}

static const caw_promise_ops posted_await_ops = {
    .future = {"python.await as a task", posted_poll, caw_promise_cancel, posted_destroy},
    .start = posted_start,
    .on_cancel = posted_on_cancel,
    .free = posted_free,
};
static const caw_promise_ops posted_call_ops = {
    .future = {"python.call", posted_poll, caw_promise_cancel, posted_destroy},
    .start = posted_start,
    .on_cancel = posted_on_cancel,
    .free = posted_free,
};

caw__posted *
caw__posted_of(const caw_future *f)
{
    bool is = f->ops == &posted_await_ops.future || f->ops == &posted_call_ops.future;
    return is ? (caw__posted *)CAW_CONTAINER_OF(f, caw__posted, promise.future) : NULL;
}

caw__posted *
caw__posted_new(caw_py_locals *locals, PyObject *object, const caw_py_call_spec *spec, void *arg)
{
    caw__posted *r = calloc(1, sizeof *r);
    if (r) {
        caw_promise_init(&r->promise, spec ? &posted_call_ops : &posted_await_ops);
        caw__job_init(&r->begin, locals->inbox, posted_run_begin);
        caw__job_init(&r->drop, locals->inbox, posted_run_drop);
        r->tenant.ops = &posted_tenant_ops;
        r->task.ops = &posted_task_ops;
        atomic_init(&r->refs, 1);
        r->locals = caw_py_locals_retain(locals);
        r->object = object;
        r->spec = spec ? *spec : (caw_py_call_spec){NULL, NULL, NULL};
        r->arg = arg;
    }
    return r;
}
