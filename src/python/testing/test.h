/* test.h: one test of the harness, as a future. */
#ifndef CAWAIT_PYTHON_TESTING_TEST_H
#define CAWAIT_PYTHON_TESTING_TEST_H

#include "cawait/python_testing.h"

CAW__INTERNAL_BEGIN

/* A future that runs the test, for a loop that runs in this thread; NULL with an exception. It is polled with the GIL.
 * timeout_ns 0 is for ever. It ends with 0; with CAW_EPYTHON and an exception that says how the test failed; or, if it
 * was cancelled, with CAW_ECANCELED. */
caw_future *caw__test_future(PyObject *module, const caw_test *test, uint64_t timeout_ns);

/* Whether a task of the test did not stop: then the loop may never end. */
bool caw__test_future_left_task(const caw_future *f);

/* Seconds as nanoseconds, at most what a clock can hold. False if it is not a time. */
bool caw__test_seconds(double seconds, uint64_t *out);

CAW__INTERNAL_END

#endif
