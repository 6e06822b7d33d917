/* main.c: running the tests of a table as a program: one future keeps --jobs of them running. */
#include "python/testing/check.h"
#include "python/testing/options.h"
#include "python/testing/report.h"
#include "python/testing/test.h"

#include "python/base/compat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A place for one running test. */
typedef struct harness_slot {
    caw_future *test; /* NULL while the slot is free */
    caw__test_outcome *outcome;
    uint64_t began;
} harness_slot;

/* One run, on the stack of caw_test_main. */
typedef struct harness {
    caw_future future;
    const caw__test_options *options;
    const char *program;
    caw__test_outcome *outcomes; /* one for each chosen test */
    size_t n, next, ended, failed;
    harness_slot *slots; /* options->jobs of them */
    PyObject *module;    /* borrowed, while the loop runs */
    FILE *junit;         /* or NULL */
    uint64_t began;
    bool cancelled;
    bool left_task; /* a test has left a task that does not stop */
} harness;

/* --- the end of a test --- */

/* A copy of the text of a Python object, or of a fixed word if that fails. */
static char *
harness_copy(PyObject *text)
{
    PyObject *bytes = text ? PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace") : NULL;
    char *copy = strdup(bytes ? PyBytes_AS_STRING(bytes) : "failed");
    Py_XDECREF(bytes);
    PyErr_Clear();
    return copy;
}

/* The traceback of an exception, as Python prints it. */
static char *
harness_traceback(PyObject *exception)
{
    PyObject *module = PyImport_ImportModule("traceback"), *empty = PyUnicode_FromString("");
    PyObject *lines = module ? PyObject_CallMethod(module, "format_exception", "O", exception) : NULL;
    PyObject *text = lines && empty ? PyUnicode_Join(empty, lines) : NULL;
    char *copy = harness_copy(text);
    Py_XDECREF(text);
    Py_XDECREF(lines);
    Py_XDECREF(empty);
    Py_XDECREF(module);
    return copy;
}

/* Why a test failed. For an AssertionError without a traceback, as for the checks of C code, the message is enough. */
static char *
harness_failure(PyObject *exception)
{
    PyObject *traceback = PyException_GetTraceback(exception), *cause = PyException_GetCause(exception);
    PyObject *text = !traceback && !cause && PyErr_GivenExceptionMatches(exception, PyExc_AssertionError)
                         ? PyObject_Str(exception)
                         : NULL;
    char *failure = text ? harness_copy(text) : harness_traceback(exception);
    Py_XDECREF(text);
    Py_XDECREF(cause);
    Py_XDECREF(traceback);
    return failure;
}

/* Python's output of a test comes before the line that reports the test. */
static void
harness_flush_python(void)
{
    PyObject *file = PySys_GetObject("stdout"); /* borrowed */
    PyObject *flushed = file && file != Py_None ? PyObject_CallMethod(file, "flush", NULL) : NULL;
    Py_XDECREF(flushed);
    PyErr_Clear();
}

/* The test of this slot has ended: it failed if an exception is set, else it passed. */
static void
harness_ended(harness *h, harness_slot *slot)
{
    PyObject *exception = PyErr_Occurred() ? caw__take_raised() : NULL;
    caw__test_outcome *outcome = slot->outcome;
    outcome->ended = true;
    outcome->duration_ns = caw_now_ns() - slot->began;
    outcome->failed = exception != NULL;
    outcome->failure = exception ? harness_failure(exception) : NULL;
    h->failed += outcome->failed;
    Py_XDECREF(exception);
    if (slot->test) {
        h->left_task = h->left_task || caw__test_future_left_task(slot->test);
        caw_future_destroy(slot->test);
        slot->test = NULL;
    }
    harness_flush_python();
    caw__test_tap_outcome(++h->ended, outcome);
}

static void
harness_report(harness *h)
{
    uint64_t duration_ns = caw_now_ns() - h->began;
    caw__test_tap_end(h->outcomes, h->n, duration_ns);
    if (h->junit) {
        int error = caw__test_junit(h->junit, h->program, h->outcomes, h->n, duration_ns);
        h->junit = NULL;
        if (error) {
            fprintf(stderr, "%s: %s was not written: %s\n", h->program, h->options->junit, strerror(-error));
            h->failed++;
        }
    }
}

/* --- the run --- */

static void
harness_cancel(caw_future *f)
{
    harness *h = CAW_CONTAINER_OF(f, harness, future);
    h->cancelled = true;
    for (size_t i = 0; i < h->options->jobs; i++) {
        if (h->slots[i].test) {
            caw_future_cancel(h->slots[i].test);
        }
    }
}

/* Called when the slot's test was not begun or has ended: whether the run is being cancelled, so that its result does
 * not count. A KeyboardInterrupt, which before Python 3.11 any task may raise, cancels the run. */
static bool
harness_interrupted(harness *h, harness_slot *slot)
{
    bool interrupted = PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_KeyboardInterrupt);
    if (!interrupted && !h->cancelled) {
        return false;
    }
    PyErr_Clear();
    if (slot->test) {
        h->left_task = h->left_task || caw__test_future_left_task(slot->test);
        caw_future_destroy(slot->test);
        slot->test = NULL;
    }
    if (!h->cancelled) {
        harness_cancel(&h->future);
    }
    return true;
}

