/* blocking.c: threads that sleep in a call of the library: on the loop's thread, with the GIL and without it, on a pool
 * that is closed meanwhile, and as the synchronous face of an operation. */
#include "ext.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- locals as an object --- */

static void
locals_capsule_free(PyObject *capsule)
{
    caw_py_locals_release(PyCapsule_GetPointer(capsule, NULL));
}

static PyObject *
locals(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    caw_py_locals *here = caw_py_locals_new(module);
    PyObject *capsule = here ? PyCapsule_New(here, NULL, locals_capsule_free) : NULL;
    if (here && !capsule) {
        caw_py_locals_release(here);
    }
    return capsule;
}

/* --- what is waited for --- */

typedef struct waited {
    caw_future *future; /* of what follows, or owned */
    caw_stream *stream;
    caw_next_op next;
    caw_reader *reader;
    caw_read_op read;
    char buffer[16];
} waited;

typedef struct called {
    caw_py_ref *function;
} called;

static PyObject *
called_call(void *arg)
{
    return PyObject_CallNoArgs(caw_py_ref_get(((called *)arg)->function));
}

static void
called_free(void *arg)
{
    caw_py_ref_release(((called *)arg)->function);
    free(arg);
    atomic_fetch_sub(&ext_live_futures, 1);
}

static const caw_py_call_spec called_spec = {called_call, NULL, called_free};

static caw_future *
call_new(caw_py_locals *at, caw_py_locals *where, PyObject *function)
{
    called *c = malloc(sizeof *c);
    c->function = caw_py_ref_new(at, function);
    atomic_fetch_add(&ext_live_futures, 1);
    return caw_py_call(where, &called_spec, c);
}

/* False with an exception, or for an unknown kind. */
static bool
waited_make(waited *w, caw_py_locals *at, const char *kind, PyObject *object)
{
    static const caw_py_iterable_spec iterable = {.capacity = 1};
    memset(w, 0, sizeof *w);
    if (strcmp(kind, "call") == 0) {
        w->future = call_new(at, at, object);
    }
    else if (strcmp(kind, "call in a scope") == 0) {
        w->future = caw_py_scope(at, call_new(at, NULL, object));
    }
    else if (strcmp(kind, "await") == 0) {
        w->future = caw_py_await(at, PyObject_CallNoArgs(object));
    }
    else if (strcmp(kind, "await in a scope") == 0) {
        w->future = caw_py_scope(at, caw_py_await(NULL, PyObject_CallNoArgs(object)));
    }
    else if (strcmp(kind, "stream") == 0 && (w->stream = caw_py_iterate(at, PyObject_CallNoArgs(object), &iterable))) {
        caw_next_init(&w->next, w->stream);
        w->future = &w->next.future;
    }
    else if (strcmp(kind, "bytes") == 0) {
        PyObject *source = PyObject_CallNoArgs(object);
        w->reader = source ? caw_py_reader(at, source) : NULL;
        Py_XDECREF(source);
        if (w->reader) {
            caw_read_init(&w->read, w->reader, w->buffer, sizeof w->buffer);
            w->future = &w->read.future;
        }
    }
    else if (strcmp(kind, "sleep") == 0) {
        w->future = caw_sleep(1000000);
    }
    else if (strcmp(kind, "ready") == 0) {
        w->future = caw_ready(0);
    }
    return w->future != NULL;
}

static void
waited_end(waited *w)
{
    caw_future_destroy(w->future);
    caw_stream_destroy(w->stream);
    caw_reader_destroy(w->reader);
}

/* block_on(kind, object, locals, gil, limit): the status of a caw_block_on of it, here. `object` is called for what is
 * awaited, iterated or read. `locals` may be None, for those of the loop that runs. */
static PyObject *
block_on(PyObject *module, PyObject *args)
{
    const char *kind;
    PyObject *object, *capsule;
    int gil;
    unsigned long long limit;
    if (!PyArg_ParseTuple(args, "sOOpK", &kind, &object, &capsule, &gil, &limit)) {
        return NULL;
    }
    caw_py_locals *at =
        capsule == Py_None ? caw_py_locals_new(module) : caw_py_locals_retain(PyCapsule_GetPointer(capsule, NULL));
    waited *w = at ? malloc(sizeof *w) : NULL;
    if (!w || !waited_make(w, at, kind, object)) {
        caw_py_locals_release(at);
        free(w);
        return PyErr_Occurred() ? NULL : caw_py_set_error(CAW_EINVAL);
    }
    PyThreadState *released = gil ? NULL : PyEval_SaveThread();
    int status = limit ? caw_block_on_for(w->future, limit) : caw_block_on(w->future);
    if (released) {
        PyEval_RestoreThread(released);
    }
    waited_end(w);
    free(w);
    caw_py_locals_release(at);
    return PyLong_FromLong(status);
}

