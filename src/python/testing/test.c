/* test.c: one test of the harness as a future, and tests as objects of Python.
 *
 * The test's own future, or its Python awaitable, runs as a task. A blocking call runs in a pool of its own with one
 * thread, so that it delays no other test if it hangs. The future here waits for that and for the time-out. When the
 * time is over it cancels the test and waits a little longer. If the test has not ended then, it is left to end by
 * itself.
 */
#include "python/testing/test.h"

#include "python/base/compat.h"
#include "python/base/python_code.h"
#include "python/coroutine/poll.h"
#include "python/testing/check.h"

#include <stdlib.h>
#include <string.h>

#define TEST_GRACE_NS UINT64_C(1000000000)

/* --- failures --- */

/* "-EIO, -5 (Input/output error)", "CAW_ECLOSED, -4101 (the reactor...)": a new reference. */
static PyObject *
test_status_text(int status)
{
    const char *name = caw_error_name(status);
    return PyUnicode_FromFormat("%s%s, %d (%s)", name[0] == 'E' ? "-" : "", name, status, caw_error_text(status));
}

static void
test_set_status_error(int status)
{
    PyObject *text = test_status_text(status);
    if (text) {
        PyErr_Format(PyExc_AssertionError, "the test ended with %U", text);
        Py_DECREF(text);
    }
}

/* Raise an AssertionError with the first line and the checks that failed; either may be NULL. The exception that is set
 * is its cause. */
static void
test_set_failure(const char *first, const char *checks)
{
    PyObject *cause = caw__take_raised(), *error;
    PyErr_Format(PyExc_AssertionError, "%s%s%s", first ? first : "", first && checks ? "\n" : "", checks ? checks : "");
    error = caw__take_raised();
    if (cause) {
        PyException_SetCause(error, cause);
    }
    caw__raise(error);
}

/* --- the body of a native test: its future, polled in its task --- */

typedef struct test_body {
    caw_future future;
    caw_future *child;
    const caw_test *test;
    caw__test_record *record;
    caw_waker lost; /* a clone, once nobody had one while it was pending */
} test_body;

/* It is pending. Where nobody can wake it the test fails, when its time is over. The clone that is kept is for the
 * coroutine, which has no need to warn of it then. */
static void
test_body_check(test_body *b, const caw_context *cx)
{
#ifndef NDEBUG
    if (caw__poll_is_lost(((const caw__poll_place *)cx->place)->coroutine)) {
        char text[160];
        (void)snprintf(text, sizeof text, "'%s' is pending, but nobody has a clone of its waker", b->child->ops->name);
        caw_test_fail(b->test->spec.file, b->test->spec.line, b->test->spec.name, text);
        b->lost = caw_waker_clone(cx->waker);
    }
#else
    (void)b;
    (void)cx;
#endif
}

static caw_poll
test_body_poll(caw_future *f, caw_context *cx)
{
    test_body *b = CAW_CONTAINER_OF(f, test_body, future);
    caw__test_record *before = caw__test_record_enter(b->record);
    caw_poll poll = caw_future_poll(b->child, cx);
    if (poll == CAW_PENDING) {
        test_body_check(b, cx);
    }
    (void)caw__test_record_enter(before);
    if (poll == CAW_PENDING) {
        return CAW_PENDING;
    }
    int status = b->child->status;
    if (status != 0 && status != CAW_EPYTHON && status != CAW_ECANCELED) { /* these two have exceptions of their own */
        test_set_status_error(status);
        status = CAW_EPYTHON;
    }
    return caw_future_finish(f, status);
}

static void
test_body_cancel(caw_future *f)
{
    test_body *b = CAW_CONTAINER_OF(f, test_body, future);
    caw__test_record *before = caw__test_record_enter(b->record);
    caw_future_cancel(b->child);
    (void)caw__test_record_enter(before);
}

static void
test_body_destroy(caw_future *f)
{
    test_body *b = CAW_CONTAINER_OF(f, test_body, future);
    caw__test_record *before = caw__test_record_enter(b->record);
    caw_future_destroy(b->child);
    (void)caw__test_record_enter(before);
    caw_waker_drop(b->lost);
    caw__test_record_release(b->record);
    free(b);
}

