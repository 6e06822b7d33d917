/* trio.c: the framework trio, by its public API for other libraries, trio.lowlevel.
 *
 * One system task per run waits for the reactor's fd and drains the hub. The drain resumes tasks by trio's reschedule(),
 * which only queues them: what trio promises of its scheduler (its order, its clock, its instruments) stays true.
 *
 * Who suspends yields what trio.lowlevel.wait_task_rescheduled() yields (its class is private: learned by driving one),
 * and is resumed with an outcome sent in, never by throw(). Each operation is a checkpoint, as trio asks of all: a task
 * that is cancelled already starts nothing; a future that is ready at once lets the scheduler run before it is taken.
 *
 * Cancellation. trio calls the abort function once for each suspension, and tells by `raise_cancel` what to raise. Under
 * the wait policy the answer is FAILED, and the awaiter raises when the operation has ended; there is no second cancel
 * to detach it. Under shield the answer is FAILED and nothing else happens: the value comes through, and since trio's
 * cancellation has levels the next checkpoint raises it.
 *
 * Some things that trio keeps to itself are looked at, because asking by a call of Python costs as much as the operation:
 * which task is current, whether it is cancelled, which run it belongs to, and the run's own reschedule(). Where one of them
 * is not found, the public function is called.
 *
 * Nothing is imported that the program has not imported itself.
 */
#include "python/framework/trio.h"

#include "python/base/python_code.h"
#include "python/coroutine/park.h"
#include "python/framework/asyncio.h"

/* The system task. Python, because what it does is await trio. It goes on, shielded, until no task waits here any more:
 * system tasks are cancelled before the run ends, and one of them may be waiting for an operation to let go. Who was woken
 * has its turn before that is asked, and may wait for the same operation again. */
static const char trio_watch_source[] = "async def cawait_watch(hub, fd, awaited, wait_readable, trio):\n"
                                        "    try:\n"
                                        "        while True:\n"
                                        "            await wait_readable(fd)\n"
                                        "            hub.drain()\n"
                                        "    except trio.Cancelled:\n"
                                        "        with trio.CancelScope(shield=True):\n"
                                        "            while awaited():\n"
                                        "                await wait_readable(fd)\n"
                                        "                hub.drain()\n"
                                        "                for _ in range(2):\n"
                                        "                    await trio.lowlevel.cancel_shielded_checkpoint()\n"
                                        "        raise\n"
                                        "    finally:\n"
                                        "        hub.close()\n";

/* --- what is learned of trio --- */

void
caw__trio_forget(caw__trio_api *api)
{
#define TRIO_CLEAR(name) Py_CLEAR(api->name);
    CAW__TRIO_OBJECTS(TRIO_CLEAR)
#undef TRIO_CLEAR
    api->thread = 0;
}

int
caw__trio_visit(caw__trio_api *api, visitproc visit, void *arg)
{
#define TRIO_VISIT(name) Py_VISIT(api->name);
    CAW__TRIO_OBJECTS(TRIO_VISIT)
#undef TRIO_VISIT
    return 0;
}

/* The first thing that a coroutine yields: a new reference. Takes the coroutine, and closes it. */
static PyObject *
trio_first_yield(PyObject *coroutine)
{
    PyObject *yielded = NULL;
    if (coroutine && PyIter_Send(coroutine, Py_None, &yielded) == PYGEN_NEXT) {
        PyObject *closed = PyObject_CallMethod(coroutine, "close", NULL);
        if (!closed) {
            Py_CLEAR(yielded);
        }
        Py_XDECREF(closed);
    }
    else {
        Py_CLEAR(yielded);
    }
    Py_XDECREF(coroutine);
    return yielded;
}

