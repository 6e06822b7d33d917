/* posted.c: native threads, and futures that run on them, that await Python and call it. */
#include "ext.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

static caw_future *
future_or_memory_error(caw_future *f)
{
    return f ? f : (caw_future *)PyErr_NoMemory();
}

/* --- posted(awaitable), spawned(awaitable): on this loop, as a task; and from a future on the pool --- */

static caw_future *
posted_start(PyObject *module, PyObject *awaitable)
{
    caw_py_locals *locals = caw_py_locals_new(module);
    caw_future *f = locals ? caw_py_await_on(locals, Py_NewRef(awaitable)) : NULL;
    caw_py_locals_release(locals);
    return f;
}

/* In the pool the value stays with the child; the coroutine takes it from there. */
static caw_future *
spawn_in_scope(PyObject *module, caw_future *child)
{
    caw_py_locals *locals = child ? caw_py_locals_new(module) : NULL;
    caw_future *scope = locals ? caw_py_scope(locals, child) : NULL;
    caw_py_locals_release(locals);
    if (!locals) {
        caw_future_destroy(child);
        return NULL;
    }
    return scope ? future_or_memory_error(caw_spawn(NULL, scope)) : future_or_memory_error(NULL);
}

static caw_future *
spawned_start(PyObject *module, PyObject *awaitable)
{
    return spawn_in_scope(module, caw_py_await(Py_NewRef(awaitable)));
}

/* spawned_without_scope(ignored): nobody has said which loop it is for. */
static caw_future *
spawned_without_scope_start(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    static const caw_py_call_spec nothing = {NULL, NULL, NULL};
    return future_or_memory_error(caw_spawn(NULL, caw_py_call(NULL, &nothing, NULL)));
}

/* --- all(*awaitables): polls each with a waker of its own --- */

typedef struct all_children all_children;

typedef struct child {
    caw_future *future;
    bool ready;
    _Atomic bool woken;
    all_children *all;
} child;

/* Wakers may outlive the future: counted. */
struct all_children {
    caw_future future;
    _Atomic int refs;
    pthread_mutex_t lock;
    caw_waker waker; /* under the lock */
    Py_ssize_t n;
    child children[];
};

static void
all_release(all_children *all)
{
    if (atomic_fetch_sub(&all->refs, 1) == 1) {
        caw_waker_drop(all->waker);
        pthread_mutex_destroy(&all->lock);
        free(all);
        atomic_fetch_sub(&ext_live_futures, 1);
    }
}

static void
child_clone(void *data)
{
    atomic_fetch_add(&((child *)data)->all->refs, 1);
}

static void
child_drop(void *data)
{
    all_release(((child *)data)->all);
}

static void
child_wake(void *data)
{
    child *c = data;
    c->woken = true;
    pthread_mutex_lock(&c->all->lock);
    caw_waker waker = caw_waker_clone(c->all->waker);
    pthread_mutex_unlock(&c->all->lock);
    caw_waker_wake(waker);
    all_release(c->all);
}

static const caw_waker_ops child_waker_ops = {child_clone, child_wake, child_drop};

static caw_poll
all_poll(caw_future *f, caw_context *cx)
{
    all_children *all = CAW_CONTAINER_OF(f, all_children, future);
    pthread_mutex_lock(&all->lock);
    if (!caw_waker_same(all->waker, cx->waker)) {
        caw_waker_drop(all->waker);
        all->waker = caw_waker_clone(cx->waker);
    }
    pthread_mutex_unlock(&all->lock);
    bool ready = true;
    for (Py_ssize_t i = 0; i < all->n; i++) {
        child *c = &all->children[i];
        if (!c->ready && atomic_exchange(&c->woken, false)) {
            caw_context own = *cx;
            own.waker = (caw_waker){&child_waker_ops, c};
            c->ready = caw_future_poll(c->future, &own) == CAW_READY;
            if (c->ready && c->future->status < 0) {
                return caw_future_finish(f, c->future->status);
            }
        }
        ready = ready && c->ready;
    }
    return ready ? caw_future_finish(f, 0) : CAW_PENDING;
}

