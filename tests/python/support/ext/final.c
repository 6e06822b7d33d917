/* final.c: async functions in C whose parts call Python, which may raise: what becomes of each exception. */
#include "ext.h"

#include <stdint.h>
#include <stdlib.h>

/* What the parts call: tuples of functions without arguments, references; or NULL. */
typedef struct calls {
    PyObject *tries;  /* what they return is dropped: CAW_TRY */
    PyObject *makes;  /* what they return is awaited: CAW_AWAIT */
    PyObject *yields; /* what they return is an item, a number; in a generator: CAW_YIELD */
    int returns;      /* the first of `tries` is the last call: CAW_RETURN */
    int fd;           /* in a body: before that, until it is readable, which no cancel ends; -1: not */
    Py_ssize_t i;
} calls;

static Py_ssize_t
calls_number(const PyObject *functions)
{
    return functions ? PyTuple_GET_SIZE(functions) : 0;
}

/* Call one. Nothing may be set before: else it is reported, and the test fails. */
static PyObject *
calls_call(PyObject *functions, Py_ssize_t i)
{
    PyObject *function = PyTuple_GET_ITEM(functions, i);
    if (PyErr_Occurred()) {
        PyErr_WriteUnraisable(function);
    }
    return PyObject_CallNoArgs(function);
}

static int
calls_try(const calls *c)
{
    PyObject *dropped = calls_call(c->tries, c->i);
    Py_XDECREF(dropped);
    return dropped ? 0 : CAW_EPYTHON;
}

static caw_future *
calls_make(const calls *c)
{
    PyObject *awaitable = calls_call(c->makes, c->i);
    return awaitable ? caw_py_await(NULL, awaitable) : NULL;
}

static caw_item *
calls_item(const calls *c)
{
    PyObject *number = calls_call(c->yields, c->i);
    long long value = number ? PyLong_AsLongLong(number) : -1;
    Py_XDECREF(number);
    return PyErr_Occurred() ? NULL : ext_number_new(value);
}

static caw_future *
calls_wait(const calls *c)
{
    return ext_several('j', caw_readable(c->fd), caw_ready(0));
}

static int
calls_parse(calls *body, calls *final, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"tries",        "makes", "yields",  "final_tries",   "final_makes",
                            "final_yields", "fd",    "returns", "final_returns", NULL};
    int fd = -1, returns = 0, final_returns = 0;
    PyObject *tries = NULL, *makes = NULL, *yields = NULL, *final_tries = NULL, *final_makes = NULL,
             *final_yields = NULL;
    PyTypeObject *type = &PyTuple_Type;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$O!O!O!O!O!O!ipp:final", names, type, &tries, type, &makes, type,
                                     &yields, type, &final_tries, type, &final_makes, type, &final_yields, &fd,
                                     &returns, &final_returns)) {
        return -1;
    }
    *body = (calls){Py_XNewRef(tries), Py_XNewRef(makes), Py_XNewRef(yields), returns, fd, 0};
    *final = (calls){Py_XNewRef(final_tries), Py_XNewRef(final_makes), Py_XNewRef(final_yields), final_returns, -1, 0};
    return 0;
}

static void
calls_fini(calls *c)
{
    Py_CLEAR(c->tries);
    Py_CLEAR(c->makes);
    Py_CLEAR(c->yields);
}

/* --- finishes(tries, makes, final_tries, final_makes): the calls of the body, then those of the final part --- */

typedef struct finishes {
    caw_async async;
    calls body, final;
} finishes;

static void
finishes_fini(finishes *self)
{
    calls_fini(&self->body);
    calls_fini(&self->final);
    ext_live_futures--;
}

CAW_ASYNC_FUNCTION_FINI(finishes, finishes_fini)

static caw_step
finishes_run(finishes *self, caw_context *cx)
{
    calls *body = &self->body, *final = &self->final;
    CAW_ROUTINE (&self->async, cx) {
        if (body->fd >= 0) {
            CAW_AWAIT(calls_wait(body));
        }
        if (body->returns && body->tries) {
            CAW_RETURN(calls_try(body));
        }
        for (body->i = 0; body->i < calls_number(body->tries); body->i++) {
            CAW_TRY(calls_try(body));
        }
        for (body->i = 0; body->i < calls_number(body->makes); body->i++) {
            CAW_AWAIT(calls_make(body));
        }
    }
    CAW_FINALLY
    {
        if (final->returns && final->tries) {
            CAW_RETURN(calls_try(final));
        }
        for (final->i = 0; final->i < calls_number(final->tries); final->i++) {
            CAW_TRY(calls_try(final));
        }
        for (final->i = 0; final->i < calls_number(final->makes); final->i++) {
            CAW_AWAIT(calls_make(final));
        }
    }
}

static int
finishes_arguments(caw_async *frame, PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    finishes *self = CAW_CONTAINER_OF(frame, finishes, async);
    ext_live_futures++;
    return calls_parse(&self->body, &self->final, args, kwargs);
}