/* --- close_pool(function, how, late, gil): a worker calls a function on this loop, and the pool is closed here --- */

typedef struct closing {
    caw_work work;
    caw_future *child;
    caw_waker waker;
    bool late;
    int status;
    atomic_int begun;
} closing;

static int
closing_run(caw_work *work)
{
    closing *c = CAW_CONTAINER_OF(work, closing, work);
    c->begun = 1;
    while (c->late && !caw_work_cancelled(work)) {
    }
    return caw_block_on(c->child);
}

static void
closing_free(caw_work *work)
{
    closing *c = CAW_CONTAINER_OF(work, closing, work);
    caw_future_destroy(c->child);
    free(c);
}

static PyObject *
close_pool(PyObject *module, PyObject *args)
{
    PyObject *function;
    const char *how;
    int late, gil;
    caw_pool *pool;
    if (!PyArg_ParseTuple(args, "Ospp", &function, &how, &late, &gil) || caw_pool_new(1, &pool) < 0) {
        return NULL;
    }
    caw_py_locals *at = caw_py_locals_new(module);
    closing *c = calloc(1, sizeof *c);
    caw_work_init(&c->work, pool, closing_run, closing_free);
    c->late = late;
    caw_future *call = call_new(at, at, function), *waits = &c->work.promise.future;
    bool is_call = strcmp(how, "call") == 0;
    c->child = is_call ? call : caw_ready(0);
    if (!is_call) {
        caw_future_destroy(waits);
        waits = caw_spawn(pool, caw_py_scope(at, call));
    }
    PyThreadState *released = gil ? NULL : PyEval_SaveThread();
    caw_context cx = {.waker = CAW_WAKER_NONE};
    bool early = caw_future_poll(waits, &cx) == CAW_READY;
    while (is_call && !early && !c->begun) {
    }
    caw_pool_close(pool);
    int status = early ? waits->status : caw_future_poll(waits, &cx) == CAW_READY ? waits->status : 1;
    if (released) {
        PyEval_RestoreThread(released);
    }
    caw_future_destroy(waits);
    caw_py_locals_release(at);
    caw_pool_release(pool);
    return PyLong_FromLong(status);
}

/* --- apause(nanoseconds, status, how), and pause, which waits for the same --- */

typedef struct pausing {
    caw_future future;
    caw_future *child;
    uint64_t ns;
    int status;
} pausing;

static int
pausing_work(void *arg)
{
    uint64_t end = caw_now_ns() + *(uint64_t *)arg;
    while (caw_now_ns() < end) {
    }
    return 0;
}

/* Until something can be read, which no cancel ends. */
static int
pausing_read(void *arg)
{
    char byte;
    return read((int)*(uint64_t *)arg, &byte, 1) < 0 ? -errno : 0;
}

static caw_poll
pausing_poll(caw_future *f, caw_context *cx)
{
    pausing *p = CAW_CONTAINER_OF(f, pausing, future);
    if (caw_future_poll(p->child, cx) == CAW_PENDING) {
        return CAW_PENDING;
    }
    return caw_future_finish(f, p->child->status < 0 ? p->child->status : p->status);
}

static void
pausing_cancel(caw_future *f)
{
    caw_future_cancel(CAW_CONTAINER_OF(f, pausing, future)->child);
}

static void
pausing_destroy(caw_future *f)
{
    pausing *p = CAW_CONTAINER_OF(f, pausing, future);
    caw_future_destroy(p->child);
    free(p);
    atomic_fetch_sub(&ext_live_futures, 1);
}

static const caw_future_ops pausing_ops = {"test.pause", pausing_poll, pausing_cancel, pausing_destroy};

/* how: "timer"; "work", on the pool, which no cancel ends; "read" there, from the fd that the nanoseconds are; "call"
 * of an object on the loop of `locals`; "await" of it, without locals */
