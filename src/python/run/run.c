/* run.c: running a Python loop in a program whose main is C. */
#include "cawait/python_run.h"

#include "python/base/compat.h"
#include "python/base/python_code.h"
#include "python/framework/asyncio.h"
#include "python/framework/detect.h"
#include "python/loop/framework.h"
#include "python/module/module.h"

#include <stdlib.h>

#define RUN_PATH_MAX 4096

/* The loop is run by asyncio.run or trio.run, so it behaves as in every Python program, also in later versions. On a
 * Ctrl-C, asyncio.run cancels the main task. Before 3.11 KeyboardInterrupt is raised first, wherever Python code runs
 * at that moment. */
static const char run_source[] = "def cawait_run(kind, begin):\n"
                                 "    if kind == 'trio':\n"
                                 "        import trio\n"
                                 "        return trio.run(begin)\n"
                                 "    import asyncio\n"
                                 "    async def main():\n"
                                 "        return await begin()\n"
                                 "    if kind == 'asyncio':\n"
                                 "        return asyncio.run(main())\n"
                                 "    import uvloop\n"
                                 "    if hasattr(asyncio, 'Runner'):\n"
                                 "        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:\n"
                                 "            return runner.run(main())\n"
                                 "    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())\n"
                                 "    try:\n"
                                 "        return asyncio.run(main())\n"
                                 "    finally:\n"
                                 "        asyncio.set_event_loop_policy(None)\n";

/* One run, on the stack of caw_py_run. */
typedef struct caw__run {
    const caw_py_run_options *options;
    caw_future *(*begin)(PyObject *module, void *user);
    void *user;
    PyObject *coroutine; /* given to the loop by run_begin; after a Ctrl-C it may never be awaited */
    PyObject *error;     /* the exception that was raised for the status, or NULL */
    int status;          /* the future's, once `ended` */
    bool ended;
} caw__run;

/* --- the interpreter --- */

static PyStatus
run_set_string(PyConfig *config, wchar_t **field, const char *text)
{
    return text ? PyConfig_SetBytesString(config, field, text) : PyStatus_Ok();
}

/* Whether there is a file or a folder of this name beside a file: "../pyvenv.cfg" beside /venv/bin/python. Before the
 * interpreter begins, the C library has to say. */
static bool
run_has_beside(const char *file, const char *name)
{
    char path[RUN_PATH_MAX];
    const char *slash = strrchr(file, '/');
    int folder = slash ? (int)(slash - file) + 1 : 0;
    int length = snprintf(path, sizeof path, "%.*s%s", folder, file, name);
    FILE *found = length > 0 && (size_t)length < sizeof path ? fopen(path, "rb") : NULL;
    if (found) {
        (void)fclose(found);
    }
    return found != NULL;
}

static bool
run_is_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    bool is = file && fgetc(file) != EOF; /* a folder opens too, and cannot be read */
    if (file) {
        (void)fclose(file);
    }
    return is;
}

/* Whether the packages of this python can be used: 0, or an error, after a sentence that says why. The interpreter
 * itself would begin with any path, and without the packages. */
static int
run_check_python(const char *python, const char *from)
{
    if (!run_is_file(python)) {
        (void)fprintf(stderr, "cawait: no interpreter: there is no python at %s%s\n", python, from);
        return -ENOENT;
    }
    if (run_has_beside(python, "../pyvenv.cfg") && !run_has_beside(python, "../lib/python" CAW__PYTHON_SERIES)) {
        (void)fprintf(stderr, "cawait: no interpreter: %s is not a Python " CAW__PYTHON_SERIES "%s\n", python, from);
        return CAW_EINVAL;
    }
    return 0;
}

/* The python whose packages are used, in `buffer` or of the options, or NULL. Returns 0 or an error. */
static int
run_find_python(const caw_py_run_options *options, char *buffer, size_t size, const char **out)
{
    const char *venv = options->python || options->isolated ? NULL : getenv("VIRTUAL_ENV");
    *out = options->python;
    if (!venv || !*venv) {
        return options->python ? run_check_python(options->python, "") : 0;
    }
    int length = snprintf(buffer, size, "%s/bin/python", venv);
    if (length < 0 || (size_t)length >= size) {
        (void)fprintf(stderr, "cawait: no interpreter: VIRTUAL_ENV is too long\n");
        return CAW_EINVAL;
    }
    *out = buffer;
    return run_check_python(buffer, " (VIRTUAL_ENV names it)");
}

