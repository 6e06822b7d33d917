/* cawait.h: all of the library, but for what is for tests (cawait_testing.h).
 *
 *     #include <cawait.h>
 *
 * It includes Python.h, and so comes before other headers. Where CAW_NO_PYTHON is defined there is the core alone, and no
 * Python header is needed. The joined source has a file of this name too.
 *
 *   cawait/core.h      futures, wakers, promises, streams, bytes, channels, the reactor, the pool
 *   cawait/python.h    what Python awaits and iterates, and what C awaits of Python
 */
#ifndef CAWAIT_H
#define CAWAIT_H

#include "cawait/python.h"

#include "cawait/core.h"

#endif
