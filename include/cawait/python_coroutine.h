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
 * In Python `hash_file` is then an async function. A call makes a coroutine. The future is polled only when the
 * coroutine is awaited.
 *
 * The coroutine owns the future. It polls the future on the thread of the Python loop that awaits it, and destroys it
 * there, or wherever the coroutine is closed or collected. Native threads complete the future without the GIL
 * (promise.h). Functions here that have "gil" in their mark are called with the GIL held, on the module's
 * interpreter.
 */
#ifndef CAWAIT_PYTHON_COROUTINE_H
#define CAWAIT_PYTHON_COROUTINE_H

#include "cawait/python_table.h"

#ifndef CAW_NO_PYTHON

/* What happens to an operation whose awaiter is cancelled: by asyncio's Task.cancel, once for each call of it, or by a
 * scope of trio or anyio. In every policy the awaiter ends with the cancellation and not with the result, and a result
 * that is not taken is destroyed. There is one exception: on trio a shielded operation returns its value, since the
 * scope cancels again at the next checkpoint.
 *
 * When the coroutine is closed or collected it never waits. It cancels the operation, but not under SHIELD or KEEP, and
 * the operation ends by itself. */
typedef enum caw_py_cancel {
    CAW_PY_CANCEL_DEFAULT = 0, /* wait where the future has a cancel function, else detach */
    CAW_PY_CANCEL_WAIT,   /* cancelled; the awaiter resumes when it has ended; on asyncio a second cancel detaches */
    CAW_PY_CANCEL_DETACH, /* cancelled; the awaiter resumes at once */
    CAW_PY_CANCEL_SHIELD, /* not cancelled; the awaiter resumes when it has ended, however often it is cancelled */
    CAW_PY_CANCEL_KEEP,   /* not cancelled; the awaiter resumes at once; for streams, and what receives from one */
} caw_py_cancel;

/* What an operation does in a task of trio. There every async function is a checkpoint, at which a cancelled task is
 * stopped and others have their turn (trio's reference manual, "Checkpoints").
 *
 * An operation that is BEFORE is like a function of trio itself: in a scope that is cancelled already it does not
 * begin, so that a Cancelled means that nothing was done; and where it is ready at once, others run before it returns.
 * One that is INSIDE is like an `async def`: it begins in any case, and what it awaits are its checkpoints. Where it
 * waits for something native, the cancel comes then, by its policy. It is for an operation that has to run also when
 * the scope was cancelled, as an `__aexit__` or an `aclose()` has. */
typedef enum caw_py_checkpoint {
    CAW_PY_CHECKPOINT_DEFAULT = 0, /* INSIDE for a function of async.h, and where the start function made a
                                    * caw_py_await, caw_py_iterate, caw_py_reader or caw_py_writer with NULL for the
                                    * locals, for the future itself or for a part of it. Else BEFORE, but what is under
                                    * CAW_PY_CANCEL_SHIELD begins in any case */
    CAW_PY_CHECKPOINT_BEFORE,
    CAW_PY_CHECKPOINT_INSIDE,
} caw_py_checkpoint;