static int
run_start_interpreter(const caw_py_run_options *options)
{
    char buffer[RUN_PATH_MAX];
    const char *python;
    int error = run_find_python(options, buffer, sizeof buffer, &python);
    if (error < 0) {
        return error;
    }
    PyConfig config;
    if (options->isolated) {
        PyConfig_InitIsolatedConfig(&config);
    }
    else {
        PyConfig_InitPythonConfig(&config);
    }
    config.parse_argv = 0;
    config.install_signal_handlers = 1;
    PyStatus status = run_set_string(&config, &config.program_name, python);
    if (!PyStatus_Exception(status)) {
        status = run_set_string(&config, &config.executable, python);
    }
    if (!PyStatus_Exception(status) && options->argc > 0) {
        status = PyConfig_SetBytesArgv(&config, options->argc, options->argv);
    }
    if (!PyStatus_Exception(status)) {
        status = Py_InitializeFromConfig(&config);
    }
    PyConfig_Clear(&config);
    if (PyStatus_Exception(status)) {
        fprintf(stderr, "cawait: no interpreter: %s\n", status.err_msg ? status.err_msg : "unknown error");
        return CAW_EINVAL;
    }
    (void)PyEval_SaveThread(); /* PyGILState_Ensure takes this thread's state again */
    return 0;
}

/* Whether this is Python's main thread: 1, 0, or -1 with an exception. Only the main thread may set the wakeup fd of
 * signals. `threading.main_thread()` is no proof: before 3.13 it is the thread that imported `threading` first. */
static int
run_is_main_thread(void)
{
    PyObject *signal = PyImport_ImportModule("_signal");
    PyObject *fd = signal ? PyObject_CallMethod(signal, "set_wakeup_fd", "i", -1) : NULL, *put_back = NULL;
    if (fd) {
        PyObject *set = PyObject_GetAttrString(signal, "set_wakeup_fd"), *args = PyTuple_Pack(1, fd);
        PyObject *kwargs = Py_BuildValue("{s:O}", "warn_on_full_buffer", Py_False); /* as asyncio sets it */
        put_back = set && args && kwargs ? PyObject_Call(set, args, kwargs) : NULL;
        Py_XDECREF(kwargs);
        Py_XDECREF(args);
        Py_XDECREF(set);
    }
    bool refused = !fd && PyErr_ExceptionMatches(PyExc_ValueError);
    if (refused) {
        PyErr_Clear();
    }
    if (fd) {
        PyErr_Clear(); /* an fd that is closed already is not put back */
    }
    int is = fd ? 1 : refused ? 0 : -1;
    Py_XDECREF(put_back);
    Py_XDECREF(fd);
    Py_XDECREF(signal);
    return is;
}

/* --- the run --- */

/* Polls the program's future, and keeps its status for the caller of caw_py_run. */
typedef struct run_future {
    caw_future future;
    caw_future *child;
    caw__run *run;
} run_future;

static caw_poll
run_poll(caw_future *f, caw_context *cx)
{
    run_future *r = CAW_CONTAINER_OF(f, run_future, future);
    if (caw_future_poll(r->child, cx) == CAW_PENDING) {
        return CAW_PENDING;
    }
    r->run->ended = true;
    r->run->status = r->child->status;
    return caw_future_finish(f, r->child->status);
}

static void
run_cancel(caw_future *f)
{
    caw_future_cancel(CAW_CONTAINER_OF(f, run_future, future)->child);
}

/* Raise the exception for a status, and keep it, so that it can be recognised when the run ends with it. On trio it is
 * not asyncio's CancelledError, which nothing there would handle. */
static void
run_error(caw_future *f, int status)
{
    caw__run *run = CAW_CONTAINER_OF(f, run_future, future)->run;
    if (status == CAW_ECANCELED && run->options->loop == CAW_PY_TRIO) {
        PyErr_SetString(PyExc_RuntimeError, "the program was cancelled");
    }
    else {
        (void)caw_py_set_error(status);
    }
    PyObject *raised = caw__take_raised();
    if (raised) {
        Py_XSETREF(run->error, Py_NewRef(raised));
        caw__raise(raised);
    }
}

static const caw_py_spec run_spec = {.name = "main", .error = run_error};

static void
run_destroy(caw_future *f)
{
    run_future *r = CAW_CONTAINER_OF(f, run_future, future);
    caw_future_destroy(r->child);
    free(r);
}

static const caw_future_ops run_ops = {"python.run", run_poll, run_cancel, run_destroy};
static const caw_future_ops run_ops_without_cancel = {"python.run", run_poll, NULL, run_destroy};

/* Called in the loop: returns the coroutine that it runs. */
static PyObject *
run_begin(PyObject *capsule, PyObject *Py_UNUSED(ignored))
{
    caw__run *run = PyCapsule_GetPointer(capsule, NULL);
    PyObject *module = PyImport_AddModule("__main__"); /* borrowed */
    caw_future *child = module ? run->begin(module, run->user) : NULL;
    run_future *r = child ? malloc(sizeof *r) : NULL;
    if (!r) {
        caw_future_destroy(child);
        return PyErr_Occurred() ? NULL : PyErr_NoMemory();
    }
    *r = (run_future){.child = child, .run = run};
    caw_future_init(&r->future, child->ops->cancel ? &run_ops : &run_ops_without_cancel);
    run->coroutine = caw_py_coroutine(module, &r->future, &run_spec);
    return Py_XNewRef(run->coroutine);
}

static PyMethodDef run_begin_def = {"cawait_begin", run_begin, METH_NOARGS, NULL};

