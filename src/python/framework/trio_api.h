/* trio_api.h: what the bridge uses of trio, by its public API for other libraries, trio.lowlevel. Nothing is imported
 * that the program has not imported itself, but what trio itself needs. */
#ifndef CAWAIT_PYTHON_FRAMEWORK_TRIO_API_H
#define CAWAIT_PYTHON_FRAMEWORK_TRIO_API_H

#include "python/base/state.h"

CAW__INTERNAL_BEGIN

/* Whether the program has not imported trio since it was last looked for. Each coroutine begins with this. */
static inline bool
caw__trio_is_absent(const caw__state *state)
{
    const caw__trio_api *api = &state->trio;
    return api->modules && PyDict_GET_SIZE(api->modules) == api->n_modules;
}

/* The task of trio that is being stepped in this thread, in `task`: 1 and a new reference, 0 and NULL when there is
 * none, -1 and NULL with an exception. Costs next to nothing without trio. */
int caw__trio_task(caw__state *state, PyObject **task);

/* What identifies the run of the current task: a new reference, or NULL with an exception. */
PyObject *caw__trio_run_of(caw__state *state, PyObject *task);

/* Begin the part of a checkpoint that comes before an operation. None when the task may pass at once; else an awaitable
 * that raises where the task is cancelled. A new reference. */
PyObject *caw__trio_checkpoint_if_cancelled(caw__state *state, PyObject *task);

/* What a task yields to let others run: a new reference. */
PyObject *caw__trio_schedule_point(caw__state *state);

/* trio sends outcomes: the exception in one, a new reference; NULL, without an exception, when there is none. */
PyObject *caw__trio_sent_error(caw__state *state, PyObject *sent);

void caw__trio_forget(caw__trio_api *api);
int caw__trio_visit(caw__trio_api *api, visitproc visit, void *arg);

CAW__INTERNAL_END

#endif
