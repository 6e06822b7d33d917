/* cawait_testing.h: what is for tests, besides all that cawait.h has.
 *
 *     #include <cawait_testing.h>
 *
 * In the joined source it goes with cawait_testing.c, which is compiled into the tests alone.
 *
 *   cawait/testing_tools.h      for unit tests of your own futures: a counting waker, a failing allocator, a fake clock
 *   cawait/python_testing.h     a harness for tests that need a Python loop; empty where CAW_NO_PYTHON is defined
 */
#ifndef CAWAIT_TESTING_H
#define CAWAIT_TESTING_H

#include "cawait.h"

#include "cawait/python_testing.h"
#include "cawait/testing_tools.h"

#endif
