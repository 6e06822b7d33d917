/* many.c: many futures at once that one task awaits: our side of the rows of rows_many.py. */
#include "bench.h"

#include <stdlib.h>

/* --- all of n: operations that the worker thread completes, or sleeps --- */

/* NULL: out of memory. */
static caw_future *
all_of(size_t n, caw_future *(*make)(size_t i))
{
    caw_future **children = n > 0 && n <= SIZE_MAX / sizeof *children ? malloc(n * sizeof *children) : NULL;
    if (!children) {
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        children[i] = make(i);
    }
    caw_future *f = caw_all_array(children, n);
    free(children);
    return f;
}

static caw_future *
make_op(size_t Py_UNUSED(i))
{
    return bench_op();
}

static caw_future *
all_start(PyObject *Py_UNUSED(module), PyObject *arg)
{
    size_t n = PyLong_AsSize_t(arg);
    return PyErr_Occurred() ? NULL : all_of(n, make_op);
}

/* As long as delay_of() of memory.py says. */
static caw_future *
make_sleep(size_t i)
{
    return caw_sleep(UINT64_C(1000000) + (uint64_t)i * 7919 % 20000 * 1000);
}

static caw_future *
sleeps_start(PyObject *Py_UNUSED(module), PyObject *arg)
{
    size_t n = PyLong_AsSize_t(arg);
    return PyErr_Occurred() ? NULL : all_of(n, make_sleep);
}

/* --- one turn of the loop, as asyncio.sleep(0) --- */

static caw_poll
turn_poll(caw_future *f, caw_context *cx)
{
    if (atomic_exchange_explicit(&f->word, 1, memory_order_relaxed)) { /* relaxed: the poller's alone */
        return caw_future_finish(f, 0);
    }
    caw_waker_wake_by_ref(cx->waker);
    return CAW_PENDING;
}

static void
turn_destroy(caw_future *Py_UNUSED(f))
{
}

static const caw_future_ops turn_ops = {"bench.turn", turn_poll, NULL, turn_destroy};

/* --- through one mutex --- */

/* Takes the mutex, waits for a turn while it is held, and gives it to the next. */
typedef struct passer {
    caw_async async;
    caw_mutex *mutex;
    caw_lock lock;
    caw_future turn;
} passer;

CAW_ASYNC_FUNCTION(passer)

static caw_step
passer_run(passer *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        CAW_AWAIT_REF(caw_mutex_lock(&self->lock, self->mutex));
        caw_future_init(&self->turn, &turn_ops);
        CAW_AWAIT(&self->turn);
    }
    CAW_FINALLY
    {
        caw_lock_release(&self->lock);
    }
}

/* pass_one(): one of them, for one task of Python. The mutex is the same for all. */
static caw_mutex one_mutex = CAW_MUTEX_INIT;

static int
pass_arguments(caw_async *frame, PyObject *Py_UNUSED(module), PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    CAW_CONTAINER_OF(frame, passer, async)->mutex = &one_mutex;
    return PyArg_ParseTuple(args, ":pass_one") ? 0 : -1;
}

/* pass_all(n): n of them in a group, which one task awaits. */
static int
pass_all_add(caw_group *group, long n)
{
    int error = 0;
    for (long i = 0; i < n && !error; i++) {
        error = caw_group_add(group, CAW_ASYNC_NEW(passer, .mutex = &one_mutex));
    }
    return error;
}

static caw_future *
pass_all_start(PyObject *Py_UNUSED(module), PyObject *arg)
{
    long n = PyLong_AsLong(arg);
    if (PyErr_Occurred()) {
        return NULL;
    }
    caw_group *group;
    caw_future *all;
    int error = caw_group_new(&(caw_group_spec){0}, &group, &all);
    error = error ? error : pass_all_add(group, n);
    caw_group_release(group);
    if (error) {
        caw_future_destroy(all);
        return (caw_future *)caw_py_set_error(error);
    }
    return all;
}

const caw_py_async_def bench_many[] = {
    CAW_PY_ASYNC_O("all_ops", all_start, NULL, "all_ops(n)\n--\n\nn operations that a native thread completes."),
    CAW_PY_ASYNC_O("all_sleeps", sleeps_start, NULL, "all_sleeps(n)\n--\n\nn sleeps of 1 to 21 ms."),
    CAW_PY_ASYNC_O("pass_all", pass_all_start, NULL, "pass_all(n)\n--\n\nn functions pass through one mutex."),
    CAW_PY_ROUTINE("pass_one", passer, pass_arguments, NULL, "pass_one()\n--\n\nPass through the mutex."),
    CAW_PY_ASYNC_END,
};
