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
 * In Python: `async for event in module.events(): ...`. A call makes an async generator. The stream is polled only when
 * the generator is iterated.
 *
 * The generator owns the stream. It polls the stream on the thread of the loop that awaits the next item, and destroys
 * it when the generator ends: after the last item, by an error, by an exception that is thrown in, by aclose(), or when
 * it is collected. A stream that has not ended by then is cancelled first. So after a `break` the stream ends as soon
 * as the generator has no more references; contextlib.aclosing ends it at once.
 *
 * Items that are there already are delivered without suspending. So that the loop goes on meanwhile, a run of such
 * items suspends for one turn of the loop: after at least 64 items, as soon as the run has taken a millisecond.
 */
#ifndef CAWAIT_PYTHON_STREAM_H
#define CAWAIT_PYTHON_STREAM_H

#include "cawait/python_await.h"
#include "cawait/python_coroutine.h"

#include "cawait/channel.h"

#ifndef CAW_NO_PYTHON

/* How a stream becomes an async generator. Static: it must live as long as the module. Fill in only what you need. */
typedef struct caw_py_stream_spec {
    const char *name; /* __name__, and __qualname__ where none is given; NULL: the stream's own name */

    /* Makes the Python value of an item. Called by the awaiting thread with the GIL. The item stays the library's,
     * which destroys it afterwards. Returns a new reference; or NULL with an exception set, which ends the stream. NULL
     * for the function: items of a caw_py_iterate give their values, and other items give None. */
    PyObject *(*item)(caw_stream *s, caw_item *item);

    const char *file; /* this and the following fields but `cancel` and `batch`: as in caw_py_spec */
    int line;
    const char *doc; /* with types: "lines(path: str) -> AsyncGenerator[str, None]", as for Python's own */
    const char *qualname;
    void (*error)(caw_stream *s, int status);

    /* What happens when the awaiter of the next item is cancelled, when aclose() or athrow() is called, or when an
     * exception is thrown in.
     *
     *   WAIT     The stream is cancelled, its items are destroyed, and the awaiter resumes when it has ended. On
     *            asyncio a second cancel resumes it at once. The default where the stream has a cancel function.
     *   DETACH   The stream is cancelled and destroyed, and the awaiter resumes at once. The default otherwise.
     *   SHIELD   A cancelled wait leaves the stream as it is. The awaiter resumes when the next item arrives, and the
     *            next await gives that item. aclose() and athrow() do as under DETACH.
     *   KEEP     A cancelled wait leaves the stream as it is, and the awaiter resumes at once. The next await gives the
     *            item that it waited for, whether that has come meanwhile or not: so with
     *            `asyncio.wait_for(anext(stream), 1)` in a loop each item comes once, and in order. The same for a wait
     *            that is closed, thrown into or dropped, and for one that has not begun. aclose() and athrow() do as
     *            under the default. */
    caw_py_cancel cancel;

    /* 0: one item at a time. Else each step gives a list of 1 to `batch` values, of the items that are there. */
    size_t batch;

    bool poll_without_gil; /* the GIL is released during polls, which must not touch Python */

    uint64_t cancel_grace_ns; /* under WAIT: how long the end of a cancelled stream is waited for; as in caw_py_spec */

    /* Optional: takes the value of asend(); not None, which asks for the next item only. Called by the awaiting thread
     * with the GIL, before the poll for the item that answers it. Returns 0; or -1 with an exception set, which ends
     * the stream. NULL for the function: caw_py_iterate_send passes the value on to the iterable of a caw_py_iterate;
     * others have no use for it. */
    int (*on_send)(caw_stream *s, PyObject *value);

    /* Optional: takes the exception of athrow(), once the stream was polled. Called as on_send is. Returns 0: the
     * stream goes on, and athrow() gives its next item, or its end. Or -1: the stream is ended, as by aclose(), and
     * athrow() raises the exception that is set; where none is set, the one that was thrown. NULL for the function:
     * caw_py_iterate_throw passes the exception on to the iterable of a caw_py_iterate; others are ended by it. */
    int (*on_throw)(caw_stream *s, PyObject *exception);

    /* For a row of CAW_PY_GENERATOR: parses the arguments into the frame, by the rules of caw_py_spec. */
    int (*arguments)(caw_generator *frame, PyObject *self, PyObject *args, PyObject *kwargs);
} caw_py_stream_spec;

