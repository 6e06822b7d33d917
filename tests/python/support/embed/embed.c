/* embed.c: programs whose main is C, for run/test_run.py. The first argument names the test, the second the loop. */
#include <cawait.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static caw_py_run_options options;

/* --- what a run awaits --- */

/* A future of main(), the coroutine function that this source defines in __main__. */
static caw_future *
begin_source(PyObject *module, void *source)
{
    PyObject *dict = PyModule_GetDict(module);
    PyObject *done = PyRun_String(source, Py_file_input, dict, dict);
    Py_XDECREF(done);
    return done ? caw_py_await(NULL, PyObject_CallMethod(module, "main", NULL)) : NULL;
}

static caw_future *
begin_sleep(PyObject *Py_UNUSED(module), void *ms)
{
    return caw_sleep(*(int *)ms * 1000000ull);
}

static caw_future *
begin_ready(PyObject *Py_UNUSED(module), void *status)
{
    return caw_ready(*(int *)status);
}

static caw_future *
begin_raise(PyObject *Py_UNUSED(module), void *Py_UNUSED(user))
{
    PyErr_SetString(PyExc_LookupError, "in begin");
    return NULL;
}

static int
say(int status, int exit_code)
{
    printf("%s %d\n", caw_error_name(status), exit_code);
    fflush(stdout);
    return exit_code;
}

static int
run(caw_future *(*begin)(PyObject *, void *), void *user)
{
    int exit_code = -1, status = caw_py_run(&options, begin, user, &exit_code);
    return say(status, exit_code);
}

static int
run_source(const char *source)
{
    return run(begin_source, (void *)(uintptr_t)source);
}

/* --- tests --- */

static int
returns(void)
{
    int ms = 5;
    (void)run(begin_sleep, &ms);
    (void)run_source("async def main(): print('in Python')");
    return run(begin_sleep, &ms);
}

static int
native_error(void)
{
    int status = -EIO;
    return run(begin_ready, &status);
}

static int
cancelled(void)
{
    int status = CAW_ECANCELED;
    return run(begin_ready, &status);
}

static int
raises(void)
{
    return run_source("async def main(): raise LookupError('in main')");
}

static int
raises_in_begin(void)
{
    return run(begin_raise, NULL);
}

static int
exits(void)
{
    return run_source("import sys\nasync def main(): sys.exit(7)");
}

static int
cleanup(void)
{
    return run_source("import asyncio\n"
                      "async def numbers():\n"
                      "    try:\n"
                      "        yield 1\n"
                      "        yield 2\n"
                      "    finally:\n"
                      "        print('generator closed')\n"
                      "async def main():\n"
                      "    global kept\n"
                      "    kept = numbers()\n"
                      "    print(await kept.__anext__())\n");
}

static int
interrupted(void)
{
    return run_source("import sys\n"
                      "async def main():\n"
                      "    if 'trio' in sys.modules:\n"
                      "        import trio as library\n"
                      "    else:\n"
                      "        import asyncio as library\n"
                      "    try:\n"
                      "        print('waiting', flush=True)\n"
                      "        await library.sleep(60)\n"
                      "    finally:\n"
                      "        print('cleaned up', flush=True)\n");
}

static caw_future *
begin_waiting(PyObject *module, void *ms)
{
    printf("waiting\n");
    fflush(stdout);
    return begin_sleep(module, ms);
}

static int
interrupted_native(void)
{
    int ms = 60000;
    return run(begin_waiting, &ms);
}

static caw_future *
begin_interrupted(PyObject *module, void *ms)
{
    (void)raise(SIGINT);
    return begin_sleep(module, ms);
}

static int
interrupted_in_begin(void)
{
    int ms = 60000;
    return run(begin_interrupted, &ms);
}

/* Something other than the future ends the run. */
static int
crashes(void)
{
    return run_source("import sys\n"
                      "async def fails(): raise LookupError('not in main')\n"
                      "async def main():\n"
                      "    if 'trio' in sys.modules:\n"
                      "        import trio\n"
                      "        trio.lowlevel.spawn_system_task(fails)\n"
                      "        await trio.sleep(60)\n"
                      "    import asyncio\n"
                      "    asyncio.get_running_loop().stop()\n"
                      "    await asyncio.sleep(60)\n");
}

