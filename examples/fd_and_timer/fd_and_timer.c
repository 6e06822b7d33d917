/* fd_and_timer.c: timers and file descriptors, awaited from Python; and a future of one's own that is made of one.
 *
 *     tools/amalgamate && cc -std=c11 -O2 -shared -fPIC -fvisibility=hidden -pthread -Ibuild/joined \
 *         $(python3-config --includes) build/joined/cawait.c examples/fd_and_timer/fd_and_timer.c -o fd_and_timer.so
 */
#include <cawait.h>

#include <stdlib.h>
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

/* A future of our own: the end of a child process. The kernel's pidfd becomes readable then, and caw_readable waits
 * for that. */
typedef struct child {
    caw_future future;
    caw_future *readable; /* owned */
    int fd;               /* owned; a pidfd */
    siginfo_t how;        /* true when ready with status 0 */
} child;

static caw_poll
child_poll(caw_future *f, caw_context *cx)
{
    child *c = CAW_CONTAINER_OF(f, child, future);
    if (caw_future_poll(c->readable, cx) == CAW_PENDING) {
        return CAW_PENDING; /* what we poll has cloned the waker */
    }
    int status = c->readable->status; /* CAW_ECANCELED if it was cancelled */
    if (status == 0 && waitid(P_PIDFD, (id_t)c->fd, &c->how, WEXITED | WNOWAIT) < 0) {
        status = -errno; /* WNOWAIT: whoever started the child can still collect it */
    }
    return caw_future_finish(f, status);
}

static void
child_cancel(caw_future *f)
{
    caw_future_cancel(CAW_CONTAINER_OF(f, child, future)->readable);
}

static void
child_destroy(caw_future *f)
{
    child *c = CAW_CONTAINER_OF(f, child, future);
    caw_future_destroy(c->readable); /* before its fd is closed */
    close(c->fd);
    free(c);
}

static const caw_future_ops child_ops = {"pidfd", child_poll, child_cancel, child_destroy};

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
    caw_future *readable = caw_readable(fd);
    child *c = readable ? malloc(sizeof *c) : NULL;
    if (!c) {
        caw_future_destroy(readable);
        close(fd);
        return NULL;
    }
    *c = (child){.future = {.ops = &child_ops}, .readable = readable, .fd = fd};
    return &c->future;
}

static PyObject *
exited_result(caw_future *f)
{
    const siginfo_t *how = &CAW_CONTAINER_OF(f, child, future)->how;
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
