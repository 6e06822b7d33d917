/* event_source.c: events of several native threads in one `async for`. Each thread walks a folder, and sends an event
 * for each file that it finds.
 *
 *     tools/amalgamate && cc -std=c11 -O2 -shared -fPIC -fvisibility=hidden -pthread -Ibuild/joined \
 *         $(python3-config --includes) build/joined/cawait.c examples/event_source/event_source.c -o event_source.so
 */
#include <cawait.h>

#include <fts.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CAPACITY = 256 }; /* at most so many events wait for Python; then the threads wait */

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
    return caw_channel_send(channel, &e->item); /* waits for room; CAW_ECLOSED when nobody iterates any more */
}
/* [/event] */

/* What a thread has. Freed with the channel, when all threads and Python have ended. */
typedef struct walker walker;
struct walker {
    walker *next;
    caw_channel *channel; /* a reference, while the thread runs */
    char root[];
};

static int
walk(const walker *w)
{
    FTS *tree = fts_open((char *[]){(char *)w->root, NULL}, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    if (!tree) {
        return -errno;
    }
    FTSENT *entry;
    int status = 0;
    while (status == 0 && (errno = 0, entry = fts_read(tree))) {
        if (entry->fts_info == FTS_F) {
            status = event_send(w->channel, entry->fts_path, entry->fts_statp->st_size);
        }
        else if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR || entry->fts_info == FTS_NS) {
            status = -entry->fts_errno;
        }
    }
    status = status < 0 ? status : -errno;
    (void)fts_close(tree);
    return status;
}

static void *
walker_main(void *arg)
{
    walker *w = arg;
    int status = walk(w);
    if (status < 0) {
        (void)caw_channel_close(w->channel, status); /* what Python raises; the others' sends fail from now on */
    }
    caw_channel_release(w->channel);
    return NULL;
}

/* [start] */
static int
walkers_start(caw_channel *channel, void *user) /* by the first step of the iteration */
{
    for (walker *w = user; w; w = w->next) {
        pthread_t thread;
        w->channel = caw_channel_retain(channel);
        int error = pthread_create(&thread, NULL, walker_main, w);
        if (error) {
            caw_channel_release(channel);
            return -error; /* ends the iteration, and the threads that run */
        }
        (void)pthread_detach(thread);
    }
    caw_channel_release(channel); /* each thread has a reference: the last one ends the iteration */
    return 0;
}
/* [/start] */

static void
walkers_free(void *user)
{
    for (walker *w = user, *next; w; w = next) {
        next = w->next;
        free(w);
    }
}

static bool
walkers_add(walker **first, PyObject *folder)
{
    PyObject *path = NULL;
    if (!PyUnicode_FSConverter(folder, &path)) {
        return false;
    }
    size_t size = (size_t)PyBytes_GET_SIZE(path) + 1;
    walker *w = malloc(sizeof *w + size);
    if (w) {
        w->next = *first;
        memcpy(w->root, PyBytes_AS_STRING(path), size);
        *first = w;
    }
    Py_DECREF(path);
    return w || PyErr_NoMemory();
}

static caw_stream *
walk_start(PyObject *Py_UNUSED(module), PyObject *const *folders, Py_ssize_t n, PyObject *keywords)
{
    walker *walkers = NULL;
    bool added = !keywords || (PyErr_SetString(PyExc_TypeError, "walk() takes no keyword arguments"), false);
    for (Py_ssize_t i = 0; i < n && added; i++) {
        added = walkers_add(&walkers, folders[i]);
    }
    if (!added) {
        walkers_free(walkers);
        return NULL;
    }
    caw_channel *channel;
    caw_channel_spec spec = {.capacity = CAPACITY, .start = walkers_start, .free = walkers_free, .user = walkers};
    int error = caw_channel_new(&spec, &channel);
    return error ? (caw_stream *)caw_py_set_error(error) : caw_channel_stream(channel);
}

static const caw_py_stream_def streams[] = {
    CAW_PY_STREAM_FASTCALL("walk", walk_start, event_value,
                           "walk(*folders: str | os.PathLike[str]) -> AsyncGenerator[tuple[str, int], None]\n--\n\n"
                           "(path, size) of each file below these folders, as they are found, by a native thread for "
                           "each folder."),
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
