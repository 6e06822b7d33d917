/* callback_library.c: a library with callbacks on a thread of its own, awaited from Python.
 *
 * The library is POSIX asynchronous I/O, a part of libc: aio_read() returns at once, libc's own threads read, and a
 * function of ours is called on one of them at the end.
 *
 *     tools/amalgamate && cc -std=c11 -O2 -shared -fPIC -fvisibility=hidden -pthread -Ibuild/joined \
 *         $(python3-config --includes) build/joined/cawait.c examples/callback_library/callback_library.c \
 *         -o callback_library.so
 */
#include <cawait.h>

#include <aio.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* One read. It owns the memory that libc writes to, and a descriptor of its own. It keeps both until libc has called
 * back, cancelled or not, awaited or not. */
typedef struct read_job {
    caw_promise promise; /* first: the struct is freed through it */
    int fd;              /* the caller's */
    struct aiocb request;
    ssize_t length;
    char bytes[];
} read_job;

static void
read_done(union sigval value) /* on a thread of libc's */
{
    read_job *job = value.sival_ptr;
    int error = aio_error(&job->request);
    job->length = aio_return(&job->request);
    caw_promise_resolve(&job->promise, -error);
}

static int
read_begin(caw_promise *p)
{
    read_job *job = (read_job *)p;
    /* A duplicate: the caller may close the file meanwhile, and this number still means the file. */
    job->request.aio_fildes = fcntl(job->fd, F_DUPFD_CLOEXEC, 0);
    return job->request.aio_fildes < 0 || aio_read(&job->request) < 0 ? -errno : 0;
}

/* A read that still waits for a thread is withdrawn, and libc calls back with ECANCELED. A read that runs goes on to
 * its end, and the awaiter waits for that: until then libc may write the bytes. */
static void
read_cancel(caw_promise *p)
{
    read_job *job = (read_job *)p;
    (void)aio_cancel(job->request.aio_fildes, &job->request); /* whatever it returns, the callback comes once */
}

static void
read_free(caw_promise *p) /* on any thread, when both the awaiter and libc have ended */
{
    read_job *job = (read_job *)p;
    if (job->request.aio_fildes >= 0) {
        close(job->request.aio_fildes);
    }
    free(job);
}

static const caw_promise_ops read_ops = CAW_PROMISE_OPS_CANCEL("aio_read", read_begin, read_cancel, read_free);

static caw_future *
read_start(PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"file", "size", "offset", NULL};
    PyObject *file;
    Py_ssize_t size;
    long long offset = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "On|L:read", keywords, &file, &size, &offset)) {
        return NULL;
    }
    if (size < 0 || offset < 0) {
        PyErr_SetString(PyExc_ValueError, "size and offset must not be negative");
        return NULL;
    }
    int fd = PyObject_AsFileDescriptor(file);
    read_job *job = fd < 0 ? NULL : malloc(sizeof *job + (size_t)size);
    if (!job) {
        return NULL; /* with the exception for the fd; without one it is a MemoryError */
    }
    *job = (read_job){.fd = fd, .request = {.aio_fildes = -1, .aio_offset = offset, .aio_nbytes = (size_t)size}};
    job->request.aio_buf = job->bytes;
    job->request.aio_sigevent.sigev_notify = SIGEV_THREAD;
    job->request.aio_sigevent.sigev_notify_function = read_done;
    job->request.aio_sigevent.sigev_value.sival_ptr = job;
    caw_promise_init(&job->promise, &read_ops);
    return &job->promise.future;
}

static PyObject *
read_result(caw_future *f)
{
    read_job *job = CAW_CONTAINER_OF(f, read_job, promise.future);
    return PyBytes_FromStringAndSize(job->bytes, job->length);
}

static const caw_py_async_def functions[] = {
    CAW_PY_ASYNC("read", read_start, read_result,
                 "read(file, size, offset=0)\n--\n\nUp to size bytes of an open file (or descriptor) from offset on."),
    CAW_PY_ASYNC_END,
};

static int
callback_library_exec(PyObject *module)
{
    return caw_py_add_functions(module, functions);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, __extension__(void *) callback_library_exec}, {0, NULL}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "callback_library", .m_slots = slots};

PyMODINIT_FUNC
PyInit_callback_library(void)
{
    return PyModuleDef_Init(&definition);
}