static bool
trio_learn_classes(caw__trio_api *api, PyObject *lowlevel, PyObject *outcome)
{
    PyObject *abort = PyObject_GetAttrString(lowlevel, "Abort");
    PyObject *wait =
        abort ? trio_first_yield(PyObject_CallMethod(lowlevel, "wait_task_rescheduled", "O", Py_None)) : NULL;
    api->wait_type = wait ? Py_NewRef((PyObject *)Py_TYPE(wait)) : NULL;
    bool learned =
        wait && (api->abort_succeeded = PyObject_GetAttrString(abort, "SUCCEEDED")) &&
        (api->abort_failed = PyObject_GetAttrString(abort, "FAILED")) &&
        (api->schedule_point = trio_first_yield(PyObject_CallMethod(lowlevel, "cancel_shielded_checkpoint", NULL))) &&
        (api->nothing = PyObject_CallMethod(outcome, "Value", "O", Py_None)) &&
        (api->error_type = PyObject_GetAttrString(outcome, "Error"));
    Py_XDECREF(wait);
    Py_XDECREF(abort);
    return learned;
}

/* trio's thread-local variable, in whose attribute `task` the current task is. */
static PyObject *
trio_context(void)
{
    PyObject *run = PyMapping_GetItemString(PyImport_GetModuleDict(), "trio._core._run");
    PyObject *context = run ? PyObject_GetAttrString(run, "GLOBAL_RUN_CONTEXT") : NULL;
    PyErr_Clear();
    Py_XDECREF(run);
    return context;
}

/* False with an exception. */
static bool
trio_learn(caw__trio_api *api, PyObject *trio, PyObject *outcome)
{
    PyObject *lowlevel = PyObject_GetAttrString(trio, "lowlevel");
    api->trio = Py_NewRef(trio);
    api->context = trio_context();
    bool learned = lowlevel && (api->cancelled = PyObject_GetAttrString(trio, "Cancelled")) &&
                   (api->in_trio_task = PyObject_GetAttrString(lowlevel, "in_trio_task")) &&
                   (api->current_task = PyObject_GetAttrString(lowlevel, "current_task")) &&
                   (api->current_trio_token = PyObject_GetAttrString(lowlevel, "current_trio_token")) &&
                   (api->reschedule = PyObject_GetAttrString(lowlevel, "reschedule")) &&
                   (api->spawn_system_task = PyObject_GetAttrString(lowlevel, "spawn_system_task")) &&
                   (api->wait_readable = PyObject_GetAttrString(lowlevel, "wait_readable")) &&
                   (api->checkpoint_if_cancelled = PyObject_GetAttrString(lowlevel, "checkpoint_if_cancelled")) &&
                   (api->watch = caw__python_function(trio_watch_source, "cawait_watch")) &&
                   trio_learn_classes(api, lowlevel, outcome);
    Py_XDECREF(lowlevel);
    return learned;
}

/* Learn all of it, or nothing: Python code runs meanwhile, in other threads too. */
static void
trio_learn_at_once(caw__trio_api *api, PyObject *trio, PyObject *outcome)
{
    caw__trio_api fresh = {.modules = Py_NewRef(api->modules), .n_modules = -1};
    if (trio_learn(&fresh, trio, outcome) && !api->trio) {
        PyObject *modules = api->modules;
        *api = fresh;
        Py_XDECREF(modules);
    }
    else {
        PyObject *raised = caw__take_raised();
        caw__trio_forget(&fresh);
        if (raised) {
            caw__raise(raised);
        }
    }
}

/* Whether trio is there, and what is needed of it is known: 1, 0, or -1 with an exception. What cannot be learned now,
 * because the import is under way in another thread, is tried again the next time. */
static int
trio_load(caw__state *state)
{
    caw__trio_api *api = &state->trio;
    if (api->trio) {
        return 1;
    }
    if (caw__trio_is_absent(state)) {
        return 0;
    }
    if (!api->modules) {
        api->modules = Py_XNewRef(PyImport_GetModuleDict());
    }
    Py_ssize_t n_modules = PyDict_GET_SIZE(api->modules);
    PyObject *trio = Py_XNewRef(PyDict_GetItemWithError(api->modules, state->names.trio));
    PyObject *outcome = trio ? Py_XNewRef(PyDict_GetItemWithError(api->modules, state->names.outcome)) : NULL;
    if (outcome) {
        trio_learn_at_once(api, trio, outcome);
    }
    else if (!trio && !PyErr_Occurred()) {
        api->n_modules = n_modules;
    }
    Py_XDECREF(trio);
    Py_XDECREF(outcome);
    if (PyErr_Occurred() && (PyErr_ExceptionMatches(PyExc_MemoryError) || !PyErr_ExceptionMatches(PyExc_Exception))) {
        return -1; /* a signal handler's KeyboardInterrupt */
    }
    PyErr_Clear();
    return api->trio != NULL;
}

