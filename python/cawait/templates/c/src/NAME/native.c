/* NAME._native: an async function on a thread of its own, a stream, and an async function in C.
 *
 * The threads never touch Python: they need no GIL, and they do not mind if the loop has ended.
 */
#include <cawait.h> /* first: it includes Python.h */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
run_in_a_thread(void *(*function)(void *), void *arg)
{
    pthread_t thread;
    int error = pthread_create(&thread, NULL, function, arg);
    return error ? -error : pthread_detach(thread);
}

/* --- checksum(path): a promise, which the thread keeps --- */

typedef struct checksum {
    caw_promise promise; /* first: the struct is freed through it */
    uint32_t sum;
    char path[];
} checksum;

static int
adler32(const char *path, uint32_t *sum) /* 0, or an error as a negative number: -ENOENT */
{
    unsigned char bytes[4096];
    uint32_t a = 1, b = 0;
    FILE *file = fopen(path, "re");
    if (!file) {
        return -errno;
    }
    for (size_t length; (length = fread(bytes, 1, sizeof bytes, file)) > 0;) {
        for (size_t i = 0; i < length; i++) {
            a = (a + bytes[i]) % 65521;
            b = (b + a) % 65521;
        }
    }
    int status = ferror(file) ? -errno : 0;
    (void)fclose(file);
    *sum = b << 16 | a;
    return status;
}

static void *
checksum_thread(void *arg)
{
    checksum *c = arg;
    int status = adler32(c->path, &c->sum);
    caw_promise_resolve(&c->promise, status); /* once, and the last use of c: it may be freed now */
    return NULL;
}

static int
checksum_begin(caw_promise *p) /* at the first poll */
{
    return run_in_a_thread(checksum_thread, p);
}

static const caw_promise_ops checksum_ops = CAW_PROMISE_OPS("NAME.checksum", checksum_begin, NULL);

static caw_future *
checksum_new(const char *path)
{
    size_t size = strlen(path) + 1;
    checksum *c = calloc(1, sizeof *c + size);
    if (!c) {
        return NULL; /* a MemoryError */
    }
    memcpy(c->path, path, size);
    caw_promise_init(&c->promise, &checksum_ops);
    return &c->promise.future;
}

static uint32_t
checksum_sum(caw_future *f)
{
    return CAW_CONTAINER_OF(f, checksum, promise.future)->sum;
}

static caw_future *
checksum_start(PyObject *Py_UNUSED(module), PyObject *path)
{
    PyObject *encoded;
    if (!PyUnicode_FSConverter(path, &encoded)) {
        return NULL;
    }
    caw_future *f = checksum_new(PyBytes_AS_STRING(encoded));
    Py_DECREF(encoded);
    return f;
}

static PyObject *
checksum_result(caw_future *f)
{
    return PyLong_FromUnsignedLong(checksum_sum(f));
}

/* --- chunks(path, size): a channel between a thread and `async for` --- */

enum { AHEAD = 16 }; /* at most so many chunks are read ahead; then the thread waits */

typedef struct chunk {
    caw_item item;
    size_t length;
    char bytes[];
} chunk;

typedef struct reader {
    caw_channel *channel; /* a reference, which the thread gives back */
    size_t size;
    char path[];
} reader;

static void
chunk_destroy(caw_item *item) /* on any thread */
{
    free(CAW_CONTAINER_OF(item, chunk, item));
}

static int
reader_send(reader *r, FILE *file) /* CAW_ECLOSED at the end of the file, and when nobody iterates any more */
{
    chunk *c = malloc(sizeof *c + r->size);
    if (!c) {
        return CAW_ENOMEM;
    }
    *c = (chunk){.item = {.destroy = chunk_destroy}, .length = fread(c->bytes, 1, r->size, file)};
    if (c->length > 0) {
        return caw_channel_send(r->channel, &c->item); /* waits for room; takes the item in any case */
    }
    free(c);
    return ferror(file) ? -errno : CAW_ECLOSED;
}

static void *
reader_thread(void *arg)
{
    reader *r = arg;
    caw_channel *channel = r->channel;
    FILE *file = fopen(r->path, "re");
    int status = file ? 0 : -errno;
    while (status == 0) {
        status = reader_send(r, file);
    }
    if (file) {
        (void)fclose(file);
    }
    (void)caw_channel_close(channel, status == CAW_ECLOSED ? 0 : status); /* what `async for` ends with */
    caw_channel_release(channel);
    return NULL;
}

