/* count.c: functions for the rows of count_rows.py, in addition to those of the other rows.
 *
 * Instructions are counted, and a count can be reproduced only if nothing depends on how threads are scheduled. So
 * there is one thread here. Where a row is about another thread, the loop's own thread does that thread's part without
 * the GIL: the library then runs the same code as for any other thread.
 */
#include "bench.h"

#include <stdlib.h>

/* --- post_each(function, n): n times, post a call of an async def to the loop and await its end --- */

typedef struct post {
    caw_future future;
    caw_future *child;
    caw_py_locals *locals;
    caw_py_ref *function;
    long left;
} post;

static PyObject *
post_call(void *arg)
{
    return PyObject_CallNoArgs(caw_py_ref_get(((post *)arg)->function));
}

static const caw_py_call_spec post_spec = {post_call, NULL, NULL};

/* Without the GIL. */
static caw_poll
post_poll(caw_future *f, caw_context *cx)
{
    post *p = CAW_CONTAINER_OF(f, post, future);
    for (; p->left > 0; p->left--) {
        if (!p->child && !(p->child = caw_py_call(p->locals, &post_spec, p))) {
            return caw_future_finish(f, CAW_ENOMEM);
        }
        if (caw_future_poll(p->child, cx) == CAW_PENDING) {
            return CAW_PENDING;
        }
        int status = p->child->status;
        caw_future_destroy(p->child);
        p->child = NULL;
        if (status < 0) {
            return caw_future_finish(f, status);
        }
    }
    return caw_future_finish(f, 0);
}

static void
post_destroy(caw_future *f)
{
    post *p = CAW_CONTAINER_OF(f, post, future);
    caw_future_destroy(p->child);
    caw_py_ref_release(p->function);
    caw_py_locals_release(p->locals);
    free(p);
}

static const caw_future_ops post_ops = {"bench.post_each", post_poll, NULL, post_destroy};

static caw_future *
post_start(PyObject *module, PyObject *const *args, Py_ssize_t nargs, PyObject *Py_UNUSED(kwnames))
{
    post *p = nargs == 2 ? malloc(sizeof *p) : NULL;
    if (!p) {
        PyErr_SetString(PyExc_TypeError, "post_each(function, n)");
        return NULL;
    }
    *p = (post){.locals = caw_py_locals_new(module), .left = PyLong_AsLong(args[1])};
    caw_future_init(&p->future, &post_ops);
    p->function = p->locals ? caw_py_ref_new(p->locals, args[0]) : NULL;
    if (!p->function) {
        post_destroy(&p->future);
        return NULL;
    }
    return &p->future;
}

const caw_py_async_def bench_count_awaits[] = {
    CAW_PY_ASYNC_FASTCALL("post_each", post_start, NULL, NULL, .poll_without_gil = true),
    CAW_PY_ASYNC_END,
};

/* --- functions --- */

static PyObject *
complete_held(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromLong(bench_complete_held());
}

/* Callgrind is given the name of this function, and writes down its counts whenever it is called. */
static PyObject *
bench_mark(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    static long marks;
    return PyLong_FromLong(++marks);
}

PyMethodDef bench_count_functions[] = {
    {"complete_held", complete_held, METH_NOARGS, "complete_held()\n--\n\nComplete what is held; returns the number."},
    {"mark", bench_mark, METH_NOARGS, "mark()\n--\n\nEnd a section of the count; returns how many there were."},
    {NULL, NULL, 0, NULL},
};
