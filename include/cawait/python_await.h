/* cawait/python_await.h: Python awaitables that C awaits.
 *
 *     caw_future *answer = caw_py_await(NULL, PyObject_CallNoArgs(handler));  // with the GIL; NULL: an exception
 *     ...
 *     if (caw_future_poll(self->answer, cx) == CAW_PENDING) { return CAW_PENDING; }
 *     if (self->answer->status == 0) { PyObject *value = caw_py_value(self->answer); ... }
 *
 * Where the awaitable runs. The functions here, in python_stream.h and in python_bytes.h take `locals`: a loop and a
 * context. NULL means: wherever the future is polled first.
 *
 *   locals   first polled by                                        the awaitable runs
 *   NULL     a coroutine or async generator of this library,        in place: as a part of that coroutine
 *            with its own waker
 *   NULL     such a coroutine or generator, but with another        as a task of that coroutine's loop
 *            waker, or under CAW_PY_CANCEL_SHIELD or
 *            CAW_PY_CANCEL_KEEP, or where the awaitable is a
 *            Future of concurrent.futures
 *   NULL     anything else, inside a caw_py_scope                   as a task of the loop of the scope's locals
 *   NULL     anything else                                          not at all: the future ends with CAW_ENOREACTOR
 *   given    anything                                               as a task of the loop of these locals
 *
 * repr() of the coroutine says which it is: "suspended in place"; or the name of its future ends with "as a task".
 *
 * In place it is like `await` in Python. The awaitable runs in the coroutine's task. What it yields goes to the loop.
 * What is sent or thrown into the coroutine goes to the awaitable first. So its `except` and `finally` run when the
 * task is cancelled, before the C future is polled again.
 *
 * It can be in place only while the coroutine has its waker alone. Where something else has a clone of the waker, or
 * has just woken it, the coroutine may have to be polled for that; then the awaitable runs as a task.
 *
 * A coroutine waits for one awaitable in place at a time. A future that polls several others gives each a waker of its
 * own. If the coroutine's waker is used to poll another future while an awaitable waits in place, a RuntimeError is
 * raised.
 *
 * While the awaitable waits in place caw_future_cancel does nothing. What cancels the task reaches the awaitable by
 * itself. To stop it, destroy the future, which closes the awaitable. The future stays with the coroutine that polled
 * it first. If another one polls it, it ends with CAW_EINVAL.
 *
 * As a task it runs in a copy of the locals' context, and the result comes back by a wake. Native threads do not need
 * the GIL for that. To cancel or destroy the future cancels the task. If the loop is closed, already or before the task
 * has ended, the status is CAW_ECLOSED. If the loop is stopped, the task goes on when the loop runs again. If the loop
 * stands still because its thread sleeps until the future is ready, the status is CAW_EDEADLOCK (caw_block_on,
 * caw_pool_close). What had begun is then cancelled when the future is destroyed, and ends when the loop goes on: until
 * `free` is called the arg may be in use.
 *
 * A Python object that C code holds belongs to the interpreter. Keep it as a caw_py_ref where a thread without the GIL
 * may drop it.
 *
 * An exception that ends the awaitable stays with the future (caw_py_exception). The status is then CAW_ECANCELED where
 * the exception is the framework's cancellation or GeneratorExit, and CAW_EPYTHON otherwise. If the coroutine's own
 * future ends with the same status, the coroutine raises that very exception, with its traceback, cause and notes. A
 * poll that has the GIL may also end with CAW_EPYTHON and an exception set; then the coroutine raises that one.
 *
 * The exception goes wherever the status goes: through a function of caw_blocking or a caw_work that returns what
 * caw_block_on has returned; through caw_spawn; through a promise that is resolved, or a channel that is closed, with
 * CAW_EPYTHON in the poll that has seen it, or by the thread whose caw_block_on has returned it last. Each coroutine
 * that awaits what ended so raises that exception. Where several awaitables of one future end with the same status, it
 * is that of the one that ended last. A status that is carried in another way, in a struct of your own to another
 * thread, goes without: the coroutine then raises a RuntimeError.
 */
#ifndef CAWAIT_PYTHON_AWAIT_H
#define CAWAIT_PYTHON_AWAIT_H

#include "cawait/python_api.h"

#ifndef CAW_NO_PYTHON

CAW_BEGIN_DECLS

/* --- references --- */

/* A Python object that native code holds. */
typedef struct caw_py_ref caw_py_ref;

/* Where Python runs for native code: a loop, and the context variables of the code that made the locals. */
typedef struct caw_py_locals caw_py_locals;

/* The loop that runs in this thread, and a copy of the current context, with one reference. `module` is the
 * extension's.
 *   loop · gil · borrows(module) · returns-new, raises RuntimeError where no loop runs · quiet */
