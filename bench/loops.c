/* loops.c: a loop of awaits, as an async function of async.h and as a future written by hand. The child is ready at
 * once, or suspends its awaiter once each time. It needs no memory: so what is measured is the awaits alone.
 */
#include "bench.h"

/* --- children --- */

static void
child_destroy(caw_future *Py_UNUSED(f))
{
}

static caw_poll
ready_child_poll(caw_future *f, caw_context *Py_UNUSED(cx))
{
    return caw_future_finish(f, 0);
}

static const caw_future_ops ready_child_ops = {"bench.ready_child", ready_child_poll, NULL, child_destroy};

/* Nobody wakes: whoever counts polls again at once. */
static caw_poll
suspending_child_poll(caw_future *f, caw_context *Py_UNUSED(cx))
{
    uint32_t suspended = atomic_load_explicit(&f->word, memory_order_relaxed); /* relaxed: the poller's alone */
    atomic_store_explicit(&f->word, !suspended, memory_order_relaxed);         /* relaxed: likewise */
    return suspended ? caw_future_finish(f, 0) : CAW_PENDING;
}

static const caw_future_ops suspending_child_ops = {"bench.suspending_child", suspending_child_poll, NULL,
                                                    child_destroy};

/* --- the loop --- */

typedef struct routine_loop {
    caw_async async;
    caw_future child;
    long i, n;
} routine_loop;

CAW_ASYNC_FUNCTION(routine_loop)

static caw_step
routine_loop_run(routine_loop *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        for (self->i = 0; self->i < self->n; self->i++) {
            CAW_AWAIT(&self->child);
        }
    }
}

typedef struct hand_loop {
    caw_future future;
    caw_future child;
    long i, n;
} hand_loop;

static caw_poll
hand_loop_poll(caw_future *f, caw_context *cx)
{
    hand_loop *self = CAW_CONTAINER_OF(f, hand_loop, future);
    for (; self->i < self->n; self->i++) {
        if (caw_future_poll(&self->child, cx) == CAW_PENDING) {
            return CAW_PENDING;
        }
        int status = self->child.status;
        caw_future_destroy(&self->child);
        if (status < 0) {
            return caw_future_finish(f, status);
        }
    }
    return caw_future_finish(f, 0);
}

static const caw_future_ops hand_loop_ops = {"bench.hand_loop", hand_loop_poll, NULL, child_destroy};

/* --- await_ready(n): the coroutine of rows_routines.py --- */

static int
await_ready_arguments(caw_async *frame, PyObject *Py_UNUSED(module), PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    routine_loop *self = CAW_CONTAINER_OF(frame, routine_loop, async);
    caw_future_init(&self->child, &ready_child_ops);
    return PyArg_ParseTuple(args, "l:await_ready", &self->n) ? 0 : -1;
}

const caw_py_async_def bench_loops[] = {
    CAW_PY_ROUTINE("await_ready", routine_loop, await_ready_arguments, NULL,
                   "await_ready(n)\n--\n\nAwait n times what is ready at once."),
    CAW_PY_ASYNC_END,
};

/* --- for count_rows.py: the loop is polled until it has ended, and nothing else is done --- */

/* Returns what the last argument of both functions is: the child's table, with *n set. NULL: an exception is set. */
static const caw_future_ops *
loop_arguments(PyObject *args, long *n)
{
    int suspends;
    if (!PyArg_ParseTuple(args, "lp", n, &suspends)) {
        return NULL;
    }
    return suspends ? &suspending_child_ops : &ready_child_ops;
}

static PyObject *
loop_run(caw_future *f)
{
    caw_context cx = {CAW_WAKER_NONE, NULL, NULL};
    while (caw_future_poll(f, &cx) == CAW_PENDING) {
    }
    int status = f->status;
    caw_future_destroy(f);
    return status < 0 ? caw_py_set_error(status) : Py_NewRef(Py_None);
}

static PyObject *
run_routine(PyObject *Py_UNUSED(module), PyObject *args)
{
    routine_loop loop;
    long n;
    const caw_future_ops *child_ops = loop_arguments(args, &n);
    if (!child_ops) {
        return NULL;
    }
    caw_future *f = CAW_ASYNC_CALL(&loop, routine_loop, .n = n);
    caw_future_init(&loop.child, child_ops);
    return loop_run(f);
}

static PyObject *
run_by_hand(PyObject *Py_UNUSED(module), PyObject *args)
{
    hand_loop loop = {.i = 0};
    const caw_future_ops *child_ops = loop_arguments(args, &loop.n);
    if (!child_ops) {
        return NULL;
    }
    caw_future_init(&loop.future, &hand_loop_ops);
    caw_future_init(&loop.child, child_ops);
    return loop_run(&loop.future);
}

PyMethodDef bench_loop_functions[] = {
    {"run_routine", run_routine, METH_VARARGS, "run_routine(n, suspends)\n--\n\nThe loop as an async function."},
    {"run_by_hand", run_by_hand, METH_VARARGS, "run_by_hand(n, suspends)\n--\n\nThe loop written by hand."},
    {NULL, NULL, 0, NULL},
};
