/* tests.c: a program of tests, for testing/test_testing.py: each way to pass, to fail, and to hang. */
#include <cawait_testing.h>

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define MILLISECOND UINT64_C(1000000)

/* The Python awaitable of a test: a call of the coroutine function `test` that this source defines. */
static PyObject *
python(const char *source)
{
    PyObject *dict = PyDict_New(), *result = NULL;
    PyObject *done = dict && PyDict_SetItemString(dict, "__builtins__", PyEval_GetBuiltins()) == 0
                         ? PyRun_String(source, Py_file_input, dict, dict)
                         : NULL;
    if (done) {
        result = PyObject_CallNoArgs(PyDict_GetItemString(dict, "test"));
    }
    Py_XDECREF(done);
    Py_XDECREF(dict);
    return result;
}

#define SLEEP                                                                                                          \
    "import sys\n"                                                                                                     \
    "async def sleep(seconds):\n"                                                                                      \
    "    library = 'trio' if 'trio' in sys.modules else 'asyncio'\n"                                                   \
    "    await __import__(library).sleep(seconds)\n"

/* --- tests that pass --- */

static caw_future *
async_passes(PyObject *Py_UNUSED(module))
{
    return caw_sleep(5 * MILLISECOND);
}

static int
blocking_passes(void)
{
    return CAW_TEST_CHECK(usleep(5000) == 0) ? 0 : -EINVAL;
}

static PyObject *
coroutine_passes(PyObject *Py_UNUSED(module))
{
    return python(SLEEP "async def test():\n    await sleep(0.005)\n    print('said by Python')\n");
}

static caw_future *
async_runs_python(PyObject *Py_UNUSED(module))
{
    return caw_py_await(NULL, python(SLEEP "async def test(): await sleep(0.005)\n"));
}

/* --- tests that fail --- */

static caw_future *
async_fails(PyObject *Py_UNUSED(module))
{
    return caw_ready(CAW_ECLOSED);
}

static caw_future *
async_fails_with_errno(PyObject *Py_UNUSED(module))
{
    return caw_ready(-EIO);
}

static caw_future *
async_raises(PyObject *Py_UNUSED(module))
{
    PyErr_SetString(PyExc_LookupError, "no future");
    return NULL;
}

static caw_future *
async_raises_in_python(PyObject *Py_UNUSED(module))
{
    return caw_py_await(NULL,
                        python(SLEEP "async def test():\n    await sleep(0)\n    raise LookupError('in place')\n"));
}

static caw_future *
async_ends_cancelled(PyObject *Py_UNUSED(module))
{
    return caw_ready(CAW_ECANCELED);
}

static int
blocking_fails(void)
{
    return -EACCES;
}

static PyObject *
coroutine_raises(PyObject *Py_UNUSED(module))
{
    return python(SLEEP "async def test():\n    await sleep(0)\n    raise KeyError('<in> a \"coroutine\" & more')\n");
}

static PyObject *
coroutine_is_no_coroutine(PyObject *Py_UNUSED(module))
{
    return PyLong_FromLong(1);
}

/* --- checks --- */

static caw_future *
check_fails_in_async(PyObject *Py_UNUSED(module))
{
    CAW_TEST_CHECK(1 + 1 == 3);
    CAW_TEST_CHECK(1 + 1 == 2);
    CAW_TEST_CHECK(!"second");
    return caw_sleep(MILLISECOND);
}

static int
check_fails_in_blocking(void)
{
    return CAW_TEST_CHECK(1 + 1 == 3) ? -EINVAL : 0;
}

static void *
check_elsewhere(void *unused)
{
    CAW_TEST_CHECK(unused != NULL);
    return NULL;
}

static int
check_fails_in_a_foreign_thread(void)
{
    pthread_t thread;
    return -pthread_create(&thread, NULL, check_elsewhere, NULL) || -pthread_join(thread, NULL);
}

static caw_poll
check_poll(caw_future *f, caw_context *cx)
{
    CAW_TEST_CHECK(cx == NULL);
    return caw_future_finish(f, -EPIPE);
}

static void
check_destroy(caw_future *f)
{
    (void)f;
}

static const caw_future_ops check_ops = {"check", check_poll, NULL, check_destroy};

static caw_future *
check_fails_in_a_poll_and_the_status_too(PyObject *Py_UNUSED(module))
{
    static caw_future f;
    caw_future_init(&f, &check_ops);
    return &f;
}

/* --- tests that hang --- */

static caw_future *
hangs_in_async(PyObject *Py_UNUSED(module))
{
    return caw_sleep(60000 * MILLISECOND);
}

static int
hangs_in_blocking(void)
{
    return (int)sleep(60);
}

