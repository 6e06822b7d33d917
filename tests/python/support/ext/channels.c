/* channels.c: `Channel`, whose sends and end a test controls, and streams that need no channel. */
#include "ext.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <structmember.h>

/* --- items: numbers --- */

typedef struct number {
    caw_item item;
    long long value;
} number;

static void
number_destroy(caw_item *item)
{
    free(CAW_CONTAINER_OF(item, number, item));
    ext_live_futures--;
}

caw_item *
ext_number_new(long long value)
{
    number *n = malloc(sizeof *n);
    if (n) {
        *n = (number){.item = {.destroy = number_destroy}, .value = value};
        ext_live_futures++;
    }
    return n ? &n->item : NULL;
}

long long
ext_number_value(const caw_item *item)
{
    return CAW_CONTAINER_OF(item, const number, item)->value;
}

/* A number as a value. -1 stands for one that cannot be made. */
PyObject *
ext_number_object(caw_stream *Py_UNUSED(s), caw_item *item)
{
    long long value = ext_number_value(item);
    return value == -1 ? PyErr_Format(PyExc_LookupError, "no value") : PyLong_FromLongLong(value);
}

/* --- the channel --- */

/* What the native side counts; it outlives the object. All counts are sequentially consistent; they publish nothing,
 * except that the last release of `refs` frees. */
typedef struct channel_counts {
    _Atomic int refs;
    _Atomic int cancelled, paused, resumed, freed;
} channel_counts;

typedef struct channel_object {
    PyObject_HEAD
    caw_channel *channel; /* NULL once released */
    caw_stream *stream;   /* until it is handed out */
    channel_counts *counts;
    caw_item *kept; /* what a recv() has received whose awaiter was gone, or NULL */
    bool receiving, ended;
} channel_object;

static void
counts_release(channel_counts *counts)
{
    if (atomic_fetch_sub(&counts->refs, 1) == 1) {
        free(counts);
    }
}

static void
channel_cancelled(void *user)
{
    ((channel_counts *)user)->cancelled++;
}

static void
channel_paused(void *user)
{
    ((channel_counts *)user)->paused++;
}

static void
channel_resumed(void *user)
{
    ((channel_counts *)user)->resumed++;
}

static void
channel_freed(void *user)
{
    ((channel_counts *)user)->freed++;
    counts_release(user);
    ext_live_futures--;
}

static PyObject *
channel_object_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"capacity", "high", "low", NULL};
    Py_ssize_t capacity, high = 0, low = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "n|nn:Channel", keywords, &capacity, &high, &low)) {
        return NULL;
    }
    channel_counts *counts = calloc(1, sizeof *counts);
    if (!counts) {
        return PyErr_NoMemory();
    }
    atomic_init(&counts->refs, 2);
    caw_channel_spec spec = {.capacity = (size_t)capacity, .high = (size_t)high, .low = (size_t)low, .user = counts};
    spec.pause = channel_paused;
    spec.resume = channel_resumed;
    spec.cancel = channel_cancelled;
    spec.free = channel_freed;
    caw_channel *channel;
    ext_live_futures++; /* until channel_freed, which is called at once if this fails */
    int error = caw_channel_new(&spec, &channel);
    if (error) {
        counts_release(counts);
        return caw_py_set_error(error);
    }
    channel_object *self = (channel_object *)type->tp_alloc(type, 0);
    if (!self) {
        caw_channel_release(channel);
        counts_release(counts);
        return NULL;
    }
    self->channel = channel;
    self->stream = caw_channel_stream(channel);
    self->counts = counts;
    return (PyObject *)self;
}

