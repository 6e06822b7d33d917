/* cawait/python_stream.h: C streams as async generators of Python, and async iterables of Python as C streams.
 *
 *     static caw_stream *events_start(PyObject *module, PyObject *args, PyObject *kwargs);     // parse, make a stream
 *     static PyObject *events_item(caw_stream *s, caw_item *item);                            // make the value
 *
 *     static const caw_py_stream_def streams[] = {
 *         CAW_PY_STREAM("events", events_start, events_item, "events()\n--\n\nWhat happens."),
 *         CAW_PY_STREAM_END,
 *     };
 *
 *     static int exec(PyObject *module) { return caw_py_add_streams(module, streams); }       // a Py_mod_exec slot
 *
 * In Python: `async for event in module.events(): ...`. Calling it makes an async generator; nothing runs before it is
 * iterated.
 *
 * The generator owns the stream, polls it on the thread of the loop that awaits the next item, and destroys it at its
 * end: after the last item, an error, an exception that is thrown in, aclose(), or when it is collected. A stream that
 * has not ended by then is asked to stop first. So `break` ends it as soon as nobody refers to the generator;
 * contextlib.aclosing does at once.
 *
 * Items that are there are delivered without suspending. So that the loop goes on meanwhile, a run of them suspends for
 * one turn of it, after at least 64 items, as soon as it has taken a millisecond.
 */
#ifndef CAWAIT_PYTHON_STREAM_H
#define CAWAIT_PYTHON_STREAM_H

#include "cawait/python_await.h"
#include "cawait/python_coroutine.h"

#include "cawait/channel.h"

#ifndef CAW_NO_PYTHON

/* How a stream becomes an async generator. Static: it must live as long as the module. Only what you need is filled
 * in. */
typedef struct caw_py_stream_spec {
    const char *name; /* __name__, and __qualname__ where none is given; NULL: the stream's own name */

    /* The value of an item: called with the GIL, by the awaiting thread. The item stays the library's, which destroys
     * it afterwards. A new reference, or NULL with an exception set, which ends the stream. NULL: the items are those
     * of a caw_py_iterate, or the values are None. */
    PyObject *(*item)(caw_stream *s, caw_item *item);

    const char *file; /* as in caw_py_spec, and so all but `batch` */
    int line;
    const char *doc;
    const char *qualname;
    void (*error)(caw_stream *s, int status);

    /* What happens when the awaiter of the next item is cancelled, when aclose() or athrow() is called, or when an
     * exception is thrown in. WAIT: the stream is asked to stop, its items are destroyed, and the awaiter resumes when
     * it has come to its end (asyncio: at once by a second cancel). DETACH: it is asked to stop and destroyed, and the
     * awaiter resumes at once. The default is WAIT where the stream has a cancel function. SHIELD: a cancelled wait
     * leaves the stream as it is; the awaiter resumes with the next item's arrival, and that item is the next one's;
     * aclose() and athrow() as by DETACH. */
    caw_py_cancel cancel;

    /* 0: one item at a time. Else each `async for` step gives a list of 1 to `batch` values: those that are there. */
    size_t batch;

    bool poll_without_gil; /* polls give the GIL up; they must not touch Python */
} caw_py_stream_spec;