/* --- drops(...): one that waits for ever, and is dropped in the middle of a poll; then the calls as above --- */

typedef struct waits {
    caw_async async;
    const calls *final; /* of the frame that this one is in */
    calls one;
    Py_ssize_t i;
} waits;

CAW_ASYNC_FUNCTION(waits)

static caw_step
waits_run(waits *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        CAW_AWAIT(caw_sleep(UINT64_C(3600000000000)));
    }
    CAW_FINALLY
    {
        for (self->i = 0; self->i < calls_number(self->final->makes); self->i++) {
            self->one = (calls){.makes = self->final->makes, .i = self->i};
            CAW_AWAIT(calls_make(&self->one));
        }
    }
}

typedef struct drops {
    caw_async async;
    calls body, final;
} drops;

static void
drops_fini(drops *self)
{
    calls_fini(&self->body);
    calls_fini(&self->final);
    ext_live_futures--;
}

CAW_ASYNC_FUNCTION_FINI(drops, drops_fini)

static caw_step
drops_run(drops *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        CAW_AWAIT(ext_several('r', CAW_ASYNC_NEW(waits, .final = &self->final), caw_sleep(1000)));
        for (self->body.i = 0; self->body.i < calls_number(self->body.makes); self->body.i++) {
            CAW_AWAIT(calls_make(&self->body));
        }
    }
    CAW_FINALLY
    {
    }
}

static int
drops_arguments(caw_async *frame, PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    drops *self = CAW_CONTAINER_OF(frame, drops, async);
    ext_live_futures++;
    return calls_parse(&self->body, &self->final, args, kwargs);
}

/* --- too_large(), too_large_to_yield(): frames that there is no memory for; nothing of them may run --- */

typedef struct too_large {
    caw_async async;
    char room[SIZE_MAX >> 4];
} too_large;

typedef struct too_large_to_yield {
    caw_generator generator;
    char room[SIZE_MAX >> 4];
} too_large_to_yield;

CAW_ASYNC_FUNCTION(too_large)
CAW_GENERATOR_FUNCTION(too_large_to_yield)

static caw_step
too_large_run(too_large *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        abort();
    }
    CAW_FINALLY
    {
        abort();
    }
}

static caw_step
too_large_to_yield_run(too_large_to_yield *self, caw_context *cx)
{
    CAW_GENERATOR (&self->generator, cx) {
        abort();
    }
    CAW_FINALLY
    {
        abort();
    }
}

static int
too_large_arguments(caw_async *Py_UNUSED(frame), PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(args),
                    PyObject *Py_UNUSED(kwargs))
{
    abort();
}

const caw_py_async_def ext_final_functions[] = {
    CAW_PY_ROUTINE("too_large", too_large, NULL, NULL, NULL),
    CAW_PY_ROUTINE("too_large_to_parse", too_large, too_large_arguments, NULL, NULL),
    CAW_PY_ROUTINE("finishes", finishes, finishes_arguments, NULL, NULL),
    CAW_PY_ROUTINE("drops", drops, drops_arguments, NULL, NULL),
    CAW_PY_ASYNC_END,
};

/* --- gives(...): a generator; in each part the items come last --- */

typedef struct gives {
    caw_generator generator;
    calls body, final;
} gives;

CAW_GENERATOR_FUNCTION(gives)

static caw_step
gives_run(gives *self, caw_context *cx)
{
    calls *body = &self->body, *final = &self->final;
    CAW_GENERATOR (&self->generator, cx) {
        if (body->fd >= 0) {
            CAW_AWAIT(calls_wait(body));
        }
        for (body->i = 0; body->i < calls_number(body->makes); body->i++) {
            CAW_AWAIT(calls_make(body));
        }
        for (body->i = 0; body->i < calls_number(body->yields); body->i++) {
            CAW_YIELD(calls_item(body));
        }
        for (body->i = 0; body->i < calls_number(body->tries); body->i++) {
            CAW_TRY(calls_try(body));
        }
    }
    CAW_FINALLY
    {
        for (final->i = 0; final->i < calls_number(final->makes); final->i++) {
            CAW_AWAIT(calls_make(final));
        }
        for (final->i = 0; final->i < calls_number(final->yields); final->i++) {
            CAW_YIELD(calls_item(final));
        }
        calls_fini(body);
        calls_fini(final);
    }
}

static int
gives_arguments(caw_generator *frame, PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    gives *self = CAW_CONTAINER_OF(frame, gives, generator);
    return calls_parse(&self->body, &self->final, args, kwargs);
}

const caw_py_stream_def ext_final_streams[] = {
    CAW_PY_GENERATOR("too_large_to_yield", too_large_to_yield, NULL, NULL, NULL),
    CAW_PY_GENERATOR("gives", gives, gives_arguments, ext_number_object, NULL),
    CAW_PY_STREAM_END,
};