static const caw_future_ops test_body_ops = {"test", test_body_poll, test_body_cancel, test_body_destroy};
static const caw_future_ops test_body_ops_without_cancel = {"test", test_body_poll, NULL, test_body_destroy};

/* A coroutine that awaits the future in place. Takes the future. */
static PyObject *
test_body_coroutine(PyObject *module, const caw_test *test, caw_future *child, caw__test_record *record)
{
    test_body *b = malloc(sizeof *b);
    if (!b) {
        caw_future_destroy(child);
        return PyErr_NoMemory();
    }
    *b = (test_body){.child = child, .test = test, .record = caw__test_record_retain(record)};
    caw_future_init(&b->future, child->ops->cancel ? &test_body_ops : &test_body_ops_without_cancel);
    return caw_py_coroutine(module, &b->future, &test->spec);
}

/* --- a blocking test, in its thread --- */

typedef struct test_call {
    const caw_test *test;
    caw__test_record *record;
} test_call;

static int
test_call_run(void *arg)
{
    test_call *call = arg;
    (void)caw__test_record_enter(call->record);
    int status = call->test->blocking();
    if (status > 0) {
        char text[64];
        (void)snprintf(text, sizeof text, "returned %d, which is no status", status);
        caw_test_fail(call->test->spec.file, call->test->spec.line, call->test->spec.name, text);
        status = CAW_EFAILED;
    }
    (void)caw__test_record_enter(NULL);
    return status;
}

static void
test_call_free(void *arg)
{
    caw__test_record_release(((test_call *)arg)->record);
    free(arg);
}

/* Also returns the pool, which ends its thread when it is released. */
static caw_future *
test_call_future(const caw_test *test, caw__test_record *record, caw_pool **pool)
{
    int error = caw_pool_new(1, pool);
    test_call *call = error ? NULL : malloc(sizeof *call);
    if (!call) {
        return (caw_future *)caw_py_set_error(error ? error : CAW_ENOMEM);
    }
    *call = (test_call){.test = test, .record = caw__test_record_retain(record)};
    caw_future *f = caw_blocking(*pool, test_call_run, call, test_call_free);
    return f ? f : (caw_future *)PyErr_NoMemory();
}

/* --- the future of a test --- */

typedef struct test_future {
    caw_future future;
    PyObject *module; /* a reference */
    const caw_test *test;
    uint64_t timeout_ns;
    caw__test_record *record; /* NULL before the first poll, like the two below */
    caw_pool *pool;           /* of a blocking test: a reference, or NULL */
    caw_future *child;
    caw_future *timer; /* the time-out, then the grace */
    bool cancelled;    /* cancel was called */
    bool stopping;     /* the child was cancelled */
    bool left_task;
} test_future;

/* A SystemExit would end asyncio's loop before the other tests have run. */
static const char test_task_source[] =
    "async def cawait_test(awaitable):\n"
    "    try:\n"
    "        await awaitable\n"
    "    except SystemExit as error:\n"
    "        raise AssertionError(f'the test called sys.exit({error.code!r})') from error\n";

/* The awaitable as a task of the loop that runs here. Takes the awaitable, which may be NULL with an exception. */
static caw_future *
test_task(PyObject *module, PyObject *awaitable)
{
    caw_py_locals *locals = awaitable ? caw_py_locals_new(module) : NULL;
    PyObject *function = locals ? caw__python_function(test_task_source, "cawait_test") : NULL;
    PyObject *coroutine = function ? PyObject_CallOneArg(function, awaitable) : NULL;
    caw_future *f = coroutine ? caw_py_await(locals, coroutine) : NULL;
    Py_XDECREF(function);
    Py_XDECREF(awaitable);
    if (locals) {
        caw_py_locals_release(locals);
    }
    return f;
}

/* The future of the test itself, or NULL with an exception. */
static caw_future *
test_child(test_future *t)
{
    if (t->test->blocking) {
        return test_call_future(t->test, t->record, &t->pool);
    }
    caw__test_record *before = caw__test_record_enter(t->record);
    caw_future *native = t->test->async ? t->test->async(t->module) : NULL;
    PyObject *awaitable = t->test->coroutine ? t->test->coroutine(t->module) : NULL;
    (void)caw__test_record_enter(before);
    if (native) {
        awaitable = test_body_coroutine(t->module, t->test, native, t->record);
    }
    else if (!awaitable && !PyErr_Occurred()) {
        PyErr_SetString(PyExc_AssertionError, "the test returned NULL");
    }
    return test_task(t->module, awaitable);
}

