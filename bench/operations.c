/* operations.c: the operations of our side of the rows. */
#include "bench.h"

#include <stdlib.h>

/* --- ready at the first poll --- */

/* An operation without state needs no memory. One static future serves every call: its poll always writes the same
 * status, and destroy does nothing. Authors do this for "is in the cache" and "nothing to wait for".
 */
static caw_poll
ready_poll(caw_future *f, caw_context *Py_UNUSED(cx))
{
    return caw_future_finish(f, 0);
}

static void
ready_destroy(caw_future *Py_UNUSED(f))
{
}

static const caw_future_ops ready_ops = {"bench.ready", ready_poll, NULL, ready_destroy};
static caw_future ready_future = {.ops = &ready_ops};

static caw_future *
ready_start(PyObject *Py_UNUSED(module))
{
    return &ready_future;
}

static PyObject *
ready_int_result(caw_future *Py_UNUSED(f))
{
    return PyLong_FromLong(1);
}

/* --- completed at once by the worker thread --- */

typedef struct op_job {
    caw_promise promise;
    bench_task task;
} op_job;

static void
op_run(bench_task *task)
{
    caw_promise_resolve(&CAW_CONTAINER_OF(task, op_job, task)->promise, 0);
}

static int
op_begin(caw_promise *p)
{
    return bench_submit(&CAW_CONTAINER_OF(p, op_job, promise)->task);
}

static const caw_promise_ops op_ops = CAW_PROMISE_OPS("bench.op", op_begin, NULL);

caw_future *
bench_op(void)
{
    op_job *job = malloc(sizeof *job);
    if (!job) {
        return NULL;
    }
    caw_promise_init(&job->promise, &op_ops);
    job->task.run = op_run;
    return &job->promise.future;
}

static caw_future *
op_start(PyObject *Py_UNUSED(module))
{
    return bench_op();
}

/* --- started and held, until a burst completes them all --- */

typedef struct held_job {
    caw_promise promise;
    struct held_job *next; /* valid from start to burst */
} held_job;

/* The held operations, first in first out. Protected by the GIL, with which polls run. */
static held_job *held_first, **held_end = &held_first;
static long held_count;

static int
held_begin(caw_promise *p)
{
    held_job *job = CAW_CONTAINER_OF(p, held_job, promise);
    job->next = NULL;
    *held_end = job;
    held_end = &job->next;
    held_count++;
    return 0;
}

static const caw_promise_ops held_ops = CAW_PROMISE_OPS("bench.held", held_begin, NULL);

static caw_future *
held_start(PyObject *Py_UNUSED(module))
{
    held_job *job = malloc(sizeof *job);
    if (!job) {
        PyErr_NoMemory();
        return NULL;
    }
    caw_promise_init(&job->promise, &held_ops);
    return &job->promise.future;
}

/* Take all held operations. */
static held_job *
held_take(long *count)
{
    held_job *first = held_first;
    *count = held_count;
    held_first = NULL;
    held_end = &held_first;
    held_count = 0;
    return first;
}

static void
held_complete(held_job *first)
{
    for (held_job *job = first, *next; job; job = next) {
        next = job->next; /* after resolve the job may be freed */
        caw_promise_resolve(&job->promise, 0);
    }
}

long
bench_complete_held(void)
{
    long count;
    held_job *first = held_take(&count);
    Py_BEGIN_ALLOW_THREADS; /* so that it runs as in a native thread */
    held_complete(first);
    Py_END_ALLOW_THREADS;
    return count;
}

/* The burst is an operation too: it ends when it has completed all operations that were held when it began. */
typedef struct burst_job {
    caw_promise promise;
    bench_task task;
    held_job *first;
    long count;
    uint64_t took_ns;
} burst_job;

static void
burst_run(bench_task *task)
{
    burst_job *burst = CAW_CONTAINER_OF(task, burst_job, task);
    uint64_t begin = caw_now_ns();
    held_complete(burst->first);
    burst->took_ns = caw_now_ns() - begin;
    caw_promise_resolve(&burst->promise, 0);
}

static int
burst_begin(caw_promise *p)
{
    burst_job *burst = CAW_CONTAINER_OF(p, burst_job, promise);
    burst->first = held_take(&burst->count);
    return bench_submit(&burst->task);
}

static const caw_promise_ops burst_ops = CAW_PROMISE_OPS("bench.burst", burst_begin, NULL);

static caw_future *
burst_start(PyObject *Py_UNUSED(module))
{
    burst_job *burst = calloc(1, sizeof *burst);
    if (!burst) {
        PyErr_NoMemory();
        return NULL;
    }
    caw_promise_init(&burst->promise, &burst_ops);
    burst->task.run = burst_run;
    return &burst->promise.future;
}

static PyObject *
burst_result(caw_future *f)
{
    burst_job *burst = CAW_CONTAINER_OF(f, burst_job, promise.future);
    return Py_BuildValue("lK", burst->count, (unsigned long long)burst->took_ns);
}

const caw_py_async_def bench_operations[] = {
    CAW_PY_ASYNC_NOARGS("ready_none", ready_start, NULL, "ready_none()\n--\n\nReady at the first poll: None."),
    CAW_PY_ASYNC_NOARGS("ready_int", ready_start, ready_int_result, "ready_int()\n--\n\nReady at the first poll: 1."),
    CAW_PY_ASYNC_NOARGS("op", op_start, NULL, "op()\n--\n\nCompleted at once by a native thread."),
    CAW_PY_ASYNC_NOARGS("held", held_start, NULL, "held()\n--\n\nPending until the next burst()."),
    CAW_PY_ASYNC_NOARGS("burst", burst_start, burst_result,
                        "burst()\n--\n\nComplete all held operations from a native thread: (number, ns it took)."),
    CAW_PY_ASYNC_END,
};
