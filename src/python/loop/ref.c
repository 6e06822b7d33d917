/* ref.c: Python objects held by native code: counted without the GIL, dropped by the loop's thread . */
#include "python/loop/ref.h"

#include "python/loop/hub.h"
#include "python/loop/job.h"

#include <stdlib.h>

struct caw_py_ref {
    caw__job job; /* drops the object, once nobody has a reference any more */
    _Atomic uint32_t refs;
    PyObject *object; /* a reference */
};

static int
ref_drop(caw__job *job, caw__job_place place, caw__hub *hub)
{
    caw_py_ref *ref = CAW_CONTAINER_OF(job, caw_py_ref, job);
    (void)hub;
    PyObject *object = ref->object;
    caw__inbox_release(ref->job.target.inbox);
    free(ref);
    if (place != JOB_WITHOUT_PYTHON) {
        Py_XDECREF(object); /* last: may run any Python code */
    }
    return 0;
}

caw_py_ref *
caw__ref_new(caw__inbox *inbox, PyObject *object)
{
    caw_py_ref *ref = malloc(sizeof *ref);
    if (ref) {
        caw__job_init(&ref->job, caw__inbox_retain(inbox), ref_drop);
        atomic_init(&ref->refs, 1);
        ref->object = object;
    }
    return ref;
}

caw_py_ref *
caw_py_ref_retain(caw_py_ref *ref)
{
    if (ref) {
        atomic_fetch_add_explicit(&ref->refs, 1, memory_order_relaxed); /* relaxed: the caller has a reference */
    }
    return ref;
}

void
caw_py_ref_release(caw_py_ref *ref)
{
    /* acq_rel: all uses by others, before their release, come before the drop. */
    if (!ref || atomic_fetch_sub_explicit(&ref->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    if (caw__hub_is_here(ref->job.target.inbox)) {
        PyObject *raised = caw__take_raised();
        (void)ref_drop(&ref->job, JOB_ON_LOOP, NULL);
        if (raised) {
            caw__raise(raised);
        }
    }
    else {
        caw__job_push_or_orphan(&ref->job);
    }
}

PyObject *
caw_py_ref_get(const caw_py_ref *ref)
{
    return ref->object;
}