static int
isolated(void)
{
    options.isolated = true;
    options.python = options.argc > 3 ? options.argv[3] : NULL;
    return run_source("import sys\nasync def main(): print(sys.flags.isolated)");
}

static int
venv(void)
{
    return run_source("import sys\nasync def main(): print(sys.prefix)");
}

/* The python whose path is the third argument. */
static int
python(void)
{
    options.python = options.argv[3];
    return venv();
}

static int
python_later(void)
{
    int ms = 1;
    (void)run(begin_sleep, &ms);
    options.python = "/no/such/python";
    return run(begin_sleep, &ms);
}

static int
isolated_venv(void)
{
    options.isolated = true;
    return venv();
}

static int
arguments(void)
{
    return run_source("import sys\nasync def main(): print(sys.argv[1:])");
}

static void *
run_in_thread(void *ms)
{
    (void)run(begin_sleep, ms);
    return NULL;
}

static int
wrong_thread(void)
{
    int ms = 1;
    pthread_t thread;
    (void)run(begin_sleep, &ms);
    if (pthread_create(&thread, NULL, run_in_thread, &ms) == 0) {
        pthread_join(thread, NULL);
    }
    return run(begin_sleep, &ms);
}

static caw_future *
begin_nested(PyObject *Py_UNUSED(module), void *ms)
{
    (void)run(begin_sleep, ms);
    return begin_sleep(NULL, ms);
}

static int
nested(void)
{
    int ms = 1;
    return run(begin_nested, &ms);
}

static int
bad_options(void)
{
    int ms = 1;
    options.loop = (caw_py_loop)9;
    (void)run(begin_sleep, &ms);
    options.loop = CAW_PY_ASYNCIO;
    (void)run(NULL, NULL);
    return run(begin_sleep, &ms);
}

/* --- the interpreter's beginning and end --- */

static int
begun_by_c(void)
{
    int ms = 1;
    pthread_t thread;
    Py_InitializeEx(1);
    PyThreadState *state = PyEval_SaveThread();
    if (pthread_create(&thread, NULL, run_in_thread, &ms) == 0) {
        pthread_join(thread, NULL);
    }
    PyEval_RestoreThread(state);
    return run(begin_sleep, &ms);
}

typedef struct kept {
    caw_py_locals *locals;
    caw_py_ref *ref;
} kept;

static caw_future *
begin_keeping(PyObject *module, void *user)
{
    kept *k = user;
    k->locals = caw_py_locals_new(module);
    k->ref = k->locals ? caw_py_ref_new(k->locals, module) : NULL;
    return k->ref ? caw_sleep(1000000) : NULL;
}

static int
finalized(void)
{
    kept k = {NULL, NULL};
    int exit_code = run(begin_keeping, &k);
    (void)PyGILState_Ensure();
    printf("finalized %d\n", Py_FinalizeEx());
    caw_py_ref_release(k.ref);
    caw_py_locals_release(k.locals);
    printf("released\n");
    return exit_code;
}

/* --- run_forever --- */

typedef struct server {
    caw_py_stopper *stopper;
    caw_py_locals *locals;
    pthread_t thread;
    long sum;
} server;

static PyObject *
handle(void *arg)
{
    (void)arg;
    PyObject *module = PyImport_AddModule("__main__");
    return module ? PyObject_CallMethod(module, "handle", NULL) : NULL;
}

static int
add(void *arg, PyObject *value)
{
    ((server *)arg)->sum += PyLong_AsLong(value);
    return 0;
}

static const caw_py_call_spec handle_spec = {handle, add, NULL};

