/* run_forever.c: a run that goes on until any thread stops it.
 *
 * The stopper is a promise that the run awaits. It may be stopped before it is awaited, and by several threads at a
 * time.
 *
 * The word `flags` is atomic and touched by any thread. BEGUN is set by the promise's start, STOPPED by whoever stops
 * the run first. Whoever sets the second of the two bits resolves the promise: that happens exactly once.
 */
#include "cawait/promise.h"
#include "cawait/python_run.h"

#include "python/base/compat.h"

#include <stdlib.h>

#define FOREVER_BEGUN   1u
#define FOREVER_STOPPED 2u

struct caw_py_stopper {
    caw_promise promise;
    _Atomic uint32_t refs; /* one of the user, one of the promise until it is freed */
    _Atomic uint32_t flags;
};

static void
forever_free(caw_promise *p)
{
    caw_py_stopper_release(CAW_CONTAINER_OF(p, caw_py_stopper, promise));
}

static int
forever_start(caw_promise *p)
{
    caw_py_stopper *s = CAW_CONTAINER_OF(p, caw_py_stopper, promise);
    /* acq_rel, pairs with the one in forever_end: whoever resolves sees what the other side did before. */
    if (atomic_fetch_or_explicit(&s->flags, FOREVER_BEGUN, memory_order_acq_rel) & FOREVER_STOPPED) {
        caw_promise_resolve(p, 0);
    }
    return 0;
}

static void
forever_end(caw_py_stopper *s, int status)
{
    /* acq_rel, pairs with the one in forever_start, as there. */
    uint32_t flags = atomic_fetch_or_explicit(&s->flags, FOREVER_STOPPED, memory_order_acq_rel);
    if (flags == FOREVER_BEGUN) {
        caw_promise_resolve(&s->promise, status);
    }
}

static void
forever_on_cancel(caw_promise *p)
{
    forever_end(CAW_CONTAINER_OF(p, caw_py_stopper, promise), CAW_ECANCELED);
}

static const caw_promise_ops forever_ops =
    CAW_PROMISE_OPS_CANCEL("python.run_forever", forever_start, forever_on_cancel, forever_free);

caw_py_stopper *
caw_py_stopper_new(void)
{
    caw_py_stopper *s = malloc(sizeof *s);
    if (s) {
        caw_promise_init(&s->promise, &forever_ops);
        atomic_init(&s->refs, 1);
        atomic_init(&s->flags, 0);
    }
    return s;
}

void
caw_py_stopper_stop(caw_py_stopper *stopper)
{
    forever_end(stopper, 0);
}

void
caw_py_stopper_release(caw_py_stopper *stopper)
{
    /* acq_rel, pairs with itself on other threads: all uses before their release happen before the free. */
    if (stopper && atomic_fetch_sub_explicit(&stopper->refs, 1, memory_order_acq_rel) == 1) {
        free(stopper);
    }
}

typedef struct forever {
    int (*begin)(PyObject *module, void *user);
    void *user;
    caw_py_stopper *stopper;
} forever;

static caw_future *
forever_begin(PyObject *module, void *user)
{
    forever *f = user;
    int error = f->begin ? f->begin(module, f->user) : 0;
    if (PyErr_Occurred()) {
        return NULL;
    }
    if (error != 0) {
        return caw_ready(caw_error_from_return(f->stopper->promise.future.ops->name, "begin", error));
    }
    atomic_fetch_add_explicit(&f->stopper->refs, 1, memory_order_relaxed); /* relaxed: the caller has a reference */
    return &f->stopper->promise.future;
}

int
caw_py_run_forever(const caw_py_run_options *options, int (*begin)(PyObject *module, void *user), void *user,
                   caw_py_stopper *stopper, int *exit_code)
{
    forever f = {.begin = begin, .user = user, .stopper = stopper};
    return stopper ? caw_py_run(options, forever_begin, &f, exit_code) : CAW_EINVAL;
}