/* How a future becomes a coroutine. Static: it must live as long as the module. Fill in only what you need. */
typedef struct caw_py_spec {
    const char *name; /* __name__, and __qualname__ where none is given; NULL: the future's own name */

    /* Makes the value of the await. Called once, when the future is ready with status 0, by the awaiting thread with
     * the GIL. Returns a new reference, or NULL with an exception set. NULL for the function: the value is None. */
    PyObject *(*result)(caw_future *f);

    /* Where the operation is written, for tracebacks and call graphs. CAW_PY_SPEC and CAW_PY_ASYNC fill them in. */
    const char *file;
    int line;

    /* In the form of PyMethodDef.ml_doc: the signature line "name(args)\n--\n\n", then the text. Without that line the
     * signature is what the calling convention says: "()", "(arg, /)", or any arguments. In debug builds a line that is
     * not that of the function, by its name or by its arguments, is a SystemError when the function is made, and one
     * that "\n--\n\n" does not end is a RuntimeWarning.
     *
     * The line may have types: "read(path: str, size: int = -1) -> bytes\n--\n\n", as in Python's own `async def`. They
     * become the function's __annotations__, and inspect.signature(), help() and `python -m cawait stubs` show them. A
     * type is an expression of names of your module, of builtins, collections.abc and typing; or it has the name of a
     * module before it ("os.PathLike[str]"). It is evaluated when it is first asked for. What cannot be evaluated then
     * is left a text. CPython takes no types in the line of a plain function or of a type. */
    const char *doc;
    const char *qualname; /* NULL: made of the name and, for a method, its type's */

    /* For exceptions of your own: sets the exception of a negative status. Called instead of caw_py_set_error. Where no
     * errno says what went wrong, the status is CAW_EFAILED, and this function finds the rest in your struct. It leaves
     * other statuses to caw_py_set_error. */
    void (*error)(caw_future *f, int status);

    caw_py_cancel cancel;

    /* A value that comes although the awaiter was cancelled is returned, and the cancellation is not raised. Otherwise
     * the value is destroyed and the cancellation raised.
     *
     * What becomes of the cancellation: asyncio drops it, but asyncio.timeout and anyio's scopes keep a record of
     * theirs. On trio the next checkpoint raises it. A KeyboardInterrupt is raised in any case. */
    bool keep_value;

    /* Called when an exception is thrown into the coroutine while the operation is in flight, before the awaiter gets
     * it. The exception is a cancellation (asyncio's CancelledError, trio's Cancelled), or what was given to throw().
     * It is borrowed. This runs with the GIL, on the awaiting thread. What it raises is reported as unraisable. The
     * future's `cancel` is called as well, before or after this.
     *
     * trio repeats a cancellation: this is called for the first one only; and not at all under CAW_PY_CANCEL_SHIELD,
     * where trio throws nothing.
     *
     * While a Python awaitable waits in place this is called before the exception is thrown into the awaitable, and
     * close() calls it too, with a GeneratorExit. trio's Cancelled is then raised inside the awaitable, without a call
     * of this. Where several coroutines await each other in place, it is called for the innermost one. */
    void (*on_throw)(caw_future *f, PyObject *exception);

    /* The function returns a coroutine of Python's own (types.CoroutineType) around the native one. For code that
     * accepts no other coroutine, as TaskGroup.start_soon of anyio 4.0 to 4.13. It costs what an `async def` around it
     * costs. */
    bool wrap_in_python;

    /* The calls of a pool that a function makes of its futures are finished also where the process ends: as by
     * caw_finish_at_exit (pool.h), and before the interpreter is finalized, after the functions of atexit that were
     * registered later. For futures of caw_blocking and caw_work; others are not changed. A Ctrl-C meanwhile ends that
     * wait, and the one in exit() goes on. With it goes CAW_PY_CANCEL_SHIELD, unless the call looks at
     * caw_work_cancelled. */
    bool finish_at_exit;

    bool poll_without_gil; /* the GIL is released during polls, which may take long and must not touch Python */

    caw_py_checkpoint checkpoint;

    /* Under WAIT: how many nanoseconds a cancelled operation is waited for. Then it is left to end unobserved, as under
     * DETACH, and the awaiter resumes with the cancellation. 0: until it has ended, which may be for ever: then a
     * time-out (asyncio.timeout, trio's move_on_after, anyio's fail_after) does not end the wait either. */
    uint64_t cancel_grace_ns;

    /* In a row of a table: the name of a second function, or method, with the same start function. It is a plain one:
     * it waits for the end as caw_py_block_on does, and returns the value. Its doc has the form of `doc`, with its own
     * name in the signature line; NULL: it is `doc`, with the signature that stands there.
     *
     *     CAW_PY_ASYNC("aquery", query_start, query_result, "aquery(sql)\n--\n\nRun a query.",
     *                  CAW_SET(sync_name, "query"))
     */
    const char *sync_name;
    const char *sync_doc;

    /* For a row of CAW_PY_ROUTINE: parses the arguments into the frame, which is all zero but for its table. `self` is
     * as for a start function, kwargs may be NULL. Returns 0; or -1 with an exception set, and the frame is destroyed:
     * its final part runs. NULL for the function: there are no arguments. */
    int (*arguments)(caw_async *frame, PyObject *self, PyObject *args, PyObject *kwargs);
} caw_py_spec;

/* How an async function takes its arguments: in the order of the fields of caw_py_start. */
typedef enum caw_py_convention {
    CAW_PY_VARARGS = 0, /* like METH_VARARGS | METH_KEYWORDS: for PyArg_ParseTupleAndKeywords; kwargs may be NULL */
    CAW_PY_NOARGS,      /* like METH_NOARGS */
    CAW_PY_O,           /* like METH_O */
    CAW_PY_FASTCALL,    /* like METH_FASTCALL | METH_KEYWORDS; kwnames may be NULL */
    CAW_PY_FRAME,       /* like VARARGS, parsed by the `arguments` of the spec into the frame of an async function */
} caw_py_convention;

/* Makes the future of one call, which should not begin anything yet. `self` is the module; for a method it is the
 * object, which the coroutine keeps alive. Returns a future; or NULL with an exception set; or NULL without one, which
 * is a MemoryError. */
