/* op.c: `Op`, one operation (a promise) that a test starts, resolves and inspects. */
#include "ext.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <structmember.h>
#include <time.h>

typedef enum op_on_cancel {
    OP_CANCEL_NONE = 0, /* there is no on_cancel */
    OP_CANCEL_RESOLVES, /* ends with CAW_ECANCELED inside on_cancel */
    OP_CANCEL_VALUE,    /* ends with its value inside on_cancel: the result wins */
    OP_CANCEL_IGNORED,  /* the test resolves later */
} op_on_cancel;

/* What the Python object and the native operation share. It is counted, because either may outlive the other. All
 * atomics are sequentially consistent. `started` is set after `job`, so whoever sees it set finds the job. The exchange
 * of `job` decides who resolves. The other counts publish nothing. */
typedef struct op_control {
    _Atomic int refs;
    _Atomic int started, cancelled, freed, resolved;
    struct op_job *_Atomic job; /* while the operation is in flight: taken by whoever resolves */
} op_control;

typedef struct op_job {
    caw_promise promise;
    op_control *control;
    op_on_cancel on_cancel;
    int start_status;
    struct op_object *op; /* borrowed: the coroutine keeps it alive as `self`; for the result function only */
} op_job;

typedef struct op_object {
    PyObject_HEAD
    PyObject *value;
    PyObject *thrown; /* NULL, a list that `wait_thrown` appends to, or the function that it calls */
    op_control *control;
    op_on_cancel on_cancel;
    int start_status;
} op_object;

static void
control_release(op_control *control)
{
    if (atomic_fetch_sub(&control->refs, 1) == 1) {
        free(control);
    }
}

static bool
control_resolve(op_control *control, int status)
{
    op_job *job = atomic_exchange(&control->job, NULL);
    if (!job) {
        return false;
    }
    atomic_fetch_add(&control->resolved, 1);
    caw_promise_resolve(&job->promise, status);
    return true;
}

/* For native threads: the same, once the operation is started. Gives up when all other references are gone. */
static void
control_resolve_started(op_control *control, int status)
{
    struct timespec moment = {0, 50000};
    while (!atomic_load(&control->started) && atomic_load(&control->refs) > 1) {
        nanosleep(&moment, NULL);
        moment.tv_nsec = moment.tv_nsec < 10000000 ? moment.tv_nsec * 2 : moment.tv_nsec;
    }
    control_resolve(control, status);
}

static int
job_start(caw_promise *p)
{
    op_job *job = CAW_CONTAINER_OF(p, op_job, promise);
    int status = job->start_status;
    op_control *control = job->control;
    if (status == 0) {
        atomic_store(&control->job, job);
    }
    atomic_fetch_add(&control->started, 1); /* last: control_resolve_started waits for it */
    return status;
}

static void
job_on_cancel(caw_promise *p)
{
    op_job *job = CAW_CONTAINER_OF(p, op_job, promise);
    atomic_fetch_add(&job->control->cancelled, 1);
    if (job->on_cancel == OP_CANCEL_RESOLVES) {
        control_resolve(job->control, CAW_ECANCELED);
    }
    else if (job->on_cancel == OP_CANCEL_VALUE) {
        control_resolve(job->control, 0);
    }
}

static void
job_free(caw_promise *p)
{
    op_job *job = CAW_CONTAINER_OF(p, op_job, promise);
    atomic_fetch_add(&job->control->freed, 1);
    control_release(job->control);
    free(job);
    atomic_fetch_sub(&ext_live_futures, 1);
}

static const caw_promise_ops job_ops = CAW_PROMISE_OPS("test.op", job_start, job_free);
static const caw_promise_ops job_ops_cancel = CAW_PROMISE_OPS_CANCEL("test.op", job_start, job_on_cancel, job_free);

static caw_future *
op_wait_start(PyObject *self)
{
    op_object *op = (op_object *)self;
    op_job *job = calloc(1, sizeof *job);
    if (!job) {
        PyErr_NoMemory();
        return NULL;
    }
    atomic_fetch_add(&ext_live_futures, 1);
    atomic_fetch_add(&op->control->refs, 1);
    job->control = op->control;
    job->on_cancel = op->on_cancel;
    job->start_status = op->start_status;
    job->op = op;
    caw_promise_init(&job->promise, op->on_cancel == OP_CANCEL_NONE ? &job_ops : &job_ops_cancel);
    return &job->promise.future;
}

