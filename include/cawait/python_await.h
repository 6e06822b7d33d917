/* cawait/python_await.h: Python awaitables that C awaits.
 *
 *     caw_future *answer = caw_py_await(NULL, PyObject_CallNoArgs(handler));  // "gil"; NULL: an exception is set
 *     ...
 *     if (caw_future_poll(self->answer, cx) == CAW_PENDING) { return CAW_PENDING; }
 *     if (self->answer->status == 0) { PyObject *value = caw_py_value(self->answer); ... }
 *
 * Where it runs. The functions here, and those of python_stream.h and python_bytes.h, take `locals`, a loop and a
 * context. NULL means: wherever the future is polled first.
 *
 *     locals   polled first by                                           the awaitable runs
 *     NULL     a coroutine or async generator of this library, with      in place: as a part of that coroutine
 *              its own waker
 *     NULL     such a one, but with another waker, or under              as a task of that coroutine's loop
 *              CAW_PY_CANCEL_SHIELD; a future of concurrent.futures
 *     NULL     anybody else, inside a caw_py_scope                       as a task of the loop of the scope's locals
 *     NULL     anybody else                                              not at all: CAW_ENOREACTOR
 *     given    anybody                                                   as a task of the loop of these locals
 *
 * repr() of a coroutine says what came of it: "suspended in place", or "as a task" behind the name of its future.
 *
 * In place it is as with `await` in Python: it runs in the same task, what it yields is yielded to the loop, and what
 * is sent and thrown into the coroutine goes to it first. So its `except` and `finally` run when the task is cancelled,
 * before the C future is polled again. (The waker has to be the coroutine's alone: while somebody else has a clone of
 * it, or has just woken it, the awaitable runs as a task, so that the coroutine can be polled for that.)
 *
 * A coroutine waits for one awaitable at a time in this way. Who polls several futures gives each a waker of its own;
 * to poll another one with the coroutine's waker while an awaitable waits in place is a RuntimeError. While it waits in
 * place caw_future_cancel does nothing: what cancels the task reaches it by itself; to stop it, destroy it, which
 * closes it. It stays with the coroutine that polled it first: polled by another one it ends with CAW_EINVAL.
 *
 * As a task it runs in a copy of the locals' context, and the result comes back by a wake. Native threads do not need
 * the GIL for that. To cancel or destroy the future cancels the task. Where the loop is closed, or is closed before the
 * end, the status is CAW_ECLOSED; a loop that is stopped goes on with it when it runs again.
 *
 * A Python object that C code holds belongs to the interpreter: keep it as a caw_py_ref where it may be dropped by a
 * thread that has no GIL.
 *
 * An exception that ends the awaitable stays with the future (caw_py_exception), and the status is CAW_EPYTHON, or
 * CAW_ECANCELED where it is the framework's cancellation (or GeneratorExit). A coroutine whose own future then ends
 * with that status raises that very exception, with its traceback, cause and notes. (A poll that has the GIL may also
 * end with CAW_EPYTHON and an exception set: then that one is raised.)
 */
#ifndef CAWAIT_PYTHON_AWAIT_H
#define CAWAIT_PYTHON_AWAIT_H

#include "cawait/python_api.h"

#ifndef CAW_NO_PYTHON

CAW_BEGIN_DECLS

/* --- references --- */

/* A Python object that native code holds. */
typedef struct caw_py_ref caw_py_ref;

/* Where Python runs for native code: a loop, and the context variables of whoever made it. */
typedef struct caw_py_locals caw_py_locals;

/* The loop that runs in this thread, and a copy of the current context, with one reference. `module` is the
 * extension's.
 *   loop · gil · borrows(module) · returns-new, raises RuntimeError where no loop runs · quiet */
CAW_API caw_py_locals *caw_py_locals_new(PyObject *module);

/* One more reference; and one less. NULL is allowed. What they hold of Python is dropped by the loop's thread: at once,
 * where it is that one, with the GIL.
 *   any-thread · no-gil · borrows(locals) / takes(one reference) · never fails · quiet / wakes, runs-python */
CAW_API caw_py_locals *caw_py_locals_retain(caw_py_locals *locals);
CAW_API void caw_py_locals_release(caw_py_locals *locals);

/* The locals of the caw_py_scope whose future this thread is polling, or NULL.
 *   any-thread · no-gil · returns-borrowed · never fails · quiet */
CAW_API caw_py_locals *caw_py_locals_current(void);

