/* posted.c: see await/posted.h. */
#include "python/await/posted.h"

#include "python/base/awaitable.h"
#include "python/framework/trio.h"

#include <stdlib.h>

#define REMOTE_BEGIN  1u
#define REMOTE_CANCEL 2u
#define REMOTE_FINISH 4u

static const char remote_capsule_name[] = "cawait.remote";

/* --- its end, and its way into the queue --- */

static int
remote_run_drop(caw__job *job, caw__job_place place, caw__hub *hub)
{
    caw__remote *r = CAW_CONTAINER_OF(job, caw__remote, drop);
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
remote_release(caw__remote *r)
{
    /* acq_rel: all uses by others, before their release, come before the end. */
    if (atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    if (r->object) {
        caw__job_push_or_late(&r->drop);
    }
    else {
        (void)remote_run_drop(&r->drop, JOB_WITHOUT_PYTHON, NULL); /* nothing of it is Python's */
    }
}

/* Have the loop look at what is asked. False when it is closed. */
static bool
remote_push(caw__remote *r)
{
    atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed); /* relaxed: the caller has one */
    caw__job_pushed pushed = caw__job_push(&r->begin);
    if (pushed != JOB_PUSHED) {
        remote_release(r);
    }
    return pushed != JOB_CLOSED;
}

/* --- the loop's side --- */

static void
remote_link(caw__remote *r, caw__hub *hub)
{
    r->running = true;
    r->hub = hub;
    r->previous = NULL;
    r->next = hub->remotes;
    if (r->next) {
        r->next->previous = r;
    }
    hub->remotes = r;
}

static void
remote_unlink(caw__remote *r)
{
    if (r->previous) {
        r->previous->next = r->next;
    }
    else {
        r->hub->remotes = r->next;
    }
    if (r->next) {
        r->next->previous = r->previous;
    }
    r->running = false;
    r->hub = NULL;
}

/* The status that an exception, which is taken out and kept, ends it with. */
static int
remote_keep_raised(caw__remote *r, caw__state *state)
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
remote_keep_value(caw__remote *r, PyObject *value, caw__state *state)
{
    int status = 0;
    if (r->spec.result) {
        status = r->spec.result(r->arg, value);
    }
    if (PyErr_Occurred()) {
        Py_DECREF(value);
        return remote_keep_raised(r, state);
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

/* Its end, whatever it was: the remote may be freed in here. */
static void
remote_resolve(caw__remote *r, int status)
{
    PyObject *task = r->task, *object = r->object, *capsule = r->capsule;
    r->task = r->object = r->capsule = NULL;
    if (r->running) {
        remote_unlink(r);
    }
    if (capsule) {
        (void)PyCapsule_SetContext(capsule, r); /* says that it has ended */
    }
    caw_promise_resolve(&r->promise, status);
    if (object) {
        caw__awaitable_drop(object); /* last: they may run any Python code */
    }
    Py_XDECREF(task);
}

void
caw__remote_end(caw__remote *r, PyObject *value)
{
    caw__state *state = r->hub ? r->hub->state : NULL;
    int status = value ? remote_keep_value(r, value, state) : remote_keep_raised(r, state);
    PyObject *raised = caw__take_raised();
    remote_resolve(r, status);
    if (raised) {
        caw__raise(raised);
    }
}

void
caw__remote_end_cancelled(caw__remote *r)
{
    remote_resolve(r, CAW_ECANCELED);
}

caw__remote *
caw__remote_of_capsule(PyObject *capsule)
{
    return PyCapsule_GetContext(capsule) ? NULL : PyCapsule_GetPointer(capsule, remote_capsule_name);
}

/* Nobody can say any more how the task ended: it was dropped. */
static void
remote_capsule_gone(PyObject *capsule)
{
    caw__remote *r = caw__remote_of_capsule(capsule);
    if (r) {
        r->capsule = NULL;
    }
    if (r && !(atomic_load_explicit(&r->asked, memory_order_relaxed) & REMOTE_FINISH)) {
        PyObject *raised = caw__take_raised();
        remote_resolve(r, CAW_EBROKEN);
        if (raised) {
            caw__raise(raised);
        }
    }
}

PyObject *
caw__remote_awaitable(caw__hub *hub, PyObject *awaitable)
{
    static const caw_py_spec spec = {.name = "await", .result = caw_py_value};
    bool bare = caw__is_bare_iterator(awaitable);
    caw_future *future = bare ? caw_py_await(Py_NewRef(awaitable)) : NULL;
    return future ? caw__hub_coroutine(hub, future, &spec) : bare ? NULL : Py_NewRef(awaitable);
}

PyObject *
caw__remote_method(caw__remote *r, PyMethodDef *def)
{
    return PyCFunction_New(def, r->capsule);
}

/* A future of concurrent.futures has ended, in any thread that has the GIL: have the loop's thread take its outcome. */
static PyObject *
remote_finished(PyObject *capsule, PyObject *future)
{
    caw__remote *r = caw__remote_of_capsule(capsule);
    (void)future;
    if (r) {
        atomic_fetch_or_explicit(&r->asked, REMOTE_FINISH, memory_order_release);
        (void)remote_push(r); /* closed: then it has ended */
    }
    Py_RETURN_NONE;
}

static PyMethodDef remote_finished_def = {"cawait_finished", remote_finished, METH_O, NULL};

static int
remote_watch(caw__remote *r, PyObject *future)
{
    PyObject *finished = caw__remote_method(r, &remote_finished_def);
    r->task = Py_NewRef(future);
    PyObject *added = finished ? PyObject_CallMethod(future, "add_done_callback", "O", finished) : NULL;
    Py_XDECREF(finished);
    Py_XDECREF(added);
    return added ? 0 : -1;
}

static void
remote_cancel(const caw__remote *r, caw__hub *hub)
{
    if (r->spares && r->spares(r->arg)) {
        return;
    }
    PyObject *task = Py_NewRef(r->task);
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
remote_begin_awaiting(caw__remote *r, caw__hub *hub)
{
    PyObject *object = r->object, *capsule = PyCapsule_New(r, remote_capsule_name, remote_capsule_gone);
    if (!capsule) {
        return false;
    }
    r->capsule = capsule;
    r->object = NULL;
    bool begun =
        (caw__is_concurrent_future(object) ? remote_watch(r, object) : hub->framework->begin(hub, r, object)) == 0;
    if (!begun && caw__remote_of_capsule(capsule)) {
        r->capsule = NULL;
        (void)PyCapsule_SetContext(capsule, r); /* it is ended by who called */
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
    if (caw__remote_of_capsule(capsule) && r->task && caw_promise_abandoned(&r->promise)) {
        remote_cancel(r, hub); /* asked for while it began, when there was no task yet */
    }
    Py_DECREF(object);
    Py_DECREF(capsule);
    return begun;
}

/* The exception that is set, which stays, if it is one that ends a loop: a new reference. */
static PyObject *
remote_leaving(void)
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
remote_call(caw__remote *r, PyObject **leaving)
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
    *leaving = value ? NULL : remote_leaving();
    caw__remote_end(r, value);
    return false;
}

/* Enter the context of the locals; or a copy of it where somebody is in there, who has come to run this loop inside a call.
 * What is entered: a new reference, or NULL with an exception. */
static PyObject *
remote_enter_context(const caw__remote *r)
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
remote_begin_in(caw__remote *r, caw__hub *hub, PyObject *context)
{
    bool may_leave = hub->framework->may_leave;
    PyObject *leaving = NULL;
    if (remote_call(r, &leaving) && !remote_begin_awaiting(r, hub)) {
        leaving = remote_leaving();
        caw__remote_end(r, NULL);
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
remote_begin(caw__remote *r, caw__hub *hub)
{
    remote_link(r, hub);
    if (caw_promise_abandoned(&r->promise)) {
        remote_resolve(r, CAW_ECANCELED);
        return 0;
    }
    PyObject *context = remote_enter_context(r);
    if (!context) {
        caw__remote_end(r, NULL);
        return 0;
    }
    int failed = remote_begin_in(r, hub, context);
    Py_DECREF(context);
    return failed;
}

static int
remote_do_asked(caw__remote *r, caw__job_place place, caw__hub *hub)
{
    uint32_t asked = atomic_exchange_explicit(&r->asked, 0, memory_order_acquire);
    if (place != JOB_ON_LOOP) {
        if (asked & REMOTE_BEGIN) {
            remote_resolve(r, CAW_ECLOSED);
        }
        return 0;
    }
    if (asked & REMOTE_BEGIN) {
        return remote_begin(r, hub);
    }
    if ((asked & REMOTE_CANCEL) && r->running && r->task) {
        remote_cancel(r, hub);
    }
    if ((asked & REMOTE_FINISH) && r->running) {
        caw__remote_end(r, PyObject_CallMethod(r->task, "result", NULL));
    }
    return 0;
}

static int
remote_run_begin(caw__job *job, caw__job_place place, caw__hub *hub)
{
    caw__remote *r = CAW_CONTAINER_OF(job, caw__remote, begin);
    int failed = remote_do_asked(r, place, hub);
    remote_release(r); /* the queue's */
    return failed;
}

void
caw__remote_close_all(caw__hub *hub)
{
    while (hub->remotes) {
        remote_resolve(hub->remotes, CAW_ECLOSED);
    }
}

/* --- the consumer's side --- */

static int
remote_start(caw_promise *p)
{
    caw__remote *r = CAW_CONTAINER_OF(p, caw__remote, promise);
    if (caw__reactor_forked(r->locals->inbox->reactor)) {
        return CAW_EFORKED;
    }
    /* Release: publishes the object, to the exchange in remote_run_begin. */
    atomic_fetch_or_explicit(&r->asked, REMOTE_BEGIN, memory_order_release);
    return remote_push(r) ? 0 : CAW_ECLOSED;
}

static void
remote_on_cancel(caw_promise *p)
{
    caw__remote *r = CAW_CONTAINER_OF(p, caw__remote, promise);
    atomic_fetch_or_explicit(&r->asked, REMOTE_CANCEL, memory_order_release);
    (void)remote_push(r); /* closed: then it is over, or will be at once */
}

static caw_poll
remote_poll(caw_future *f, caw_context *cx)
{
    caw_poll poll = caw_promise_poll(f, cx);
    if (poll == CAW_READY) {
        caw__remote *r = caw__remote_of(f);
        r->told = true;
        if (r->raised && r->outcome) {
            caw__note_raised(cx, r->outcome, f->status);
        }
    }
    return poll;
}

bool
caw__remote_has_ended(const caw__remote *r)
{
    return r->told && (r->raised || r->promise.future.status == 0);
}

/* Dropping is cancelling. */
static void
remote_destroy(caw_future *f)
{
    caw_promise_cancel(f);
    caw_promise_destroy(f);
}

static void
remote_free(caw_promise *p)
{
    remote_release(CAW_CONTAINER_OF(p, caw__remote, promise));
}

static const caw_promise_ops remote_ops = {
    .future = {"python.posted", remote_poll, caw_promise_cancel, remote_destroy},
    .start = remote_start,
    .on_cancel = remote_on_cancel,
    .free = remote_free,
};

caw__remote *
caw__remote_of(const caw_future *f)
{
    return f->ops == &remote_ops.future ? (caw__remote *)CAW_CONTAINER_OF(f, caw__remote, promise.future) : NULL;
}

caw__remote *
caw__remote_new(caw_py_locals *locals, PyObject *object, const caw_py_call_spec *spec, void *arg)
{
    caw__remote *r = calloc(1, sizeof *r);
    if (r) {
        caw_promise_init(&r->promise, &remote_ops);
        caw__job_init(&r->begin, locals->inbox, remote_run_begin);
        caw__job_init(&r->drop, locals->inbox, remote_run_drop);
        atomic_init(&r->refs, 1);
        r->locals = caw_py_locals_retain(locals);
        r->object = object;
        r->spec = spec ? *spec : (caw_py_call_spec){NULL, NULL, NULL};
        r->arg = arg;
    }
    return r;
}
