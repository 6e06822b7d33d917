/* state.h: what one module (in one interpreter) owns of the bridge.
 *
 * It is the state of a small module object of our own. The types that were made for the module keep it alive. Nothing
 * is static, and no two interpreters share a word.
 *
 * Lock table: every field is protected by the GIL of the interpreter that the module belongs to.
 */
#ifndef CAWAIT_PYTHON_BASE_STATE_H
#define CAWAIT_PYTHON_BASE_STATE_H

#include "python/base/compat.h"

CAW__INTERNAL_BEGIN

/* Attribute and method names, interned once: X(name). */
#define CAW__NAMES(X)                                                                                                  \
    X(__asyncio_running_event_loop__)                                                                                  \
    X(__dict__)                                                                                                        \
    X(_cancel_points)                                                                                                  \
    X(_cancel_status)                                                                                                  \
    X(_get_running_loop)                                                                                               \
    X(_runner)                                                                                                         \
    X(abort)                                                                                                           \
    X(abort_func)                                                                                                      \
    X(add_reader)                                                                                                      \
    X(anyio)                                                                                                           \
    X(asyncio)                                                                                                         \
    X(call_soon)                                                                                                       \
    X(context)                                                                                                         \
    X(cr_await)                                                                                                        \
    X(cr_running)                                                                                                      \
    X(current_task)                                                                                                    \
    X(effectively_cancelled)                                                                                           \
    X(get_debug)                                                                                                       \
    X(ki_pending)                                                                                                      \
    X(outcome)                                                                                                         \
    X(reschedule)                                                                                                      \
    X(sniffio)                                                                                                         \
    X(task)                                                                                                            \
    X(trio)

typedef struct caw__names {
#define NAMES_FIELD(name) PyObject *name;
    CAW__NAMES(NAMES_FIELD)
#undef NAMES_FIELD
} caw__names;

typedef struct caw__framework caw__framework;
typedef struct caw__hub caw__hub;
typedef struct caw__coroutine caw__coroutine;
typedef struct caw__generator caw__generator;
typedef struct caw__park caw__park;
typedef struct caw__waiter caw__waiter;
typedef struct caw__wake_target caw__wake_target;
typedef struct caw__orphans caw__orphans;

/* The objects of trio that framework/trio_api.c keeps: X(object). Either all are set, or only `modules`, which is
 * sys.modules. Two of them may be missing all the same. `context` is where trio keeps the current task; it is private
 * to trio. `locals` is its content for the thread that looked last; it is NULL while `thread` is 0. */
#define CAW__TRIO_OBJECTS(X)                                                                                           \
    X(trio)                                                                                                            \
    X(in_trio_task)                                                                                                    \
    X(current_task)                                                                                                    \
    X(current_trio_token)                                                                                              \
    X(reschedule)                                                                                                      \
    X(spawn_system_task)                                                                                               \
    X(wait_readable)                                                                                                   \
    X(cancelled)                                                                                                       \
    X(checkpoint_if_cancelled)                                                                                         \
    X(watch)                                                                                                           \
    X(wait_type)                                                                                                       \
    X(schedule_point)                                                                                                  \
    X(nothing)                                                                                                         \
    X(error_type)                                                                                                      \
    X(abort_succeeded)                                                                                                 \
    X(abort_failed)                                                                                                    \
    X(context)                                                                                                         \
    X(locals)                                                                                                          \
    X(modules)

typedef struct caw__trio_api {
#define TRIO_FIELD(name) PyObject *name;
    CAW__TRIO_OBJECTS(TRIO_FIELD)
#undef TRIO_FIELD
    uint64_t thread;       /* the thread of `locals`; no two threads ever have the same number */
    Py_ssize_t n_modules;  /* the size of sys.modules when trio was last looked for in vain */
    caw__park *free_parks; /* with their messages, which are kept, which are kept */
    int n_free_parks;
} caw__trio_api;

typedef struct caw__state {
    PyTypeObject *coroutine_type;
    PyTypeObject *iterator_type; /* of what __await__() of a coroutine gives */
    PyTypeObject *park_type;
    PyTypeObject *hub_type;
    PyTypeObject *function_type;
    PyTypeObject *method_type;
    PyTypeObject *plain_function_type, *plain_method_type; /* NULL until a row of a table makes one */
    PyTypeObject *generator_type;                          /* NULL until something makes one */
    PyTypeObject *step_type;        /* of the coroutines that make its steps; NULL until then too */
    PyTypeObject *byte_stream_type; /* NULL until one is made */
    caw__names names;
    PyObject *call_soon_kwnames; /* ("context",) */

    /* asyncio's namespaces, in which others replace functions: NULL until a coroutine first suspends
     * (framework/asyncio.c) */
    PyObject *in_events;
    PyObject *in_asyncio;
    PyObject *cancelled_error;
    caw__trio_api trio;
    PyObject *bare_type;            /* the class that gives an iterator an __await__: NULL until it is needed */
    PyObject *posted, *trio_posted; /* the functions that run an awaitable as a task: NULL until one is posted */

    caw__hub *hubs;   /* all hubs that are alive, linked by hub->next; borrowed: each takes itself out */
    caw__hub *recent; /* the hub that began to drain last, in any thread; borrowed: it takes itself out */

    caw__orphans *orphans; /* what closed loops left to be done: a reference; NULL once the module is freed */

    bool finishes_at_exit; /* module/finish.c's atexit callback */

    PyObject *functions; /* dict: address of a spec -> the function object made for it by caw_py_coroutine */
    PyStopIterationObject *stop_iteration; /* reused for results: base/errors.c */

    caw__coroutine *free_coroutines, *free_steps;
    caw__park *free_parks;
    int n_free_coroutines, n_free_steps, n_free_parks;

    PyObject *asyncio_threads; /* a capsule, NULL until a loop needs a thread: framework/asyncio_thread.c */
} caw__state;

/* The state of the bridge's own types. NULL, without an exception, once the collector has cleared the type: a
 * deallocator has to handle that (CPython gh-115874). */
static inline caw__state *
caw__state_of_type(PyTypeObject *type)
{
    PyObject *module = ((PyHeapTypeObject *)type)->ht_module;
    return module ? PyModule_GetState(module) : NULL;
}

CAW__INTERNAL_END

#endif