static PyObject *
hangs_in_coroutine(PyObject *Py_UNUSED(module))
{
    return python(SLEEP "async def test():\n"
                        "    try:\n"
                        "        await sleep(60)\n"
                        "    finally:\n"
                        "        print('cleaned up')\n");
}

static caw_future *
hangs_in_python_in_place(PyObject *module)
{
    return caw_py_await(NULL, hangs_in_coroutine(module));
}

static caw_poll
never(caw_future *f, caw_context *cx)
{
    (void)f;
    (void)cx;
    return CAW_PENDING;
}

static void
never_cancel(caw_future *f)
{
    (void)f;
}

/* It ignores its cancellation. */
static caw_future *
hangs_for_ever(PyObject *Py_UNUSED(module))
{
    static const caw_future_ops ops = {"never", never, never_cancel, check_destroy};
    static caw_future f;
    caw_future_init(&f, &ops);
    return &f;
}

/* --- the end of the run --- */

static PyObject *
exits(PyObject *Py_UNUSED(module))
{
    return python("import sys\nasync def test(): sys.exit(0)\n");
}

static PyObject *
waits(PyObject *Py_UNUSED(module))
{
    return python(SLEEP "async def test():\n"
                        "    try:\n"
                        "        print('waiting', flush=True)\n"
                        "        await sleep(60)\n"
                        "    finally:\n"
                        "        print('cleaned up')\n");
}

static PyObject *
ignores_the_end(PyObject *Py_UNUSED(module))
{
    return python(SLEEP "async def test():\n"
                        "    print('waiting', flush=True)\n"
                        "    while True:\n"
                        "        try:\n"
                        "            await sleep(60)\n"
                        "        except KeyboardInterrupt:\n" /* of Python, at any line, not of the run's end */
                        "            raise\n"
                        "        except BaseException:\n"
                        "            if 'trio' in sys.modules:\n"
                        "                import trio\n"
                        "                with trio.CancelScope(shield=True):\n"
                        "                    await sleep(60)\n");
}

/* --- names and texts that are hard to report --- */

static int
odd_name(void)
{
    return 0;
}

static PyObject *
odd_text(PyObject *Py_UNUSED(module))
{
    return python("async def test(): raise ValueError('\\uffff \\x01 \\xe9')\n");
}

/* --- several at a time --- */

/* Several tests that each wait until all of them run. With fewer --jobs the first one times out. The count is
 * sequentially consistent and publishes nothing else. */
static atomic_int arrived;

static int
meet(int n)
{
    atomic_fetch_add(&arrived, 1);
    while (atomic_load(&arrived) < n) {
        (void)usleep(1000);
    }
    return 0;
}

static int
meets_one(void)
{
    return meet(3);
}

static int
meets_two(void)
{
    return meet(3);
}

static int
meets_three(void)
{
    return meet(3);
}

static const caw_test tests[] = {
    CAW_TEST_ASYNC(async_passes),
    CAW_TEST_BLOCKING(blocking_passes),
    CAW_TEST_COROUTINE(coroutine_passes),
    CAW_TEST_ASYNC(async_runs_python),
    CAW_TEST_ASYNC(async_fails),
    CAW_TEST_ASYNC(async_fails_with_errno),
    CAW_TEST_ASYNC(async_raises),
    CAW_TEST_ASYNC(async_raises_in_python),
    CAW_TEST_ASYNC(async_ends_cancelled),
    CAW_TEST_BLOCKING(blocking_fails),
    CAW_TEST_COROUTINE(coroutine_raises),
    CAW_TEST_COROUTINE(coroutine_is_no_coroutine),
    CAW_TEST_ASYNC(check_fails_in_async),
    CAW_TEST_BLOCKING(check_fails_in_blocking),
    CAW_TEST_BLOCKING(check_fails_in_a_foreign_thread),
    CAW_TEST_ASYNC(check_fails_in_a_poll_and_the_status_too),
    CAW_TEST_ASYNC(hangs_in_async),
    CAW_TEST_BLOCKING(hangs_in_blocking),
    CAW_TEST_COROUTINE(hangs_in_coroutine),
    CAW_TEST_ASYNC(hangs_in_python_in_place),
    CAW_TEST_ASYNC(hangs_for_ever),
    CAW_TEST_COROUTINE(exits),
    CAW_TEST_COROUTINE(waits),
    CAW_TEST_COROUTINE(ignores_the_end),
    {.spec = {.name = "odd_name # SKIP \\ \xff"}, .blocking = odd_name},
    CAW_TEST_COROUTINE(odd_text),
    CAW_TEST_BLOCKING(meets_one),
    CAW_TEST_BLOCKING(meets_two),
    CAW_TEST_BLOCKING(meets_three),
    CAW_TEST_END,
};

int
main(int argc, char **argv)
{
    return caw_test_main(tests, argc, argv);
}