static int
reader_start(caw_channel *channel, void *user) /* by the first step of the iteration */
{
    reader *r = user;
    r->channel = channel;
    int status = run_in_a_thread(reader_thread, r);
    if (status < 0) {
        caw_channel_release(channel);
    }
    return status;
}

static caw_stream *
chunks_start(PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"path", "size", NULL};
    PyObject *path;
    Py_ssize_t size = 65536;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O&|n", names, PyUnicode_FSConverter, &path, &size)) {
        return NULL;
    }
    size_t length = (size_t)PyBytes_GET_SIZE(path) + 1;
    reader *r = size > 0 ? malloc(sizeof *r + length) : NULL;
    if (r) {
        r->size = (size_t)size;
        memcpy(r->path, PyBytes_AS_STRING(path), length);
    }
    else if (size <= 0) {
        PyErr_SetString(PyExc_ValueError, "size must be positive");
    }
    Py_DECREF(path);
    caw_channel_spec spec = {.capacity = AHEAD, .start = reader_start, .free = free, .user = r};
    caw_channel *channel;
    return r && caw_channel_new(&spec, &channel) == 0 ? caw_channel_stream(channel) : NULL;
}

static PyObject *
chunks_item(caw_stream *Py_UNUSED(s), caw_item *item)
{
    const chunk *c = CAW_CONTAINER_OF(item, const chunk, item);
    return PyBytes_FromStringAndSize(c->bytes, (Py_ssize_t)c->length);
}

/* --- settled(path, seconds): what lives across awaits is in the struct --- */

typedef struct settled {
    caw_async async;
    char *path;
    uint64_t interval_ns;
    uint32_t sum, before;
    bool again;
    caw_future *checksum;
} settled;

CAW_ASYNC_FUNCTION(settled)

static caw_step
settled_run(settled *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        for (;;) {
            CAW_AWAIT_REF(self->checksum = checksum_new(self->path));
            self->sum = checksum_sum(self->checksum);
            caw_future_destroy(self->checksum);
            self->checksum = NULL;
            if (self->again && self->sum == self->before) {
                break;
            }
            self->before = self->sum;
            self->again = true;
            CAW_AWAIT(caw_sleep(self->interval_ns));
        }
    }
    CAW_FINALLY /* runs exactly once: at the end, after an error, and when the task is cancelled */
    {
        caw_future_destroy(self->checksum);
        free(self->path);
    }
}

static int
settled_arguments(caw_async *frame, PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"path", "seconds", NULL};
    settled *self = CAW_CONTAINER_OF(frame, settled, async);
    PyObject *path;
    double seconds = 1.0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O&|d", names, PyUnicode_FSConverter, &path, &seconds)) {
        return -1;
    }
    self->path = strdup(PyBytes_AS_STRING(path));
    Py_DECREF(path);
    if (!self->path) {
        PyErr_NoMemory();
        return -1;
    }
    if (!(seconds >= 0 && seconds < 1e9)) {
        PyErr_SetString(PyExc_ValueError, "seconds must be from 0 to a thousand million");
        return -1;
    }
    self->interval_ns = (uint64_t)(seconds * 1e9);
    return 0;
}

static PyObject *
settled_result(caw_future *f)
{
    return PyLong_FromUnsignedLong(CAW_CONTAINER_OF(f, settled, async.future)->sum);
}

/* --- the module --- */

static const caw_py_async_def functions[] = {
    CAW_PY_ASYNC_O("checksum", checksum_start, checksum_result,
                   "checksum(path, /)\n--\n\nThe Adler-32 of a file, computed by a thread of its own."),
    CAW_PY_ROUTINE("settled", settled, settled_arguments, settled_result,
                   "settled(path, seconds=1.0)\n--\n\n"
                   "Wait until a file has not changed for a time; return its checksum."),
    CAW_PY_ASYNC_END,
};

static const caw_py_stream_def streams[] = {
    CAW_PY_STREAM("chunks", chunks_start, chunks_item,
                  "chunks(path, size=65536)\n--\n\nThe content of a file, read ahead by a thread of its own."),
    CAW_PY_STREAM_END,
};

static int
native_exec(PyObject *module)
{
    return caw_py_add_functions(module, functions) < 0 ? -1 : caw_py_add_streams(module, streams);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, __extension__(void *) native_exec}, {0, NULL}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "NAME._native", .m_slots = slots};

PyMODINIT_FUNC
PyInit__native(void)
{
    return PyModuleDef_Init(&definition);
}
