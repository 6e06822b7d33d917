/* posted.c: futures that poll Python awaitables from elsewhere: on the pool, and several at once. */
#include "ext.h"

#include <pthread.h>
#include <stdlib.h>

/* --- posted(awaitable), spawned(awaitable): on this loop, as a task; and from a future on the pool --- */

static caw_future *
posted_start(PyObject *module, PyObject *awaitable)
{
    caw_py_locals *locals = caw_py_locals_new(module);
    caw_future *f = locals ? caw_py_await(locals, Py_NewRef(awaitable)) : NULL;
    caw_py_locals_release(locals);
    return f;
}

/* On the pool the value stays with the child, and the coroutine takes it from there. */
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
    return scope ? caw_spawn(NULL, scope) : NULL;
}

static caw_future *
spawned_start(PyObject *module, PyObject *awaitable)
{
    return spawn_in_scope(module, caw_py_await(NULL, Py_NewRef(awaitable)));
}

/* spawned_without_scope(ignored): without locals and without a scope. */
static caw_future *
spawned_without_scope_start(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    static const caw_py_call_spec nothing = {NULL, NULL, NULL};
    return caw_spawn(NULL, caw_py_call(NULL, &nothing, NULL));
}

/* --- all(*awaitables): polls each with a waker of its own --- */

typedef struct all_children all_children;

typedef struct child {
    caw_future *future;
    bool ready;
    _Atomic bool woken;
    all_children *all;
} child;

/* It is counted, because wakers may outlive the future. The atomics are sequentially consistent. */
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
        return NULL;
    }
    caw_future_init(&all->future, &all_ops);
    atomic_init(&all->refs, 1);
    pthread_mutex_init(&all->lock, NULL);
    atomic_fetch_add(&ext_live_futures, 1);
    for (; all->n < nargs; all->n++) {
        caw_future *f = PyLong_Check(args[all->n]) ? caw_sleep(PyLong_AsUnsignedLong(args[all->n]) * 1000ull)
                                                   : caw_py_await(NULL, Py_NewRef(args[all->n]));
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

const caw_py_async_def ext_posted_functions[] = {
    CAW_PY_ASYNC_O("posted", posted_start, caw_py_value, NULL),
    CAW_PY_ASYNC_O("spawned", spawned_start, NULL, NULL),
    CAW_PY_ASYNC_O("spawned_without_scope", spawned_without_scope_start, NULL, NULL),
    CAW_PY_ASYNC_FASTCALL("all", all_start, all_result, NULL),
    CAW_PY_ASYNC_END,
};
