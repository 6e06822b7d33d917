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

/* What reads the file: an async function on the pool. While the channel is full it is suspended, and occupies no
 * thread. When the iteration has ended its send fails, and it ends too. */
typedef struct reader {
    caw_async async;
    caw_channel *channel; /* a reference */
    const char *path;     /* lives as long as the channel */
    FILE *file;           /* NULL before it begins */
    char *text;           /* getline's */
    size_t size;
    caw_send_op send;
} reader;

CAW_ASYNC_FUNCTION(reader)

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
    return 0;
}

/* What the iteration ends with, after the lines that came before. */
static int
reader_status(int status)
{
    return status == CAW_ECLOSED ? 0 : status == CAW_ECANCELED ? CAW_EBROKEN : status; /* it never ran, say */
}

static caw_step
reader_run(reader *self, caw_context *cx) /* on a worker, without the GIL */
{
    CAW_ROUTINE (&self->async, cx) {
        self->file = fopen(self->path, "re");
        CAW_TRY(self->file ? 0 : -errno);
        for (;;) {
            CAW_TRY(reader_read(self));
            CAW_AWAIT(&self->send.future); /* until there is room */
        }
    }
    CAW_FINALLY
    {
        if (self->file) {
            (void)fclose(self->file); /* it was only read: there is nothing to lose */
        }
        free(self->text);
        (void)caw_channel_close(self->channel, reader_status(self->async.future.status));
        caw_channel_release(self->channel);
    }
}

static int
reader_start(caw_channel *channel, void *user) /* by the first step of the iteration */
{
    /* On the default pool; where this fails, its final part closes the channel. */
    (void)caw_spawn_detached(NULL, CAW_ASYNC_NEW(reader, .channel = channel, .path = user));
    return 0;
}

static caw_stream *
lines_start(PyObject *Py_UNUSED(module), PyObject *path)
{
    PyObject *encoded = NULL;
    if (!PyUnicode_FSConverter(path, &encoded)) {
        return NULL;
    }
    char *copy = strdup(PyBytes_AS_STRING(encoded));
    Py_DECREF(encoded);
    caw_channel_spec spec = {.capacity = AHEAD, .start = reader_start, .free = free, .user = copy};
    caw_channel *channel;
    if (!copy || caw_channel_new(&spec, &channel) < 0) { /* which frees the copy */
        return NULL;                                     /* out of memory */
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
    CAW_PY_STREAM_O("lines", lines_start, lines_item,
                    "lines(path: str | os.PathLike[str], /) -> AsyncGenerator[str, None]\n--\n\n"
                    "The lines of a file, with their ends."),
    CAW_PY_STREAM_O("line_lists", lines_start, lines_item,
                    "line_lists(path: str | os.PathLike[str], /) -> AsyncGenerator[list[str], None]\n--\n\n"
                    "The same in lists, up to 64.",
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
