# cython: language_level=3
"""A library with callbacks on a thread of its own (sensor.h), awaited from Python."""
import sys

from cawait cimport *
from libc.stdlib cimport calloc

cdef extern from "sensor.h" nogil:
    int sensor_measure(int channel, void (*done)(void *user, int error, double value) noexcept, void *user)

cdef struct measurement:  # freed by the promise, when both the awaiter and the library have ended
    caw_promise promise  # first
    int channel
    double value

cdef void measured(void *user, int error, double value) noexcept nogil:  # on the library's thread, without the GIL
    cdef measurement *m = <measurement *>user
    m.value = value
    caw_promise_resolve(&m.promise, -error)

cdef int measure_begin(caw_promise *p) noexcept nogil:  # when the coroutine is awaited
    return -sensor_measure((<measurement *>p).channel, measured, p)

cdef caw_promise_ops measure_ops = CAW_PROMISE_OPS("sensor.measure", measure_begin, NULL)

cdef caw_future *temperature_start(object self, object channel) except? NULL:  # when the function is called
    cdef int number = channel
    cdef measurement *m = <measurement *>calloc(1, sizeof(measurement))
    if m is NULL:
        return NULL  # a MemoryError
    m.channel = number
    caw_promise_init(&m.promise, &measure_ops)
    return &m.promise.future

cdef object temperature_result(caw_future *f):  # in the awaiting thread
    return (<measurement *>f).value

cdef caw_py_async_def functions[2]  # one more than are filled in: the end
functions[0] = CAW_PY_ASYNC_O("temperature", temperature_start, temperature_result,
                              "temperature(channel, /)\n--\n\nThe temperature at a sensor, in degrees Celsius.")
caw_py_add_functions(sys.modules[__name__], functions)
