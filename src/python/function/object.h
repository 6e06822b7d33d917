/* object.h: the callable that makes coroutines or async generators, as a struct: an async function of a module, or an
 * async method of a type. */
#ifndef CAWAIT_PYTHON_FUNCTION_OBJECT_H
#define CAWAIT_PYTHON_FUNCTION_OBJECT_H

#include "python/base/state.h"

CAW__INTERNAL_BEGIN

/* Makes the future of one call, or the stream if there is a stream spec. */
typedef union caw__start {
    caw_py_start future;
    caw_py_stream_start stream;
} caw__start;

typedef struct caw__function caw__function;

/* Makes what a call returns from the future or stream that `start` has made, and takes that. `self` is borrowed and may
 * be NULL. A new reference, or NULL with an exception. */
typedef PyObject *(*caw__make_fn)(caw__function *f, void *operation, PyObject *self, PyThreadState *tstate);

struct caw__function {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    caw__state *state;                /* the state of `bridge` */
    PyObject *bridge;                 /* the bridge's module, which holds the state; both are NULL after tp_clear */
    const caw_py_spec *spec;          /* static, the user's; or `steps` */
    const caw_py_stream_spec *stream; /* static, the user's; NULL where coroutines are made */
    caw_py_spec steps;                /* with stream: the spec of the coroutines that make the generator's steps */
    const char *doc_name;             /* the name that the doc begins with: the spec's; of a plain function the row's */
    bool is_plain;                    /* it waits for the end, and returns the value: `steps` is its spec */
    caw_py_convention convention;
    caw__start start;
    caw__make_fn make;         /* NULL, like start, for those of caw__function_for */
    PyObject *module;          /* what a module's function gets as self; also for __module__ */
    PyTypeObject *type;        /* the type of a method; NULL for a function */
    PyObject *name, *qualname; /* str */
    PyObject *wrapper;         /* the Python function of coroutine/wrapper.c: NULL until it is needed */
    PyObject *code;            /* a code object that names the C source: NULL until it is needed */
    PyObject *dict;            /* attributes that were set: NULL until there is one */
    PyObject *own;             /* those of function/attributes.c that were set: NULL until there is one */
    PyObject *weakrefs;
};

/* Whether it is called without arguments: by its convention, or as a frame for which nothing parses them. */
static inline bool
caw__function_takes_nothing(const caw__function *f)
{
    bool parses = f->stream ? f->stream->arguments != NULL : f->spec->arguments != NULL;
    return f->convention == CAW_PY_NOARGS || (f->convention == CAW_PY_FRAME && !parses);
}

CAW__INTERNAL_END

#endif
