/* trio_api.c: what is learned of trio, once the program has imported it.
 *
 * Some things that trio keeps to itself are looked at, because a call of Python for them costs as much as the
 * operation: which task is current, whether it is cancelled, which run it belongs to, and the run's own reschedule().
 * Where one of them is not found, the public function is called.
 */
#include "python/framework/trio_api.h"

#include "python/base/python_code.h"

/* The system task. Python, because what it does is await trio. It goes on, shielded, until no task waits here any
 * more: system tasks are cancelled before the run ends, and one of them may be waiting for an operation to let go.
 * A task that was woken has its turn before `awaited` is called, and may wait for the same operation again. */
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
    api->context = lowlevel ? trio_context() : NULL;
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

/* The module outcome, which trio imports, a new reference; or NULL. With `-X lazy_imports=all` it is imported only when
 * trio uses it for the first time. */
static PyObject *
trio_outcome(caw__state *state, PyObject *trio)
{
    PyObject *outcome = PyDict_GetItemWithError(state->trio.modules, state->names.outcome);
    if (outcome || PyErr_Occurred() || !PyObject_HasAttrString(trio, "lowlevel")) {
        return Py_XNewRef(outcome);
    }
    return PyImport_Import(state->names.outcome);
}

/* Whether trio is imported, and what is needed of it has been learned: 1, 0, or -1 with an exception. What cannot be
 * learned now, because the import is under way in another thread, is tried again the next time. */
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
    PyObject *outcome = trio ? trio_outcome(state, trio) : NULL;
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

/* This thread's dict of trio's thread-local variable: a new reference, or NULL. To look an attribute up that is not
 * there takes a microsecond, for an AttributeError that nobody sees; and even the dict is kept, since every first
 * step in a program that has imported trio needs it, also on asyncio. */
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

/* --- checkpoints --- */

/* An attribute that is a flag; true also where it is not there. */
static bool
trio_flag(PyObject *object, PyObject *name)
{
    PyObject *flag = object ? caw__attribute(object, name) : NULL;
    Py_XDECREF(flag);
    return flag != Py_False;
}

/* Whether a checkpoint would let the task pass; false where that is not certain. */
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

/* The checkpoint that was let pass counts as one: trio.testing.assert_checkpoints looks. Where the operation
 * suspends, trio counts by itself. */
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