/* Makes the stream of one call, by the rules of caw_py_start. */
typedef union caw_py_stream_start {
    caw_stream *(*varargs)(PyObject *self, PyObject *args, PyObject *kwargs);
    caw_stream *(*noargs)(PyObject *self);
    caw_stream *(*o)(PyObject *self, PyObject *arg);
    caw_stream *(*fastcall)(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
    const caw_generator_ops *frame;
    CAW__START_CONSTRUCTORS(caw_py_stream_start)
} caw_py_stream_start;

typedef struct caw_py_stream_def {
    caw_py_convention convention;
    caw_py_stream_start start;
    caw_py_stream_spec spec;
} caw_py_stream_def;

/* Rows of a table. More fields of the spec may follow the doc: CAW_PY_STREAM("f", s, i, "f()\n--\n\n.", .batch = 64).
 * In C++ they are written CAW_SET(batch, 64) (python_table.h). */
#  define CAW_PY_STREAM(name_, start_, item_, ...)                                                                     \
      CAW__PY_STREAM_ROW(CAW_PY_VARARGS, varargs, start_, name_, item_, __VA_ARGS__)
#  define CAW_PY_STREAM_NOARGS(name_, start_, item_, ...)                                                              \
      CAW__PY_STREAM_ROW(CAW_PY_NOARGS, noargs, start_, name_, item_, __VA_ARGS__)
#  define CAW_PY_STREAM_O(name_, start_, item_, ...) CAW__PY_STREAM_ROW(CAW_PY_O, o, start_, name_, item_, __VA_ARGS__)
#  define CAW_PY_STREAM_FASTCALL(name_, start_, item_, ...)                                                            \
      CAW__PY_STREAM_ROW(CAW_PY_FASTCALL, fastcall, start_, name_, item_, __VA_ARGS__)
/* The row of an async generator in C (async.h). */
#  define CAW_PY_GENERATOR(name_, type_, arguments_, item_, ...)                                                       \
      CAW__ROW(caw_py_stream_start, CAW_PY_FRAME, frame, &type_##_ops,                                                 \
               CAW_PY_STREAM_SPEC(name_, item_, __VA_ARGS__, CAW_SET(arguments, arguments_)))
#  define CAW__PY_STREAM_ROW(convention_, field_, start_, name_, item_, ...)                                           \
      CAW__ROW(caw_py_stream_start, convention_, field_, start_, CAW_PY_STREAM_SPEC(name_, item_, __VA_ARGS__))
#  define CAW_PY_STREAM_SPEC(name_, item_, ...)                                                                        \
      CAW__SPEC(caw_py_stream_spec, CAW_SET(name, name_), CAW_SET(item, item_), __VA_ARGS__)
#  define CAW_PY_STREAM_END CAW__ROW_END

/* How a Python iterable becomes a C stream. */
typedef struct caw_py_iterable_spec {
    /* Optional: makes an item of yours of a value. Called with the GIL, in the loop's thread. The value is borrowed.
     * Returns 0 with the item in *out; NULL in *out leaves the value out. A negative status ends the stream with that
     * status, and so does CAW_EPYTHON with an exception set. NULL for the function: the items hold the values
     * (caw_py_item_value). */
    int (*convert)(void *user, PyObject *value, caw_item **out);
    /* Optional: frees `user`, when no more values are converted; on any thread, with or without the GIL. */
    void (*free)(void *user);
    void *user;
    /* How many items may wait for the consumer where the iterable runs as a task; 0 means 1. In place no item waits. */
    size_t capacity;
} caw_py_iterable_spec;

CAW_BEGIN_DECLS

/* Add functions that return async generators to a module, from its Py_mod_exec slot. `defs` is static and ends with
 * CAW_PY_STREAM_END. May be called more than once.
 *   init · gil · borrows(module, defs) · raises · runs-python */
CAW_API int caw_py_add_streams(PyObject *module, const caw_py_stream_def *defs);

/* Add such methods to a heap type of the module, before the type is used or made immutable.
 *   init · gil · borrows(module, type, defs) · raises · runs-python */
CAW_API int caw_py_add_stream_methods(PyObject *module, PyTypeObject *type, const caw_py_stream_def *defs);

/* An async generator over this stream, for where a row of a table does not fit.
 *   any-thread · gil · takes(stream), borrows(module, spec) · returns-new, raises · runs-python */
CAW_API PyObject *caw_py_async_generator(PyObject *module, caw_stream *stream, const caw_py_stream_spec *spec);

/* A stream of the values of an async iterable: an async generator, or any object with __aiter__. Anything else is a
 * TypeError, at once. Locals of another interpreter are a RuntimeError. `iterable` may be NULL with an exception set;
 * that exception then stays set. `spec` may be NULL: the items then hold the values.
 *
 * The iterable runs in place or as a task, as the table in python_await.h says. In place a poll awaits the next value,
 * and nothing is read ahead; where no loop runs, an iterable that never suspends is iterated all the same. As a task it
 * is ahead by `capacity` items at most. The stream's name says which: "python.iterate in place" or "python.iterate as a
 * task".
 *
 * An exception ends the stream with CAW_EPYTHON or CAW_ECANCELED, as it does with caw_py_await. A coroutine or an async
 * generator of this library that ends with that status raises the exception.
 *
 * To cancel the stream has the iterable's aclose() awaited, where it has one; the stream then ends with CAW_ECANCELED.
 * If an item is awaited at that moment, a cancellation is thrown into it first: by the library where the iterable runs
 * as a task; in place the poller has to do that.
 *
 * To destroy the stream before its end leaves aclose() to a task of the loop. If that fails, the exception is reported
 * as unraisable. Where an item is awaited in place at that moment, a GeneratorExit is thrown into it instead.
 *
 * An async generator of this library over such a stream passes on what asend() sends and athrow() throws, also where
 * the stream is inside of map, take or chunk. So it can be the generator of contextlib.asynccontextmanager. Not where
 * the iterable runs as a task, which is ahead.
 *
 * Where the stream may be destroyed: on any thread, if it was given locals or runs as a task. Else with the GIL, or in
 * a poll of a coroutine of this library or of a caw_py_scope.
 *   any-thread · gil · takes(iterable, spec->user), borrows(locals, spec), which are retained and copied · returns-new,
 *   raises · runs-python */
CAW_API caw_stream *caw_py_iterate(caw_py_locals *locals, PyObject *iterable, const caw_py_iterable_spec *spec);

/* Ask the iterable for the next item by its asend(value), or by its athrow(exception), in place of __anext__(): at the
 * next poll. For streams of your own around such a one, and their on_send and on_throw. False: nothing was given, since
 * the iterable has no such method; or it is not iterated in place, where it is ahead of what is answered; or the stream
 * has ended, or is of another kind.
 *   poller · gil · borrows(stream, value, exception) · never fails · runs-python */
CAW_API bool caw_py_iterate_send(caw_stream *stream, PyObject *value);
CAW_API bool caw_py_iterate_throw(caw_stream *stream, PyObject *exception);

/* The value of an item of such a stream, where it has no convert function.
 *   any-thread · gil · borrows(item) · returns-new, never fails · quiet */
CAW_API PyObject *caw_py_item_value(const caw_item *item);

CAW_END_DECLS

#endif
#endif
