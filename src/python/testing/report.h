/* report.h: reports of test results: TAP for people and test runners, JUnit's XML for CI. */
#ifndef CAWAIT_PYTHON_TESTING_REPORT_H
#define CAWAIT_PYTHON_TESTING_REPORT_H

#include "cawait/python_testing.h"

#include <stdio.h>

CAW__INTERNAL_BEGIN

typedef struct caw__test_outcome {
    const caw_test *test;
    bool ended, failed;
    char *failure; /* why it failed, one or more lines; NULL if there was no memory for it */
    uint64_t duration_ns;
} caw__test_outcome;

/* TAP, to stdout: the plan, before the first test; the result of the test that ended as the number-th; the totals. */
void caw__test_tap_begin(size_t n);
void caw__test_tap_outcome(size_t number, const caw__test_outcome *outcome);
void caw__test_tap_end(const caw__test_outcome *outcomes, size_t n, uint64_t duration_ns);

/* Write the whole report; a test that has not ended is an error. 0 or -errno. Closes the file. */
int caw__test_junit(FILE *file, const char *suite, const caw__test_outcome *outcomes, size_t n, uint64_t duration_ns);

CAW__INTERNAL_END

#endif