static PyObject *
op_wait_result(caw_future *f)
{
    return Py_NewRef(CAW_CONTAINER_OF(f, op_job, promise.future)->op->value);
}

/* Appends the exception to the list `thrown` of the Op, or calls `thrown` with it. */
static void
op_wait_thrown(caw_future *f, PyObject *exception)
{
    PyObject *thrown = CAW_CONTAINER_OF(f, op_job, promise.future)->op->thrown;
    if (thrown && PyList_Check(thrown)) {
        (void)PyList_Append(thrown, exception);
    }
    else if (thrown) {
        Py_XDECREF(PyObject_CallOneArg(thrown, exception));
    }
}

/* Like an author's error function that leaves other statuses to the library. */
static void
op_wait_error(caw_future *Py_UNUSED(f), int status)
{
    (void)caw_py_set_error(status);
}

static const caw_py_async_def op_async_methods[] = {
    CAW_PY_ASYNC_NOARGS("wait", op_wait_start, op_wait_result, "wait($self)\n--\n\nThe value, once resolved."),
    CAW_PY_ASYNC_NOARGS("wait_waiting", op_wait_start, op_wait_result, NULL, .cancel = CAW_PY_CANCEL_WAIT),
    CAW_PY_ASYNC_NOARGS("wait_detached", op_wait_start, op_wait_result, NULL, .cancel = CAW_PY_CANCEL_DETACH),
    CAW_PY_ASYNC_NOARGS("wait_shielded", op_wait_start, op_wait_result, NULL, .cancel = CAW_PY_CANCEL_SHIELD),
    CAW_PY_ASYNC_NOARGS("wait_inside", op_wait_start, op_wait_result, NULL, .checkpoint = CAW_PY_CHECKPOINT_INSIDE),
    CAW_PY_ASYNC_NOARGS("wait_shielded_before", op_wait_start, op_wait_result, NULL, .cancel = CAW_PY_CANCEL_SHIELD,
                        .checkpoint = CAW_PY_CHECKPOINT_BEFORE),
    CAW_PY_ASYNC_NOARGS("wait_nogil", op_wait_start, op_wait_result, NULL, .poll_without_gil = true),
    CAW_PY_ASYNC_NOARGS("wait_python", op_wait_start, op_wait_result, "wait_python($self) -> Op\n--\n\n",
                        .wrap_in_python = true),
    CAW_PY_ASYNC_NOARGS("wait_value_wins", op_wait_start, op_wait_result, NULL, .keep_value = true),
    CAW_PY_ASYNC_NOARGS("wait_thrown", op_wait_start, op_wait_result, NULL, .on_throw = op_wait_thrown),
    CAW_PY_ASYNC_NOARGS("wait_thrown_wins", op_wait_start, op_wait_result, NULL, .on_throw = op_wait_thrown,
                        .keep_value = true),
    CAW_PY_ASYNC_NOARGS("wait_with_grace", op_wait_start, op_wait_result, NULL, .cancel = CAW_PY_CANCEL_WAIT,
                        .cancel_grace_ns = 5000000),
    CAW_PY_ASYNC_NOARGS("wait_with_grace_thrown", op_wait_start, op_wait_result, NULL, .cancel = CAW_PY_CANCEL_WAIT,
                        .cancel_grace_ns = 5000000, .on_throw = op_wait_thrown),
    CAW_PY_ASYNC_NOARGS("wait_with_grace_value_wins", op_wait_start, op_wait_result, NULL, .cancel = CAW_PY_CANCEL_WAIT,
                        .cancel_grace_ns = 5000000, .keep_value = true),
    CAW_PY_ASYNC_NOARGS("wait_with_long_grace", op_wait_start, op_wait_result, NULL, .cancel = CAW_PY_CANCEL_WAIT,
                        .cancel_grace_ns = UINT64_MAX),
    CAW_PY_ASYNC_NOARGS("wait_default_error", op_wait_start, op_wait_result, NULL, .error = op_wait_error),
    CAW_PY_ASYNC_END,
};

/* --- resolving --- */

static PyObject *
op_resolve(PyObject *self, PyObject *args)
{
    int status = 0;
    bool resolved;
    if (!PyArg_ParseTuple(args, "|i:resolve", &status)) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS resolved = control_resolve(((op_object *)self)->control, status);
    Py_END_ALLOW_THREADS return PyBool_FromLong(resolved);
}

