/* cawait/python.h: everything that needs Python.
 *
 *   python_coroutine.h   C futures that Python awaits: async functions, coroutines, errors as exceptions
 *   python_await.h       Python awaitables that C awaits, on any thread
 */
#ifndef CAWAIT_PYTHON_H
#define CAWAIT_PYTHON_H

#include "cawait/python_await.h"
#include "cawait/python_coroutine.h"

#endif
