/* held.c: objects and buffers that native threads hold without a loop. */
#include "ext.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* --- write_late(fd, delay_us), write_at_exit, write_shielded: a byte, by a worker, after a time --- */

typedef struct late_write {
    int fd;
    unsigned delay;
} late_write;

static int
late_write_run(void *user)
{
    const late_write *w = user;
    nanosleep(&(struct timespec){.tv_nsec = (long)w->delay * 1000}, NULL);
    return write(w->fd, "w", 1) == 1 ? 0 : -EIO;
}

static caw_future *
late_write_start(PyObject *Py_UNUSED(module), PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    late_write *w = calloc(1, sizeof *w);
    if (!w || !PyArg_ParseTuple(args, "iI", &w->fd, &w->delay)) {
        free(w);
        return NULL;
    }
    return caw_blocking(NULL, late_write_run, w, free);
}

/* --- readinto(buffer, fd): fills it with what comes from the fd; the last byte is written by the very end --- */

typedef struct readinto {
    caw_py_ref *buffer;
    int fd;
} readinto;

static int
readinto_run(void *user)
{
    readinto *r = user;
    const Py_buffer *view = caw_py_ref_buffer(r->buffer);
    char *bytes = view->buf;
    for (Py_ssize_t done = 0; done < view->len;) {
        ssize_t n = read(r->fd, bytes + done, (size_t)(view->len - done));
        if (n <= 0) {
            return -EIO;
        }
        done += n;
    }
    return 0;
}

static void
readinto_free(void *user)
{
    readinto *r = user;
    caw_py_ref_release(r->buffer);
    free(r);
    atomic_fetch_sub(&ext_live_futures, 1);
}

static caw_future *
readinto_start(PyObject *module, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    PyObject *object;
    readinto *r = calloc(1, sizeof *r);
    if (!r || !PyArg_ParseTuple(args, "Oi", &object, &r->fd) ||
        !(r->buffer = caw_py_hold_buffer(module, object, PyBUF_WRITABLE))) {
        free(r);
        return NULL;
    }
    atomic_fetch_add(&ext_live_futures, 1);
    return caw_blocking(NULL, readinto_run, r, readinto_free);
}

/* --- hold(object), hold_buffer(object): a capsule with the reference; release_held(capsule, n): by n threads --- */

static void
held_capsule_end(PyObject *capsule)
{
    caw_py_ref_release(PyCapsule_GetPointer(capsule, "held"));
}

static PyObject *
held_capsule(caw_py_ref *ref)
{
    return ref ? PyCapsule_New(ref, "held", held_capsule_end) : NULL;
}

PyObject *
ext_hold(PyObject *module, PyObject *object)
{
    return held_capsule(caw_py_hold(module, object));
}

PyObject *
ext_hold_buffer(PyObject *module, PyObject *object)
{
    return held_capsule(caw_py_hold_buffer(module, object, PyBUF_SIMPLE));
}

/* The object, and the length of the buffer or -1. */
PyObject *
ext_held(PyObject *Py_UNUSED(module), PyObject *capsule)
{
    const caw_py_ref *ref = PyCapsule_GetPointer(capsule, "held");
    const Py_buffer *view = ref ? caw_py_ref_buffer(ref) : NULL;
    return ref ? Py_BuildValue("On", caw_py_ref_get(ref), view ? view->len : (Py_ssize_t)-1) : NULL;
}

typedef struct held_release {
    caw_py_ref *ref;
    unsigned delay; /* microseconds */
} held_release;

static void *
held_release_main(void *user)
{
    held_release *r = user;
    nanosleep(&(struct timespec){.tv_nsec = (long)r->delay * 1000}, NULL);
    caw_py_ref_release(r->ref);
    free(r);
    return NULL;
}

/* release_in_threads(object or buffer, n, delay_us, buffer=False): n threads have a reference each, and nobody else */
PyObject *
ext_release_in_threads(PyObject *module, PyObject *args)
{
    PyObject *object;
    int n, is_buffer = 0;
    unsigned delay;
    if (!PyArg_ParseTuple(args, "OiI|p", &object, &n, &delay, &is_buffer)) {
        return NULL;
    }
    caw_py_ref *ref = is_buffer ? caw_py_hold_buffer(module, object, PyBUF_SIMPLE) : caw_py_hold(module, object);
    for (int i = 0; ref && i < n; i++) {
        pthread_t thread;
        held_release *r = malloc(sizeof *r);
        if (!r) {
            abort();
        }
        *r = (held_release){caw_py_ref_retain(ref), delay};
        if (pthread_create(&thread, NULL, held_release_main, r) != 0) {
            abort();
        }
        pthread_detach(thread);
    }
    if (!ref) {
        return NULL;
    }
    held_release *last = malloc(sizeof *last);
    if (!last) {
        abort();
    }
    *last = (held_release){ref, delay};
    pthread_t thread;
    if (pthread_create(&thread, NULL, held_release_main, last) != 0) {
        abort();
    }
    pthread_detach(thread);
    Py_RETURN_NONE;
}

const caw_py_async_def ext_held_functions[] = {
    CAW_PY_ASYNC("readinto", readinto_start, NULL, NULL),
    CAW_PY_ASYNC("write_at_exit", late_write_start, NULL, NULL, .finish_at_exit = true),
    CAW_PY_ASYNC("write_shielded", late_write_start, NULL, NULL, .finish_at_exit = true, .cancel = CAW_PY_CANCEL_SHIELD,
                 .wrap_in_python = true),
    CAW_PY_ASYNC("readinto_detached", readinto_start, NULL, NULL, .cancel = CAW_PY_CANCEL_DETACH),
    CAW_PY_ASYNC_END,
};
