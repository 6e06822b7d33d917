/* cawait/python_await.h: Python awaitables that C awaits.
 *
 *     caw_future *answer = caw_py_await(PyObject_CallNoArgs(handler));        // "gil"; NULL: an exception is set
 *     ...
 *     if (caw_future_poll(self->answer, cx) == CAW_PENDING) { return CAW_PENDING; }
 *     if (self->answer->status == 0) { PyObject *value = caw_py_value(self->answer); ... }
 *
 * In place. Polled by a coroutine of this library, with that coroutine's own waker, the awaitable becomes a part of the
 * coroutine, as with `await` in Python: it runs in the same task, what it yields is yielded to the loop, and what is sent
 * and thrown into the coroutine goes to it first. So its `except` and `finally` run when the task is cancelled, before
 * the C future is polled again. No task is made.
 *
 * A coroutine waits for one awaitable at a time in this way. Who polls several futures gives each a waker of its own; to
 * poll another one with the coroutine's waker while an awaitable waits in place is a RuntimeError.
 *
 * An exception that ends the awaitable stays with the future (caw_py_exception), and the status is CAW_EPYTHON, or
 * CAW_ECANCELED where it is the framework's cancellation (or GeneratorExit). A coroutine whose own future then ends with
 * that status raises that very exception, with its traceback, cause and notes. (A poll that has the GIL may also end with
 * CAW_EPYTHON and an exception set: then that one is raised.)
 */
#ifndef CAWAIT_PYTHON_AWAIT_H
#define CAWAIT_PYTHON_AWAIT_H

#include "cawait/python_api.h"

#ifndef CAW_NO_PYTHON

CAW_BEGIN_DECLS

/* A future that awaits a Python object: a coroutine, a Task or Future, a generator-based coroutine, an object with
 * __await__, an iterator that an __await__ returned. Anything else is a TypeError, at once. `awaitable` may be NULL with
 * an exception set, which then stays.
 *   loop · gil · takes(awaitable), also on failure · returns-new, raises · quiet */
CAW_API caw_future *caw_py_await(PyObject *awaitable);

/* The value of a future that caw_py_await made, once it is ready with status 0. It can be the `result` of a caw_py_spec
 * where the future itself is what Python awaits.
 *   loop · gil · borrows(f) · returns-new, raises RuntimeError where there is none · quiet */
CAW_API PyObject *caw_py_value(caw_future *f);

/* The exception that ended it, or NULL, without an exception set, where none did.
 *   loop · gil · borrows(f) · returns-new · quiet */
CAW_API PyObject *caw_py_exception(caw_future *f);

CAW_END_DECLS

#endif
#endif