/* This thread's dict of trio's thread-local variable: a new reference, or NULL. To look an attribute up that is not there
 * takes a microsecond, for an AttributeError that nobody sees; and even the dict is kept, since every first step in a
 * program that has imported trio asks, also on asyncio. */
static PyObject *
trio_locals(caw__state *state)
{
    caw__trio_api *api = &state->trio;
    uint64_t thread = PyThreadState_GetID(PyThreadState_Get());
    if (thread == api->thread) {
        return Py_NewRef(api->locals);
    }
    PyObject *locals = caw__attribute(api->context, state->names.__dict__);
    if (!locals || !PyDict_Check(locals)) {
        Py_XDECREF(locals);
        return NULL;
    }
    PyObject *old = api->locals;
    api->locals = Py_NewRef(locals);
    api->thread = thread;
    Py_XDECREF(old);
    return locals;
}

int
caw__trio_task(caw__state *state, PyObject **task)
{
    *task = NULL;
    int loaded = trio_load(state);
    if (loaded <= 0) {
        return loaded;
    }
    PyObject *locals = state->trio.context ? trio_locals(state) : NULL;
    if (locals) {
        *task = Py_XNewRef(PyDict_GetItemWithError(locals, state->names.task));
        Py_DECREF(locals);
        return *task ? 1 : PyErr_Occurred() ? -1 : 0;
    }
    PyObject *in_task = PyObject_CallNoArgs(state->trio.in_trio_task);
    if (in_task == Py_True) {
        *task = PyObject_CallNoArgs(state->trio.current_task);
    }
    Py_XDECREF(in_task);
    return PyErr_Occurred() ? -1 : *task != NULL;
}

PyObject *
caw__trio_run_of(caw__state *state, PyObject *task)
{
    PyObject *run = caw__attribute(task, state->names._runner);
    return run ? run : PyObject_CallNoArgs(state->trio.current_trio_token);
}

bool
caw__is_cancellation_of_any(caw__state *state, PyObject *exception)
{
    PyObject *trios = state->trio.cancelled;
    return caw__is_cancellation(state, exception) || (trios && PyErr_GivenExceptionMatches(exception, trios)) ||
           PyErr_GivenExceptionMatches(exception, PyExc_GeneratorExit);
}

/* --- checkpoints --- */

/* An attribute that is a flag; true also where it is not there. */
static bool
trio_flag(PyObject *object, PyObject *name)
{
    PyObject *flag = object ? caw__attribute(object, name) : NULL;
    Py_XDECREF(flag);
    return flag != Py_False;
}

/* Whether a checkpoint would let the task pass: surely true, or not known. */
static bool
trio_lets_pass(caw__state *state, PyObject *task)
{
    PyObject *status = caw__attribute(task, state->names._cancel_status);
    PyObject *run = caw__attribute(task, state->names._runner);
    bool stops = trio_flag(status, state->names.effectively_cancelled) || trio_flag(run, state->names.ki_pending);
    Py_XDECREF(status);
    Py_XDECREF(run);
    return !stops;
}

PyObject *
caw__trio_checkpoint_if_cancelled(caw__state *state, PyObject *task)
{
    return trio_lets_pass(state, task) ? Py_NewRef(Py_None) : PyObject_CallNoArgs(state->trio.checkpoint_if_cancelled);
}

/* The checkpoint that was let pass counts as one: trio.testing.assert_checkpoints looks. Where the operation suspends, trio
 * counts by itself. */