/* Poll the test of a slot; when it has ended, begin the next one, until one is pending. */
static void
harness_slot_poll(harness *h, harness_slot *slot, caw_context *cx)
{
    for (;;) {
        if (!slot->test) {
            if (h->next == h->n || h->cancelled) {
                return;
            }
            slot->outcome = &h->outcomes[h->next++];
            slot->began = caw_now_ns();
            slot->test = caw__test_future(h->module, slot->outcome->test, h->options->timeout_ns);
        }
        if (slot->test && caw_future_poll(slot->test, cx) == CAW_PENDING) {
            return;
        }
        if (harness_interrupted(h, slot)) {
            return;
        }
        harness_ended(h, slot);
    }
}

static bool
harness_is_busy(const harness *h)
{
    for (size_t i = 0; i < h->options->jobs; i++) {
        if (h->slots[i].test) {
            return true;
        }
    }
    return false;
}

static caw_poll
harness_poll(caw_future *f, caw_context *cx)
{
    harness *h = CAW_CONTAINER_OF(f, harness, future);
    for (size_t i = 0; i < h->options->jobs; i++) {
        harness_slot_poll(h, &h->slots[i], cx);
    }
    if (harness_is_busy(h)) {
        return CAW_PENDING;
    }
    if (h->left_task) { /* the loop would wait for it, perhaps for ever */
        harness_report(h);
        fflush(NULL);
        _Exit(h->cancelled ? 130 : 1);
    }
    return caw_future_finish(f, h->cancelled ? CAW_ECANCELED : 0);
}

static void
harness_destroy(caw_future *f)
{
    harness *h = CAW_CONTAINER_OF(f, harness, future);
    for (size_t i = 0; i < h->options->jobs; i++) {
        caw_future_destroy(h->slots[i].test);
        h->slots[i].test = NULL;
    }
}

static const caw_future_ops harness_ops = {"tests", harness_poll, harness_cancel, harness_destroy};

static caw_future *
harness_begin(PyObject *module, void *user)
{
    harness *h = user;
    h->module = module;
    caw_future_init(&h->future, &harness_ops);
    return &h->future;
}

/* --- the program --- */

/* Allocate the results of the chosen tests. False: out of memory. */
static bool
harness_choose(harness *h, const caw_test *tests)
{
    size_t all = 0;
    while (tests[all].spec.name) {
        all++;
    }
    h->outcomes = calloc(all + 1, sizeof *h->outcomes);
    h->slots = calloc(h->options->jobs, sizeof *h->slots);
    for (size_t i = 0; i < all && h->outcomes; i++) {
        if (caw__test_options_chose(h->options, tests[i].spec.name)) {
            h->outcomes[h->n++].test = &tests[i];
        }
    }
    return h->outcomes && h->slots;
}

static int
harness_list(const harness *h)
{
    for (size_t i = 0; i < h->n; i++) {
        puts(h->outcomes[i].test->spec.name);
    }
    return fflush(stdout) == 0 ? 0 : 1;
}

static int
harness_run(harness *h, int argc, char **argv)
{
    caw_py_run_options options = {.loop = h->options->loop, .argc = argc, .argv = argv};
    unsigned strays = caw__test_strays();
    int exit_code = 1;
    h->began = caw_now_ns();
    caw__test_tap_begin(h->n);
    int status = caw_py_run(&options, harness_begin, h, &exit_code);
    if (status == -EPERM || status == -EBUSY) {
        fprintf(stderr, "%s: not the interpreter's main thread, or a loop runs in it\n", h->program);
    }
    harness_report(h);
    if (status == -EINTR) {
        return exit_code;
    }
    return status == 0 && h->ended == h->n && h->failed == 0 && caw__test_strays() == strays ? 0 : 1;
}

/* Run the chosen tests. */
static int
harness_main(harness *h, int argc, char **argv)
{
    if (h->options->list) {
        return harness_list(h);
    }
    if (h->n == 0) {
        fprintf(stderr, "%s: there is no such test; see --list\n", h->program);
        return 2;
    }
    if (h->options->junit && !(h->junit = fopen(h->options->junit, "w"))) {
        fprintf(stderr, "%s: %s: %s\n", h->program, h->options->junit, strerror(errno));
        return 2;
    }
    return harness_run(h, argc, argv);
}

int
caw_test_main(const caw_test *tests, int argc, char **argv)
{
    caw__test_options options;
    harness h = {.options = &options, .program = argc > 0 ? argv[0] : "tests"};
    int exit_code = 2;
    if (caw__test_options_init(&options, argc, argv)) {
        if (options.help) {
            printf(caw__test_usage, h.program);
            exit_code = 0;
        }
        else if (harness_choose(&h, tests)) {
            exit_code = harness_main(&h, argc, argv);
        }
        else {
            fprintf(stderr, "%s: out of memory\n", h.program);
        }
    }
    for (size_t i = 0; i < h.n; i++) {
        free(h.outcomes[i].failure);
    }
    free(h.outcomes);
    free(h.slots);
    caw__test_options_fini(&options);
    return exit_code;
}
