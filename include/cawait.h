/* cawait.h: all of the library but what is for tests, which is in cawait_testing.h.
 *
 *     #include <cawait.h>
 *
 * Include it before other headers, in the place of Python.h: it includes that. Where CAW_NO_PYTHON is defined it has
 * the core alone, and no Python header is needed. The joined source has a file of this name too.
 *
 *   cawait/core.h      futures, wakers, promises, groups, streams, bytes, channels, the reactor, the pool
 *   cawait/python.h    what Python awaits and iterates, and what C awaits of Python
 */
#ifndef CAWAIT_H
#define CAWAIT_H

#include "cawait/python.h"

#include "cawait/core.h"

#endif