static void
trio_count_checkpoint(caw__state *state)
{
    PyObject *task;
    PyObject *count = caw__trio_task(state, &task) > 0 ? caw__attribute(task, state->names._cancel_points) : NULL;
    PyObject *one = count ? PyLong_FromLong(1) : NULL;
    PyObject *more = one ? PyNumber_Add(count, one) : NULL;
    if (more) {
        (void)PyObject_SetAttr(task, state->names._cancel_points, more);
    }
    PyErr_Clear();
    Py_XDECREF(more);
    Py_XDECREF(one);
    Py_XDECREF(count);
    Py_XDECREF(task);
}

PyObject *
caw__trio_schedule_point(caw__state *state)
{
    trio_count_checkpoint(state);
    return Py_NewRef(state->trio.schedule_point);
}

PyObject *
caw__trio_sent_error(caw__state *state, PyObject *sent)
{
    if ((PyObject *)Py_TYPE(sent) != state->trio.error_type) {
        return NULL;
    }
    PyObject *value = PyObject_CallMethod(sent, "unwrap", NULL);
    Py_XDECREF(value);
    return caw__take_raised();
}

/* --- the framework --- */

/* Whether the task waits for this coroutine. Not when it is driven by hand: trio does not survive a reschedule() of a task
 * that does not wait. There is no public way to ask; where the private one is gone, it is taken to wait. */
static bool
trio_waits(const caw__coroutine *c)
{
    if (c->aborted) {
        return true;
    }
    PyObject *abort = PyObject_GetAttrString(c->callback, "_abort_func");
    bool waits = !abort || (PyCFunction_Check(abort) && PyCFunction_GET_SELF(abort) == (PyObject *)c->park);
    Py_XDECREF(abort);
    PyErr_Clear();
    return waits;
}

/* Asked at the end of a run: whether a task waits for one of those that are suspended on the hub. */
static PyObject *
trio_awaited(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    caw__hub *hub = (caw__hub *)self;
    bool awaited = false;
    hub->ending = true;
    for (uint32_t i = 0; i < hub->n_held && !awaited; i++) {
        awaited = trio_waits(hub->held[i]);
    }
    return PyBool_FromLong(awaited);
}

static PyMethodDef trio_awaited_def = {"awaited", trio_awaited, METH_NOARGS, "Whether a task waits here."};

static int
trio_attach(caw__hub *hub)
{
    const caw__trio_api *api = &hub->state->trio;
    /* lowlevel.reschedule() finds out the run and calls this */
    hub->reschedule = caw__attribute(hub->loop, hub->state->names.reschedule);
    if (!hub->reschedule) {
        hub->reschedule = Py_NewRef(api->reschedule);
    }
    PyObject *awaited = PyCFunction_New(&trio_awaited_def, (PyObject *)hub);
    PyObject *task =
        awaited ? PyObject_CallFunction(api->spawn_system_task, "OOiOOO", api->watch, hub,
                                        caw_reactor_fd(hub->inbox->reactor), awaited, api->wait_readable, api->trio)
                : NULL;
    Py_XDECREF(task);
    Py_XDECREF(awaited);
    return task ? 0 : -1;
}

static int
trio_may_step(caw__hub *hub)
{
    (void)hub; /* trio steps its tasks itself */
    return 0;
}

/* What the task yields to wait: a new reference, or NULL with an exception. */
static PyObject *
trio_wait(caw__hub *hub, caw__coroutine *c)
{
    if (!c->park->wait) {
        PyObject *abort = PyObject_GetAttr((PyObject *)c->park, hub->state->names.abort);
        c->park->wait = abort ? PyObject_CallOneArg(hub->state->trio.wait_type, abort) : NULL;
        Py_XDECREF(abort);
    }
    return Py_XNewRef(c->park->wait);
}