/* Begin the test. 0, or -1 with an exception. */
static int
test_begin(test_future *t)
{
    t->record = caw__test_record_new();
    t->timer = caw_sleep(t->timeout_ns ? t->timeout_ns : UINT64_MAX);
    if (!t->record || !t->timer) {
        PyErr_NoMemory();
        return -1;
    }
    t->child = test_child(t);
    return t->child ? 0 : -1;
}

/* The test is over, with or without an exception set: finish with its result. */
static caw_poll
test_finish(test_future *t)
{
    char text[64];
    bool timed_out = t->stopping && !t->cancelled;
    const char *checks = NULL;
    if (t->record) {
        caw__test_record_end(t->record);
        checks = caw__test_record_text(t->record);
    }
    if (timed_out) {
        (void)snprintf(text, sizeof text, "timed out after %g seconds", (double)t->timeout_ns / 1e9);
        PyErr_Clear(); /* most likely the cancellation */
    }
    if (timed_out || checks) {
        test_set_failure(timed_out ? text : NULL, checks);
    }
    return caw_future_finish(&t->future, PyErr_Occurred() ? CAW_EPYTHON : t->cancelled ? CAW_ECANCELED : 0);
}

/* The child is ready. */
static caw_poll
test_ended(test_future *t)
{
    int status = t->child->status;
    PyObject *raised = status != 0 ? caw_py_exception(t->child) : NULL;
    if (t->cancelled) {
        Py_CLEAR(raised);
        PyErr_Clear();
    }
    else if (raised && status != CAW_ECANCELED) {
        caw__raise(raised);
    }
    else if (status != 0 && !PyErr_Occurred()) {
        Py_CLEAR(raised);
        test_set_status_error(status);
    }
    return test_finish(t);
}

/* The test did not end after its cancellation. */
static caw_poll
test_left(test_future *t)
{
    t->left_task = !t->test->blocking;
    return test_finish(t);
}

static caw_poll
test_poll(caw_future *f, caw_context *cx)
{
    test_future *t = CAW_CONTAINER_OF(f, test_future, future);
    if (!t->child && (t->cancelled || test_begin(t) < 0)) {
        return test_finish(t);
    }
    for (;;) {
        if (caw_future_poll(t->child, cx) == CAW_READY) {
            return test_ended(t);
        }
        if (caw_future_poll(t->timer, cx) == CAW_PENDING) {
            return CAW_PENDING;
        }
        if (t->timer->status < 0 && !t->cancelled && !t->stopping) {
            test_set_status_error(t->timer->status); /* the loop's reactor has no timers */
            return test_finish(t);
        }
        caw_future_destroy(t->timer); /* the time is over, or cancel was called */
        t->timer = t->stopping ? NULL : caw_sleep(TEST_GRACE_NS);
        if (!t->timer) {
            return test_left(t);
        }
        t->stopping = true;
        caw_future_cancel(t->child);
    }
}

/* End the timer, which wakes: the next poll cancels the test. */
static void
test_cancel(caw_future *f)
{
    test_future *t = CAW_CONTAINER_OF(f, test_future, future);
    t->cancelled = true;
    if (t->timer && !t->stopping) {
        caw_future_cancel(t->timer);
    }
}

static void
test_destroy(caw_future *f)
{
    test_future *t = CAW_CONTAINER_OF(f, test_future, future);
    caw_future_destroy(t->child);
    caw_future_destroy(t->timer);
    if (t->pool) {
        caw_pool_release(t->pool); /* does not wait for a call that hangs */
    }
    if (t->record) {
        caw__test_record_end(t->record);
        caw__test_record_release(t->record);
    }
    Py_DECREF(t->module);
    free(t);
}

static const caw_future_ops test_ops = {"test", test_poll, test_cancel, test_destroy};

