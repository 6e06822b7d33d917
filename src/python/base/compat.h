/* compat.h: what differs between CPython versions, in one place. */
#ifndef CAWAIT_PYTHON_BASE_COMPAT_H
#define CAWAIT_PYTHON_BASE_COMPAT_H

#include "cawait/python.h"

#include "core/os/compiler.h"

#include <frameobject.h>

CAW__INTERNAL_BEGIN

/* Free lists and other shared words of the bridge are protected by the GIL; a free-threaded build goes without them. */
#ifdef Py_GIL_DISABLED
#  define CAW__FREELIST_MAX 0
#  define CAW__ABI_THREAD   "t"
#else
#  define CAW__FREELIST_MAX 256
#  define CAW__ABI_THREAD   ""
#endif

/* "3.13", or "3.13t" without the GIL, as in the names of folders. */
#define CAW__TEXT_OF(word) #word
#define CAW__TEXT(macro)   CAW__TEXT_OF(macro)
#define CAW__PYTHON_SERIES CAW__TEXT(PY_MAJOR_VERSION) "." CAW__TEXT(PY_MINOR_VERSION) CAW__ABI_THREAD

/* A function in a slot, which is a void pointer: ISO C has no such conversion, POSIX and CPython rely on it. */
#define CAW__SLOT(function) (CAW__EXTENSION(void *)(function))

/* Features that only newer versions have. */
#define CAW__HAS_CODE_QUALNAME (PY_VERSION_HEX >= 0x030B0000) /* code.replace(co_qualname=...) */
#define CAW__HAS_GROUPS        (PY_VERSION_HEX >= 0x030B0000) /* BaseExceptionGroup */
#define CAW__HAS_EAGER_TASKS   (PY_VERSION_HEX >= 0x030C0000) /* asyncio.Task(eager_start=True) */

/* cr_await of a coroutine that runs is looked up in a stack that is in use. 3.10 looks at the place of the last
 * instruction first, later versions at the state of the frame. */
#define CAW__MISREADS_RUNNING (PY_VERSION_HEX >= 0x030B0000 && PY_VERSION_HEX < 0x030D0000)

#define CAW__HAS_RUNNING_MARK (PY_VERSION_HEX < 0x030D0000)  /* the running loop is in the dict of its thread */
#define CAW__WARNS_OF_THROW   (PY_VERSION_HEX >= 0x030C0000) /* throw(type, value, traceback) is deprecated */

/* How `yield from` begins: an instruction, with these bits in its argument. */
#if PY_VERSION_HEX >= 0x030F0000
#  define CAW__YIELD_FROM_INSTRUCTION "GET_ITER"
#  define CAW__YIELD_FROM_ARGUMENT    2
#else
#  define CAW__YIELD_FROM_INSTRUCTION "GET_YIELD_FROM_ITER"
#  define CAW__YIELD_FROM_ARGUMENT    0
#endif

/* A byte of a generator or coroutine of Python's, and its value in one that has no frame any more: FRAME_CLEARED of
 * `Include/internal/pycore_frame.h`. `python -m asyncio ps` reads it of whatever a task awaits, by its place, in the
 * memory of another process; and where it has this value, no more. */
#define CAW__FRAME_STATE_PLACE 67
#if PY_VERSION_HEX >= 0x030F0000
#  define CAW__FRAME_CLEARED 5
#else
#  define CAW__FRAME_CLEARED 4
#endif

/* On Python 3.12 to 3.14 `await` calls tp_iternext, which has to instantiate a StopIteration: see base/errors.c. */
#define CAW__REUSES_STOP_ITERATION (PY_VERSION_HEX >= 0x030C0000 && CAW__FREELIST_MAX > 0)

/* Before 3.12 an exception can be set without an instance, which is made only if it is needed. */
#define CAW__SETS_STOP_ITERATION_LAZILY (PY_VERSION_HEX < 0x030C0000)

/* The module slots of an extension whose whole state belongs to its module objects. */
#if PY_VERSION_HEX >= 0x030C0000
#  define CAW__ANY_INTERPRETER {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#else
#  define CAW__ANY_INTERPRETER
#endif

/* Raise an exception object; takes the reference. */
static inline void
caw__raise(PyObject *exception)
{
#if PY_VERSION_HEX >= 0x030C0000
    PyErr_SetRaisedException(exception);
#else
    PyErr_Restore(Py_NewRef(Py_TYPE(exception)), exception, PyException_GetTraceback(exception));
#endif
}

