/* child.c: C futures around one Python awaitable that do something other than poll it until it is ready. */
#include "ext.h"

#include <pthread.h>
#include <stdlib.h>

typedef enum how {
    CANCEL_FIRST,    /* before its first poll */
    DROP_WHEN_READY, /* in the poll */
    DROP_IN_PLACE,   /* in its first poll */
    LEAVE_IN_PLACE,  /* so that `left` can go on with it */
    WAKE_BEFORE,     /* wakes its own waker, before it polls the child with it */
    WAKE_AFTER,
    WAKE_TWICE,    /* by a native thread, and then await the child */
    CANCEL_POSTED, /* once it runs; then wait for its end */
    WAKE_LATE,     /* wakes in the first poll and in the second, which polls the child; the third ends it */
    JUST_POLL,
} how;

typedef struct parent {
    caw_future future;
    caw_future *child;
    PyObject *told; /* a list of the exceptions that were thrown in, or NULL */
    how how;
    int polls;
} parent;

static caw_future *left;
static caw_waker kept; /* of WAKE_LATE, until `wake_kept` */

/* A thread wakes two clones, one right after the other. */
static void *
wake_twice_main(void *arg)
{
    caw_waker *wakers = arg;
    caw_waker_wake(wakers[0]);
    caw_waker_wake(wakers[1]);
    free(wakers);
    return NULL;
}

static void
wake_twice(const caw_context *cx)
{
    caw_waker *wakers = malloc(2 * sizeof *wakers);
    pthread_t thread;
    if (!wakers) {
        abort();
    }
    wakers[0] = caw_waker_clone(cx->waker);
    wakers[1] = caw_waker_clone(cx->waker);
    if (pthread_create(&thread, NULL, wake_twice_main, wakers) != 0 || pthread_detach(thread) != 0) {
        abort();
    }
}

/* The step before the child is polled. True: it is not polled. */
static bool
parent_begin(parent *p, const caw_context *cx)
{
    switch (p->how) {
    case CANCEL_FIRST:
        caw_future_cancel(p->child);
        return false;
    case WAKE_BEFORE:
        caw_waker_wake_by_ref(cx->waker);
        return false;
    case WAKE_TWICE:
        wake_twice(cx);
        return true;
    case WAKE_LATE:
        kept = caw_waker_clone(cx->waker);
        caw_waker_wake_by_ref(cx->waker);
        return true;
    default:
        return false;
    }
}

static caw_poll
parent_poll(caw_future *f, caw_context *cx)
{
    parent *p = CAW_CONTAINER_OF(f, parent, future);
    bool first = p->polls++ == 0;
    if (first && parent_begin(p, cx)) {
        return CAW_PENDING;
    }
    if (!p->child) {
        return caw_future_finish(f, CAW_ETIMEDOUT);
    }
    if (p->how == WAKE_LATE && p->polls == 3) {
        caw_future_destroy(p->child);
        p->child = NULL;
        return caw_future_finish(f, 0);
    }
    if (p->how == WAKE_LATE || (p->how == CANCEL_POSTED && p->polls < 20)) {
        caw_waker_wake_by_ref(cx->waker);
    }
    if (p->how == CANCEL_POSTED && p->polls == 20) {
        caw_future_cancel(p->child);
    }
    caw_poll poll = caw_future_poll(p->child, cx);
    int status = poll == CAW_READY ? p->child->status : 0;
    if (p->how == WAKE_AFTER && first) {
        caw_waker_wake_by_ref(cx->waker);
    }
    if (p->how == LEAVE_IN_PLACE) {
        left = p->child;
    }
    else if (p->how == DROP_IN_PLACE || (p->how == DROP_WHEN_READY && poll == CAW_READY)) {
        caw_future_destroy(p->child);
    }
    else {
        return poll == CAW_READY ? caw_future_finish(f, status) : CAW_PENDING;
    }
    p->child = NULL;
    return caw_future_finish(f, status);
}

static void
parent_cancel(caw_future *f)
{
    (void)f; /* the child ends by itself */
}

static void
parent_destroy(caw_future *f)
{
    parent *p = CAW_CONTAINER_OF(f, parent, future);
    caw_future_destroy(p->child);
    Py_XDECREF(p->told);
    free(p);
    atomic_fetch_sub(&ext_live_futures, 1);
}

static const caw_future_ops parent_ops = {"test.parent", parent_poll, parent_cancel, parent_destroy};

static caw_future *
parent_new(PyObject *awaitable, PyObject *told, how how_)
{
    caw_future *child = caw_py_await(NULL, Py_NewRef(awaitable));
    parent *p = child ? calloc(1, sizeof *p) : NULL;
    if (!p) {
        caw_future_destroy(child);
        return NULL;
    }
    *p = (parent){.child = child, .told = Py_XNewRef(told), .how = how_};
    caw_future_init(&p->future, &parent_ops);
    atomic_fetch_add(&ext_live_futures, 1);
    return &p->future;
}

