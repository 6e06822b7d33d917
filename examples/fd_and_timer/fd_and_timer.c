/* fd_and_timer.c: timers and file descriptors, awaited from Python; and an async function in C that awaits one.
 *
 *     tools/amalgamate && cc -std=c11 -O2 -shared -fPIC -fvisibility=hidden -pthread -Ibuild/joined \
 *         $(python3-config --includes) build/joined/cawait.c examples/fd_and_timer/fd_and_timer.c -o fd_and_timer.so
 */
#include <cawait.h>

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static caw_future *
sleep_start(PyObject *Py_UNUSED(module), PyObject *arg)
{
    double seconds = PyFloat_AsDouble(arg);
    if (!(seconds >= 0 && seconds < 1e9)) { /* written so that it is true for NaN too */
        return PyErr_Occurred() ? NULL : (caw_future *)PyErr_Format(PyExc_ValueError, "cannot sleep for %R s", arg);
    }
    return caw_sleep((uint64_t)(seconds * 1e9)); /* NULL without an exception is a MemoryError */
}

static caw_future *
wait_start(PyObject *Py_UNUSED(module), PyObject *file)
{
    int fd = PyObject_AsFileDescriptor(file);
    return fd < 0 ? NULL : caw_readable(fd);
}

/* An async function of our own: the end of a child process. The kernel's pidfd becomes readable then. */
typedef struct child {
    caw_async async;
    int fd;        /* owned; a pidfd */
    siginfo_t how; /* true when ready with status 0 */
} child;

CAW_ASYNC_FUNCTION(child)

static caw_step
child_run(child *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        CAW_AWAIT(caw_readable(self->fd));
        /* WNOWAIT: whoever started the child can still collect it */
        CAW_TRY(waitid(P_PIDFD, (id_t)self->fd, &self->how, WEXITED | WNOWAIT) < 0 ? -errno : 0);
    }
    CAW_FINALLY
    {
        close(self->fd);
    }
}

static caw_future *
exited_start(PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    int pid;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "i:exited", (char *[]){"pid", NULL}, &pid)) {
        return NULL;
    }
    int fd = (int)syscall(SYS_pidfd_open, pid, 0); /* now, not at the first poll: the number may be used again */
    if (fd < 0) {
        return (caw_future *)PyErr_SetFromErrno(PyExc_OSError);
    }
    return CAW_ASYNC_NEW(child, .fd = fd);
}

static PyObject *
exited_result(caw_future *f)
{
    const siginfo_t *how = &CAW_CONTAINER_OF(f, child, async.future)->how;
    return PyLong_FromLong(how->si_code == CLD_EXITED ? how->si_status : -how->si_status);
}

static const caw_py_async_def functions[] = {
    CAW_PY_ASYNC_O("sleep", sleep_start, NULL, "sleep(seconds, /)\n--\n\nWait for some time."),
    CAW_PY_ASYNC_O("wait_readable", wait_start, NULL, "wait_readable(file, /)\n--\n\nUntil readable; keep it open."),
    CAW_PY_ASYNC("exited", exited_start, exited_result, "exited(pid)\n--\n\nA child's exit code, or minus its signal."),
    CAW_PY_ASYNC_END,
};

static int
fd_and_timer_exec(PyObject *module)
{
    return caw_py_add_functions(module, functions);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, __extension__(void *) fd_and_timer_exec}, {0, NULL}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "fd_and_timer", .m_slots = slots};

PyMODINIT_FUNC
PyInit_fd_and_timer(void)
{
    return PyModuleDef_Init(&definition);
}
