/* report.h: what is written about tests: TAP for people and runners, JUnit's XML for machines. */
#ifndef CAWAIT_PYTHON_TESTING_REPORT_H
#define CAWAIT_PYTHON_TESTING_REPORT_H

#include "cawait/python_testing.h"

#include <stdio.h>

CAW__INTERNAL_BEGIN

typedef struct caw__test_outcome {
    const caw_test *test;
    bool ended, failed;
    char *failure; /* once it has failed: why, several lines; NULL: there was no memory to say it */
    uint64_t duration_ns;
} caw__test_outcome;

/* TAP, to stdout: the plan, before the first test; the result of the one that ended as the number-th; and the sum. */
void caw__test_tap_begin(size_t n);
void caw__test_tap_outcome(size_t number, const caw__test_outcome *outcome);
void caw__test_tap_end(const caw__test_outcome *outcomes, size_t n, uint64_t duration_ns);

/* The whole report; what has not ended is an error. 0 or -errno. Closes the file. */
int caw__test_junit(FILE *file, const char *suite, const caw__test_outcome *outcomes, size_t n, uint64_t duration_ns);

CAW__INTERNAL_END

#endif