caw_future *
caw__test_future(PyObject *module, const caw_test *test, uint64_t timeout_ns)
{
    test_future *t = calloc(1, sizeof *t);
    if (!t) {
        return (caw_future *)PyErr_NoMemory();
    }
    t->module = Py_NewRef(module);
    t->test = test;
    t->timeout_ns = timeout_ns;
    caw_future_init(&t->future, &test_ops);
    return &t->future;
}

bool
caw__test_future_left_task(const caw_future *f)
{
    return CAW_CONTAINER_OF(f, const test_future, future)->left_task;
}

bool
caw__test_seconds(double seconds, uint64_t *out)
{
    if (!(seconds >= 0)) {
        return false;
    }
    *out = seconds < 1e9 ? (uint64_t)(seconds * 1e9) : UINT64_MAX;
    *out += seconds > 0 && *out == 0; /* 0 is for ever */
    return true;
}

/* --- tests as objects of Python --- */

static const char test_capsule_name[] = "cawait.test";

/* `self` is a tuple: the module, and a capsule with the test. */
static PyObject *
test_start(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"timeout", NULL};
    double seconds = 0;
    uint64_t timeout_ns;
    const caw_test *test = PyCapsule_GetPointer(PyTuple_GET_ITEM(self, 1), test_capsule_name);
    if (!test || !PyArg_ParseTupleAndKeywords(args, kwargs, "|d", names, &seconds)) {
        return NULL;
    }
    if (!caw__test_seconds(seconds, &timeout_ns)) {
        PyErr_SetString(PyExc_ValueError, "timeout must be 0 or more");
        return NULL;
    }
    PyObject *module = PyTuple_GET_ITEM(self, 0);
    caw_future *f = caw__test_future(module, test, timeout_ns);
    return f ? caw_py_coroutine(module, f, &test->spec) : NULL;
}

static PyMethodDef test_start_def = {
    "start", (PyCFunction)(void (*)(void))test_start, METH_VARARGS | METH_KEYWORDS,
    "start(timeout=0)\n--\n\nA coroutine that runs the test; an AssertionError where it fails."};

static PyObject *
test_object(PyObject *module, PyObject *make, const caw_test *test)
{
    PyObject *capsule = PyCapsule_New((void *)(uintptr_t)test, test_capsule_name, NULL), *object = NULL;
    PyObject *self = capsule ? PyTuple_Pack(2, module, capsule) : NULL;
    PyObject *start = self ? PyCFunction_New(&test_start_def, self) : NULL;
    PyObject *kwargs = start ? Py_BuildValue("{sssssisO}", "name", test->spec.name, "file", test->spec.file, "line",
                                             test->spec.line, "start", start)
                             : NULL;
    PyObject *args = kwargs ? PyTuple_New(0) : NULL;
    if (args) {
        object = PyObject_Call(make, args, kwargs);
    }
    Py_XDECREF(args);
    Py_XDECREF(kwargs);
    Py_XDECREF(start);
    Py_XDECREF(self);
    Py_XDECREF(capsule);
    return object;
}

/* The module's list of tests: a new reference. */
static PyObject *
test_list(PyObject *module)
{
    PyObject *dict = PyModule_GetDict(module), *list = PyDict_GetItemString(dict, "__cawait_tests__"); /* borrowed */
    if (list && PyList_Check(list)) {
        return Py_NewRef(list);
    }
    list = PyList_New(0);
    if (list && PyDict_SetItemString(dict, "__cawait_tests__", list) < 0) {
        Py_CLEAR(list);
    }
    return list;
}

int
caw_test_add(PyObject *module, const caw_test *tests)
{
    int result = -1;
    PyObject *types = PyImport_ImportModule("types");
    PyObject *make = types ? PyObject_GetAttrString(types, "SimpleNamespace") : NULL;
    PyObject *list = make ? test_list(module) : NULL;
    for (const caw_test *test = tests; list && test->spec.name; test++) {
        PyObject *object = test_object(module, make, test);
        int added = object ? PyList_Append(list, object) : -1;
        Py_XDECREF(object);
        if (added < 0) {
            goto done;
        }
    }
    result = list ? 0 : -1;
done:
    Py_XDECREF(list);
    Py_XDECREF(make);
    Py_XDECREF(types);
    return result;
}
