/* file_lines.c: the lines of a file, read on the pool while Python iterates over them, with a channel between the two.
 *
 *     tools/amalgamate && cc -std=c11 -O2 -shared -fPIC -fvisibility=hidden -pthread -Ibuild/joined \
 *         $(python3-config --includes) build/joined/cawait.c examples/file_lines/file_lines.c -o file_lines.so
 */
#include <cawait.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AHEAD = 1024 }; /* at most so many lines are read ahead */

typedef struct line {
    caw_item item;
    size_t length;
    char text[];
} line;

static void
line_destroy(caw_item *item) /* on any thread */
{
    free(CAW_CONTAINER_OF(item, line, item));
}

/* What reads the file: a future on the pool. While the channel is full it is pending, and occupies no thread. When the
 * iteration has ended its send fails, and it ends too. */
typedef struct reader {
    caw_future future;
    caw_channel *channel; /* a reference, while it runs; the memory is freed with the channel */
    FILE *file;           /* NULL before it begins */
    char *text;           /* getline's */
    size_t size;
    caw_send_op send; /* true while `sending` */
    bool sending;
    char path[];
} reader;

/* Make a send of the next line. CAW_ECLOSED at the end of the file. */
static int
reader_read(reader *r)
{
    errno = 0;
    ssize_t length = getline(&r->text, &r->size, r->file);
    if (length < 0) {
        return feof(r->file) ? CAW_ECLOSED : errno ? -errno : -EIO;
    }
    line *l = malloc(sizeof *l + (size_t)length);
    if (!l) {
        return CAW_ENOMEM;
    }
    *l = (line){.item = {.destroy = line_destroy}, .length = (size_t)length};
    memcpy(l->text, r->text, (size_t)length);
    caw_send_init(&r->send, r->channel, &l->item);
    r->sending = true;
    return 0;
}

static caw_poll
reader_poll(caw_future *f, caw_context *cx) /* on a worker, without the GIL */
{
    reader *r = CAW_CONTAINER_OF(f, reader, future);
    int status = r->file || (r->file = fopen(r->path, "re")) ? 0 : -errno;
    while (status == 0 && (r->sending || (status = reader_read(r)) == 0)) {
        if (caw_future_poll(&r->send.future, cx) == CAW_PENDING) {
            return CAW_PENDING; /* until there is room */
        }
        status = r->send.future.status;
        caw_future_destroy(&r->send.future);
        r->sending = false;
    }
    status = status == CAW_ECLOSED ? 0 : status;
    (void)caw_channel_close(r->channel, status); /* what the iteration ends with, after the lines that came before */
    return caw_future_finish(f, status);
}

static void
reader_destroy(caw_future *f)
{
    reader *r = CAW_CONTAINER_OF(f, reader, future);
    if (r->sending) {
        caw_future_destroy(&r->send.future);
    }
    if (r->file) {
        (void)fclose(r->file); /* it was only read: there is nothing to lose */
    }
    free(r->text);
    (void)caw_channel_close(r->channel, CAW_EBROKEN); /* it never ran, for want of a thread, say */
    caw_channel_release(r->channel);
}

static const caw_future_ops reader_ops = {"reader", reader_poll, NULL, reader_destroy};

static int
reader_start(caw_channel *channel, void *user) /* by the first step of the iteration */
{
    reader *r = user;
    r->channel = channel;
    caw_future_init(&r->future, &reader_ops);
    (void)caw_spawn_detached(NULL,
                             &r->future); /* on the default pool; where this fails, destroying it closes the channel */
    return 0;
}

static caw_stream *
lines_start(PyObject *Py_UNUSED(module), PyObject *path)
{
    PyObject *encoded = NULL;
    if (!PyUnicode_FSConverter(path, &encoded)) {
        return NULL;
    }
    size_t size = (size_t)PyBytes_GET_SIZE(encoded) + 1;
    reader *r = calloc(1, sizeof *r + size);
    if (r) {
        memcpy(r->path, PyBytes_AS_STRING(encoded), size);
    }
    Py_DECREF(encoded);
    caw_channel_spec spec = {.capacity = AHEAD, .start = reader_start, .free = free, .user = r};
    caw_channel *channel;
    if (!r || caw_channel_new(&spec, &channel) < 0) { /* which frees r */
        return NULL;                                  /* out of memory */
    }
    return caw_channel_stream(channel); /* its first poll starts the reader, the producer */
}

static PyObject *
lines_item(caw_stream *Py_UNUSED(s), caw_item *item)
{
    const line *l = CAW_CONTAINER_OF(item, const line, item);
    return PyUnicode_DecodeUTF8(l->text, (Py_ssize_t)l->length, "surrogateescape");
}

static const caw_py_stream_def streams[] = {
    CAW_PY_STREAM_O("lines", lines_start, lines_item, "lines(path, /)\n--\n\nThe lines of a file, with their ends."),
    CAW_PY_STREAM_O("line_lists", lines_start, lines_item, "line_lists(path, /)\n--\n\nThe same in lists, up to 64.",
                    .batch = 64),
    CAW_PY_STREAM_END,
};

static int
file_lines_exec(PyObject *module)
{
    return caw_py_add_streams(module, streams);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, __extension__(void *) file_lines_exec}, {0, NULL}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "file_lines", .m_slots = slots};

PyMODINIT_FUNC
PyInit_file_lines(void)
{
    return PyModuleDef_Init(&definition);
}
