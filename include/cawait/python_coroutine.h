/* cawait/python_coroutine.h: C futures that Python awaits.
 *
 *     static caw_future *hash_file_start(PyObject *module, PyObject *args, PyObject *kwargs);  // parse, make a future
 *     static PyObject *hash_file_result(caw_future *f);                                        // make the result
 *
 *     static const caw_py_async_def functions[] = {
 *         CAW_PY_ASYNC("hash_file", hash_file_start, hash_file_result, "hash_file(path)\n--\n\nSHA-256 of a file."),
 *         CAW_PY_ASYNC_END,
 *     };
 *
 *     static int exec(PyObject *module) { return caw_py_add_functions(module, functions); }    // a Py_mod_exec slot
 *
 * In Python `hash_file` is then an async function: calling it makes a coroutine; nothing runs before it is awaited.
 *
 * The future is polled on the thread of the Python loop that awaits it, by the coroutine, which owns it and destroys
 * it there, or wherever the coroutine is closed or collected. Native threads complete it without the GIL (promise.h).
 * Everything here that has "gil" in its mark is called with the GIL held, on the module's interpreter.
 */
#ifndef CAWAIT_PYTHON_COROUTINE_H
#define CAWAIT_PYTHON_COROUTINE_H

#include "cawait/python_table.h"

#ifndef CAW_NO_PYTHON

/* What happens to an operation whose awaiter is cancelled, by asyncio's Task.cancel (once for each call), or by a scope of
 * trio or anyio. In every policy the awaiter ends with the cancellation, never with the result, and a result that nobody
 * takes is destroyed. But on trio a shielded operation returns its value: the scope cancels again at the next checkpoint.
 * Closing or collecting the coroutine never waits: it asks the operation to stop (shield: does not ask) and leaves it to
 * end by itself. */
typedef enum caw_py_cancel {
    CAW_PY_CANCEL_DEFAULT = 0, /* wait where the future has a cancel function, else detach */
    CAW_PY_CANCEL_WAIT,   /* asked to stop; the awaiter resumes when it has ended; asyncio's second cancel detaches */
    CAW_PY_CANCEL_DETACH, /* asked to stop; the awaiter resumes at once */
    CAW_PY_CANCEL_SHIELD, /* not asked; the awaiter resumes when it has ended, however often it is cancelled */
} caw_py_cancel;

/* How a future becomes a coroutine. Static: it must live as long as the module. Only what you need is filled in. */
typedef struct caw_py_spec {
    const char *name; /* __name__, and __qualname__ where none is given; NULL: the future's own name */

    /* The value of the await. Called once, when the future is ready with status 0, by the awaiting thread with the GIL.
     * A new reference, or NULL with an exception set. NULL: the value is None. */
    PyObject *(*result)(caw_future *f);

    /* Where the operation is written, for tracebacks and call graphs; CAW_PY_SPEC and CAW_PY_ASYNC fill them in. */
    const char *file;
    int line;

    const char *doc;      /* in the form of PyMethodDef.ml_doc, with the signature line */
    const char *qualname; /* NULL: made of the name and, for a method, its type's */

    /* Your own exceptions: called instead of caw_py_set_error when the status is negative; sets an exception. */
    void (*error)(caw_future *f, int status);

    caw_py_cancel cancel;

    /* A value that comes although the awaiter was cancelled is returned, and the cancellation is not raised. asyncio
     * forgets it then (asyncio.timeout and anyio's scopes do not: they know that they cancelled); on trio the next
     * checkpoint raises it. A KeyboardInterrupt is raised all the same. Otherwise the value is destroyed and the
     * cancellation raised. */
    bool keep_value;

    /* Told of an exception that is thrown into the coroutine while the operation is in flight, before the awaiter sees it: a
     * cancellation (asyncio's CancelledError, trio's Cancelled), or what a caller of throw() gave. With the GIL, on the
     * awaiting thread; the exception is borrowed; what this raises is reported as unraisable. `cancel` of the future,
     * which asks the operation to stop, is called besides, before or after. trio repeats a cancellation: only the first
     * is told of; under CAW_PY_CANCEL_SHIELD it throws none. While a Python awaitable waits in place this comes before the
     * awaitable is thrown into, and it is told of close() too, by a GeneratorExit; trio then throws nothing here; of several
     * coroutines that await each other so, the innermost is told. */
    void (*on_throw)(caw_future *f, PyObject *exception);

    /* The function returns a coroutine of Python's own (types.CoroutineType) around the native one, for those who take no
     * other: anyio 4.0 to 4.13 in TaskGroup.start_soon. It costs what an `async def` around it costs. */
    bool wrap_in_python;

    bool poll_without_gil; /* polls give the GIL up; for polls that take long. They must not touch Python. */
} caw_py_spec;