static void *
serve(void *arg)
{
    server *s = arg;
    for (int i = 0; i < 100; i++) {
        caw_future *f = caw_py_call(s->locals, &handle_spec, s);
        if (caw_block_on(f) < 0) {
            abort();
        }
        caw_future_destroy(f);
    }
    caw_py_locals_release(s->locals);
    caw_py_stopper_stop(s->stopper);
    caw_py_stopper_stop(s->stopper);
    return NULL;
}

static int
server_begin(PyObject *module, void *arg)
{
    server *s = arg;
    PyObject *dict = PyModule_GetDict(module);
    PyObject *done = PyRun_String("async def handle(): return 2", Py_file_input, dict, dict);
    Py_XDECREF(done);
    s->locals = done ? caw_py_locals_new(module) : NULL;
    return s->locals && pthread_create(&s->thread, NULL, serve, s) == 0 ? 0 : -1;
}

static int
forever(void)
{
    server s = {.stopper = caw_py_stopper_new()};
    if (!s.stopper) {
        return 98;
    }
    int exit_code, status = caw_py_run_forever(&options, server_begin, &s, s.stopper, &exit_code);
    pthread_join(s.thread, NULL);
    caw_py_stopper_release(s.stopper);
    printf("%ld\n", s.sum);
    return say(status, exit_code);
}

static int
stopped_before(void)
{
    caw_py_stopper *stopper = caw_py_stopper_new();
    if (!stopper) {
        return 98;
    }
    caw_py_stopper_stop(stopper);
    int exit_code, status = caw_py_run_forever(&options, NULL, NULL, stopper, &exit_code);
    caw_py_stopper_release(stopper);
    return say(status, exit_code);
}

static int
fail(PyObject *Py_UNUSED(module), void *Py_UNUSED(user))
{
    return -EIO;
}

static int
forever_fails(void)
{
    caw_py_stopper *stopper = caw_py_stopper_new();
    int exit_code = -1, status = caw_py_run_forever(&options, fail, NULL, stopper, &exit_code);
    caw_py_stopper_release(stopper);
    return say(status, exit_code);
}

static int
say_waiting(PyObject *Py_UNUSED(module), void *Py_UNUSED(user))
{
    printf("waiting\n");
    fflush(stdout);
    return 0;
}

static int
forever_interrupted(void)
{
    caw_py_stopper *stopper = caw_py_stopper_new();
    if (!stopper) {
        return 98;
    }
    int exit_code, status = caw_py_run_forever(&options, say_waiting, NULL, stopper, &exit_code);
    caw_py_stopper_release(stopper);
    return say(status, exit_code);
}

static const struct {
    const char *name;
    int (*run)(void);
} tests[] = {
    {"returns", returns},
    {"native_error", native_error},
    {"cancelled", cancelled},
    {"raises", raises},
    {"raises_in_begin", raises_in_begin},
    {"exits", exits},
    {"cleanup", cleanup},
    {"interrupted", interrupted},
    {"interrupted_native", interrupted_native},
    {"interrupted_in_begin", interrupted_in_begin},
    {"crashes", crashes},
    {"isolated", isolated},
    {"begun_by_c", begun_by_c},
    {"finalized", finalized},
    {"forever_fails", forever_fails},
    {"venv", venv},
    {"python", python},
    {"python_later", python_later},
    {"isolated_venv", isolated_venv},
    {"arguments", arguments},
    {"wrong_thread", wrong_thread},
    {"nested", nested},
    {"bad_options", bad_options},
    {"forever", forever},
    {"stopped_before", stopped_before},
    {"forever_interrupted", forever_interrupted},
};

int
main(int argc, char **argv)
{
    static const char *const loops[] = {"asyncio", "uvloop", "trio"};
    for (int i = 0; argc > 2 && i < 3; i++) {
        if (strcmp(argv[2], loops[i]) == 0) {
            options.loop = (caw_py_loop)i;
        }
    }
    options.argc = argc;
    options.argv = argv;
    for (size_t i = 0; argc > 1 && i < sizeof tests / sizeof *tests; i++) {
        if (strcmp(argv[1], tests[i].name) == 0) {
            return tests[i].run();
        }
    }
    return 99;
}
