/* user_of_python.h: code that uses the bridge's headers as an author would, in C and in C++, with each macro. */
#ifndef CAWAIT_TESTS_HEADERS_USER_OF_PYTHON_H
#define CAWAIT_TESTS_HEADERS_USER_OF_PYTHON_H

#include "cawait.h"
#include "cawait_testing.h"

/* --- functions --- */

static inline caw_future *
user_start_varargs(PyObject *module, PyObject *args, PyObject *kwargs)
{
    return module && args && !kwargs ? caw_ready(0) : NULL;
}

static inline caw_future *
user_start_noargs(PyObject *module)
{
    return module ? caw_ready(0) : NULL;
}

static inline caw_future *
user_start_o(PyObject *module, PyObject *arg)
{
    return module && arg ? caw_ready(0) : NULL;
}

static inline caw_future *
user_start_fastcall(PyObject *module, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    return module && args && nargs == 0 && !kwnames ? caw_ready(0) : NULL;
}

static inline PyObject *
user_result(caw_future *f)
{
    return PyLong_FromLong(f->status);
}

static inline void
user_error(caw_future *f, int status)
{
    (void)caw_py_set_error(f->status < 0 ? f->status : status);
}

static const caw_py_async_def user_functions[] = {
    CAW_PY_ASYNC("varargs", user_start_varargs, user_result, "varargs()\n--\n\nA text."),
    CAW_PY_ASYNC_NOARGS("noargs", user_start_noargs, user_result, NULL),
    CAW_PY_ASYNC_O("o", user_start_o, NULL, "o(arg, /)\n--\n\nA text.", CAW_SET(error, user_error),
                   CAW_SET(cancel, CAW_PY_CANCEL_WAIT)),
    CAW_PY_ASYNC_FASTCALL("fastcall", user_start_fastcall, user_result, NULL, CAW_SET(poll_without_gil, true)),
    CAW_PY_ASYNC_END,
};

/* --- streams --- */

static inline caw_stream *
user_stream_noargs(PyObject *module)
{
    return module ? caw_stream_from_fd(0, 1) : NULL;
}

static inline caw_stream *
user_stream_o(PyObject *module, PyObject *arg)
{
    return module && arg ? caw_stream_from_fd(0, 1) : NULL;
}

static inline PyObject *
user_item_value(caw_stream *s, caw_item *item)
{
    return PyLong_FromLong(CAW_CONTAINER_OF(item, caw_bytes_item, item)->data[0] + s->status);
}

static const caw_py_stream_def user_stream_functions[] = {
    CAW_PY_STREAM_NOARGS("noargs", user_stream_noargs, user_item_value, "noargs()\n--\n\nA text."),
    CAW_PY_STREAM_O("o", user_stream_o, user_item_value, NULL, CAW_SET(batch, 64)),
    CAW_PY_STREAM_END,
};

static inline int
user_exec(PyObject *module)
{
    return caw_py_add_functions(module, user_functions) < 0 || caw_py_add_streams(module, user_stream_functions) < 0
               ? -1
               : 0;
}

/* --- tests --- */

static inline int
user_test_blocking(void)
{
    CAW_TEST_CHECK(caw_now_ns() > 0);
    return 0;
}

static const caw_test user_tests[] = {
    CAW_TEST_ASYNC(user_start_noargs),
    CAW_TEST_BLOCKING(user_test_blocking),
    CAW_TEST_END,
};

static inline int
user_tests_main(int argc, char **argv)
{
    return caw_test_main(user_tests, argc, argv);
}

#endif