/* How an async function takes its arguments; the fields of the union, in its order. */
typedef enum caw_py_convention {
    CAW_PY_VARARGS = 0, /* like METH_VARARGS | METH_KEYWORDS: for PyArg_ParseTupleAndKeywords; kwargs may be NULL */
    CAW_PY_NOARGS,      /* like METH_NOARGS */
    CAW_PY_O,           /* like METH_O */
    CAW_PY_FASTCALL,    /* like METH_FASTCALL | METH_KEYWORDS; kwnames may be NULL */
} caw_py_convention;

/* Makes the future of one call; `self` is the module, or the object for a method; the coroutine keeps it alive.
 * A future of your own; or NULL with an exception set, or without one, which is a MemoryError. Nothing should run yet. */
typedef union caw_py_start {
    caw_future *(*varargs)(PyObject *self, PyObject *args, PyObject *kwargs);
    caw_future *(*noargs)(PyObject *self);
    caw_future *(*o)(PyObject *self, PyObject *arg);
    caw_future *(*fastcall)(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
    CAW__START_CONSTRUCTORS(caw_py_start)
} caw_py_start;

typedef struct caw_py_async_def {
    caw_py_convention convention;
    caw_py_start start;
    caw_py_spec spec;
} caw_py_async_def;

/* Rows of a table. After the doc may come more fields of the spec: CAW_PY_ASYNC("f", s, r, "f()\n--\n\n.",
 * .cancel = CAW_PY_CANCEL_SHIELD); in C++ by CAW_SET(cancel, CAW_PY_CANCEL_SHIELD) (python_table.h). */
#  define CAW_PY_ASYNC(name_, start_, result_, ...)                                                                    \
      CAW__PY_ASYNC_ROW(CAW_PY_VARARGS, varargs, start_, name_, result_, __VA_ARGS__)
#  define CAW_PY_ASYNC_NOARGS(name_, start_, result_, ...)                                                             \
      CAW__PY_ASYNC_ROW(CAW_PY_NOARGS, noargs, start_, name_, result_, __VA_ARGS__)
#  define CAW_PY_ASYNC_O(name_, start_, result_, ...)                                                                  \
      CAW__PY_ASYNC_ROW(CAW_PY_O, o, start_, name_, result_, __VA_ARGS__)
#  define CAW_PY_ASYNC_FASTCALL(name_, start_, result_, ...)                                                           \
      CAW__PY_ASYNC_ROW(CAW_PY_FASTCALL, fastcall, start_, name_, result_, __VA_ARGS__)
#  define CAW__PY_ASYNC_ROW(convention_, field_, start_, name_, result_, ...)                                          \
      CAW__ROW(caw_py_start, convention_, field_, start_, CAW_PY_SPEC(name_, result_, __VA_ARGS__))
#  define CAW_PY_SPEC(name_, result_, ...)                                                                             \
      CAW__SPEC(caw_py_spec, CAW_SET(name, name_), CAW_SET(result, result_), __VA_ARGS__)
#  define CAW_PY_ASYNC_END CAW__ROW_END

CAW_BEGIN_DECLS

/* Add async functions to a module: from its Py_mod_exec slot (multi-phase initialisation). `defs` is static and ends with
 * CAW_PY_ASYNC_END. May be called more than once.
 *   init · gil · borrows(module, defs) · raises · runs-python */
CAW_API int caw_py_add_functions(PyObject *module, const caw_py_async_def *defs);

/* Add async methods to a heap type of the module, before the type is used or made immutable.
 *   init · gil · borrows(module, type, defs) · raises · runs-python */
CAW_API int caw_py_add_methods(PyObject *module, PyTypeObject *type, const caw_py_async_def *defs);

/* A coroutine that awaits this future, where a table row does not fit.
 *   any-thread · gil · takes(future), borrows(module, spec) · returns-new, raises · runs-python */
CAW_API PyObject *caw_py_coroutine(PyObject *module, caw_future *future, const caw_py_spec *spec);

/* Set the Python exception of an error status; NULL is returned so that a caller can return it:
 *   CAW_ENOMEM        MemoryError
 *   CAW_ECANCELED     asyncio.CancelledError; RuntimeError where trio runs, whose Cancelled is its own to raise
 *   CAW_ECLOSED, CAW_EBROKEN, CAW_ENOREACTOR, CAW_EFORKED, CAW_EPYTHON   RuntimeError with the code's text
 *   other -errno      OSError, that is its subclass for the errno: TimeoutError, BrokenPipeError, ...
 *   anything else     SystemError
 *   any-thread · gil · - · raises · runs-python */
CAW_API PyObject *caw_py_set_error(int status);

CAW_END_DECLS

#endif
#endif