/* A future that polls, cancels and destroys its child inside these locals: what the child awaits of Python is then a
 * task of their loop. For futures that run elsewhere than in a coroutine: caw_spawn(pool, caw_py_scope(locals, child)).
 * It ends with the child's status. An exception of Python that ended an awaitable in there is kept, and raised by a
 * coroutine that awaits it with the same status, also through caw_spawn.
 *   any-thread · no-gil · takes(child), borrows(locals), retained · returns-new, NULL when out of memory · quiet */
CAW_API caw_future *caw_py_scope(caw_py_locals *locals, caw_future *child);

/* The child of a future that caw_py_scope made, to read its result; NULL of another future. On a pool that is
 * caw_py_scope_child(caw_spawn_child(join)).
 *   poller · no-gil · borrows(scope), returns-borrowed · never fails · quiet */
CAW_API caw_future *caw_py_scope_child(const caw_future *scope);

/* A reference to an object, counted by itself, for native code on any thread. The object is dropped by the thread of
 * the locals' loop; where that is closed, by the interpreter as soon as it can.
 *   any-thread · gil · borrows(locals, object) · returns-new, raises MemoryError · quiet */
CAW_API caw_py_ref *caw_py_ref_new(caw_py_locals *locals, PyObject *object);

/* One more reference; and one less. NULL is allowed. The last one, released by the loop's thread with the GIL, drops
 * the object at once.
 *   any-thread · no-gil · borrows(ref) / takes(one reference) · never fails · quiet / wakes, runs-python */
CAW_API caw_py_ref *caw_py_ref_retain(caw_py_ref *ref);
CAW_API void caw_py_ref_release(caw_py_ref *ref);

/* The object.
 *   any-thread · gil · returns-borrowed · never fails · quiet */
CAW_API PyObject *caw_py_ref_get(const caw_py_ref *ref);

/* --- awaiting --- */

/* A future that awaits a Python object: a coroutine, a Task or Future (also of concurrent.futures), a generator-based
 * coroutine, an object with __await__, an iterator that an __await__ returned. Anything else is a TypeError, at once.
 * `awaitable` may be NULL with an exception set, which then stays. Cancelled before its first poll it does not begin.
 *
 * Locals of another interpreter are a RuntimeError. With NULL for the locals it is destroyed with the GIL, or in a poll
 * of a coroutine of this library or of a caw_py_scope; else on any thread.
 *   any-thread · gil · takes(awaitable), borrows(locals), which are retained · returns-new, raises · quiet */
CAW_API caw_future *caw_py_await(caw_py_locals *locals, PyObject *awaitable);

/* A call of Python by a thread that has no GIL. */
typedef struct caw_py_call_spec {
    /* Called in the loop's thread, with the GIL, in the locals' context. What it returns is awaited, if it can be, by a
     * task with a copy of that; else it is the value. NULL with an exception: the call has failed. */
    PyObject *(*call)(void *arg);
    /* Optional: take what you need out of the value; called there too, once, before the future is ready. 0, or a status
     * that the future ends with, or CAW_EPYTHON with an exception set. NULL: caw_py_value gives the value. */
    int (*result)(void *arg, PyObject *value);
    /* Optional: free the arg, when both sides are through; on any thread, with or without the GIL. */
    void (*free)(void *arg);
} caw_py_call_spec;

/* Call this on the loop of the locals, await what it returns if it is awaitable, and be ready with the result.
 * NULL for the locals: caw_py_locals_current(), or those of the coroutine of this library, or of the scope, that polls
 * the future first; where there is none it ends with CAW_ENOREACTOR. A KeyboardInterrupt or SystemExit that `call`
 * raises ends the future, and leaves the loop too, as from any callback. (trio lets only its main task end a run: there
 * a KeyboardInterrupt goes to that, and a SystemExit ends nothing but the future.)
 *   any-thread · no-gil · takes(arg), borrows(locals, spec), which are retained and copied · returns-new, NULL when out
 *   of memory · quiet; runs-python by the loop, from the first poll on */
CAW_API caw_future *caw_py_call(caw_py_locals *locals, const caw_py_call_spec *spec, void *arg);

/* The value of a future of the two functions above, once it is ready with status 0. It can be the `result` of a
 * caw_py_spec where the future itself is what Python awaits.
 *   any-thread · gil · borrows(f) · returns-new, raises RuntimeError where there is none · quiet */
CAW_API PyObject *caw_py_value(caw_future *f);

/* The exception that ended it, or NULL, without an exception set, where none did.
 *   any-thread · gil · borrows(f) · returns-new · quiet */
CAW_API PyObject *caw_py_exception(caw_future *f);

CAW_END_DECLS

#endif
#endif