CAW_API caw_py_locals *caw_py_locals_new(PyObject *module);

/* One more reference; and one less. NULL is allowed. With the last one the loop's thread drops the Python objects in
 * them: at once, where this is that thread and has the GIL.
 *   any-thread · no-gil · borrows(locals) / takes(one reference) · never fails · quiet / wakes, runs-python */
CAW_API caw_py_locals *caw_py_locals_retain(caw_py_locals *locals);
CAW_API void caw_py_locals_release(caw_py_locals *locals);

/* What the loop of some locals does. */
typedef enum caw_py_loop_state {
    CAW_PY_LOOP_CLOSED = 0, /* it is closed or gone; or this is a child process, and it was the parent's */
    CAW_PY_LOOP_STOPPED,    /* it does not run: what is posted to it waits until it is run again, which may be never */
    CAW_PY_LOOP_RUNNING,    /* a run of trio always runs until it is closed, also in guest mode */
} caw_py_loop_state;

/* Ask. The answer may be out of date as soon as it is there, unless this is the loop's own thread.
 *   any-thread · gil · borrows(locals) · never fails · runs-python */
CAW_API caw_py_loop_state caw_py_locals_loop_state(const caw_py_locals *locals);

/* Whether the loop is closed, or gone, or the parent's: what is posted to it ends with CAW_ECLOSED. A loop that is
 * closed stays so.
 *   any-thread · no-gil · borrows(locals) · never fails · quiet */
CAW_API bool caw_py_locals_is_closed(const caw_py_locals *locals);

/* The locals of the caw_py_scope whose future this thread is polling, or NULL.
 *   any-thread · no-gil · returns-borrowed · never fails · quiet */
CAW_API caw_py_locals *caw_py_locals_current(void);

/* A future that polls, cancels and destroys its child inside these locals: where the child awaits Python, that runs as
 * a task of their loop. It is for futures that run outside a coroutine: caw_spawn(pool, caw_py_scope(locals, child)).
 * It ends with the child's status.
 *   any-thread · no-gil · takes(child), borrows(locals), which are retained · returns-new, NULL when out of memory ·
 *   quiet */
CAW_API caw_future *caw_py_scope(caw_py_locals *locals, caw_future *child);

/* The child of a future that caw_py_scope made, to read its result; NULL for any other future. On a pool it is
 * caw_py_scope_child(caw_spawn_child(join)).
 *   poller · no-gil · borrows(scope), returns-borrowed · never fails · quiet */
CAW_API caw_future *caw_py_scope_child(const caw_future *scope);

/* A counted reference to an object, for native code on any thread. The object is dropped by the thread of the locals'
 * loop. Where that loop is closed the interpreter drops it as soon as it can.
 *   any-thread · gil · borrows(locals, object) · returns-new, raises MemoryError · quiet */
CAW_API caw_py_ref *caw_py_ref_new(caw_py_locals *locals, PyObject *object);

/* The same without a loop: for a start function that any thread with the GIL may call, whether a loop runs there or
 * not, and whatever becomes of that loop. `module` is the extension's. The object is dropped once, with the GIL, by a
 * thread of this interpreter: at once where the last reference is released by one that has the GIL; else by the loop
 * that ran where the reference was made, or by the main thread of the main interpreter between two of its instructions,
 * whichever is first; in a subinterpreter, where no loop runs any more, by the next call of this or at its end. When
 * the interpreter is gone the reference is released all the same, and the object is not touched.
 *   any-thread · gil · borrows(module, object) · returns-new, raises MemoryError · runs-python */
CAW_API caw_py_ref *caw_py_hold(PyObject *module, PyObject *object);

/* The same for a buffer of the object: `flags` are those of PyObject_GetBuffer, which exports it, and the release of
 * the last reference is followed by PyBuffer_Release. So a native thread may read or write the memory for as long as it
 * has a reference: an operation that was cancelled and detached too. Where the interpreter ends before that, the buffer
 * stays exported.
 *   any-thread · gil · borrows(module, object) · returns-new, raises as PyObject_GetBuffer · runs-python */
CAW_API caw_py_ref *caw_py_hold_buffer(PyObject *module, PyObject *object, int flags);

/* The buffer of such a reference; NULL for any other.
 *   any-thread · no-gil · returns-borrowed · never fails · quiet */
CAW_API const Py_buffer *caw_py_ref_buffer(const caw_py_ref *ref);

/* One more reference; and one less. NULL is allowed. If the last one is released by the loop's thread with the GIL, the
 * object is dropped at once.
 *   any-thread · no-gil · borrows(ref) / takes(one reference) · never fails · quiet / wakes, runs-python */
