/* cawait/python.h: everything that needs Python.
 *
 *   python_coroutine.h   C futures that Python awaits: async functions, coroutines, errors as exceptions
 *   python_await.h       Python awaitables that C awaits, on any thread
 *   python_stream.h      C streams that Python iterates, and async iterables of Python as C streams
 *   python_bytes.h       byte streams between the two: Python's for C, and C's for Python
 *   python_run.h         programs whose main is C
 */
#ifndef CAWAIT_PYTHON_H
#define CAWAIT_PYTHON_H

#include "cawait/python_await.h"
#include "cawait/python_bytes.h"
#include "cawait/python_coroutine.h"
#include "cawait/python_run.h"
#include "cawait/python_stream.h"

#endif
