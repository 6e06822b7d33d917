/* tour.c: the native half of the tour: SHA-256 of files, by OpenSSL's libcrypto, on the pool, and by threads that send.
 *
 *     tools/amalgamate && cc -std=c11 -O2 -shared -fPIC -fvisibility=hidden -pthread -Ibuild/joined \
 *         $(python3-config --includes) build/joined/cawait.c examples/tour/tour.c -lcrypto -o _tour.so
 *
 * The module is called _tour, as tour.py next to it is the tour.
 */
#define PY_SSIZE_T_CLEAN
#include <cawait.h>

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_SIZE  65536 /* what is read at once; between two chunks a cancelled hash stops */
#define DIGEST_SIZE 32
#define THREADS     4  /* of a stream */
#define SLOTS       64 /* at most so many hashes of a stream wait for Python */

/* How many hashes there are now. `hashes_alive` counts a hash from hash_file() until its struct is freed, awaited or
 * not, and a thread of a stream from its start to its end. `hashes_running` counts the threads in hash_path. Both count
 * for the whole process, as the pool does, since the last free may come after the module object is gone. They are
 * sequentially consistent by default, and paired with nothing: their readers have waited for the operations by other
 * means. */
static _Atomic long hashes_alive, hashes_running;

typedef struct hash_job {
    caw_work work;
    unsigned char digest[DIGEST_SIZE]; /* true when ready with status 0 */
    char path[];
} hash_job;

static hash_job *
job_of(caw_promise *p)
{
    return CAW_CONTAINER_OF(p, hash_job, work.promise);
}

/* Feed all of a file to the digest; stop early when the work is cancelled. `w` may be NULL. */
static int
hash_chunks(const caw_work *w, int fd, EVP_MD_CTX *digest)
{
    unsigned char chunk[CHUNK_SIZE];
    ssize_t length;
    do {
        if (w && caw_work_cancelled(w)) {
            return CAW_ECANCELED;
        }
        length = read(fd, chunk, sizeof chunk);
        if (length < 0 && errno != EINTR) {
            return -errno;
        }
        if (length > 0 && !EVP_DigestUpdate(digest, chunk, (size_t)length)) {
            return CAW_EFAILED; /* libcrypto has no errno to give */
        }
    } while (length != 0);
    return 0;
}

static int
hash_open(const caw_work *w, const char *path, EVP_MD_CTX *digest)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return -errno;
    }
    int status = hash_chunks(w, fd, digest);
    close(fd); /* it was only read: there is nothing to lose */
    return status;
}

static int
hash_path(const caw_work *w, const char *path, unsigned char out[DIGEST_SIZE])
{
    atomic_fetch_add(&hashes_running, 1);
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    int status = digest ? 0 : CAW_ENOMEM;
    if (status == 0 && !EVP_DigestInit_ex(digest, EVP_sha256(), NULL)) {
        status = CAW_EFAILED;
    }
    if (status == 0) {
        status = hash_open(w, path, digest);
    }
    if (status == 0 && !EVP_DigestFinal_ex(digest, out, NULL)) {
        status = CAW_EFAILED;
    }
    EVP_MD_CTX_free(digest);
    atomic_fetch_sub(&hashes_running, 1);
    return status;
}

static int
hash_run(caw_work *w) /* on a worker, without the GIL */
{
    hash_job *job = job_of(&w->promise);
    return hash_path(w, job->path, job->digest);
}

static void
hash_free(caw_work *w) /* on any thread */
{
    free(job_of(&w->promise));
    atomic_fetch_sub(&hashes_alive, 1);
}

static caw_future *
hash_file_start(PyObject *Py_UNUSED(module), PyObject *path)
{
    PyObject *encoded = NULL;
    if (!PyUnicode_FSConverter(path, &encoded)) {
        return NULL;
    }
    size_t size = (size_t)PyBytes_GET_SIZE(encoded) + 1;
    hash_job *job = malloc(sizeof *job + size);
    if (job) {
        memcpy(job->path, PyBytes_AS_STRING(encoded), size);
        atomic_fetch_add(&hashes_alive, 1);
        caw_work_init(&job->work, NULL, hash_run, hash_free); /* NULL: the default pool */
    }
    Py_DECREF(encoded);
    return job ? &job->work.promise.future : NULL; /* without an exception it is a MemoryError */
}

static PyObject *
hash_file_result(caw_future *f)
{
    hash_job *job = job_of(CAW_CONTAINER_OF(f, caw_promise, future));
    return PyBytes_FromStringAndSize((const char *)job->digest, DIGEST_SIZE);
}

static int
nothing(void *Py_UNUSED(arg))
{
    return 0;
}

static caw_future *
nothing_start(PyObject *Py_UNUSED(module))
{
    return caw_blocking(NULL, nothing, NULL, NULL);
}

static const caw_py_async_def async_functions[] = {
    CAW_PY_ASYNC_O("hash_file", hash_file_start, hash_file_result,
                   "hash_file(path, /)\n--\n\nThe SHA-256 of a file's content, 32 bytes."),
    CAW_PY_ASYNC_NOARGS("nothing", nothing_start, NULL,
                        "nothing()\n--\n\nDo nothing on a worker of the pool, and come back."),
    CAW_PY_ASYNC_END,
};

/* --- the same as a stream: native threads share a list of files, and send each hash as it is there --- */

/* What the threads share. Freed with the channel, when all of them have ended. */
typedef struct hash_all {
    caw_channel *channel; /* true once the threads have begun; each has a reference */
    size_t taken;         /* the consumer's: how many it got */
    _Atomic size_t next;  /* the threads': which file is the next; relaxed: nothing else is published by it */
    size_t length;
    char *paths[];
} hash_all;

