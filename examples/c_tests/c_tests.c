/* c_tests.c: tests in C of a future of one's own: by a fake clock, on a Python loop, and together with Python.
 *
 *     c_tests [FILTER]... [--list] [--loop asyncio | uvloop | trio] [--junit FILE] [--help]
 *
 *     tools/amalgamate && cc -std=c11 -O2 -pthread -Ibuild/joined $(python3-config --embed --includes) \
 *         build/joined/cawait.c build/joined/cawait_testing.c examples/c_tests/c_tests.c \
 *         $(python3-config --embed --ldflags) -o c_tests
 */
#include <cawait_testing.h>

#define SECOND UINT64_C(1000000000)

/* --- what is tested: an attempt that is made again, later and later, until it succeeds --- */

typedef struct retry {
    caw_async async;
    int (*attempt)(void *arg);
    void *arg;
    uint64_t delay_ns; /* before the next attempt */
    int left, status;  /* attempts; that of the last one */
} retry;

CAW_ASYNC_FUNCTION(retry)

static caw_step
retry_run(retry *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        while ((self->status = self->attempt(self->arg)) == -EAGAIN && --self->left > 0) {
            CAW_AWAIT(caw_sleep(self->delay_ns));
            self->delay_ns *= 2;
        }
        CAW_RETURN(self->status);
    }
}

static caw_future *
retry_new(int (*attempt)(void *), void *arg, int attempts, uint64_t delay_ns)
{
    return CAW_ASYNC_NEW(retry, .attempt = attempt, .arg = arg, .left = attempts, .delay_ns = delay_ns);
}

/* An attempt that succeeds when it is made for the *arg-th time. */
static int
count_down(void *arg)
{
    int *n = arg;
    return --*n == 0 ? 0 : -EAGAIN;
}

/* --- the tests --- */

static int
waits_twice_as_long_each_time(void)
{
    int n = 3;
    caw_test_waker waker;
    caw_test_reactor *reactor;
    caw_test_waker_init(&waker);
    int error = caw_test_reactor_new(&reactor);
    caw_future *f = retry_new(count_down, &n, 5, 10 * SECOND);
    if (error < 0 || !CAW_TEST_CHECK(f != NULL)) {
        return error;
    }
    CAW_TEST_CHECK(caw_test_reactor_poll(reactor, f, &waker) == CAW_PENDING);
    caw_test_reactor_advance(reactor, 10 * SECOND);
    CAW_TEST_CHECK(caw_test_waker_wakes(&waker) == 1);
    CAW_TEST_CHECK(caw_test_reactor_poll(reactor, f, &waker) == CAW_PENDING);
    CAW_TEST_CHECK(caw_test_reactor_until_timer(reactor) == 20 * SECOND);
    caw_test_reactor_advance(reactor, 20 * SECOND);
    CAW_TEST_CHECK(caw_test_reactor_poll(reactor, f, &waker) == CAW_READY && f->status == 0);
    caw_future_destroy(f);
    CAW_TEST_CHECK(caw_test_waker_references(&waker) == 0);
    caw_test_reactor_free(reactor);
    return 0;
}

/* Passes if it ends with status 0, on the loop that was chosen. */
static caw_future *
succeeds_in_the_end(PyObject *Py_UNUSED(module))
{
    static int n;
    n = 4;
    return retry_new(count_down, &n, 5, SECOND / 1000);
}

static int
gives_up_after_the_last_attempt(void)
{
    int n = 100;
    caw_future *f = retry_new(count_down, &n, 3, SECOND / 1000);
    int status = f ? caw_block_on(f) : CAW_ENOMEM; /* this thread is the test's own */
    CAW_TEST_CHECK(status == -EAGAIN);
    CAW_TEST_CHECK(n == 97);
    caw_future_destroy(f);
    return 0;
}

static PyObject *retry_start_in_python(PyObject *module, PyObject *Py_UNUSED(ignored));

/* A coroutine of Python's that awaits ours. */
static PyObject *
is_awaited_by_python(PyObject *module)
{
    static PyMethodDef def = {"retry", retry_start_in_python, METH_NOARGS, NULL};
    static const char source[] = "async def test(retry): assert await retry() is None";
    PyObject *dict = PyModule_GetDict(module), *function = PyCFunction_New(&def, module), *coroutine = NULL;
    PyObject *done = function ? PyRun_String(source, Py_file_input, dict, dict) : NULL;
    if (done) {
        coroutine = PyObject_CallFunctionObjArgs(PyDict_GetItemString(dict, "test"), function, NULL);
    }
    Py_XDECREF(done);
    Py_XDECREF(function);
    return coroutine;
}

static PyObject *
retry_start_in_python(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    static const caw_py_spec spec = {.name = "retry"};
    caw_future *f = succeeds_in_the_end(module);
    return f ? caw_py_coroutine(module, f, &spec) : PyErr_NoMemory();
}

/* [table] */
static const caw_test tests[] = {
    CAW_TEST_BLOCKING(waits_twice_as_long_each_time), /* in a thread, without the GIL */
    CAW_TEST_BLOCKING(gives_up_after_the_last_attempt),
    CAW_TEST_ASYNC(succeeds_in_the_end),      /* a future, in a task of the loop */
    CAW_TEST_COROUTINE(is_awaited_by_python), /* whatever Python can await */
    CAW_TEST_END,
};

int
main(int argc, char **argv)
{
    return caw_test_main(tests, argc, argv);
}
/* [/table] */
