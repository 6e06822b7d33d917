/* routine.c: async functions in C, as a test uses them from Python: they await Python and C, catch, clean up, yield. */
#include "ext.h"

#include <unistd.h>

/* --- awaits one after another: their values, and where they ended --- */

/* routine(awaitables, cleanup=None, catches=None): awaits all. A failure that is a `catches` gives its args as a value.
 * Then, in the final part, awaits the cleanup, whose errors do not matter where there is one already. */
typedef struct routine {
    caw_async async;
    PyObject *awaitables, *cleanup, *catches; /* references; the last two may be NULL */
    PyObject *values;                         /* a list */
    caw_future *call;
    Py_ssize_t i;
    int status;
} routine;

static void
routine_fini(routine *self)
{
    Py_CLEAR(self->values);
    ext_live_futures--;
}

CAW_ASYNC_FUNCTION_FINI(routine, routine_fini)

/* A value, or an exception that is caught: in the list. Else the status. */
static int
routine_take(routine *self)
{
    PyObject *value = NULL;
    if (self->status == 0) {
        value = caw_py_value(self->call);
    }
    else {
        PyObject *exception = self->catches ? caw_py_exception(self->call) : NULL;
        if (exception && PyErr_GivenExceptionMatches(exception, self->catches)) {
            value = PyObject_GetAttrString(exception, "args");
        }
        Py_XDECREF(exception);
        if (!value && !PyErr_Occurred()) {
            return self->status;
        }
    }
    int failed = value ? PyList_Append(self->values, value) : -1;
    Py_XDECREF(value);
    return failed ? CAW_EPYTHON : 0;
}

static caw_step
routine_run(routine *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        for (self->i = 0; self->i < PyTuple_GET_SIZE(self->awaitables); self->i++) {
            self->call = caw_py_await(NULL, Py_NewRef(PyTuple_GET_ITEM(self->awaitables, self->i)));
            CAW_AWAIT_REF_STATUS(self->status, self->call);
            CAW_TRY(routine_take(self));
            caw_future_destroy(self->call);
            self->call = NULL;
            CAW_AWAIT(caw_sleep(1000));
        }
    }
    CAW_FINALLY
    {
        caw_future_destroy(self->call);
        if (self->cleanup) {
            CAW_AWAIT(caw_py_await(NULL, Py_NewRef(self->cleanup)));
            CAW_AWAIT(caw_sleep(1000));
        }
        Py_CLEAR(self->awaitables);
        Py_CLEAR(self->cleanup);
        Py_CLEAR(self->catches);
    }
}

static int
routine_arguments(caw_async *frame, PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    routine *self = CAW_CONTAINER_OF(frame, routine, async);
    static char *names[] = {"awaitables", "cleanup", "catches", NULL};
    PyObject *awaitables, *cleanup = NULL, *catches = NULL;
    ext_live_futures++; /* fini is called in any case */
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!|OO:routine", names, &PyTuple_Type, &awaitables, &cleanup,
                                     &catches)) {
        return -1;
    }
    self->awaitables = Py_NewRef(awaitables);
    self->cleanup = cleanup == Py_None ? NULL : Py_XNewRef(cleanup);
    self->catches = Py_XNewRef(catches);
    self->values = PyList_New(0);
    return self->values ? 0 : -1;
}

static PyObject *
routine_result(caw_future *f)
{
    return Py_NewRef(CAW_CONTAINER_OF(f, routine, async.future)->values);
}

/* --- a maker that fails --- */

typedef struct makes_nothing {
    caw_async async;
} makes_nothing;

CAW_ASYNC_FUNCTION(makes_nothing)

static caw_step
makes_nothing_run(makes_nothing *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        CAW_AWAIT(caw_py_await(NULL, Py_NewRef(Py_None))); /* a TypeError */
    }
    CAW_FINALLY
    {
        CAW_AWAIT(caw_sleep(1000));
    }
}

/* --- a function that another one calls, without Python --- */

typedef struct naps {
    caw_async async;
    long left;
    int fd; /* what the innermost one waits for; -1: a moment */
    caw_future *nested;
} naps;

CAW_ASYNC_FUNCTION(naps)

static caw_step
naps_run(naps *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        CAW_AWAIT(self->left == 0 && self->fd >= 0 ? caw_readable(self->fd) : caw_sleep(1000));
        if (self->left > 0) {
            self->nested = CAW_ASYNC_NEW(naps, .left = self->left - 1, .fd = self->fd);
            CAW_AWAIT_REF(self->nested);
        }
        CAW_AWAIT(caw_ready(self->left == 0 ? -ENOENT : 0));
    }
    CAW_FINALLY
    {
        caw_future_destroy(self->nested);
    }
}

