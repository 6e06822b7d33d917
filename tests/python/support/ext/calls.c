/* calls.c: native threads that call Python and hold its objects. */
#include "ext.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* --- call_from_thread(function, n): a native thread calls it n times, waits for each, and sums the numbers --- */

typedef struct calls {
    caw_py_locals *locals;
    caw_py_ref *function;
    long n, sum;
    int status; /* of the last call */
} calls;

static PyObject *
calls_call(void *arg)
{
    return PyObject_CallNoArgs(caw_py_ref_get(((calls *)arg)->function));
}

static int
calls_result(void *arg, PyObject *value)
{
    long number = PyLong_AsLong(value);
    if (PyErr_Occurred()) {
        return CAW_EPYTHON;
    }
    ((calls *)arg)->sum += number;
    return 0;
}

static const caw_py_call_spec calls_spec = {calls_call, calls_result, NULL};

static int
calls_run(void *arg)
{
    calls *c = arg;
    for (long i = 0; i < c->n && c->status == 0; i++) {
        caw_future *f = caw_py_call(c->locals, &calls_spec, c);
        c->status = f ? caw_block_on(f) : CAW_ENOMEM;
        caw_future_destroy(f);
    }
    return 0;
}

static void
calls_free(void *arg)
{
    calls *c = arg;
    caw_py_ref_release(c->function);
    caw_py_locals_release(c->locals);
    free(c);
    atomic_fetch_sub(&ext_live_futures, 1);
}

static calls *
calls_new(PyObject *module, PyObject *args)
{
    PyObject *function;
    calls *c = calloc(1, sizeof *c);
    if (!c || !PyArg_ParseTuple(args, "Ol", &function, &c->n) || !(c->locals = caw_py_locals_new(module)) ||
        !(c->function = caw_py_ref_new(c->locals, function))) {
        caw_py_locals_release(c ? c->locals : NULL);
        free(c);
        return NULL;
    }
    atomic_fetch_add(&ext_live_futures, 1);
    return c;
}

static caw_future *
call_from_thread_start(PyObject *module, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    calls *c = calls_new(module, args);
    return c ? caw_blocking(NULL, calls_run, c, calls_free) : NULL;
}

static PyObject *
call_from_thread_result(caw_future *f)
{
    const calls *c = caw_blocking_arg(f);
    return Py_BuildValue("li", c->sum, c->status);
}

/* --- called(function), called_without_gil(function): in a coroutine, so without locals --- */

static PyObject *
called_call(void *arg)
{
    return PyObject_CallNoArgs(arg);
}

static void
called_free(void *arg)
{
    PyGILState_STATE state = PyGILState_Ensure();
    Py_DECREF((PyObject *)arg);
    PyGILState_Release(state);
    atomic_fetch_sub(&ext_live_futures, 1);
}

static const caw_py_call_spec called_spec = {called_call, NULL, called_free};

static caw_future *
called_start(PyObject *Py_UNUSED(module), PyObject *function)
{
    atomic_fetch_add(&ext_live_futures, 1);
    return caw_py_call(NULL, &called_spec, Py_NewRef(function));
}

/* --- cancel_around_the_end(function, n): a native thread cancels and drops calls that are about to end --- */

static void
quiet_waker(void *data)
{
    (void)data;
}

static const caw_waker_ops quiet_ops = {quiet_waker, quiet_waker, quiet_waker};

static int
cancels_run(void *arg)
{
    calls *c = arg;
    caw_context cx = {.waker = {&quiet_ops, NULL}};
    unsigned random = 1;
    for (long i = 0; i < c->n; i++) {
        caw_future *f = caw_py_call(c->locals, &calls_spec, c);
        if (!f) {
            return CAW_ENOMEM;
        }
        random = random * 1103515245 + 12345;
        uint64_t end = caw_now_ns() + (random >> 16) % 100000; /* about as long as a call takes */
        caw_poll poll = caw_future_poll(f, &cx);
        while (poll == CAW_PENDING && caw_now_ns() < end) {
            poll = caw_future_poll(f, &cx);
        }
        caw_future_cancel(f);
        if (random & 1) {
            (void)caw_future_poll(f, &cx);
        }
        caw_future_destroy(f);
    }
    return 0;
}

