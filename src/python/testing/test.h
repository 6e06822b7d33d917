/* test.h: one test of the harness, as a future, and what its checks write to. */
#ifndef CAWAIT_PYTHON_TESTING_TEST_H
#define CAWAIT_PYTHON_TESTING_TEST_H

#include "cawait/python_testing.h"

CAW__INTERNAL_BEGIN

/* --- testing/check.c --- */

/* What the checks of a test write to. It is counted: the thread of a blocking test may outlive the test. */
typedef struct caw__test_record caw__test_record;

/* NULL when out of memory. From now on the test runs, and checks on any thread may be its. */
caw__test_record *caw__test_record_new(void);
caw__test_record *caw__test_record_retain(caw__test_record *r);
void caw__test_record_release(void *r);

/* The test runs no more: later checks are not its. */
void caw__test_record_end(caw__test_record *r);

/* After that: a line for each check that failed, or NULL. Borrowed. */
const char *caw__test_record_text(const caw__test_record *r);

/* Checks on this thread are this test's from now on (NULL: no test's). Returns whose they were. */
caw__test_record *caw__test_record_enter(caw__test_record *r);

/* How many checks have failed while no test ran, in this process.
 *   any-thread · no-gil · - · never fails · quiet */
unsigned caw__test_strays(void);

/* --- testing/test.c --- */

/* A future that runs the test, for a loop that runs in this thread; timeout_ns 0: for ever. Polled with the GIL. It
 * ends with 0, or with CAW_EPYTHON and an exception set that says how the test failed, or, cancelled, with
 * CAW_ECANCELED. NULL with an exception. */
caw_future *caw__test_future(PyObject *module, const caw_test *test, uint64_t timeout_ns);

/* Whether it has left a task behind that did not stop: then the loop may not come to its end. */
bool caw__test_future_left_task(const caw_future *f);

/* Seconds as nanoseconds, at most what a clock can hold. False: not a time. */
bool caw__test_seconds(double seconds, uint64_t *out);

CAW__INTERNAL_END

#endif