static PyObject *
trio_suspend(caw__hub *hub, caw__coroutine *c)
{
    if (c->callback && trio_waits(c)) {
        return trio_wait(hub, c); /* thrown into by somebody else: its task waits on */
    }
    if (c->callback) {
        caw__hub_drop_callback(c); /* driven by hand */
    }
    PyObject *wait = trio_wait(hub, c);
    PyObject *task = NULL;
    if (!wait || caw__trio_task(hub->state, &task) <= 0 || caw__hub_hold(c) < 0) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_RuntimeError, "must be called from async context");
        }
        Py_XDECREF(wait);
        Py_XDECREF(task);
        return NULL;
    }
    c->callback = task;
    c->aborted = false;
    return wait;
}

static int
trio_resume(caw__hub *hub, caw__coroutine *c)
{
    if (trio_waits(c)) {
        PyObject *args[] = {c->callback, hub->state->trio.nothing};
        PyObject *reschedule = Py_NewRef(hub->reschedule);
        PyObject *done = PyObject_Vectorcall(reschedule, args, 2, NULL);
        Py_DECREF(reschedule);
        if (!done) {
            return -1;
        }
        Py_DECREF(done);
    }
    caw__hub_drop_callback(c);
    return 0;
}

const caw__framework caw__trio = {trio_attach,     trio_may_step,    trio_suspend,       trio_resume,
                                  caw__trio_begin, caw__trio_cancel, .may_leave = false, .holds = false};

/* Let the author know why: of the first cancellation, since trio repeats it at each suspension. What is to be raised: a
 * new reference. It runs Python code, which may close the coroutine. */
static PyObject *
trio_tell_why(caw__coroutine *c, PyObject *raise_cancel)
{
    if (!c->function->spec->on_throw) {
        return Py_NewRef(raise_cancel); /* called when the operation has ended, as trio's own functions do */
    }
    Py_XDECREF(PyObject_CallNoArgs(raise_cancel));
    PyObject *exception = caw__take_raised();
    if (exception && c->state == CORO_SUSPENDED) {
        caw__coroutine_tell_why(c, exception);
    }
    return exception ? exception : Py_NewRef(raise_cancel);
}

/* Keep what the awaiter will raise when the operation has ended. Where there is no memory for that it raises nothing: the
 * next checkpoint does. */
static void
trio_note_cancel(caw__coroutine *c, PyObject *raise_cancel)
{
    caw__coroutine_extras *extras = caw__coroutine_extras_get(c);
    if (!extras) {
        PyErr_Clear();
    }
    else if (!extras->pending) {
        PyObject *why = trio_tell_why(c, raise_cancel);
        if (c->state == CORO_SUSPENDED && !extras->pending) {
            extras->pending = why;
        }
        else {
            Py_DECREF(why);
        }
    }
}

PyObject *
caw__trio_abort(PyObject *self, PyObject *raise_cancel)
{
    caw__coroutine *c = ((caw__park *)self)->coroutine;
    caw__state *state = caw__state_of_type(Py_TYPE(self));
    if (!state) {
        PyErr_SetString(PyExc_RuntimeError, "the module is gone");
        return NULL;
    }
    if (!c) {
        return Py_NewRef(state->trio.abort_succeeded); /* ended by somebody who could not wake the task */
    }
    c->aborted = c->aborted || (!c->woken && c->callback && trio_waits(c)); /* else it is called by hand */
    if (c->woken || c->running) {
        return Py_NewRef(state->trio.abort_failed); /* it resumes by itself */
    }
    caw_py_cancel policy = caw__coroutine_policy(c);
    c->cancelling = true;
    if (policy == CAW_PY_CANCEL_SHIELD) {
        return Py_NewRef(state->trio.abort_failed);
    }
    Py_INCREF(c);
    PyObject *answer = policy == CAW_PY_CANCEL_WAIT ? state->trio.abort_failed : state->trio.abort_succeeded;
    if (policy == CAW_PY_CANCEL_WAIT) {
        caw__coroutine_tell(c);
        if (c->state == CORO_SUSPENDED) {
            trio_note_cancel(c, raise_cancel);
        }
    }
    else {
        c->detached = c->woken = true; /* first: to tell may run any Python code */
        caw__coroutine_tell(c);
        caw__hub_drop_callback(c);
    }
    Py_DECREF(c);
    return Py_NewRef(answer);
}
