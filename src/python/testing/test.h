/* test.h: one test of the harness, as a future. */
#ifndef CAWAIT_PYTHON_TESTING_TEST_H
#define CAWAIT_PYTHON_TESTING_TEST_H

#include "cawait/python_testing.h"

CAW__INTERNAL_BEGIN

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