typedef struct hash_item {
    caw_item item;
    hash_all *all; /* borrowed: it lives as long as the channel, which the stream keeps */
    size_t number; /* of the file in the list */
    unsigned char digest[DIGEST_SIZE];
} hash_item;

static void
hash_item_destroy(caw_item *item)
{
    free(CAW_CONTAINER_OF(item, hash_item, item));
}

/* Hash a file and send the result; where there is no room the thread waits. */
static int
hash_all_one(hash_all *h, size_t number)
{
    hash_item *i = malloc(sizeof *i);
    if (!i) {
        return CAW_ENOMEM;
    }
    *i = (hash_item){.item = {.destroy = hash_item_destroy}, .all = h, .number = number};
    int status = hash_path(NULL, h->paths[number], i->digest);
    if (status < 0) {
        free(i);
        return status;
    }
    return caw_channel_send(h->channel, &i->item); /* CAW_ECLOSED when nobody iterates any more */
}

static void *
hash_all_main(void *arg) /* a thread */
{
    hash_all *h = arg;
    caw_channel *channel = h->channel;
    int status = 0;
    while (status == 0) {
        size_t number = atomic_fetch_add_explicit(&h->next, 1, memory_order_relaxed);
        if (number >= h->length) {
            break;
        }
        status = hash_all_one(h, number);
    }
    if (status < 0) {
        (void)caw_channel_close(channel, status);
    }
    caw_channel_release(channel); /* the last one ends the stream */
    atomic_fetch_sub(&hashes_alive, 1);
    return NULL;
}

static int
hash_all_begin(caw_channel *channel, void *user) /* by the first step of the iteration */
{
    hash_all *h = user;
    h->channel = channel;
    for (int i = 0; i < THREADS; i++) {
        pthread_t thread;
        atomic_fetch_add(&hashes_alive, 1);
        (void)caw_channel_retain(channel);
        int error = pthread_create(&thread, NULL, hash_all_main, h);
        if (error) {
            caw_channel_release(channel);
            atomic_fetch_sub(&hashes_alive, 1);
            return -error; /* ends the iteration, and the threads that run */
        }
        (void)pthread_detach(thread);
    }
    caw_channel_release(channel);
    return 0;
}

static void
hash_all_free(void *user) /* by the side that ends last */
{
    hash_all *h = user;
    for (size_t i = 0; h && i < h->length; i++) {
        free(h->paths[i]);
    }
    free(h);
}

static bool
hash_all_add(hash_all *h, PyObject *path)
{
    PyObject *encoded = NULL;
    if (!path || !PyUnicode_FSConverter(path, &encoded)) {
        return false;
    }
    h->paths[h->length] = strdup(PyBytes_AS_STRING(encoded));
    Py_DECREF(encoded);
    return h->paths[h->length] ? ++h->length : PyErr_NoMemory() != NULL;
}

static caw_stream *
hash_all_start(PyObject *Py_UNUSED(module), PyObject *paths)
{
    Py_ssize_t length = PySequence_Size(paths);
    if (length < 0) {
        return NULL;
    }
    hash_all *h = calloc(1, sizeof *h + (size_t)length * sizeof h->paths[0]);
    bool added = h || PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < length && added; i++) {
        PyObject *path = PySequence_GetItem(paths, i);
        added = hash_all_add(h, path);
        Py_XDECREF(path);
    }
    if (!added) {
        hash_all_free(h);
        return NULL;
    }
    caw_channel *channel;
    caw_channel_spec spec = {.capacity = SLOTS, .start = hash_all_begin, .free = hash_all_free, .user = h};
    int error = caw_channel_new(&spec, &channel);
    return error ? (caw_stream *)caw_py_set_error(error) : caw_channel_stream(channel);
}

static PyObject *
hash_all_item(caw_stream *Py_UNUSED(s), caw_item *item)
{
    const hash_item *i = CAW_CONTAINER_OF(item, const hash_item, item);
    hash_all *h = i->all;
    size_t begun = atomic_load_explicit(&h->next, memory_order_relaxed);
    size_t ahead = (begun < h->length ? begun : h->length) - ++h->taken;
    return Py_BuildValue("(ny#n)", (Py_ssize_t)i->number, (const char *)i->digest, (Py_ssize_t)DIGEST_SIZE,
                         (Py_ssize_t)ahead);
}

static const caw_py_stream_def streams[] = {
    CAW_PY_STREAM_O(
        "hash_all", hash_all_start, hash_all_item,
        "hash_all(paths, /)\n--\n\n(number, hash, ahead) for each of these files, as four threads hash them: "
        "its place in the list, its SHA-256, and how many files are begun and have not come out yet."),
    CAW_PY_STREAM_END,
};

static PyObject *
hashes(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    return Py_BuildValue("(ll)", atomic_load(&hashes_running), atomic_load(&hashes_alive));
}

static PyMethodDef functions[] = {
    {"hashes", hashes, METH_NOARGS,
     "hashes()\n--\n\n(running, alive): how many workers are hashing, and how many hashes there are at all: not begun, "
     "queued, running, or ended and not collected."},
    {NULL, NULL, 0, NULL},
};

static int
tour_exec(PyObject *module)
{
    if (PyModule_AddStringConstant(module, "library", OpenSSL_version(OPENSSL_VERSION)) < 0) {
        return -1;
    }
    return caw_py_add_functions(module, async_functions) < 0 ? -1 : caw_py_add_streams(module, streams);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, __extension__(void *) tour_exec}, {0, NULL}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "_tour", .m_methods = functions, .m_slots = slots};

PyMODINIT_FUNC
PyInit__tour(void)
{
    return PyModuleDef_Init(&definition);
}
