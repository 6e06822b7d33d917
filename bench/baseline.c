/* baseline.c: what an extension does without this library. Its thread takes the GIL and calls call_soon_threadsafe.
 *
 * It is written to be fast: no look-ups on the thread (the bound methods come from the loop's thread), no argument
 * tuple, and memory is freed after the GIL is released. With `keep` it is faster still: the thread keeps one thread
 * state for ever, whereas PyGILState_Ensure makes and frees one each time. Few extensions do that, because it disturbs
 * finalization.
 */
#include "bench.h"

#include <stdlib.h>

typedef struct gil_job {
    bench_task task;
    PyObject *call_soon_threadsafe; /* bound to the loop */
    PyObject *set_result;           /* bound to the future */
} gil_job;

static PyThreadState *worker_state; /* the worker's thread state while it keeps one, or NULL */

/* With the GIL. */
static void
gil_job_complete(gil_job *job)
{
    PyObject *args[] = {job->set_result, Py_None};
    PyObject *handle = PyObject_Vectorcall(job->call_soon_threadsafe, args, 2, NULL);
    if (!handle) {
        PyErr_WriteUnraisable(job->set_result);
    }
    Py_XDECREF(handle);
    Py_DECREF(job->set_result);
    Py_DECREF(job->call_soon_threadsafe);
}

static void
gil_job_run(bench_task *task)
{
    gil_job *job = CAW_CONTAINER_OF(task, gil_job, task);
    if (worker_state) {
        PyEval_RestoreThread(worker_state);
        PyGILState_Release(PyGILState_UNLOCKED); /* of gil_job_run_keeping */
        worker_state = NULL;
    }
    PyGILState_STATE state = PyGILState_Ensure();
    gil_job_complete(job);
    PyGILState_Release(state);
    free(job);
}

static void
gil_job_run_keeping(bench_task *task)
{
    gil_job *job = CAW_CONTAINER_OF(task, gil_job, task);
    if (!worker_state) {
        (void)PyGILState_Ensure();
    }
    else {
        PyEval_RestoreThread(worker_state);
    }
    gil_job_complete(job);
    worker_state = PyEval_SaveThread();
    free(job);
}

PyDoc_STRVAR(complete_doc, "complete_with_gil(call_soon_threadsafe, set_result, keep)\n--\n\n"
                           "The native thread calls call_soon_threadsafe(set_result, None).");

static PyObject *
complete_with_gil(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs)
{
    if (nargs != 3) {
        PyErr_SetString(PyExc_TypeError, "complete_with_gil takes three arguments");
        return NULL;
    }
    gil_job *job = malloc(sizeof *job);
    if (!job) {
        return PyErr_NoMemory();
    }
    job->task.run = args[2] == Py_True ? gil_job_run_keeping : gil_job_run;
    job->call_soon_threadsafe = Py_NewRef(args[0]);
    job->set_result = Py_NewRef(args[1]);
    int error = bench_submit(&job->task);
    if (error) {
        Py_DECREF(job->call_soon_threadsafe);
        Py_DECREF(job->set_result);
        free(job);
        return caw_py_set_error(error);
    }
    Py_RETURN_NONE;
}

static PyObject *
nothing(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    Py_RETURN_NONE;
}

static PyObject *
set_period(PyObject *Py_UNUSED(module), PyObject *ns)
{
    uint64_t period = PyLong_AsUnsignedLongLong(ns);
    if (PyErr_Occurred()) {
        return NULL;
    }
    bench_set_period(period);
    Py_RETURN_NONE;
}

PyMethodDef bench_baseline_functions[] = {
    {"complete_with_gil", (PyCFunction)(void (*)(void))complete_with_gil, METH_FASTCALL, complete_doc},
    {"nothing", nothing, METH_NOARGS, "nothing()\n--\n\nThe cheapest call for run_in_executor."},
    {"set_period", set_period, METH_O, "set_period(ns)\n--\n\nHow often the thread looks for tasks; 0: always."},
    {NULL, NULL, 0, NULL},
};
