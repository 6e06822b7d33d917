/* three_steps.c: a wait, a read, and a computation on the pool, one after another: an async function in C.
 *
 * `await checksum(fd)` is the sum of the bytes that can be read from the fd within two seconds. The fd is non-blocking,
 * or nobody else reads it: where another reader is faster, the read would block the loop.
 *
 *     tools/amalgamate && cc -std=c11 -O2 -shared -fPIC -fvisibility=hidden -pthread -Ibuild/joined \
 *         $(python3-config --includes) build/joined/cawait.c examples/three_steps/three_steps.c -o three_steps.so
 */
#include <cawait.h>

#include <unistd.h>

#define MS UINT64_C(1000000)

typedef struct bytes {
    unsigned char data[4096];
    ssize_t length;
    unsigned long sum;
} bytes;

static int
bytes_add_up(void *arg) /* on a worker of the pool */
{
    bytes *b = arg;
    for (ssize_t i = 0; i < b->length; i++) {
        b->sum += b->data[i];
    }
    return 0;
}

/* [function] */
typedef struct checksum {
    caw_async async;
    int fd;
    bytes bytes;
    caw_future *call;
} checksum;

CAW_ASYNC_FUNCTION(checksum)

static caw_step
checksum_run(checksum *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        CAW_AWAIT(caw_sleep(10 * MS));
        CAW_AWAIT(caw_timeout(2000 * MS, caw_readable(self->fd)));
        self->bytes.length = read(self->fd, self->bytes.data, sizeof self->bytes.data);
        CAW_TRY(self->bytes.length < 0 ? -errno : 0);
        CAW_AWAIT_REF(self->call = caw_blocking_copy(NULL, bytes_add_up, &self->bytes, sizeof self->bytes));
        self->bytes.sum = ((bytes *)caw_blocking_arg(self->call))->sum;
    }
    CAW_FINALLY
    {
        caw_future_destroy(self->call);
    }
}
/* [/function] */

/* [row] */
static int
checksum_arguments(caw_async *frame, PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"fd", NULL};
    return PyArg_ParseTupleAndKeywords(args, kwargs, "i", names, &CAW_CONTAINER_OF(frame, checksum, async)->fd) ? 0
                                                                                                                : -1;
}

static PyObject *
checksum_result(caw_future *f)
{
    return PyLong_FromUnsignedLong(CAW_CONTAINER_OF(f, checksum, async.future)->bytes.sum);
}

static const caw_py_async_def functions[] = {
    CAW_PY_ROUTINE("checksum", checksum, checksum_arguments, checksum_result,
                   "checksum(fd)\n--\n\nThe sum of the bytes that can be read. The fd is non-blocking, or nobody "
                   "else reads it."),
    CAW_PY_ASYNC_END,
};
/* [/row] */

static int
three_steps_exec(PyObject *module)
{
    return caw_py_add_functions(module, functions);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, __extension__(void *) three_steps_exec}, {0, NULL}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "three_steps", .m_slots = slots};

PyMODINIT_FUNC
PyInit_three_steps(void)
{
    return PyModuleDef_Init(&definition);
}