struct later {
    op_control *control;
    int status;
    long delay_us;
};

static void *
later_main(void *arg)
{
    struct later *later = arg;
    struct timespec delay = {later->delay_us / 1000000, later->delay_us % 1000000 * 1000};
    nanosleep(&delay, NULL);
    control_resolve_started(later->control, later->status);
    control_release(later->control);
    free(later);
    return NULL;
}

/* A thread that is being started; on the stack of the thread that starts it. */
struct starting {
    void *(*run)(void *);
    void *arg;
    sem_t begun;
};

static void *
detached_main(void *arg)
{
    struct starting *starting = arg;
    void *(*run)(void *) = starting->run;
    void *run_arg = starting->arg;
    sem_post(&starting->begun); /* after this the struct may be gone */
    return run(run_arg);
}

/* Returns when the thread runs, because AddressSanitizer reports a leak if a process ends while a thread is being
 * started. */
static int
start_detached(void *(*run)(void *), void *arg)
{
    struct starting starting = {.run = run, .arg = arg};
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sem_init(&starting.begun, 0, 0);
    pthread_t thread;
    int error = pthread_create(&thread, &attributes, detached_main, &starting);
    while (error == 0 && sem_wait(&starting.begun) < 0) { /* EINTR */
    }
    sem_destroy(&starting.begun);
    pthread_attr_destroy(&attributes);
    return error;
}

/* resolve_later(delay_us, status=0): from a native thread without a thread state, once the operation is started. */
static PyObject *
op_resolve_later(PyObject *self, PyObject *args)
{
    struct later *later = calloc(1, sizeof *later);
    if (!later || !PyArg_ParseTuple(args, "l|i:resolve_later", &later->delay_us, &later->status)) {
        free(later);
        return NULL;
    }
    later->control = ((op_object *)self)->control;
    atomic_fetch_add(&later->control->refs, 1);
    int error = start_detached(later_main, later);
    if (error) {
        control_release(later->control);
        free(later);
        return caw_py_set_error(-error);
    }
    Py_RETURN_NONE;
}

struct many {
    long delay_us, gap_us;
    Py_ssize_t length;
    op_control *controls[];
};

static void *
many_main(void *arg)
{
    struct many *many = arg;
    struct timespec delay = {many->delay_us / 1000000, many->delay_us % 1000000 * 1000};
    struct timespec gap = {0, many->gap_us * 1000};
    nanosleep(&delay, NULL);
    for (Py_ssize_t i = 0; i < many->length; i++) {
        if (many->gap_us > 0) {
            nanosleep(&gap, NULL);
        }
        control_resolve_started(many->controls[i], 0);
        control_release(many->controls[i]);
    }
    free(many);
    return NULL;
}

/* resolve_many(list of Op, delay_us=0, gap_us=0): all of them, in order, from one native thread. */
PyObject *
ext_resolve_many(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *ops;
    long delay_us = 0, gap_us = 0;
    if (!PyArg_ParseTuple(args, "O!|ll:resolve_many", &PyList_Type, &ops, &delay_us, &gap_us)) {
        return NULL;
    }
    Py_ssize_t length = PyList_GET_SIZE(ops);
    struct many *many = malloc(sizeof *many + (size_t)length * sizeof many->controls[0]);
    if (!many) {
        return PyErr_NoMemory();
    }
    many->delay_us = delay_us;
    many->gap_us = gap_us;
    many->length = length;
    for (Py_ssize_t i = 0; i < length; i++) {
        many->controls[i] = ((op_object *)PyList_GET_ITEM(ops, i))->control;
        atomic_fetch_add(&many->controls[i]->refs, 1);
    }
    int error = start_detached(many_main, many);
    if (error) {
        many->delay_us = many->gap_us = 0;
        many_main(many); /* no thread could be started */
    }
    Py_RETURN_NONE;
}

static op_control *at_exit_control;
static int at_exit_status;

static void
at_exit_main(void)
{
    control_resolve(at_exit_control, at_exit_status);
    control_release(at_exit_control);
}

/* resolve_at_exit(status=0): in exit(), when the interpreter is gone. For one operation of a process. */
static PyObject *
op_resolve_at_exit(PyObject *self, PyObject *args)
{
    if (!PyArg_ParseTuple(args, "|i:resolve_at_exit", &at_exit_status)) {
        return NULL;
    }
    at_exit_control = ((op_object *)self)->control;
    atomic_fetch_add(&at_exit_control->refs, 1);
    return PyLong_FromLong(atexit(at_exit_main));
}

