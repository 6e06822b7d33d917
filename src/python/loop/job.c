/* job.c: see job.h. */
#include "python/loop/job.h"

#include "python/loop/hub.h"

#include <sched.h>
#include <stdlib.h>

struct caw__late {
    _Atomic uint32_t refs;
    _Atomic uint32_t users;
    _Atomic bool asked;
    _Atomic(caw__wake_node *) head;
    int64_t interpreter; /* whose it is: its id */
    bool in_main;        /* only the main interpreter takes pending calls of any thread */
};

static caw__wake_node late_closed;
#define LATE_CLOSED (&late_closed)

/* --- jobs --- */

void
caw__job_init(caw__job *job, caw__inbox *inbox, int (*run)(caw__job *, caw__job_place, caw__hub *))
{
    atomic_init(&job->node.refs, 1);
    atomic_init(&job->node.flags, CAW__NODE_JOB);
    job->node.inbox = inbox;
    job->node.owner = NULL;
    job->run = run;
}

caw__job_pushed
caw__job_push(caw__job *job)
{
    /* Release: what was asked of the job before is visible to the drain, which clears QUEUED with acquire. Acquire: the drain
     * is through with the link. */
    uint32_t flags = atomic_fetch_or_explicit(&job->node.flags, CAW__NODE_QUEUED, memory_order_acq_rel);
    if (flags & CAW__NODE_QUEUED) {
        return JOB_WAS_QUEUED;
    }
    if (caw__reactor_push(job->node.inbox->reactor, &job->node.link)) {
        return JOB_PUSHED;
    }
    caw__node_rearm(&job->node);
    return JOB_CLOSED;
}

int
caw__job_run(caw__job *job, caw__job_place place, caw__hub *hub)
{
    caw__node_rearm(&job->node);
    return job->run(job, place, hub);
}

bool
caw__job_is_at_home(const caw__job *job)
{
    if (!caw__has_gil() || !caw__late_is_of_this_interpreter(job->node.inbox->late)) {
        return false; /* each interpreter may have a GIL of its own */
    }
    const caw__hub *hub = job->node.inbox->hub;
    return hub && hub->thread == PyThread_get_thread_ident();
}

/* --- the late list --- */

static void late_close(caw__late *late, caw__job_place place);

static void
late_capsule_gone(PyObject *capsule)
{
    caw__late *late = PyCapsule_GetPointer(capsule, NULL);
    late_close(late, JOB_WITHOUT_PYTHON); /* nearly: of the interpreter there is not enough left to run anything */
    caw__late_release(late);
}

/* Set, or (NULL) remove the capsule in the interpreter's dict. -1 with an exception. */
static int
late_set_capsule(const caw__late *late, PyObject *capsule)
{
    PyObject *dict = PyInterpreterState_GetDict(PyInterpreterState_Get()), *key = PyLong_FromVoidPtr((void *)late);
    int failed = !dict || !key ? -1 : capsule ? PyDict_SetItem(dict, key, capsule) : PyDict_DelItem(dict, key);
    Py_XDECREF(key);
    return failed;
}

caw__late *
caw__late_new(void)
{
    caw__late *late = malloc(sizeof *late);
    PyObject *capsule = late ? PyCapsule_New(late, NULL, late_capsule_gone) : PyErr_NoMemory();
    if (!capsule) {
        free(late);
        return NULL;
    }
    atomic_init(&late->refs, 2);
    atomic_init(&late->users, 0);
    atomic_init(&late->asked, false);
    atomic_init(&late->head, NULL);
    late->interpreter = PyInterpreterState_GetID(PyInterpreterState_Get());
    late->in_main = PyInterpreterState_Get() == PyInterpreterState_Main();
    int failed = late_set_capsule(late, capsule);
    Py_DECREF(capsule);
    if (failed) {
        caw__late_release(late);
        return NULL;
    }
    return late;
}

caw__late *
caw__late_retain(caw__late *late)
{
    atomic_fetch_add_explicit(&late->refs, 1, memory_order_relaxed); /* relaxed: the caller has a reference */
    return late;
}