static int
naps_arguments(caw_async *frame, PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"depth", "fd", NULL};
    naps *self = CAW_CONTAINER_OF(frame, naps, async);
    self->fd = -1;
    return PyArg_ParseTupleAndKeywords(args, kwargs, "l|i:naps", names, &self->left, &self->fd) ? 0 : -1;
}

/* --- a function whose poll is long, and without the GIL --- */

/* long_poll(fd): after a wait it writes a byte to the socket, and goes on when one has come, without a wait. */
typedef struct long_poll {
    caw_async async;
    int fd;
    char byte;
} long_poll;

CAW_ASYNC_FUNCTION(long_poll)

static caw_step
long_poll_run(long_poll *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        CAW_AWAIT(caw_sleep(1000));
        CAW_TRY(write(self->fd, &self->byte, 1) == 1 ? 0 : -EIO);
        CAW_TRY(read(self->fd, &self->byte, 1) == 1 ? 0 : -EIO);
        CAW_AWAIT(caw_readable(self->fd));
    }
    CAW_FINALLY
    {
    }
}

static int
long_poll_arguments(caw_async *frame, PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"fd", NULL};
    int *fd = &CAW_CONTAINER_OF(frame, long_poll, async)->fd;
    return PyArg_ParseTupleAndKeywords(args, kwargs, "i:long_poll", names, fd) ? 0 : -1;
}

const caw_py_async_def ext_routine_functions[] = {
    CAW_PY_ROUTINE("long_poll", long_poll, long_poll_arguments, NULL, NULL, .poll_without_gil = true),
    CAW_PY_ROUTINE("routine", routine, routine_arguments, routine_result,
                   "routine(awaitables, cleanup=None, catches=None)\n--\n\nThe values of all."),
    CAW_PY_ROUTINE("makes_nothing", makes_nothing, NULL, NULL, "makes_nothing()\n--\n\nA TypeError."),
    CAW_PY_ROUTINE("makes_nothing_undocumented", makes_nothing, NULL, NULL, NULL),
    CAW_PY_ROUTINE("naps", naps, naps_arguments, NULL, "naps(depth, fd=-1)\n--\n\nENOENT, so many calls deep."),
    CAW_PY_ASYNC_END,
};

/* --- a generator --- */

typedef struct doubled {
    caw_generator generator;
    caw_stream *source;
    caw_next_op next;
} doubled;

CAW_GENERATOR_FUNCTION(doubled)

static caw_item *
doubled_item(const caw_item *item)
{
    PyObject *value = caw_py_item_value(item);
    PyObject *twice = PyNumber_Add(value, value);
    long long number = twice ? PyLong_AsLongLong(twice) : -1;
    Py_DECREF(value);
    Py_XDECREF(twice);
    return PyErr_Occurred() ? NULL : ext_number_new(number);
}

static caw_step
doubled_run(doubled *self, caw_context *cx)
{
    CAW_GENERATOR (&self->generator, cx) {
        for (;;) {
            caw_next_init(&self->next, self->source);
            CAW_AWAIT_REF(&self->next.future);
            if (!self->next.item) {
                CAW_RETURN(0);
            }
            CAW_YIELD(doubled_item(self->next.item));
            caw_future_destroy(&self->next.future);
            self->next.stream = NULL;
            CAW_AWAIT(caw_sleep(1000));
        }
    }
    CAW_FINALLY
    {
        if (self->next.stream) {
            caw_future_destroy(&self->next.future);
        }
        caw_stream_destroy(self->source);
    }
}

static int
doubled_arguments(caw_generator *frame, PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"iterable", NULL};
    PyObject *iterable;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:doubled", names, &iterable)) {
        return -1;
    }
    doubled *self = CAW_CONTAINER_OF(frame, doubled, generator);
    self->source = caw_py_iterate(NULL, Py_NewRef(iterable), NULL);
    return self->source ? 0 : -1;
}

typedef struct gives_nothing {
    caw_generator generator;
} gives_nothing;

CAW_GENERATOR_FUNCTION(gives_nothing)

static caw_step
gives_nothing_run(gives_nothing *self, caw_context *cx)
{
    CAW_GENERATOR (&self->generator, cx) {
    }
    CAW_FINALLY
    {
    }
}

const caw_py_stream_def ext_routine_streams[] = {
    CAW_PY_GENERATOR("gives_nothing", gives_nothing, NULL, NULL, NULL),
    CAW_PY_GENERATOR("doubled", doubled, doubled_arguments, ext_number_object,
                     "doubled(iterable)\n--\n\nTwice each number."),
    CAW_PY_STREAM_END,
};