typedef union caw_py_start {
    caw_future *(*varargs)(PyObject *self, PyObject *args, PyObject *kwargs);
    caw_future *(*noargs)(PyObject *self);
    caw_future *(*o)(PyObject *self, PyObject *arg);
    caw_future *(*fastcall)(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
    const caw_async_ops *frame;
    CAW__START_CONSTRUCTORS(caw_py_start)
} caw_py_start;

typedef struct caw_py_async_def {
    caw_py_convention convention;
    caw_py_start start;
    caw_py_spec spec;
} caw_py_async_def;

/* Rows of a table. More fields of the spec may follow the doc: CAW_PY_ASYNC("f", s, r, "f()\n--\n\n.", .cancel =
 * CAW_PY_CANCEL_SHIELD). In C++ they are written CAW_SET(cancel, CAW_PY_CANCEL_SHIELD) (python_table.h). */
#  define CAW_PY_ASYNC(name_, start_, result_, ...)                                                                    \
      CAW__PY_ASYNC_ROW(CAW_PY_VARARGS, varargs, start_, name_, result_, __VA_ARGS__)
#  define CAW_PY_ASYNC_NOARGS(name_, start_, result_, ...)                                                             \
      CAW__PY_ASYNC_ROW(CAW_PY_NOARGS, noargs, start_, name_, result_, __VA_ARGS__)
#  define CAW_PY_ASYNC_O(name_, start_, result_, ...)                                                                  \
      CAW__PY_ASYNC_ROW(CAW_PY_O, o, start_, name_, result_, __VA_ARGS__)
#  define CAW_PY_ASYNC_FASTCALL(name_, start_, result_, ...)                                                           \
      CAW__PY_ASYNC_ROW(CAW_PY_FASTCALL, fastcall, start_, name_, result_, __VA_ARGS__)
/* The row of an async function in C (async.h): CAW_PY_ROUTINE("copy", copy, copy_arguments, copy_result, doc). `type`
 * is that of CAW_ASYNC_FUNCTION. That of an async generator is CAW_PY_GENERATOR (python_stream.h). */
#  define CAW_PY_ROUTINE(name_, type_, arguments_, result_, ...)                                                       \
      CAW__ROW(caw_py_start, CAW_PY_FRAME, frame, &type_##_ops,                                                        \
               CAW_PY_SPEC(name_, result_, __VA_ARGS__, CAW_SET(arguments, arguments_)))
#  define CAW__PY_ASYNC_ROW(convention_, field_, start_, name_, result_, ...)                                          \
      CAW__ROW(caw_py_start, convention_, field_, start_, CAW_PY_SPEC(name_, result_, __VA_ARGS__))
#  define CAW_PY_SPEC(name_, result_, ...)                                                                             \
      CAW__SPEC(caw_py_spec, CAW_SET(name, name_), CAW_SET(result, result_), __VA_ARGS__)
#  define CAW_PY_ASYNC_END CAW__ROW_END

CAW_BEGIN_DECLS

/* Add async functions to a module, from its Py_mod_exec slot (multi-phase initialisation). `defs` is static and ends
 * with CAW_PY_ASYNC_END. May be called more than once.
 *   init · gil · borrows(module, defs) · raises · runs-python */
CAW_API int caw_py_add_functions(PyObject *module, const caw_py_async_def *defs);

/* Add async methods to a heap type of the module, before the type is used or made immutable.
 *   init · gil · borrows(module, type, defs) · raises · runs-python */
CAW_API int caw_py_add_methods(PyObject *module, PyTypeObject *type, const caw_py_async_def *defs);

/* A coroutine that awaits this future, for where a row of a table does not fit.
 *   any-thread · gil · takes(future), borrows(module, spec) · returns-new, raises · runs-python */
CAW_API PyObject *caw_py_coroutine(PyObject *module, caw_future *future, const caw_py_spec *spec);

/* Wait for a future, on this thread and without a loop: what `await` gives, for code that is not async. The value, or
 * the exception, is that of the coroutine: by the same spec, with the same line in the traceback. Timers, fds, pools
 * and threads work, and so does Python that runs on a loop of another thread. What awaits Python in place does not,
 * because no loop is here: it ends with CAW_ENOREACTOR.
 *
 * The GIL is released while the thread sleeps, and held in polls, unless the spec says `poll_without_gil`. In the main
 * thread signal handlers run meanwhile. If one raises, as Ctrl-C does, that is to the future what a cancel is, by the
 * policy of the spec. Wait: it is raised when the operation has ended; if a second one comes, or cancel_grace_ns have
 * passed, at once. Detach: at once. Shield: when the operation has ended, without having been asked to. `keep_value`
 * does not apply.
 *
 * In a thread where a loop of asyncio or trio runs it is a RuntimeError, and nothing begins.
 *   any-thread, not inside a loop · drops-gil · takes(future), borrows(module, spec) · returns-new, raises ·
 *   runs-python */
CAW_API PyObject *caw_py_block_on(PyObject *module, caw_future *future, const caw_py_spec *spec);

/* Set the Python exception of an error status. Returns NULL, so that the caller can return it.
 *   CAW_ENOMEM        MemoryError
 *   CAW_ECANCELED     asyncio.CancelledError. A coroutine whose future ends so on trio raises a RuntimeError instead:
 *                     only trio itself raises its Cancelled
 *   CAW_ECLOSED, CAW_EBROKEN, CAW_ENOREACTOR, CAW_EFORKED, CAW_EDEADLOCK, CAW_EPYTHON, CAW_EFAILED
 *                     RuntimeError with the code's text
 *   other -errno      OSError, in its subclass for the errno: TimeoutError, BrokenPipeError, ... Where CAW_EINVAL
 *                     stands for a mistake that this thread has just made (error.h), its text says which
 *   anything else     SystemError
 * What a coroutine raises without an errno also has the name of the operation.
 *   any-thread · gil · - · raises · runs-python */
CAW_API PyObject *caw_py_set_error(int status);

CAW_END_DECLS

#endif
#endif