/* resolve_twice(): breaks the rule of one resolve. The awaiter keeps the struct alive: it cannot run while the GIL is
 * held here. */
static PyObject *
op_resolve_twice(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    op_job *job = atomic_exchange(&((op_object *)self)->control->job, NULL);
    if (job) {
        caw_promise_resolve(&job->promise, 0);
        caw_promise_resolve(&job->promise, CAW_ECANCELED);
    }
    Py_RETURN_NONE;
}

/* --- the object --- */

static PyObject *
op_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"value", "on_cancel", "start_status", NULL};
    static const char *const kinds[] = {"none", "resolves", "value", "ignored"};
    PyObject *value = Py_None;
    const char *kind = "none";
    int start_status = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O$si:Op", keywords, &value, &kind, &start_status)) {
        return NULL;
    }
    op_object *op = (op_object *)type->tp_alloc(type, 0);
    op_control *control = op ? calloc(1, sizeof *control) : NULL;
    if (!control) {
        Py_XDECREF((PyObject *)op);
        return PyErr_NoMemory();
    }
    atomic_init(&control->refs, 1);
    op->value = Py_NewRef(value);
    op->control = control;
    op->start_status = start_status;
    for (int i = 0; i < 4; i++) {
        if (strcmp(kinds[i], kind) == 0) {
            op->on_cancel = (op_on_cancel)i;
        }
    }
    return (PyObject *)op;
}

static int
op_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((op_object *)self)->value);
    Py_VISIT(((op_object *)self)->thrown);
    return 0;
}

static int
op_clear(PyObject *self)
{
    Py_CLEAR(((op_object *)self)->value);
    Py_CLEAR(((op_object *)self)->thrown);
    return 0;
}

static void
op_dealloc(PyObject *self)
{
    op_object *op = (op_object *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_CLEAR(op->value);
    Py_CLEAR(op->thrown);
    if (op->control) {
        control_release(op->control);
    }
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *
op_get_count(PyObject *self, void *closure)
{
    char *control = (char *)((op_object *)self)->control;
    return PyLong_FromLong(atomic_load((_Atomic int *)(void *)(control + (size_t)closure)));
}

static PyGetSetDef op_getset[] = {
    {"started", op_get_count, NULL, NULL, (void *)offsetof(op_control, started)},
    {"cancelled", op_get_count, NULL, NULL, (void *)offsetof(op_control, cancelled)},
    {"resolved", op_get_count, NULL, NULL, (void *)offsetof(op_control, resolved)},
    {"freed", op_get_count, NULL, NULL, (void *)offsetof(op_control, freed)},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef op_members[] = {
    {"value", T_OBJECT_EX, offsetof(op_object, value), 0, NULL},
    {"thrown", T_OBJECT, offsetof(op_object, thrown), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyMethodDef op_methods[] = {
    {"resolve", op_resolve, METH_VARARGS, NULL},
    {"resolve_later", op_resolve_later, METH_VARARGS, NULL},
    {"resolve_at_exit", op_resolve_at_exit, METH_VARARGS, NULL},
    {"resolve_twice", op_resolve_twice, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

#define OP_SLOT(function) (__extension__(void *)(function))

static PyType_Slot op_slots[] = {
    {Py_tp_new, OP_SLOT(op_new)},
    {Py_tp_dealloc, OP_SLOT(op_dealloc)},
    {Py_tp_traverse, OP_SLOT(op_traverse)},
    {Py_tp_clear, OP_SLOT(op_clear)},
    {Py_tp_methods, op_methods},
    {Py_tp_members, op_members},
    {Py_tp_getset, op_getset},
    {0, NULL},
};

static PyType_Spec op_spec = {
    .name = "_cawait_test.Op",
    .basicsize = sizeof(op_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .slots = op_slots,
};

int
ext_add_op_type(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &op_spec, NULL);
    if (!type) {
        return -1;
    }
    int failed = caw_py_add_methods(module, (PyTypeObject *)type, op_async_methods) < 0 ||
                 PyModule_AddObjectRef(module, "Op", type) < 0;
    Py_DECREF(type);
    return failed ? -1 : 0;
}