static void
all_destroy(caw_future *f)
{
    all_children *all = CAW_CONTAINER_OF(f, all_children, future);
    for (Py_ssize_t i = 0; i < all->n; i++) {
        caw_future_destroy(all->children[i].future);
    }
    all_release(all);
}

static const caw_future_ops all_ops = {"test.all", all_poll, NULL, all_destroy};

static caw_future *
all_start(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs, PyObject *Py_UNUSED(kwnames))
{
    all_children *all = calloc(1, sizeof *all + (size_t)nargs * sizeof(child));
    if (!all) {
        return future_or_memory_error(NULL);
    }
    caw_future_init(&all->future, &all_ops);
    atomic_init(&all->refs, 1);
    pthread_mutex_init(&all->lock, NULL);
    atomic_fetch_add(&ext_live_futures, 1);
    for (; all->n < nargs; all->n++) {
        caw_future *f = PyLong_Check(args[all->n]) ? caw_sleep(PyLong_AsUnsignedLong(args[all->n]) * 1000ull)
                                                   : caw_py_await(Py_NewRef(args[all->n]));
        if (!f) {
            all_destroy(&all->future);
            return NULL;
        }
        all->children[all->n] = (child){.future = f, .woken = true, .all = all};
    }
    return &all->future;
}

static PyObject *
all_result(caw_future *f)
{
    all_children *all = CAW_CONTAINER_OF(f, all_children, future);
    PyObject *values = PyTuple_New(all->n);
    for (Py_ssize_t i = 0; values && i < all->n; i++) {
        PyObject *value = caw_py_value(all->children[i].future);
        if (!value) {
            PyErr_Clear(); /* a timer */
            value = Py_NewRef(Py_None);
        }
        PyTuple_SET_ITEM(values, i, value);
    }
    return values;
}

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

static caw_future *
call_from_thread_start(PyObject *module, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    PyObject *function;
    calls *c = calloc(1, sizeof *c);
    if (!c || !PyArg_ParseTuple(args, "Ol:call_from_thread", &function, &c->n) ||
        !(c->locals = caw_py_locals_new(module)) || !(c->function = caw_py_ref_new(c->locals, function))) {
        caw_py_locals_release(c ? c->locals : NULL);
        free(c);
        return NULL;
    }
    atomic_fetch_add(&ext_live_futures, 1);
    return future_or_memory_error(caw_blocking(NULL, calls_run, c, calls_free));
}

static PyObject *
call_from_thread_result(caw_future *f)
{
    const calls *c = caw_blocking_arg(f);
    return Py_BuildValue("li", c->sum, c->status);
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
    return ref ? future_or_memory_error(caw_blocking(NULL, ref_run, ref, ref_free)) : NULL;
}

/* --- Holder(object): keeps an object and the locals of where it was made; can drop and call later, from a thread --- */

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
    return caw_py_await_on(((holder *)self)->locals, Py_NewRef(awaitable));
}

static const caw_py_async_def holder_methods[] = {
    CAW_PY_ASYNC_O("await_there", holder_await_start, caw_py_value, NULL),
    CAW_PY_ASYNC_END,
};

static PyMethodDef holder_plain_methods[] = {
    {"drop_later", holder_drop_later, METH_O, NULL},
    {"call_later", holder_call_later, METH_O, NULL},
    {"join", holder_join, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
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

const caw_py_async_def ext_posted_functions[] = {
    CAW_PY_ASYNC_O("posted", posted_start, caw_py_value, NULL),
    CAW_PY_ASYNC_O("spawned", spawned_start, NULL, NULL),
    CAW_PY_ASYNC_O("spawned_without_scope", spawned_without_scope_start, NULL, NULL),
    CAW_PY_ASYNC_FASTCALL("all", all_start, all_result, NULL),
    CAW_PY_ASYNC("call_from_thread", call_from_thread_start, call_from_thread_result, NULL),
    CAW_PY_ASYNC_O("drop_in_thread", drop_in_thread_start, NULL, NULL),
    CAW_PY_ASYNC_END,
};