static caw_future *
cancel_around_the_end_start(PyObject *module, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    calls *c = calls_new(module, args);
    return c ? caw_blocking(NULL, cancels_run, c, calls_free) : NULL;
}

/* --- drop_in_thread(object): a reference that a native thread copies and drops --- */

static int
ref_run(void *arg)
{
    caw_py_ref_release(caw_py_ref_retain(arg));
    return 0;
}

static void
ref_free(void *arg)
{
    caw_py_ref_release(arg);
}

static caw_future *
drop_in_thread_start(PyObject *module, PyObject *object)
{
    caw_py_locals *locals = caw_py_locals_new(module);
    caw_py_ref *ref = locals ? caw_py_ref_new(locals, object) : NULL;
    caw_py_locals_release(locals);
    return ref ? caw_blocking(NULL, ref_run, ref, ref_free) : NULL;
}

/* --- Holder(object): keeps an object and the locals of where it was made; drops or calls it on another thread --- */

typedef struct holder {
    PyObject_HEAD
    caw_py_locals *locals;
    caw_py_ref *ref;
    pthread_t thread;
    bool has_thread;
    calls call;
    unsigned delay; /* microseconds before the thread acts */
} holder;

static void *
holder_drop_main(void *arg)
{
    holder *h = arg;
    nanosleep(&(struct timespec){.tv_nsec = (long)h->delay * 1000}, NULL);
    caw_py_ref_release(h->ref);
    caw_py_locals_release(h->locals);
    return NULL;
}

static void *
holder_call_main(void *arg)
{
    holder *h = arg;
    nanosleep(&(struct timespec){.tv_nsec = (long)h->delay * 1000}, NULL);
    h->call = (calls){.locals = h->locals, .function = h->ref, .n = 1};
    (void)calls_run(&h->call);
    return NULL;
}

static PyObject *
holder_begin(holder *h, PyObject *delay, void *(*main_)(void *))
{
    h->delay = (unsigned)PyLong_AsUnsignedLong(delay);
    if (PyErr_Occurred() || h->has_thread) {
        return NULL;
    }
    h->has_thread = pthread_create(&h->thread, NULL, main_, h) == 0;
    if (h->has_thread) {
        Py_INCREF(h); /* until it is joined */
    }
    Py_RETURN_NONE;
}

static PyObject *
holder_drop_later(PyObject *self, PyObject *delay)
{
    return holder_begin((holder *)self, delay, holder_drop_main);
}

static PyObject *
holder_call_later(PyObject *self, PyObject *delay)
{
    return holder_begin((holder *)self, delay, holder_call_main);
}

/* Wait for the thread without the GIL; the status of its call. */
static PyObject *
holder_join(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    holder *h = (holder *)self;
    if (h->has_thread) {
        Py_BEGIN_ALLOW_THREADS pthread_join(h->thread, NULL);
        Py_END_ALLOW_THREADS h->has_thread = false;
        h->locals = h->call.locals; /* NULL when they were dropped */
        h->ref = h->call.function;
        Py_DECREF(h); /* the caller has one more */
    }
    return PyLong_FromLong(h->call.status);
}

/* loop_state(): "closed", "stopped" or "running"; is_closed(): the same question without the GIL. */
static PyObject *
holder_loop_state(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    static const char *const states[] = {"closed", "stopped", "running"};
    return PyUnicode_FromString(states[caw_py_locals_loop_state(((holder *)self)->locals)]);
}

static PyObject *
holder_is_closed(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    bool closed;
    Py_BEGIN_ALLOW_THREADS;
    closed = caw_py_locals_is_closed(((holder *)self)->locals);
    Py_END_ALLOW_THREADS;
    return PyBool_FromLong(closed);
}