/* As caw_py_start, for a stream. */
typedef union caw_py_stream_start {
    caw_stream *(*varargs)(PyObject *self, PyObject *args, PyObject *kwargs);
    caw_stream *(*noargs)(PyObject *self);
    caw_stream *(*o)(PyObject *self, PyObject *arg);
    caw_stream *(*fastcall)(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
    CAW__START_CONSTRUCTORS(caw_py_stream_start)
} caw_py_stream_start;

typedef struct caw_py_stream_def {
    caw_py_convention convention;
    caw_py_stream_start start;
    caw_py_stream_spec spec;
} caw_py_stream_def;

/* Rows of a table. After the doc may come more fields of the spec: CAW_PY_STREAM("f", s, i, "f()\n--\n\n.",
 * .batch = 64); in C++ by CAW_SET(batch, 64) (python_table.h). */
#  define CAW_PY_STREAM(name_, start_, item_, ...)                                                                     \
      CAW__PY_STREAM_ROW(CAW_PY_VARARGS, varargs, start_, name_, item_, __VA_ARGS__)
#  define CAW_PY_STREAM_NOARGS(name_, start_, item_, ...)                                                              \
      CAW__PY_STREAM_ROW(CAW_PY_NOARGS, noargs, start_, name_, item_, __VA_ARGS__)
#  define CAW_PY_STREAM_O(name_, start_, item_, ...) CAW__PY_STREAM_ROW(CAW_PY_O, o, start_, name_, item_, __VA_ARGS__)
#  define CAW_PY_STREAM_FASTCALL(name_, start_, item_, ...)                                                            \
      CAW__PY_STREAM_ROW(CAW_PY_FASTCALL, fastcall, start_, name_, item_, __VA_ARGS__)
#  define CAW__PY_STREAM_ROW(convention_, field_, start_, name_, item_, ...)                                           \
      CAW__ROW(caw_py_stream_start, convention_, field_, start_, CAW_PY_STREAM_SPEC(name_, item_, __VA_ARGS__))
#  define CAW_PY_STREAM_SPEC(name_, item_, ...)                                                                        \
      CAW__SPEC(caw_py_stream_spec, CAW_SET(name, name_), CAW_SET(item, item_), __VA_ARGS__)
#  define CAW_PY_STREAM_END CAW__ROW_END

/* How a Python iterable becomes a C stream. */
typedef struct caw_py_iterable_spec {
    /* Optional: an item of yours made of a value, with the GIL, in the loop's thread. The value is borrowed. 0 with
     * *out; NULL in it leaves the value out; a negative status ends the stream with it, and so does CAW_EPYTHON with an
     * exception set. NULL: the items hold the values: caw_py_item_value. */
    int (*convert)(void *user, PyObject *value, caw_item **out);
    /* Optional: free `user`, when nothing is converted any more; on any thread, with or without the GIL. */
    void (*free)(void *user);
    void *user;
    /* How many items may wait for the consumer where the iterable runs as a task; 0 is 1. In place none is. */
    size_t capacity;
} caw_py_iterable_spec;

CAW_BEGIN_DECLS

/* Add functions that return async generators to a module: from its Py_mod_exec slot. `defs` is static and ends with
 * CAW_PY_STREAM_END. May be called more than once.
 *   init · gil · borrows(module, defs) · raises · runs-python */
CAW_API int caw_py_add_streams(PyObject *module, const caw_py_stream_def *defs);

/* Add such methods to a heap type of the module, before the type is used or made immutable.
 *   init · gil · borrows(module, type, defs) · raises · runs-python */
CAW_API int caw_py_add_stream_methods(PyObject *module, PyTypeObject *type, const caw_py_stream_def *defs);

/* An async generator over this stream, where a table row does not fit.
 *   any-thread · gil · takes(stream), borrows(module, spec) · returns-new, raises · runs-python */
CAW_API PyObject *caw_py_async_generator(PyObject *module, caw_stream *stream, const caw_py_stream_spec *spec);

/* A stream of what an async iterable gives: an async generator, or any object with __aiter__. Anything else is a
 * TypeError, at once; locals of another interpreter are a RuntimeError. `iterable` may be NULL with an exception set,
 * which then stays. `spec` may be NULL: the items hold the values.
 *
 * It runs in place or as a task by the table of python_await.h. In place it is iterated item by item, when it is
 * polled, and never ahead. As a task it is ahead by `capacity` items at most. The stream's name says which:
 * "python.iterate in place", "python.iterate as a task". With NULL for the locals it is destroyed with the GIL, or in a
 * poll of a coroutine of this library or of a caw_py_scope, unless it runs as a task.
 *
 * An exception ends it, as with caw_py_await: CAW_EPYTHON or CAW_ECANCELED, and the exception is raised by the
 * coroutine or generator that ends with that status. To cancel it has the iterable's aclose() awaited, where it has
 * one; the stream then ends with CAW_ECANCELED. An item that is awaited just then gets a cancellation first, where the
 * iterable runs as a task; in place it is for who polls to throw that in. To destroy it before its end leaves aclose()
 * to a task of the loop, whose failure is reported as unraisable; where an item is awaited in place just then, that
 * gets a GeneratorExit instead.
 *   any-thread · gil · takes(iterable, spec->user), borrows(locals, spec), which are retained and copied · returns-new,
 *   raises · runs-python */
CAW_API caw_stream *caw_py_iterate(caw_py_locals *locals, PyObject *iterable, const caw_py_iterable_spec *spec);

/* The value of an item of these streams, when they have no convert function.
 *   any-thread · gil · borrows(item) · returns-new, never fails · quiet */
CAW_API PyObject *caw_py_item_value(const caw_item *item);

CAW_END_DECLS

#endif
#endif
