/* echo.c: the server of the example echo, on Python's loop: our side of the rows of rows_echo.py. */
#include "bench.h"

#include "echo_core.h"

#include <fcntl.h>

static caw_future *
echo_start(PyObject *Py_UNUSED(module), PyObject *arg)
{
    int fd = PyObject_AsFileDescriptor(arg);
    int mine = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (mine < 0) {
        return fd < 0 ? NULL : (caw_future *)PyErr_SetFromErrno(PyExc_OSError);
    }
    return echo_serve(mine);
}

const caw_py_async_def bench_echo[] = {
    CAW_PY_ASYNC_O("echo_server", echo_start, NULL, "echo_server(listener)\n--\n\nServe until it is cancelled."),
    CAW_PY_ASYNC_END,
};
