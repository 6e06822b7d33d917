/* orphans.c: the list of jobs whose loop is closed. */
#include "python/loop/orphans.h"

#include "core/os/thread.h"

#include <stdlib.h>

struct caw__orphans {
    _Atomic uint32_t refs;
    _Atomic uint32_t users;
    _Atomic bool requested;
    _Atomic(caw__wake_node *) head;
    int64_t interpreter; /* whose it is: its id */
    bool in_main;        /* only the main interpreter takes pending calls of any thread */
};

static caw__wake_node orphans_closed;
#define ORPHANS_CLOSED (&orphans_closed)

static void orphans_close(caw__orphans *orphans, caw__job_place place);

static void
orphans_capsule_gone(PyObject *capsule)
{
    caw__orphans *orphans = PyCapsule_GetPointer(capsule, NULL);
    orphans_close(orphans, JOB_WITHOUT_PYTHON); /* there is too little left of the interpreter to run anything */
    caw__orphans_release(orphans);
}

/* Set, or (NULL) remove the capsule in the interpreter's dict. -1 with an exception. */
static int
orphans_set_capsule(const caw__orphans *orphans, PyObject *capsule)
{
    PyObject *dict = PyInterpreterState_GetDict(PyInterpreterState_Get()), *key = PyLong_FromVoidPtr((void *)orphans);
    int failed = !dict || !key ? -1 : capsule ? PyDict_SetItem(dict, key, capsule) : PyDict_DelItem(dict, key);
    Py_XDECREF(key);
    return failed;
}

caw__orphans *
caw__orphans_new(void)
{
    caw__orphans *orphans = malloc(sizeof *orphans);
    PyObject *capsule = orphans ? PyCapsule_New(orphans, NULL, orphans_capsule_gone) : PyErr_NoMemory();
    if (!capsule) {
        free(orphans);
        return NULL;
    }
    atomic_init(&orphans->refs, 2);
    atomic_init(&orphans->users, 0);
    atomic_init(&orphans->requested, false);
    atomic_init(&orphans->head, NULL);
    orphans->interpreter = PyInterpreterState_GetID(PyInterpreterState_Get());
    orphans->in_main = PyInterpreterState_Get() == PyInterpreterState_Main();
    int failed = orphans_set_capsule(orphans, capsule);
    Py_DECREF(capsule);
    if (failed) {
        caw__orphans_release(orphans);
        return NULL;
    }
    return orphans;
}

caw__orphans *
caw__orphans_retain(caw__orphans *orphans)
{
    atomic_fetch_add_explicit(&orphans->refs, 1, memory_order_relaxed); /* relaxed: the caller has a reference */
    return orphans;
}

bool
caw__orphans_is_of_this_interpreter(const caw__orphans *orphans)
{
    return orphans->interpreter == PyInterpreterState_GetID(PyInterpreterState_Get());
}

void
caw__orphans_release(caw__orphans *orphans)
{
    /* acq_rel: all uses by others, before their release, come before the free. */
    if (atomic_fetch_sub_explicit(&orphans->refs, 1, memory_order_acq_rel) == 1) {
        free(orphans);
    }
}

/* Take the whole stack. `next` is what it becomes. */
static void
orphans_run_all(caw__orphans *orphans, caw__wake_node *next, caw__job_place place)
{
    caw__wake_node *target = atomic_load_explicit(&orphans->head, memory_order_relaxed);
    /* Acquire: pairs with the push, for what is in the jobs. */
    while (target != ORPHANS_CLOSED && !atomic_compare_exchange_weak_explicit(
                                           &orphans->head, &target, next, memory_order_acquire, memory_order_relaxed)) {
    }
    while (target && target != ORPHANS_CLOSED) {
        caw__job *job = (caw__job *)target;
        target = target->next;
        (void)caw__job_run(job, place, NULL);
    }
}

void
caw__orphans_run(caw__orphans *orphans)
{
    if (atomic_load_explicit(&orphans->head, memory_order_relaxed)) { /* relaxed: the next drain looks again */
        orphans_run_all(orphans, NULL, JOB_WITHOUT_LOOP);
    }
}

static void
orphans_close(caw__orphans *orphans, caw__job_place place)
{
    orphans_run_all(orphans, ORPHANS_CLOSED, place);
    /* A thread that is a user now may still request a pending call, for which this interpreter has to be alive. Not
     * for ever: in the child of a fork that thread is not there. */
    for (int i = 0; i < 10000 && atomic_load_explicit(&orphans->users, memory_order_acquire) > 0; i++) {
        caw__thread_yield();
    }
}

void
caw__orphans_close(caw__orphans *orphans)
{
    PyObject *raised = caw__take_raised();
    orphans_close(orphans, JOB_WITHOUT_LOOP);
    (void)orphans_set_capsule(orphans, NULL);
    PyErr_Clear(); /* it has gone before */
    if (raised) {
        caw__raise(raised);
    }
}

static int
orphans_pending_call(void *user)
{
    caw__orphans *orphans = user;
    atomic_store_explicit(&orphans->requested, false,
                          memory_order_relaxed); /* first: what comes from now on requests another call */
    caw__orphans_run(orphans);
    caw__orphans_release(orphans);
    return 0;
}

static void
orphans_request_call(caw__orphans *orphans)
{
    if (orphans->in_main && !atomic_exchange_explicit(&orphans->requested, true, memory_order_relaxed)) {
        caw__orphans_retain(orphans);
        if (Py_AddPendingCall(orphans_pending_call, orphans) < 0) { /* too many: the next drain does it */
            atomic_store_explicit(&orphans->requested, false,
                                  memory_order_relaxed); /* relaxed: nothing is read after it */
            caw__orphans_release(orphans);
        }
    }
}

static bool
orphans_push(caw__orphans *orphans, caw__wake_node *target)
{
    caw__wake_node *head = atomic_load_explicit(&orphans->head, memory_order_relaxed);
    do {
        if (head == ORPHANS_CLOSED) {
            return false;
        }
        target->next = head;
        /* Release: publishes the job. */
    } while (!atomic_compare_exchange_weak_explicit(&orphans->head, &head, target, memory_order_release,
                                                    memory_order_relaxed));
    return true;
}

void
caw__orphans_add(caw__orphans *orphans, caw__job *job)
{
    /* Before the push, and after the call: pairs with caw__orphans_close. */
    atomic_fetch_add_explicit(&orphans->users, 1, memory_order_acq_rel);
    bool pushed = orphans_push(orphans, &job->target.link);
    if (pushed) {
        orphans_request_call(orphans);
    }
    atomic_fetch_sub_explicit(&orphans->users, 1, memory_order_release);
    if (!pushed) {
        (void)job->run(job, JOB_WITHOUT_PYTHON, NULL);
    }
}
