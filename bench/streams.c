/* streams.c: streams of numbers, our side of the rows of rows_stream.py. */
#include "bench.h"

#include <stdlib.h>

#define SLOTS 1024 /* as in rows_stream.py */

typedef struct number {
    caw_item item;
    long value;
} number;

static void
number_destroy(caw_item *item)
{
    free(CAW_CONTAINER_OF(item, number, item));
}

static caw_item *
number_new(long value)
{
    number *n = malloc(sizeof *n);
    if (!n) {
        return NULL;
    }
    *n = (number){.item = {.destroy = number_destroy}, .value = value};
    return &n->item;
}

static PyObject *
number_value(caw_stream *Py_UNUSED(s), caw_item *item)
{
    return PyLong_FromLong(CAW_CONTAINER_OF(item, const number, item)->value);
}

/* --- numbers(n), number_lists(n): 0 to 255 again and again, all in the channel before the first await --- */

/* The items are one array that the channel frees at the end, so that malloc is not measured. */
static int
numbers_fill(caw_channel *channel, number *numbers, size_t n)
{
    int error = 0;
    for (size_t i = 0; i < n && !error; i++) {
        numbers[i] = (number){.value = (long)(i % 256)};
        error = caw_channel_try_send(channel, &numbers[i].item);
    }
    caw_channel_release(channel);
    return error;
}

static caw_stream *
numbers_start(PyObject *Py_UNUSED(module), PyObject *arg)
{
    size_t n = PyLong_AsSize_t(arg);
    number *numbers = PyErr_Occurred() ? NULL : malloc(n * sizeof *numbers);
    if (!numbers) {
        return NULL;
    }
    caw_channel *channel;
    int error = caw_channel_new(&(caw_channel_spec){.capacity = n, .free = free, .user = numbers}, &channel);
    if (error) {
        return (caw_stream *)caw_py_set_error(error);
    }
    caw_stream *stream = caw_channel_stream(channel);
    error = numbers_fill(channel, numbers, n);
    if (error) {
        caw_stream_destroy(stream);
        return (caw_stream *)caw_py_set_error(error);
    }
    return stream;
}

/* --- produced(n): the same by the worker thread, which waits where the channel is full --- */

typedef struct producer {
    bench_task task;
    caw_channel *channel;
    long n;
} producer;

static void
producer_run(bench_task *task)
{
    producer *p = CAW_CONTAINER_OF(task, producer, task);
    int status = 0;
    for (long i = 0; i < p->n && status == 0; i++) {
        status = caw_channel_send(p->channel, number_new(i));
    }
    caw_channel_release(p->channel);
    free(p);
}

static caw_stream *
produced_start(PyObject *Py_UNUSED(module), PyObject *arg)
{
    long n = PyLong_AsLong(arg);
    producer *p = PyErr_Occurred() ? NULL : malloc(sizeof *p);
    if (!p) {
        return NULL;
    }
    int error = caw_channel_new(&(caw_channel_spec){.capacity = SLOTS}, &p->channel);
    if (error) {
        free(p);
        return (caw_stream *)caw_py_set_error(error);
    }
    p->task.run = producer_run;
    p->n = n;
    caw_stream *stream = caw_channel_stream(p->channel);
    error = bench_submit(&p->task);
    if (error) {
        caw_channel_release(p->channel);
        free(p);
        caw_stream_destroy(stream);
        return (caw_stream *)caw_py_set_error(error);
    }
    return stream;
}

const caw_py_stream_def bench_streams[] = {
    CAW_PY_STREAM_O("numbers", numbers_start, number_value, "numbers(n)\n--\n\nNumbers that are there."),
    CAW_PY_STREAM_O("number_lists", numbers_start, number_value, "number_lists(n)\n--\n\nThe same in lists.",
                    .batch = 64),
    CAW_PY_STREAM_O("produced", produced_start, number_value, "produced(n)\n--\n\nNumbers that a thread sends."),
    CAW_PY_STREAM_O("produced_lists", produced_start, number_value, "produced_lists(n)\n--\n\nThe same in lists.",
                    .batch = 64),
    CAW_PY_STREAM_END,
};

/* --- sum(iterable): Python's numbers, added up by C --- */

typedef struct total {
    caw_future future;
    caw_stream *stream;
    long sum;
} total;

static caw_poll
total_poll(caw_future *f, caw_context *cx)
{
    total *t = CAW_CONTAINER_OF(f, total, future);
    caw_item *item;
    while (caw_stream_poll_next(t->stream, cx, &item) == CAW_READY) {
        if (!item) {
            return caw_future_finish(f, t->stream->status);
        }
        PyObject *value = caw_py_item_value(item);
        t->sum += PyLong_AsLong(value);
        Py_DECREF(value);
        caw_item_destroy(item);
        if (PyErr_Occurred()) {
            return caw_future_finish(f, CAW_EPYTHON);
        }
    }
    return CAW_PENDING;
}

static void
total_destroy(caw_future *f)
{
    total *t = CAW_CONTAINER_OF(f, total, future);
    caw_stream_destroy(t->stream);
    free(t);
}

static const caw_future_ops total_ops = {"bench.sum", total_poll, NULL, total_destroy};

static caw_future *
sum_start(PyObject *Py_UNUSED(module), PyObject *iterable)
{
    caw_stream *stream = caw_py_iterate(NULL, Py_NewRef(iterable), NULL);
    total *t = stream ? malloc(sizeof *t) : NULL;
    if (!t) {
        caw_stream_destroy(stream);
        return NULL;
    }
    *t = (total){.stream = stream};
    caw_future_init(&t->future, &total_ops);
    return &t->future;
}

static PyObject *
sum_result(caw_future *f)
{
    return PyLong_FromLong(CAW_CONTAINER_OF(f, const total, future)->sum);
}

const caw_py_async_def bench_stream_functions[] = {
    CAW_PY_ASYNC_O("sum", sum_start, sum_result, "sum(iterable)\n--\n\nThe sum of the items of an async iterable."),
    CAW_PY_ASYNC_END,
};