static void
channel_object_dealloc(PyObject *object)
{
    channel_object *self = (channel_object *)object;
    PyTypeObject *type = Py_TYPE(object);
    caw_stream_destroy(self->stream);
    caw_item_destroy(self->kept);
    caw_channel_release(self->channel);
    counts_release(self->counts);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyObject *
channel_try_send(PyObject *self, PyObject *value)
{
    caw_item *item = ext_number_new(PyLong_AsLongLong(value));
    int status = item ? caw_channel_try_send(((channel_object *)self)->channel, item) : CAW_ENOMEM;
    if (status < 0) {
        caw_item_destroy(item);
    }
    return PyLong_FromLong(status);
}

static PyObject *
channel_close(PyObject *self, PyObject *args)
{
    int status = 0;
    if (!PyArg_ParseTuple(args, "|i:close", &status)) {
        return NULL;
    }
    return PyBool_FromLong(caw_channel_close(((channel_object *)self)->channel, status));
}

static PyObject *
channel_release(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    caw_channel *channel = ((channel_object *)self)->channel;
    ((channel_object *)self)->channel = NULL;
    caw_channel_release(channel);
    Py_RETURN_NONE;
}

/* --- send(value) --- */

static caw_future *
channel_send_start(PyObject *self, PyObject *value)
{
    caw_item *item = ext_number_new(PyLong_AsLongLong(value));
    return item ? ext_sending_new(((channel_object *)self)->channel, item) : NULL;
}

/* --- recv(): the next item, by whoever awaits it, one at a time --- */

typedef struct receiving {
    caw_future future;
    caw_next_op next;
    channel_object *self; /* borrowed: the coroutine holds it */
    bool begun;
} receiving;

static int
receiving_begin(receiving *r)
{
    channel_object *self = r->self;
    if (self->receiving || !self->stream) {
        return -EBUSY;
    }
    if (self->ended) {
        return -EPIPE;
    }
    self->receiving = r->begun = true;
    caw_next_init(&r->next, self->stream);
    r->next.item = self->kept;
    self->kept = NULL;
    return 0;
}

static caw_poll
receiving_poll(caw_future *f, caw_context *cx)
{
    receiving *r = CAW_CONTAINER_OF(f, receiving, future);
    int error = r->begun ? 0 : receiving_begin(r);
    if (error || r->next.item) {
        return caw_future_finish(f, error);
    }
    if (caw_future_poll(&r->next.future, cx) == CAW_PENDING) {
        return CAW_PENDING;
    }
    r->self->ended = !r->next.item;
    return caw_future_finish(f, r->next.item ? 0 : r->next.future.status < 0 ? r->next.future.status : -EPIPE);
}

/* What has come and was not taken is for the next one. To destroy the caw_next_op leaves the stream as it is. */
static void
receiving_destroy(caw_future *f)
{
    receiving *r = CAW_CONTAINER_OF(f, receiving, future);
    if (r->begun) {
        r->self->kept = r->next.item;
        r->next.item = NULL;
        caw_future_destroy(&r->next.future);
        r->self->receiving = false;
    }
    free(r);
}

static PyObject *
receiving_result(caw_future *f)
{
    receiving *r = CAW_CONTAINER_OF(f, receiving, future);
    caw_item *item = r->next.item;
    PyObject *value = ext_number_object(NULL, item);
    if (value) {
        r->next.item = NULL;
        caw_item_destroy(item);
    }
    return value;
}

static const caw_future_ops receiving_ops = {"recv", receiving_poll, NULL, receiving_destroy};

static caw_future *
channel_recv_start(PyObject *self)
{
    receiving *r = calloc(1, sizeof *r);
    if (!r) {
        return NULL;
    }
    caw_future_init(&r->future, &receiving_ops);
    r->self = (channel_object *)self;
    return &r->future;
}

/* --- generator(cancel=..., batch=0, without_gil=False) --- */

static PyObject *
channel_generator(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"cancel", "batch", "without_gil", NULL};
    static const caw_py_stream_spec specs[] = {
#define CHANNEL_SPEC(...) CAW_PY_STREAM_SPEC("numbers", ext_number_object, "numbers()\n--\n\nNumbers.", __VA_ARGS__)
        CHANNEL_SPEC(.cancel = CAW_PY_CANCEL_DEFAULT),
        CHANNEL_SPEC(.cancel = CAW_PY_CANCEL_WAIT),
        CHANNEL_SPEC(.cancel = CAW_PY_CANCEL_DETACH),
        CHANNEL_SPEC(.cancel = CAW_PY_CANCEL_SHIELD),
        CHANNEL_SPEC(.batch = 64),
        CHANNEL_SPEC(.batch = 3),
        CHANNEL_SPEC(.poll_without_gil = true),
        CHANNEL_SPEC(.cancel = CAW_PY_CANCEL_SHIELD, .batch = 64),
        CHANNEL_SPEC(.cancel = CAW_PY_CANCEL_KEEP),
        CHANNEL_SPEC(.cancel = CAW_PY_CANCEL_KEEP, .batch = 3),
        CHANNEL_SPEC(.cancel = CAW_PY_CANCEL_KEEP, .poll_without_gil = true),
#undef CHANNEL_SPEC
    };
    static const char *const policies[] = {"default", "wait", "detach", "shield"};
    const char *policy = "default";
    int batch = 0, without_gil = 0, which = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$sip:generator", keywords, &policy, &batch, &without_gil)) {
        return NULL;
    }
    for (int i = 0; i < 4; i++) {
        which = strcmp(policies[i], policy) == 0 ? i : which;
    }
    bool keeps = strcmp(policy, "keep") == 0;
    which = keeps         ? (without_gil ? 10
                             : batch     ? 9
                                         : 8)
            : without_gil ? 6
            : batch == 64 ? (which == 3 ? 7 : 4)
            : batch       ? 5
                          : which;
    caw_stream *stream = ((channel_object *)self)->stream;
    ((channel_object *)self)->stream = NULL;
    if (!stream) {
        return caw_py_set_error(CAW_EINVAL); /* there is one consumer */
    }
    PyObject *module = PyType_GetModule(Py_TYPE(self));
    return module ? caw_py_async_generator(module, stream, &specs[which]) : NULL;
}

/* --- feed(threads, items): native threads that send, and then release --- */

typedef struct feeder {
    caw_channel *channel;
    long long first, length;
    bool waits;
} feeder;

