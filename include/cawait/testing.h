/* cawait/testing.h: for tests.
 *
 *   testing_tools.h      unit tests of your own futures: a counting waker, a failing allocator, a fake clock
 *   python_testing.h     a harness for tests that need a Python loop; empty where CAW_NO_PYTHON is defined
 */
#ifndef CAWAIT_TESTING_H
#define CAWAIT_TESTING_H

#include "cawait/python_testing.h"
#include "cawait/testing_tools.h"

#endif
