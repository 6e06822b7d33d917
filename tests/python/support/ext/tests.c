/* tests.c: tests in C that the extension carries, for testing/test_testing.py. Not all are meant to pass. */
#include "ext.h"

#include <unistd.h>

static caw_future *
async_passes(PyObject *Py_UNUSED(module))
{
    return caw_sleep(1000000);
}

static int
blocking_passes(void)
{
    return CAW_TEST_CHECK(usleep(1000) == 0) ? 0 : -EINVAL;
}

/* A coroutine of the module: the one of `await sleep(0.001)`. */
static PyObject *
coroutine_passes(PyObject *module)
{
    return PyObject_CallMethod(module, "sleep", "d", 0.001);
}

static caw_future *
status_fails(PyObject *Py_UNUSED(module))
{
    return caw_ready(CAW_ECLOSED);
}

static int
check_fails(void)
{
    CAW_TEST_CHECK(1 + 1 == 3);
    CAW_TEST_CHECK(2 + 2 == 5);
    return 0;
}

static PyObject *
coroutine_raises(PyObject *module)
{
    return PyObject_CallMethod(module, "no_such_function", NULL);
}

static caw_future *
time_out_fails(PyObject *Py_UNUSED(module))
{
    return caw_sleep(60u * UINT64_C(1000000000));
}

const caw_test ext_tests[] = {
    CAW_TEST_ASYNC(async_passes),         CAW_TEST_BLOCKING(blocking_passes),
    CAW_TEST_COROUTINE(coroutine_passes), CAW_TEST_ASYNC(status_fails),
    CAW_TEST_BLOCKING(check_fails),       CAW_TEST_COROUTINE(coroutine_raises),
    CAW_TEST_ASYNC(time_out_fails),       CAW_TEST_END,
};