static caw_future *
pause_start(PyObject *Py_UNUSED(self), PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"nanoseconds", "status", "how", "object", "locals", NULL};
    unsigned long long ns;
    int status = 0;
    const char *how = "timer";
    PyObject *object = Py_None, *capsule = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "K|isOO", keywords, &ns, &status, &how, &object, &capsule)) {
        return NULL;
    }
    pausing *p = calloc(1, sizeof *p);
    uint64_t *copy = malloc(sizeof *copy);
    *copy = p->ns = ns;
    p->status = status;
    caw_future_init(&p->future, &pausing_ops);
    if (strcmp(how, "work") == 0 || strcmp(how, "read") == 0) {
        p->child = caw_blocking(NULL, how[0] == 'w' ? pausing_work : pausing_read, copy, free);
    }
    else {
        free(copy);
        caw_py_locals *at = capsule == Py_None ? NULL : PyCapsule_GetPointer(capsule, NULL);
        p->child = strcmp(how, "call") == 0    ? call_new(at, at, object)
                   : strcmp(how, "await") == 0 ? caw_py_await(NULL, PyObject_CallNoArgs(object))
                                               : caw_sleep(ns);
    }
    atomic_fetch_add(&ext_live_futures, 1);
    return &p->future;
}

static PyObject *
pause_result(caw_future *f)
{
    return PyLong_FromUnsignedLongLong(CAW_CONTAINER_OF(f, pausing, future)->ns);
}

static void
pause_thrown(caw_future *f, PyObject *exception)
{
    (void)f;
    PyObject *seen = PyObject_GetAttrString(exception, "seen");
    if (seen) {
        Py_XDECREF(PyObject_CallMethod(seen, "append", "O", exception));
        Py_DECREF(seen);
    }
    PyErr_Clear();
}

static void
pause_error(caw_future *f, int status)
{
    (void)f;
    PyErr_Format(PyExc_LookupError, "pause %d", status);
}

#define PAUSE_DOC "(nanoseconds, status=0, how='timer', object=None, locals=None)\n--\n\nWait for a while."
#define PAUSE(name_, ...)                                                                                              \
    CAW_PY_ASYNC("a" name_, pause_start, pause_result, "a" name_ PAUSE_DOC, CAW_SET(sync_name, name_), __VA_ARGS__)

const caw_py_async_def ext_block_functions[] = {
    PAUSE("pause", CAW_SET(on_throw, pause_thrown)),
    PAUSE("pause_detached", CAW_SET(cancel, CAW_PY_CANCEL_DETACH)),
    PAUSE("pause_shielded", CAW_SET(cancel, CAW_PY_CANCEL_SHIELD)),
    PAUSE("pause_kept", CAW_SET(keep_value, true)),
    PAUSE("pause_graced", CAW_SET(cancel_grace_ns, 1000000)),
    PAUSE("pause_error", CAW_SET(error, pause_error), CAW_SET(poll_without_gil, true)),
    PAUSE("pause_wrapped", CAW_SET(wrap_in_python, true),
          CAW_SET(sync_doc, "pause_wrapped(nanoseconds, /, *rest)\n--\n\nAnother text.")),
    CAW_PY_ASYNC_END,
};

/* pause_by_hand(...): by caw_py_block_on. */
static PyObject *
pause_by_hand(PyObject *module, PyObject *args)
{
    static const caw_py_spec spec = CAW_PY_SPEC("by_hand", pause_result, NULL);
    caw_future *f = pause_start(module, args, NULL);
    return f ? caw_py_block_on(module, f, &spec) : NULL;
}

/* block_badly(): the exceptions of caw_py_block_on when it is given NULL, and what it does without a spec. */
static PyObject *
block_badly(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    if (caw_py_block_on(module, NULL, NULL) || !PyErr_ExceptionMatches(PyExc_SystemError)) {
        return NULL;
    }
    PyErr_Clear();
    if (caw_py_block_on(NULL, caw_ready(0), NULL) || !PyErr_ExceptionMatches(PyExc_SystemError)) {
        return NULL;
    }
    PyErr_Clear();
    return caw_py_block_on(module, caw_ready(0), NULL);
}

PyMethodDef ext_block_plain_functions[] = {
    {"locals", locals, METH_NOARGS, NULL},           {"block_on", block_on, METH_VARARGS, NULL},
    {"close_pool", close_pool, METH_VARARGS, NULL},  {"pause_by_hand", pause_by_hand, METH_VARARGS, NULL},
    {"block_badly", block_badly, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL},
};
