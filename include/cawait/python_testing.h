/* cawait/python_testing.h: tests in C that run on a Python loop.
 *
 *     static caw_future *sleeps(PyObject *module) { return caw_sleep(1000000); }             // passes with status 0
 *     static int blocks(void) { CAW_TEST_CHECK(lookup("root") == 0); return 0; }             // in a thread of its own
 *     static PyObject *calls_python(PyObject *module) { return PyObject_CallMethod(...); }   // the result is awaited
 *
 *     static const caw_test tests[] = {
 *         CAW_TEST_ASYNC(sleeps), CAW_TEST_BLOCKING(blocks), CAW_TEST_COROUTINE(calls_python), CAW_TEST_END,
 *     };
 *
 *     int main(int argc, char **argv) { return caw_test_main(tests, argc, argv); }          // a program, or:
 *     static int exec(PyObject *module) { return caw_test_add(module, tests); }            // a module, for pytest
 *
 * Each test runs as a task of its own, or in its thread. It fails by a status other than 0, by an exception, by a
 * CAW_TEST_CHECK, or by its time-out. After the time-out it is cancelled, has a second to end, and is then left behind.
 * A test that blocks the loop's own thread blocks the time-outs too.
 */
#ifndef CAWAIT_PYTHON_TESTING_H
#define CAWAIT_PYTHON_TESTING_H

#include "cawait/python_coroutine.h"

#ifndef CAW_NO_PYTHON

/* One test, which has one of the three functions. Static, as a row of a table; the macros make it. */
typedef struct caw_test {
    caw_py_spec spec; /* read-only: its name, file and line */
    /* Called in the loop, with the GIL. Returns a future, which is polled and destroyed there, in a task; or NULL with
     * an exception set: the test has failed. */
    caw_future *(*async)(PyObject *module);
    /* Called in a native thread, without the GIL. Returns 0 or an error. */
    int (*blocking)(void);
    /* Called in the loop, with the GIL. Returns something that Python can await, which then runs as a task; or NULL
     * with an exception set. */
    PyObject *(*coroutine)(PyObject *module);
} caw_test;

/* Rows of a table; the function's name is the test's. */
#  ifdef __cplusplus
#    define CAW_TEST_ASYNC(function_)     {CAW__TEST_SPEC(#function_), (function_), nullptr, nullptr}
#    define CAW_TEST_BLOCKING(function_)  {CAW__TEST_SPEC(#function_), nullptr, (function_), nullptr}
#    define CAW_TEST_COROUTINE(function_) {CAW__TEST_SPEC(#function_), nullptr, nullptr, (function_)}
#  else
#    define CAW_TEST_ASYNC(function_)     {.spec = CAW__TEST_SPEC(#function_), .async = (function_)}
#    define CAW_TEST_BLOCKING(function_)  {.spec = CAW__TEST_SPEC(#function_), .blocking = (function_)}
#    define CAW_TEST_COROUTINE(function_) {.spec = CAW__TEST_SPEC(#function_), .coroutine = (function_)}
#  endif
#  define CAW_TEST_END          CAW__ROW_END
#  define CAW__TEST_SPEC(name_) CAW_PY_SPEC(name_, NULL, NULL)

/* Where the condition does not hold the test fails, and goes on. `if (!CAW_TEST_CHECK(p)) { return ...; }` ends it too.
 * Can be used on any thread. The test that fails is the one whose function, poll or blocking call runs on this thread.
 * On a thread that runs none of these, such as a library's own, or in Python code, every test fails that runs at that
 * moment: this is one test, unless there are --jobs. */
#  define CAW_TEST_CHECK(condition_) caw_test_check((condition_), __FILE__, __LINE__, __func__, #condition_)

CAW_BEGIN_DECLS

/* What a CAW_TEST_CHECK that does not hold calls.
 *   any-thread · no-gil · borrows(file, function, text) · never fails · quiet */
CAW_API void caw_test_fail(const char *file, int line, const char *function, const char *text);

/* What CAW_TEST_CHECK calls. Returns the condition.
 *   any-thread · no-gil · borrows(file, function, text) · never fails · quiet */
static inline bool
caw_test_check(bool condition, const char *file, int line, const char *function, const char *text)
{
    if (!condition) {
        caw_test_fail(file, line, function, text);
    }
    return condition;
}

/* Run the tests of a table, which ends with CAW_TEST_END, as a program with these arguments:
 *
 *     [FILTER]...                     only tests whose name has one of these words in it
 *     --exact                         filters, also those of --skip, are whole names
 *     --skip FILTER                   not these; may be repeated
 *     --list                          write the names of the chosen tests, and run none
 *     --jobs N                        run N at a time; default 1
 *     --timeout SECONDS               for each test; 0: for ever; default 60
 *     --loop asyncio|uvloop|trio      default asyncio
 *     --junit FILE                    write a report for machines, besides
 *     --help
 *
 * Results go to stdout in the format of TAP (testanything.org, version 13). A test that fails does not stop the others.
 * The interpreter is started as by caw_py_run, and stays. The module that tests are given is __main__. Returns the exit
 * code: 0 all passed; 1 a test failed or the run ended early; 2 wrong arguments, or no test is left; 130 after a
 * Ctrl-C.
 *   the main thread · no-gil, or with it · borrows(tests, argv) · fails(the exit code) · runs-python */
CAW_API int caw_test_main(const caw_test *tests, int argc, char **argv);

/* Add the tests to a Python module, from its Py_mod_exec slot: to the list __cawait_tests__, which each call extends.
 * The pytest plugin cawait.pytest_plugin runs them. An entry has `name`, `file`, `line`, and `start(timeout=0)`. That
 * returns a new coroutine, which runs the test with a time-out in seconds, and raises an AssertionError where the test
 * fails.
 *   init · gil · borrows(module, tests, which are static) · raises · runs-python */
CAW_API int caw_test_add(PyObject *module, const caw_test *tests);

CAW_END_DECLS

#endif
#endif
