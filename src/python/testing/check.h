/* check.h: the record of a test's failed checks, which any thread may write to. */
#ifndef CAWAIT_PYTHON_TESTING_CHECK_H
#define CAWAIT_PYTHON_TESTING_CHECK_H

#include "cawait/python_testing.h"

CAW__INTERNAL_BEGIN

/* The record of one test. It is counted, because the thread of a blocking test may outlive the test. */
typedef struct caw__test_record caw__test_record;

/* Begin a test: checks that fail on any thread are recorded for it from now on. NULL when out of memory. */
caw__test_record *caw__test_record_new(void);
caw__test_record *caw__test_record_retain(caw__test_record *r);
void caw__test_record_release(void *r);

/* End the test: later checks are not recorded for it. */
void caw__test_record_end(caw__test_record *r);

/* To be called after the end: a line for each check that failed, or NULL. Borrowed. */
const char *caw__test_record_text(const caw__test_record *r);

/* Checks on this thread belong to this test from now on, or to no test (NULL). Returns the test they belonged to
 * before. */
caw__test_record *caw__test_record_enter(caw__test_record *r);

/* How many checks have failed while no test ran, in this process.
 *   any-thread · no-gil · - · never fails · quiet */
unsigned caw__test_strays(void);

CAW__INTERNAL_END

#endif