/* The attribute: a new reference, or NULL. Never raises. */
static inline PyObject *
caw__attribute(PyObject *object, PyObject *name)
{
    PyObject *value = NULL;
#if PY_VERSION_HEX >= 0x030D0000
    int found = PyObject_GetOptionalAttr(object, name, &value);
#else
    int found = _PyObject_LookupAttr(object, name, &value);
#endif
    if (found < 0) {
        PyErr_Clear();
    }
    return value;
}

/* Clear the exception that is set, if there is one, where no caller can take it. A KeyboardInterrupt is not lost: the
 * interrupt is set again. */
static inline void
caw__forget_raised(void)
{
    if (PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) {
        PyErr_SetInterrupt();
    }
    PyErr_Clear();
}

/* The exception that is set, taken out: a new reference, or NULL. Its traceback is attached. */
static inline PyObject *
caw__take_raised(void)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (!type) {
        return NULL;
    }
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback) {
        PyException_SetTraceback(value, traceback);
        Py_DECREF(traceback);
    }
    Py_DECREF(type);
    return value;
#endif
}

/* Make an object of a free list alive again; it kept its type. The rest of what _Py_NewReference does is for debug
 * builds. */
static inline void
caw__revive(PyObject *object)
{
#if defined(Py_DEBUG) || defined(Py_TRACE_REFS) || defined(Py_GIL_DISABLED)
    PyTypeObject *type = Py_TYPE(object);
    PyObject_Init(object, type);
    Py_DECREF(type);
#else
    Py_SET_REFCNT(object, 1);
#endif
}

/* PyErr_Occurred() without another look-up of the thread state, which is a call into the dynamic linker. */
static inline bool
caw__has_raised(const PyThreadState *tstate)
{
#if PY_VERSION_HEX >= 0x030C0000
    return tstate->current_exception != NULL;
#else
    return tstate->curexc_type != NULL;
#endif
}

/* Whether a coroutine of Python's has not begun: FRAME_CREATED of `Include/internal/pycore_frame.h`. False where the
 * version gives no access to it: then its attributes are looked up, which takes longer. */
static inline bool
caw__coroutine_is_new(PyObject *coroutine)
{
#if PY_VERSION_HEX >= 0x030D0000 && PY_VERSION_HEX < 0x030E0000
    return ((PyCoroObject *)coroutine)->cr_frame_state == -3;
#elif PY_VERSION_HEX >= 0x030B0000 && PY_VERSION_HEX < 0x030D0000
    return ((PyCoroObject *)coroutine)->cr_frame_state == -2;
#else
    (void)coroutine;
    return false;
#endif
}

/* Whether this thread has the GIL. Before 3.12 the interpreter only says which thread state has the GIL, so the answer
 * is false where this thread has it with another thread state than its first one. */
static inline bool
caw__has_gil(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    return PyThreadState_GetUnchecked() != NULL;
#elif PY_VERSION_HEX >= 0x030C0000
    return _PyThreadState_UncheckedGet() != NULL;
#else
    PyThreadState *tstate = _PyThreadState_UncheckedGet();
    return tstate && tstate == PyGILState_GetThisThreadState();
#endif
}

/* What stands for the GIL that this thread has, which is the interpreter's own where that may have one. */
static inline const void *
caw__gil(void)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyInterpreterState_Get();
#else
    return PyInterpreterState_Main();
#endif
}

/* How many frames of a coroutine's origin are to be kept (`sys.set_coroutine_origin_tracking_depth`): nearly always
 * 0. */
static inline int
caw__origin_depth(const PyThreadState *tstate)
{
    return tstate->coroutine_origin_tracking_depth;
}

/* The hook for async generators that begin, set by a loop: borrowed, or NULL. */
static inline PyObject *
caw__asyncgen_firstiter(const PyThreadState *tstate)
{
    return tstate->async_gen_firstiter;
}

/* Mark a frame as begun: inspect.getcoroutinestate looks at that on Python 3.10. */
static inline void
caw__frame_begin(PyFrameObject *frame)
{
#if PY_VERSION_HEX < 0x030B0000
    if (frame->f_lasti < 0) {
        frame->f_lasti = 0;
        frame->f_lineno = frame->f_code->co_firstlineno; /* that instruction has no line */
    }
#else
    (void)frame;
#endif
}

/* Take a frame that was made by hand out of the call stack. Python 3.10 links it to the frame that runs now. */
static inline void
caw__frame_unlink(PyFrameObject *frame)
{
#if PY_VERSION_HEX < 0x030B0000
    Py_CLEAR(frame->f_back);
#else
    (void)frame;
#endif
}

CAW__INTERNAL_END

#endif