/* Whether a loop runs in this thread already: 1, 0, or -1 with an exception. */
static int
run_is_inside_another(void)
{
    PyObject *module = PyImport_AddModule("__main__"), *loop = NULL;
    caw__state *state = module ? caw__state_of_module(module) : NULL;
    if (!state) {
        return -1;
    }
    const caw__framework *running = caw__framework_running(state, NULL, &loop);
    Py_XDECREF(loop);
    PyErr_Clear(); /* an exception only says that none runs */
    return running != NULL;
}

/* Close the coroutine, without a warning if the loop has never awaited it: the run's own exception says why. */
static void
run_close(caw__run *run)
{
    PyObject *raised = caw__take_raised();
    PyObject *closed = run->coroutine ? PyObject_CallMethod(run->coroutine, "close", NULL) : NULL;
    PyErr_Clear();
    Py_XDECREF(closed);
    Py_CLEAR(run->coroutine);
    if (raised) {
        caw__raise(raised);
    }
}

static PyObject *
run_loop(caw__run *run)
{
    static const char *const kinds[] = {"asyncio", "uvloop", "trio"};
    PyObject *function = caw__python_function(run_source, "cawait_run");
    PyObject *capsule = function ? PyCapsule_New(run, NULL, NULL) : NULL;
    PyObject *begin = capsule ? PyCFunction_New(&run_begin_def, capsule) : NULL;
    PyObject *result = begin ? PyObject_CallFunction(function, "sO", kinds[run->options->loop], begin) : NULL;
    Py_XDECREF(begin);
    Py_XDECREF(capsule);
    Py_XDECREF(function);
    run_close(run);
    return result;
}

/* Whether the exception that is set says no more than the status. A cancellation is compared by its type, because
 * asyncio makes new CancelledErrors. */
static bool
run_has_said(const caw__run *run)
{
    if (!run->ended || run->status >= 0 || run->status == CAW_EPYTHON) {
        return false;
    }
    PyObject *raised = caw__take_raised(), *module = PyImport_AddModule("__main__"); /* borrowed */
    caw__state *state = module ? caw__state_of_module(module) : NULL;
    bool is_cancelled = run->status == CAW_ECANCELED && state && caw__is_cancellation(state, raised);
    bool said = raised == run->error || is_cancelled;
    PyErr_Clear(); /* without a state the exception is printed */
    caw__raise(raised);
    return said;
}

/* The run ended with the exception that is set: what caw_py_run returns for it. The exception is printed, unless the
 * result says as much. */
static int
run_failed(const caw__run *run, int *exit_code)
{
    *exit_code = 1;
    if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) {
        PyErr_Clear();
        *exit_code = 130;
        return -EINTR;
    }
    if (PyErr_ExceptionMatches(PyExc_SystemExit)) {
        PyObject *exit = caw__take_raised();
        PyObject *code = PyObject_GetAttrString(exit, "code");
        if (code && PyLong_Check(code)) {
            *exit_code = (int)PyLong_AsLong(code);
        }
        else if (code && code != Py_None) {
            (void)PySys_FormatStderr("%S\n", code);
        }
        else {
            *exit_code = 0;
        }
        Py_XDECREF(code);
        Py_DECREF(exit);
        PyErr_Clear();
        return CAW_EPYTHON;
    }
    if (run_has_said(run)) {
        PyErr_Clear();
        return run->status;
    }
    PyErr_Print();
    return CAW_EPYTHON;
}

/* Flush what Python code has written. C code may write next, and the program may end without finalizing the
 * interpreter. */
static void
run_flush(const char *name)
{
    PyObject *file = PySys_GetObject(name); /* borrowed */
    PyObject *flushed = file && file != Py_None ? PyObject_CallMethod(file, "flush", NULL) : NULL;
    Py_XDECREF(flushed);
    PyErr_Clear();
}

static int
run_with_gil(caw__run *run, int *exit_code)
{
    int inside = run_is_inside_another(), is_main = inside == 0 ? run_is_main_thread() : 0;
    if (inside > 0 || (inside == 0 && is_main == 0)) {
        return inside > 0 ? -EBUSY : -EPERM;
    }
    PyObject *result = is_main > 0 && inside == 0 ? run_loop(run) : NULL;
    if (!result) {
        return run_failed(run, exit_code);
    }
    Py_DECREF(result);
    *exit_code = 0;
    return run->status;
}

int
caw_py_run(const caw_py_run_options *options, caw_future *(*begin)(PyObject *module, void *user), void *user,
           int *exit_code)
{
    static const caw_py_run_options defaults = {.argc = 0};
    caw__run run = {.options = options ? options : &defaults, .begin = begin, .user = user};
    int code = 1, error = begin && (unsigned)run.options->loop <= CAW_PY_TRIO ? 0 : CAW_EINVAL;
    if (error == 0 && !Py_IsInitialized()) {
        error = run_start_interpreter(run.options);
    }
    if (error == 0) {
        PyGILState_STATE state = PyGILState_Ensure();
        error = run_with_gil(&run, &code);
        Py_CLEAR(run.error);
        run_flush("stdout");
        run_flush("stderr");
        PyGILState_Release(state);
    }
    if (exit_code) {
        *exit_code = code;
    }
    return error;
}