#define PARENT(name, how)                                                                                              \
    static caw_future *name(PyObject *Py_UNUSED(module), PyObject *awaitable)                                          \
    {                                                                                                                  \
        return parent_new(awaitable, NULL, how);                                                                       \
    }
PARENT(cancelled_first_start, CANCEL_FIRST)
PARENT(dropped_when_ready_start, DROP_WHEN_READY)
PARENT(dropped_in_place_start, DROP_IN_PLACE)
PARENT(left_in_place_start, LEAVE_IN_PLACE)
PARENT(woken_before_start, WAKE_BEFORE)
PARENT(woken_after_start, WAKE_AFTER)
PARENT(woken_twice_start, WAKE_TWICE)
PARENT(cancelled_posted_start, CANCEL_POSTED)
PARENT(woken_late_start, WAKE_LATE)
PARENT(just_polled_start, JUST_POLL)

/* The same in a scope, on the pool. */
static caw_future *
spawned_cancelled_first_start(PyObject *module, PyObject *awaitable)
{
    caw_py_locals *locals = caw_py_locals_new(module);
    caw_future *child = locals ? parent_new(awaitable, NULL, CANCEL_FIRST) : NULL;
    caw_future *scope = child ? caw_py_scope(locals, child) : NULL;
    caw_py_locals_release(locals);
    return scope ? caw_spawn(NULL, scope) : NULL;
}

static caw_future *
wake_kept_start(PyObject *Py_UNUSED(module))
{
    caw_waker_wake(kept);
    kept = CAW_WAKER_NONE;
    return caw_ready(0);
}

static caw_future *
left_start(PyObject *Py_UNUSED(module))
{
    caw_future *f = left;
    left = NULL;
    return f;
}

/* beside_dropped(awaitable): awaits it, and has dropped another future that would have done so. */
static caw_future *
beside_dropped_start(PyObject *Py_UNUSED(module), PyObject *awaitable)
{
    caw_future *other = caw_py_await(NULL, Py_NewRef(awaitable));
    caw_future *f = parent_new(awaitable, NULL, JUST_POLL);
    caw_future_destroy(other);
    return f;
}

/* told(awaitable, list): exceptions that are thrown in are appended to the list. */
static caw_future *
told_start(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs, PyObject *Py_UNUSED(kwnames))
{
    if (nargs != 2) {
        PyErr_SetString(PyExc_TypeError, "told(awaitable, list)");
        return NULL;
    }
    return parent_new(args[0], args[1], JUST_POLL);
}

static void
told_thrown(caw_future *f, PyObject *exception)
{
    (void)PyList_Append(CAW_CONTAINER_OF(f, parent, future)->told, exception); /* an exception of this is reported */
}

/* A thrown exception destroys the child. */
static void
drop_thrown(caw_future *f, PyObject *Py_UNUSED(exception))
{
    parent *p = CAW_CONTAINER_OF(f, parent, future);
    caw_future_destroy(p->child);
    p->child = NULL;
}

static PyObject *
parent_result(caw_future *f)
{
    caw_future *child = CAW_CONTAINER_OF(f, parent, future)->child;
    return child ? caw_py_value(child) : Py_NewRef(Py_None);
}

const caw_py_async_def ext_child_functions[] = {
    CAW_PY_ASYNC_O("cancelled_first", cancelled_first_start, parent_result, NULL),
    CAW_PY_ASYNC_O("spawned_cancelled_first", spawned_cancelled_first_start, NULL, NULL),
    CAW_PY_ASYNC_O("dropped_when_ready", dropped_when_ready_start, parent_result, NULL, .poll_without_gil = true),
    CAW_PY_ASYNC_O("dropped_in_place", dropped_in_place_start, parent_result, NULL, .poll_without_gil = true),
    CAW_PY_ASYNC_O("left_in_place", left_in_place_start, parent_result, NULL),
    CAW_PY_ASYNC_NOARGS("left", left_start, caw_py_value, NULL),
    CAW_PY_ASYNC_O("woken_before", woken_before_start, parent_result, NULL),
    CAW_PY_ASYNC_O("woken_after", woken_after_start, parent_result, NULL),
    CAW_PY_ASYNC_O("cancelled_posted", cancelled_posted_start, parent_result, NULL),
    CAW_PY_ASYNC_O("woken_late", woken_late_start, parent_result, NULL),
    CAW_PY_ASYNC_NOARGS("wake_kept", wake_kept_start, NULL, NULL),
    CAW_PY_ASYNC_O("woken_twice", woken_twice_start, parent_result, NULL),
    CAW_PY_ASYNC_O("dropped_when_thrown", just_polled_start, parent_result, NULL, .on_throw = drop_thrown),
    CAW_PY_ASYNC_O("beside_dropped", beside_dropped_start, parent_result, NULL),
    CAW_PY_ASYNC_FASTCALL("told", told_start, parent_result, NULL, .on_throw = told_thrown),
    CAW_PY_ASYNC_FASTCALL("told_shielded", told_start, parent_result, NULL, .on_throw = told_thrown,
                          .cancel = CAW_PY_CANCEL_SHIELD),
    CAW_PY_ASYNC_END,
};
