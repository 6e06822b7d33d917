/* cawait_testing.h: what is for tests, and all that cawait.h has.
 *
 *     #include <cawait_testing.h>
 *
 * In the joined source it belongs to cawait_testing.c, which is built into the tests alone.
 *
 *   cawait/testing_tools.h      unit tests of your own futures: a counting waker, a failing allocator, a fake clock
 *   cawait/python_testing.h     a harness for tests that need a Python loop; empty where CAW_NO_PYTHON is defined
 */
#ifndef CAWAIT_TESTING_H
#define CAWAIT_TESTING_H

#include "cawait.h"

#include "cawait/python_testing.h"
#include "cawait/testing_tools.h"

#endif
