/* sum_numbers.c: numbers that an async generator of Python gives, consumed in C: in place, or by a thread of the pool.
 *
 *     tools/amalgamate && cc -std=c11 -O2 -shared -fPIC -fvisibility=hidden -pthread -Ibuild/joined \
 *         $(python3-config --includes) build/joined/cawait.c examples/sum_numbers/sum_numbers.c -o sum_numbers.so
 */
#include <cawait.h>

#include <limits.h>
#include <stdlib.h>

typedef struct number {
    caw_item item;
    long long value;
} number;

static void
number_destroy(caw_item *item)
{
    free(CAW_CONTAINER_OF(item, number, item));
}

/* [convert] */
/* From Python's value to ours: in the loop's thread, with the GIL. What is no number ends all with a TypeError. */
static int
number_from_python(void *Py_UNUSED(user), PyObject *value, caw_item **out)
{
    long long integer = PyLong_AsLongLong(value);
    if (PyErr_Occurred()) {
        return CAW_EPYTHON;
    }
    number *n = malloc(sizeof *n);
    if (!n) {
        return CAW_ENOMEM;
    }
    *n = (number){.item = {.destroy = number_destroy}, .value = integer};
    *out = &n->item;
    return 0;
}

static const caw_py_iterable_spec numbers = {.convert = number_from_python, .capacity = 256};
/* [/convert] */

/* The sum of a stream's items, up to a limit: in the loop's thread, or on a worker without the GIL. */
typedef struct total {
    caw_async async;
    caw_stream *stream; /* owned */
    caw_next_op next;
    long long sum, limit;
    int status, error; /* of the stream; of the sum */
    bool stopped;
} total;

CAW_ASYNC_FUNCTION(total)

/* Add a number up. Whether it is the last one. */
static bool
total_add(total *self, long long value)
{
    self->error = __builtin_add_overflow(self->sum, value, &self->sum) ? -EOVERFLOW : 0;
    return self->error || self->sum >= self->limit;
}

static caw_step
total_run(total *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        for (;;) {
            caw_next_init(&self->next, self->stream);
            CAW_AWAIT_REF_STATUS(self->status, &self->next.future);
            if (!self->next.item) { /* the end, an error, or the end after a cancel */
                CAW_RETURN(self->status < 0 && !(self->stopped && self->status == CAW_ECANCELED) ? self->status
                                                                                                 : self->error);
            }
            if (!self->stopped && total_add(self, CAW_CONTAINER_OF(self->next.item, number, item)->value)) {
                self->stopped = true;
                caw_stream_cancel(self->stream); /* then go on: the generator's `finally` is awaited first */
            }
            caw_future_destroy(&self->next.future); /* and the item */
        }
    }
    CAW_FINALLY
    {
        caw_stream_destroy(self->stream);
    }
}

/* Takes the stream, which may be NULL with an exception set. Returns NULL with that exception, or, when out of memory,
 * without one. */
static caw_future *
total_new(caw_stream *stream, long long limit)
{
    return stream ? CAW_ASYNC_NEW(total, .stream = stream, .limit = limit) : NULL;
}

static caw_future *
sum_start(PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    PyObject *iterable;
    long long limit = LLONG_MAX;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|L:sum", (char *[]){"", "limit", NULL}, &iterable, &limit)) {
        return NULL;
    }
    return total_new(caw_py_iterate(NULL, Py_NewRef(iterable), &numbers), limit);
}

static PyObject *
sum_result(caw_future *f)
{
    return PyLong_FromLongLong(CAW_CONTAINER_OF(f, const total, async.future)->sum);
}

/* The generator runs as a task of the loop, up to 256 numbers ahead; they are added up on the pool. */
static caw_future *
sum_on_pool_start(PyObject *module, PyObject *args, PyObject *kwargs)
{
    PyObject *iterable;
    long long limit = LLONG_MAX;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|L:sum_on_pool", (char *[]){"", "limit", NULL}, &iterable,
                                     &limit)) {
        return NULL;
    }
    caw_py_locals *locals = caw_py_locals_new(module); /* the loop that runs here */
    caw_future *sum = locals ? total_new(caw_py_iterate(locals, Py_NewRef(iterable), &numbers), limit) : NULL;
    caw_future *scope = sum ? caw_py_scope(locals, sum) : NULL; /* keeps the exception that ends the generator */
    caw_future *join = scope ? caw_spawn(NULL, scope) : NULL;   /* NULL: the default pool */
    caw_py_locals_release(locals);
    return join;
}

static PyObject *
sum_on_pool_result(caw_future *f)
{
    return sum_result(caw_py_scope_child(caw_spawn_child(f)));
}

static const caw_py_async_def functions[] = {
    CAW_PY_ASYNC("sum", sum_start, sum_result,
                 "sum(iterable, /, limit=...)\n--\n\nThe sum of what an async iterable gives; stops at the limit."),
    CAW_PY_ASYNC("sum_on_pool", sum_on_pool_start, sum_on_pool_result,
                 "sum_on_pool(iterable, /, limit=...)\n--\n\nThe same, added up by a native thread."),
    CAW_PY_ASYNC_END,
};

static int
sum_numbers_exec(PyObject *module)
{
    return caw_py_add_functions(module, functions);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, __extension__(void *) sum_numbers_exec}, {0, NULL}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "sum_numbers", .m_slots = slots};

PyMODINIT_FUNC
PyInit_sum_numbers(void)
{
    return PyModuleDef_Init(&definition);
}