bool
caw__late_is_of_this_interpreter(const caw__late *late)
{
    return late->interpreter == PyInterpreterState_GetID(PyInterpreterState_Get());
}

void
caw__late_release(caw__late *late)
{
    /* acq_rel: all uses by others, before their release, come before the free. */
    if (atomic_fetch_sub_explicit(&late->refs, 1, memory_order_acq_rel) == 1) {
        free(late);
    }
}

/* Take the whole stack. `next` is what it becomes. */
static void
late_run_all(caw__late *late, caw__wake_node *next, caw__job_place place)
{
    caw__wake_node *node = atomic_load_explicit(&late->head, memory_order_relaxed);
    /* Acquire: pairs with the push, for what is in the jobs. */
    while (node != LATE_CLOSED && !atomic_compare_exchange_weak_explicit(&late->head, &node, next, memory_order_acquire,
                                                                         memory_order_relaxed)) {
    }
    while (node && node != LATE_CLOSED) {
        caw__job *job = (caw__job *)node;
        node = node->next;
        (void)caw__job_run(job, place, NULL);
    }
}

void
caw__late_run(caw__late *late)
{
    if (atomic_load_explicit(&late->head, memory_order_relaxed)) { /* relaxed: asked again at the next drain */
        late_run_all(late, NULL, JOB_WITHOUT_LOOP);
    }
}

static void
late_close(caw__late *late, caw__job_place place)
{
    late_run_all(late, LATE_CLOSED, place);
    /* Who is a user now may still ask for a pending call, which this interpreter has to live for; not for ever, since in
     * the child of a fork nobody comes. */
    for (int i = 0; i < 10000 && atomic_load_explicit(&late->users, memory_order_acquire) > 0; i++) {
        sched_yield();
    }
}

void
caw__late_close(caw__late *late)
{
    PyObject *raised = caw__take_raised();
    late_close(late, JOB_WITHOUT_LOOP);
    (void)late_set_capsule(late, NULL);
    PyErr_Clear(); /* it has gone before */
    if (raised) {
        caw__raise(raised);
    }
}

static int
late_pending_call(void *user)
{
    caw__late *late = user;
    atomic_store_explicit(&late->asked, false, memory_order_relaxed); /* first: what comes now asks again */
    caw__late_run(late);
    caw__late_release(late);
    return 0;
}

static void
late_ask(caw__late *late)
{
    if (late->in_main && !atomic_exchange_explicit(&late->asked, true, memory_order_relaxed)) {
        caw__late_retain(late);
        if (Py_AddPendingCall(late_pending_call, late) < 0) { /* too many: the next drain does it */
            atomic_store_explicit(&late->asked, false, memory_order_relaxed);
            caw__late_release(late);
        }
    }
}

static bool
late_push(caw__late *late, caw__wake_node *node)
{
    caw__wake_node *head = atomic_load_explicit(&late->head, memory_order_relaxed);
    do {
        if (head == LATE_CLOSED) {
            return false;
        }
        node->next = head;
        /* Release: publishes the job. */
    } while (
        !atomic_compare_exchange_weak_explicit(&late->head, &head, node, memory_order_release, memory_order_relaxed));
    return true;
}

void
caw__job_push_or_late(caw__job *job)
{
    caw__late *late = caw__late_retain(job->node.inbox->late); /* the job may be over as soon as it is queued */
    if (caw__job_push(job) == JOB_CLOSED) {
        /* Before the push, and after the call: pairs with caw__late_close. */
        atomic_fetch_add_explicit(&late->users, 1, memory_order_acq_rel);
        bool pushed = late_push(late, &job->node.link);
        if (pushed) {
            late_ask(late);
        }
        atomic_fetch_sub_explicit(&late->users, 1, memory_order_release);
        if (!pushed) {
            (void)job->run(job, JOB_WITHOUT_PYTHON, NULL);
        }
    }
    caw__late_release(late);
}