static void
holder_dealloc(PyObject *self)
{
    holder *h = (holder *)self;
    caw_py_ref_release(h->ref);
    caw_py_locals_release(h->locals);
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *
holder_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    PyObject *object, *module = PyType_GetModule(type);
    if (!module || !PyArg_ParseTuple(args, "O:Holder", &object)) {
        return NULL;
    }
    holder *h = (holder *)type->tp_alloc(type, 0);
    if (!h || !(h->locals = caw_py_locals_new(module)) || !(h->ref = caw_py_ref_new(h->locals, object))) {
        Py_XDECREF(h);
        return NULL;
    }
    return (PyObject *)h;
}

static caw_future *
holder_await_start(PyObject *self, PyObject *awaitable)
{
    return caw_py_await(((holder *)self)->locals, Py_NewRef(awaitable));
}

static const caw_py_async_def holder_methods[] = {
    CAW_PY_ASYNC_O("await_there", holder_await_start, caw_py_value, NULL),
    CAW_PY_ASYNC_END,
};

static PyMethodDef holder_plain_methods[] = {
    {"drop_later", holder_drop_later, METH_O, NULL},    {"call_later", holder_call_later, METH_O, NULL},
    {"join", holder_join, METH_NOARGS, NULL},           {"loop_state", holder_loop_state, METH_NOARGS, NULL},
    {"is_closed", holder_is_closed, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL},
};

static PyType_Slot holder_slots[] = {
    {Py_tp_new, __extension__(void *) holder_new},
    {Py_tp_dealloc, __extension__(void *) holder_dealloc},
    {Py_tp_methods, holder_plain_methods},
    {0, NULL},
};

static PyType_Spec holder_spec = {"_cawait_test.Holder", sizeof(holder), 0, Py_TPFLAGS_DEFAULT, holder_slots};

int
ext_add_holder_type(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &holder_spec, NULL);
    int failed = type ? caw_py_add_methods(module, (PyTypeObject *)type, holder_methods) : -1;
    failed = failed < 0 ? failed : PyModule_AddObjectRef(module, "Holder", type);
    Py_XDECREF(type);
    return failed;
}

/* --- share(object), unshare(), await_shared(awaitable): locals and a reference that all interpreters see --- */

static struct {
    caw_py_locals *locals;
    caw_py_ref *ref;
} shared;

PyObject *
ext_share(PyObject *module, PyObject *object)
{
    shared.locals = caw_py_locals_new(module);
    shared.ref = shared.locals ? caw_py_ref_new(shared.locals, object) : NULL;
    if (!shared.ref) {
        return NULL;
    }
    Py_RETURN_NONE;
}

PyObject *
ext_unshare(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    caw_py_ref_release(shared.ref);
    caw_py_locals_release(shared.locals);
    shared.locals = NULL;
    shared.ref = NULL;
    Py_RETURN_NONE;
}

static caw_future *
await_shared_start(PyObject *Py_UNUSED(module), PyObject *awaitable)
{
    return caw_py_await(shared.locals, Py_NewRef(awaitable));
}

const caw_py_async_def ext_call_functions[] = {
    CAW_PY_ASYNC("call_from_thread", call_from_thread_start, call_from_thread_result, NULL),
    CAW_PY_ASYNC_O("called", called_start, caw_py_value, NULL),
    CAW_PY_ASYNC_O("called_without_gil", called_start, caw_py_value, NULL, .poll_without_gil = true),
    CAW_PY_ASYNC("cancel_around_the_end", cancel_around_the_end_start, NULL, NULL),
    CAW_PY_ASYNC_O("drop_in_thread", drop_in_thread_start, NULL, NULL),
    CAW_PY_ASYNC_O("await_shared", await_shared_start, caw_py_value, NULL),
    CAW_PY_ASYNC_END,
};
