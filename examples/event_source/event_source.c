/* event_source.c: events of several native threads in one `async for`. Each thread walks a folder, and sends an event
 * for each file that it finds.
 *
 *     tools/amalgamate && cc -std=c11 -D_GNU_SOURCE -O2 -shared -fPIC -fvisibility=hidden -pthread -Iinclude \
 *         $(python3-config --includes) build/joined/cawait.c examples/event_source/event_source.c -o event_source.so
 */
#include "cawait/python.h"

#include <fts.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CAPACITY = 256 }; /* so many events wait for Python, at most; then the threads wait */

/* [event] */
typedef struct event {
    caw_item item;
    long long size;
    char path[];
} event;

static void
event_destroy(caw_item *item) /* on any thread */
{
    free(CAW_CONTAINER_OF(item, event, item));
}

static PyObject *
event_value(caw_stream *Py_UNUSED(s), caw_item *item) /* by the awaiting thread, with the GIL */
{
    const event *e = CAW_CONTAINER_OF(item, const event, item);
    return Py_BuildValue("(NL)", PyUnicode_DecodeFSDefault(e->path), e->size);
}

static int
event_send(caw_channel *channel, const char *path, long long size) /* by the native threads */
{
    size_t length = strlen(path) + 1;
    event *e = malloc(sizeof *e + length);
    if (!e) {
        return CAW_ENOMEM;
    }
    *e = (event){.item = {.destroy = event_destroy}, .size = size};
    memcpy(e->path, path, length);
    caw_send send;
    caw_send_init(&send, channel, &e->item);
    int status = caw_block_on(&send.future); /* until there is room; CAW_ECLOSED when nobody iterates any more */
    caw_future_destroy(&send.future);
    return status;
}
/* [/event] */

/* What a thread has. */
typedef struct walker walker;
struct walker {
    walker *next;         /* true before the thread begins */
    caw_channel *channel; /* a reference: when the last walker has ended, so has the stream */
    char root[];
};

static void
walker_end(walker *w, int status)
{
    if (status < 0) {
        (void)caw_channel_close(w->channel, status); /* what Python raises; the other threads' sends fail from now on */
    }
    caw_channel_release(w->channel);
    free(w);
}

static int
walk(caw_channel *channel, FTS *tree)
{
    FTSENT *entry;
    int status = 0;
    while (status == 0 && (errno = 0, entry = fts_read(tree))) {
        if (entry->fts_info == FTS_F) {
            status = event_send(channel, entry->fts_path, entry->fts_statp->st_size);
        }
        else if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR || entry->fts_info == FTS_NS) {
            status = -entry->fts_errno;
        }
    }
    return status < 0 ? status : -errno;
}

static void *
walker_main(void *arg)
{
    walker *w = arg;
    FTS *tree = fts_open((char *[]){w->root, NULL}, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    int status = tree ? walk(w->channel, tree) : -errno;
    if (tree) {
        (void)fts_close(tree);
    }
    walker_end(w, status);
    return NULL;
}

/* The stream: the channel's; with its first poll the threads begin. */
typedef struct events {
    caw_stream stream;
    caw_stream *items; /* owned */
    walker *walkers;   /* owned: those that have not begun */
} events;

static caw_poll
events_poll_next(caw_stream *s, caw_context *cx, caw_item **out)
{
    events *e = CAW_CONTAINER_OF(s, events, stream);
    while (e->walkers) {
        walker *w = e->walkers;
        pthread_t thread;
        e->walkers = w->next;
        int error = pthread_create(&thread, NULL, walker_main, w);
        if (error) {
            walker_end(w, -error);
        }
        else {
            (void)pthread_detach(thread);
        }
    }
    caw_poll poll = caw_stream_poll_next(e->items, cx, out);
    return poll == CAW_READY && !*out ? caw_stream_finish(s, e->items->status, out) : poll;
}

/* Nobody iterates any more. To destroy the channel's end is all it takes: the threads' next sends fail. */
static void
events_destroy(caw_stream *s)
{
    events *e = CAW_CONTAINER_OF(s, events, stream);
    caw_stream_destroy(e->items);
    while (e->walkers) {
        walker *w = e->walkers;
        e->walkers = w->next;
        walker_end(w, 0);
    }
    free(e);
}

static const caw_stream_ops events_ops = {"events", events_poll_next, NULL, events_destroy};

static bool
events_add(events *e, caw_channel *channel, PyObject *folder)
{
    PyObject *path = NULL;
    if (!PyUnicode_FSConverter(folder, &path)) {
        return false;
    }
    size_t size = (size_t)PyBytes_GET_SIZE(path) + 1;
    walker *w = malloc(sizeof *w + size);
    if (w) {
        *w = (walker){.next = e->walkers, .channel = caw_channel_retain(channel)};
        memcpy(w->root, PyBytes_AS_STRING(path), size);
        e->walkers = w;
    }
    Py_DECREF(path);
    return w || PyErr_NoMemory();
}

static caw_stream *
walk_start(PyObject *Py_UNUSED(module), PyObject *const *folders, Py_ssize_t n, PyObject *keywords)
{
    caw_channel *channel = NULL;
    events *e = keywords ? NULL : malloc(sizeof *e);
    if (!e || caw_channel_new(&(caw_channel_spec){.capacity = CAPACITY}, &channel) < 0) {
        free(e);
        return keywords ? (PyErr_SetString(PyExc_TypeError, "walk() takes no keyword arguments"), NULL)
                        : (caw_stream *)PyErr_NoMemory();
    }
    *e = (events){.items = caw_channel_stream(channel)};
    caw_stream_init(&e->stream, &events_ops);
    bool added = true;
    for (Py_ssize_t i = 0; i < n && added; i++) {
        added = events_add(e, channel, folders[i]);
    }
    caw_channel_release(channel); /* each walker has a reference of its own */
    if (!added) {
        caw_stream_destroy(&e->stream);
    }
    return added ? &e->stream : NULL;
}

static const caw_py_stream_def streams[] = {
    CAW_PY_STREAM_FASTCALL(
        "walk", walk_start, event_value,
        "walk(*folders)\n--\n\n(path, size) of each file below these folders, as they are found, by a "
        "native thread for each folder."),
    CAW_PY_STREAM_END,
};

static int
event_source_exec(PyObject *module)
{
    return caw_py_add_streams(module, streams);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, __extension__(void *) event_source_exec}, {0, NULL}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "event_source", .m_slots = slots};

PyMODINIT_FUNC
PyInit_event_source(void)
{
    return PyModuleDef_Init(&definition);
}