/* Send with back-pressure: by a send that waits, or by one that is tried again. Stops when the consumer is gone. */
static void *
feeder_main(void *arg)
{
    feeder *f = arg;
    int status = 0;
    for (long long i = 0; i < f->length && status == 0; i++) {
        caw_item *item = ext_number_new(f->first + i);
        if (f->waits) {
            status = caw_channel_send(f->channel, item);
            continue;
        }
        while ((status = caw_channel_try_send(f->channel, item)) == -EAGAIN) {
            sched_yield();
        }
        if (status < 0) {
            caw_item_destroy(item);
        }
    }
    caw_channel_release(f->channel);
    free(f);
    return NULL;
}

static PyObject *
channel_feed(PyObject *self, PyObject *args)
{
    int threads, waits = 1;
    long long items;
    if (!PyArg_ParseTuple(args, "iL|p:feed", &threads, &items, &waits)) {
        return NULL;
    }
    for (int i = 0; i < threads; i++) {
        feeder *f = malloc(sizeof *f);
        if (!f) {
            return PyErr_NoMemory();
        }
        *f = (feeder){caw_channel_retain(((channel_object *)self)->channel), i * 10000000LL, items, waits == 1};
        pthread_t thread;
        if (pthread_create(&thread, NULL, feeder_main, f) != 0) {
            caw_channel_release(f->channel);
            free(f);
            return caw_py_set_error(-EAGAIN);
        }
        pthread_detach(thread);
    }
    Py_RETURN_NONE;
}

static PyObject *
channel_get_length(PyObject *self, void *Py_UNUSED(closure))
{
    const caw_channel *channel = ((channel_object *)self)->channel;
    return PyLong_FromSize_t(channel ? caw_channel_length(channel) : 0);
}

static PyObject *
channel_get_count(PyObject *self, void *closure)
{
    char *counts = (char *)((channel_object *)self)->counts;
    return PyLong_FromLong(atomic_load((_Atomic int *)(void *)(counts + (size_t)closure)));
}

static PyGetSetDef channel_getset[] = {
    {"length", channel_get_length, NULL, NULL, NULL},
    {"cancelled", channel_get_count, NULL, NULL, (void *)offsetof(channel_counts, cancelled)},
    {"paused", channel_get_count, NULL, NULL, (void *)offsetof(channel_counts, paused)},
    {"resumed", channel_get_count, NULL, NULL, (void *)offsetof(channel_counts, resumed)},
    {"freed", channel_get_count, NULL, NULL, (void *)offsetof(channel_counts, freed)},
    {NULL, NULL, NULL, NULL, NULL},
};

/* send_here(number, gil): by caw_channel_send; the status. */
static PyObject *
channel_send_here(PyObject *self, PyObject *args)
{
    long long value;
    int gil;
    if (!PyArg_ParseTuple(args, "Lp", &value, &gil)) {
        return NULL;
    }
    caw_channel *channel = ((channel_object *)self)->channel;
    caw_item *item = ext_number_new(value);
    PyThreadState *released = gil ? NULL : PyEval_SaveThread();
    int status = caw_channel_send(channel, item);
    if (released) {
        PyEval_RestoreThread(released);
    }
    return PyLong_FromLong(status);
}

static PyMethodDef channel_methods[] = {
    {"try_send", channel_try_send, METH_O, NULL},
    {"send_here", channel_send_here, METH_VARARGS, NULL},
    {"close", channel_close, METH_VARARGS, NULL},
    {"release", channel_release, METH_NOARGS, NULL},
    {"feed", channel_feed, METH_VARARGS, NULL},
    {"generator", (PyCFunction)(void (*)(void))channel_generator, METH_VARARGS | METH_KEYWORDS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot channel_slots[] = {
    {Py_tp_new, __extension__(void *) channel_object_new},
    {Py_tp_dealloc, __extension__(void *) channel_object_dealloc},
    {Py_tp_methods, channel_methods},
    {Py_tp_getset, channel_getset},
    {0, NULL},
};

static PyType_Spec channel_spec = {
    .name = "_cawait_test.Channel",
    .basicsize = sizeof(channel_object),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = channel_slots,
};

static const caw_py_async_def channel_async_methods[] = {
    CAW_PY_ASYNC_O("send", channel_send_start, NULL, NULL, CAW_SET(sync_name, "send_sync")),
    CAW_PY_ASYNC_NOARGS("recv", channel_recv_start, receiving_result, NULL),
    CAW_PY_ASYNC_NOARGS("recv_keeping", channel_recv_start, receiving_result, NULL, .cancel = CAW_PY_CANCEL_KEEP),
    CAW_PY_ASYNC_END,
};

int
ext_add_channel_type(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &channel_spec, NULL);
    int failed = !type || caw_py_add_methods(module, (PyTypeObject *)type, channel_async_methods) < 0 ||
                 PyModule_AddType(module, (PyTypeObject *)type) < 0;
    Py_XDECREF(type);
    return failed ? -1 : 0;
}