CAW_API caw_py_ref *caw_py_ref_retain(caw_py_ref *ref);
CAW_API void caw_py_ref_release(caw_py_ref *ref);

/* The object.
 *   any-thread · gil · returns-borrowed · never fails · quiet */
CAW_API PyObject *caw_py_ref_get(const caw_py_ref *ref);

/* --- awaiting --- */

/* A future that awaits a Python object: a coroutine, a Task or Future (also of concurrent.futures), a generator-based
 * coroutine, an object with __await__, or an iterator that an __await__ returned. Anything else is a TypeError, at
 * once. `awaitable` may be NULL with an exception set; that exception then stays set. Locals of another interpreter are
 * a RuntimeError. If the future is cancelled before its first poll, the awaitable does not begin.
 *
 * Where the future may be destroyed: with locals, on any thread. With NULL for the locals, with the GIL, or in a poll
 * of a coroutine of this library or of a caw_py_scope.
 *   any-thread · gil · takes(awaitable), borrows(locals), which are retained · returns-new, raises · quiet */
CAW_API caw_future *caw_py_await(caw_py_locals *locals, PyObject *awaitable);

/* How Python is called by a thread that has no GIL. */
typedef struct caw_py_call_spec {
    /* Called in the loop's thread, with the GIL, in the locals' context. If what it returns is awaitable, a task with a
     * copy of that context awaits it; else it is the value. NULL with an exception set: the call has failed. */
    PyObject *(*call)(void *arg);
    /* Optional: takes what you need out of the value. Called in the loop's thread too, once, before the future is
     * ready. Returns 0, or a status that the future ends with, or CAW_EPYTHON with an exception set. NULL: caw_py_value
     * gives the value. */
    int (*result)(void *arg, PyObject *value);
    /* Optional: frees the arg when both sides have ended; on any thread, with or without the GIL. */
    void (*free)(void *arg);
} caw_py_call_spec;

/* A future that makes a call on the loop of the locals, awaits what the call returns if that is awaitable, and is ready
 * with the result. NULL for the locals means caw_py_locals_current(). Where that is NULL too, they are those of the
 * coroutine of this library, or of the scope, that polls the future first. Where there is none, the future ends with
 * CAW_ENOREACTOR.
 *
 * A KeyboardInterrupt or SystemExit that `call` raises ends the future, and also leaves the loop, as it does from any
 * callback. On trio only the main task can end a run: there a KeyboardInterrupt goes to the main task, and a SystemExit
 * ends only the future.
 *   any-thread · no-gil · takes(arg), borrows(locals, spec), which are retained and copied · returns-new, NULL when out
 *   of memory · quiet; runs-python by the loop, from the first poll on */
CAW_API caw_future *caw_py_call(caw_py_locals *locals, const caw_py_call_spec *spec, void *arg);

/* The value of a future that caw_py_await or caw_py_call made, once it is ready with status 0. It can be the `result`
 * of a caw_py_spec where Python awaits that future itself.
 *   any-thread · gil · borrows(f) · returns-new, raises RuntimeError where there is no value · quiet */
CAW_API PyObject *caw_py_value(caw_future *f);

/* The exception that ended such a future, one of caw_py_group, caw_blocking, caw_spawn, or a promise that passes its
 * status on.
 * NULL where no exception ended it, or it is one of another interpreter; no exception is set by that.
 *   any-thread · gil · borrows(f) · returns-new · quiet */
CAW_API PyObject *caw_py_exception(caw_future *f);

/* --- groups --- */

/* A future around that of a group (caw_group_new), whose failure in Python is an ExceptionGroup of all that its members
 * have failed with, in the order of their ends, as with asyncio's TaskGroup and trio's nursery: the exceptions of those
 * that awaited Python, and for the others what caw_py_set_error makes of their status. With an exception that is no
 * Exception in it, it is a BaseExceptionGroup. `message` must live as long as the future; NULL: "unhandled errors in a
 * group".
 *
 * The future ends with CAW_EPYTHON then, and the group can be caught and looked at as any other exception that a child
 * has ended with. It ends with CAW_ECANCELED, and so with the framework's cancellation, where the group does.
 *
 * The exception is made by the coroutine that polls the future. Polled elsewhere, on a pool for example, the future
 * ends as the group does, with the first error alone. So does it in Python 3.10 where the package exceptiongroup,
 * which trio and anyio need there, is not installed. A future that is not a group's ends with CAW_EINVAL.
 *   any-thread · no-gil · takes(group), also on failure; borrows(message) · returns-new, NULL when out of memory or
 *   where `group` is NULL · quiet; runs-python by the coroutine */
CAW_API caw_future *caw_py_group(caw_future *group, const char *message);

CAW_END_DECLS

#endif
#endif
