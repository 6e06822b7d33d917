/* tour.c: the native half of the tour: SHA-256 of files, by OpenSSL's libcrypto, on the pool.
 *
 *     tools/amalgamate && cc -std=c11 -D_GNU_SOURCE -O2 -shared -fPIC -fvisibility=hidden -pthread -Iinclude \
 *         $(python3-config --includes) build/joined/cawait.c examples/tour/tour.c -lcrypto -o _tour.so
 *
 * The module is called _tour, as tour.py next to it is the tour.
 */
#include "cawait/python.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_SIZE  65536 /* what is read at once; between two chunks a cancelled hash stops */
#define DIGEST_SIZE 32

/* How many hashes there are now: `hashes_alive` from hash_file() to the free of the struct, awaited or not, and
 * `hashes_running` while a worker is in hash_run. They count for the whole process, as the pool does, and outlive any
 * module object: the last free may come after it. Sequentially consistent by default, and paired with nothing: whoever
 * reads them has waited for the operations by other means. */
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

/* Feed all of a file to the digest, unless nobody wants it any more. */
static int
hash_chunks(const caw_work *w, int fd, EVP_MD_CTX *digest)
{
    unsigned char chunk[CHUNK_SIZE];
    ssize_t length;
    do {
        if (caw_work_cancelled(w)) {
            return CAW_ECANCELED;
        }
        length = read(fd, chunk, sizeof chunk);
        if (length < 0 && errno != EINTR) {
            return -errno;
        }
        if (length > 0 && !EVP_DigestUpdate(digest, chunk, (size_t)length)) {
            return -EIO; /* libcrypto has no errno to give */
        }
    } while (length != 0);
    return 0;
}

static int
hash_open(hash_job *job, EVP_MD_CTX *digest)
{
    int fd = open(job->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return -errno;
    }
    int status = hash_chunks(&job->work, fd, digest);
    close(fd); /* it was only read: there is nothing to lose */
    return status;
}

static int
hash_run(caw_work *w) /* on a worker, without the GIL */
{
    hash_job *job = job_of(&w->promise);
    atomic_fetch_add(&hashes_running, 1);
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    int status = digest ? 0 : CAW_ENOMEM;
    if (status == 0 && !EVP_DigestInit_ex(digest, EVP_sha256(), NULL)) {
        status = -EIO;
    }
    if (status == 0) {
        status = hash_open(job, digest);
    }
    if (status == 0 && !EVP_DigestFinal_ex(digest, job->digest, NULL)) {
        status = -EIO;
    }
    EVP_MD_CTX_free(digest);
    atomic_fetch_sub(&hashes_running, 1);
    return status;
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
    return job ? &job->work.promise.future : (caw_future *)PyErr_NoMemory();
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
    caw_future *f = caw_blocking(NULL, nothing, NULL, NULL);
    return f ? f : (caw_future *)PyErr_NoMemory();
}

static const caw_py_async_def async_functions[] = {
    CAW_PY_ASYNC_O("hash_file", hash_file_start, hash_file_result,
                   "hash_file(path, /)\n--\n\nThe SHA-256 of a file's content, 32 bytes."),
    CAW_PY_ASYNC_NOARGS("nothing", nothing_start, NULL,
                        "nothing()\n--\n\nDo nothing on a worker of the pool, and come back."),
    CAW_PY_ASYNC_END,
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
    return caw_py_add_functions(module, async_functions);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, __extension__(void *) tour_exec}, {0, NULL}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "_tour", .m_methods = functions, .m_slots = slots};

PyMODINIT_FUNC
PyInit__tour(void)
{
    return PyModuleDef_Init(&definition);
}
