/* ref.c: Python objects held by native code, without a loop or with one. */
#include "python/loop/ref.h"

#include "python/loop/hub.h"
#include "python/loop/job.h"

#include <stdlib.h>

/* `inbox` and `orphans` are references. A free one has `orphans`; then the job is never queued at the inbox, whose loop
 * is only rung. Else the job is the inbox's, which `orphans` of NULL says. */
struct caw_py_ref {
    caw__detail detail; /* how many references there are */
    caw__job job;       /* drops the object, once nobody has a reference any more */
    caw__orphans *orphans;
    caw__inbox *inbox; /* NULL in a free one where no loop ran */
    PyObject *object;  /* a reference */
    Py_buffer *buffer; /* NULL, or what follows the struct */
};

typedef struct ref_with_buffer {
    caw_py_ref ref;
    Py_buffer buffer;
} ref_with_buffer;

static int
ref_drop(caw__job *job, caw__job_place place, caw__hub *hub)
{
    caw_py_ref *ref = CAW_CONTAINER_OF(job, caw_py_ref, job);
    (void)hub;
    PyObject *object = ref->object;
    bool is_there = place != JOB_WITHOUT_PYTHON;
    if (ref->buffer && is_there) {
        PyBuffer_Release(ref->buffer); /* in its place: it may point into itself. Nobody else has the ref any more */
    }
    if (ref->inbox) {
        caw__inbox_release(ref->inbox);
    }
    if (ref->orphans) {
        caw__orphans_release(ref->orphans);
    }
    free(ref);
    if (is_there) {
        Py_XDECREF(object); /* last: may run any Python code */
    }
    return 0;
}

/* With the GIL, in the right interpreter. */
static void
ref_drop_here(caw_py_ref *ref)
{
    PyObject *raised = caw__take_raised();
    (void)ref_drop(&ref->job, JOB_ON_LOOP, NULL);
    if (raised) {
        caw__raise(raised);
    }
}

static void
ref_end_free(caw_py_ref *ref)
{
    if (caw__has_gil() && caw__orphans_is_of_this_interpreter(ref->orphans)) {
        ref_drop_here(ref);
        return;
    }
    caw__orphans *orphans = caw__orphans_retain(ref->orphans); /* the ref may be over once it is there */
    caw__inbox *inbox = ref->inbox ? caw__inbox_retain(ref->inbox) : NULL;
    caw__orphans_add(orphans, &ref->job);
    if (inbox) {
        caw_reactor_ring(inbox->reactor); /* a loop that sleeps in the main thread keeps the pending call waiting */
        caw__inbox_release(inbox);
    }
    caw__orphans_release(orphans);
}

static void
ref_end(caw__detail *detail)
{
    caw_py_ref *ref = CAW_CONTAINER_OF(detail, caw_py_ref, detail);
    if (ref->orphans) {
        ref_end_free(ref);
    }
    else if (caw__hub_is_here(ref->inbox)) {
        ref_drop_here(ref);
    }
    else {
        caw__job_push_or_orphan(&ref->job);
    }
}

static void
ref_init(caw_py_ref *ref, caw__inbox *inbox, caw__orphans *orphans, PyObject *object)
{
    atomic_init(&ref->detail.refs, 1);
    ref->detail.end = ref_end;
    ref->inbox = inbox ? caw__inbox_retain(inbox) : NULL;
    ref->orphans = orphans ? caw__orphans_retain(orphans) : NULL;
    caw__job_init(&ref->job, ref->inbox, ref_drop);
    ref->object = object;
    ref->buffer = NULL;
}

caw_py_ref *
caw__ref_new(caw__inbox *inbox, PyObject *object)
{
    caw_py_ref *ref = malloc(sizeof *ref);
    if (ref) {
        ref_init(ref, inbox, NULL, object);
    }
    return ref;
}

caw_py_ref *
caw__ref_new_free(caw__orphans *orphans, caw__inbox *rung, PyObject *object)
{
    caw_py_ref *ref = malloc(sizeof *ref);
    if (ref) {
        ref_init(ref, rung, orphans, object);
    }
    return ref;
}

caw_py_ref *
caw__ref_new_buffer(caw__orphans *orphans, caw__inbox *rung, PyObject *object, int flags)
{
    ref_with_buffer *with = malloc(sizeof *with);
    if (!with) {
        PyErr_NoMemory();
        return NULL;
    }
    if (PyObject_GetBuffer(object, &with->buffer, flags) < 0) {
        free(with);
        return NULL;
    }
    ref_init(&with->ref, rung, orphans, Py_NewRef(object));
    with->ref.buffer = &with->buffer;
    return &with->ref;
}

caw_py_ref *
caw_py_ref_retain(caw_py_ref *ref)
{
    if (ref) {
        (void)caw__detail_retain(&ref->detail);
    }
    return ref;
}

void
caw_py_ref_release(caw_py_ref *ref)
{
    if (ref) {
        caw__detail_release(&ref->detail);
    }
}

PyObject *
caw_py_ref_get(const caw_py_ref *ref)
{
    return ref->object;
}

const Py_buffer *
caw_py_ref_buffer(const caw_py_ref *ref)
{
    return ref->buffer;
}

caw__detail *
caw__ref_detail(caw_py_ref *ref)
{
    return &ref->detail;
}

PyObject *
caw__ref_object_of(const caw__detail *detail)
{
    if (!detail || detail->end != ref_end) {
        return NULL;
    }
    const caw_py_ref *ref = CAW_CONTAINER_OF(detail, const caw_py_ref, detail);
    const caw__orphans *orphans = ref->orphans ? ref->orphans : ref->inbox->orphans;
    return caw__orphans_is_of_this_interpreter(orphans) ? ref->object : NULL;
}
