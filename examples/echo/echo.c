/* echo.c: the server and the client of echo_core.c as async functions of Python, on Python's own loop.
 *
 *     tools/amalgamate && cc -std=c11 -O2 -shared -fPIC -fvisibility=hidden -pthread -Ibuild/joined \
 *         $(python3-config --includes) build/joined/cawait.c examples/echo/echo.c examples/echo/echo_core.c -o echo.so
 */
#include "echo_core.h"

#include <fcntl.h>

static caw_future *
serve_start(PyObject *Py_UNUSED(module), PyObject *socket)
{
    int fd = PyObject_AsFileDescriptor(socket);
    int mine = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0); /* Python may close its own */
    if (mine < 0) {
        return fd < 0 ? NULL : (caw_future *)PyErr_SetFromErrno(PyExc_OSError);
    }
    return echo_serve(mine);
}

static caw_future *
load_start(PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"port", "connections", "requests", NULL};
    int port;
    Py_ssize_t connections = 50, requests = 100;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "i|nn:load", names, &port, &connections, &requests)) {
        return NULL;
    }
    if (port < 0 || port > UINT16_MAX) {
        return (caw_future *)PyErr_Format(PyExc_OverflowError, "no port: %d", port);
    }
    if (connections < 1 || requests < 1) {
        return (caw_future *)PyErr_Format(PyExc_ValueError, "a load has at least one connection and one request");
    }
    echo_load load = {.port = (uint16_t)port, .connections = (size_t)connections, .requests = (size_t)requests};
    return echo_load_new(&load);
}

static PyObject *
load_result(caw_future *f)
{
    const echo_report *report = echo_load_report(f);
    return Py_BuildValue("(ddd)", report->seconds, report->p50_us, report->p99_us);
}

static const caw_py_async_def functions[] = {
    CAW_PY_ASYNC_O(
        "serve", serve_start, NULL,
        "serve(socket, /)\n--\n\nSend back what comes in, on all connections of a socket that listens and is "
        "non-blocking, until cancelled."),
    CAW_PY_ASYNC(
        "load", load_start, load_result,
        "load(port, connections=50, requests=100)\n--\n\nMake so many requests on each of so many connections; "
        "(seconds, p50, p99), the latter in microseconds."),
    CAW_PY_ASYNC_END,
};

static int
echo_exec(PyObject *module)
{
    return caw_py_add_functions(module, functions);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, __extension__(void *) echo_exec}, {0, NULL}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "echo", .m_slots = slots};

PyMODINIT_FUNC
PyInit_echo(void)
{
    return PyModuleDef_Init(&definition);
}
