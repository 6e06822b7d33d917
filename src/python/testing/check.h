/* check.h: checks of tests, on any thread, and what they write to. */
#ifndef CAWAIT_PYTHON_TESTING_CHECK_H
#define CAWAIT_PYTHON_TESTING_CHECK_H

#include "cawait/python_testing.h"

CAW__INTERNAL_BEGIN

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

CAW__INTERNAL_END

#endif
