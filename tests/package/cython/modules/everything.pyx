# cython: language_level=3
# cython: cdivision=True
"""For the tests: a function for each part of the library that has something of its own in Cython."""
import sys

from cawait cimport *
from libc.stdlib cimport calloc, free
from libc.stdint cimport uint64_t

module = sys.modules[__name__]
MILLISECOND = 1_000_000
CANCELED, NOREACTOR = CAW_ECANCELED, CAW_ENOREACTOR

def versions():
    return CAW_VERSION_MAJOR, CAW_VERSION_MINOR, CAW_VERSION_PATCH, CAW_VERSION.decode()

def texts(int status):
    return caw_error_text(status).decode(), caw_error_name(status).decode()

# --- what combines futures ---

cdef object race_result(caw_future *f):
    return caw_race_winner(f)

cdef caw_py_spec plain = CAW_PY_SPEC("plain", NULL, NULL)
cdef caw_py_spec race_spec = CAW_PY_SPEC("race", race_result, NULL)

def sleep(uint64_t ns):
    return caw_py_coroutine(module, caw_sleep(ns), &plain)

def race(uint64_t first_ns, uint64_t second_ns):
    return caw_py_coroutine(module, caw_race_array([caw_sleep(first_ns), caw_sleep(second_ns)], 2), &race_spec)

def fails_all(int status):
    return caw_py_coroutine(module, caw_all_array([caw_sleep(3600 * 10**9), caw_ready(status)], 2), NULL)

def any_of(int status):
    return caw_py_coroutine(module, caw_any_array([caw_ready(status), caw_sleep(1)], 2), NULL)

def timeout(uint64_t ns):
    return caw_py_coroutine(module, caw_timeout(ns, caw_sleep(3600 * 10**9)), NULL)

cdef caw_future *second_step(void *user, caw_future *done) noexcept nogil:
    (<int *>user)[0] += 1
    return caw_sleep(1)

cdef int both_steps(void *user, caw_future *done) noexcept nogil:
    (<int *>user)[0] += 10
    return done.status

def then(int status):
    """Runs without a loop: how often the functions were called, and the status."""
    cdef int count = 0
    cdef caw_future *f = caw_map(caw_then(caw_ready(status), second_step, &count, NULL), both_steps, &count, NULL)
    with nogil:
        status = caw_block_on(f)
        caw_future_destroy(f)
    return count, status

def no_memory():
    return caw_py_coroutine(module, NULL, NULL)

def wait(uint64_t ns):
    return caw_py_block_on(module, caw_sleep(ns), NULL)

# --- a future with a poll function of its own ---

cdef struct counter:
    caw_future future  # first
    int left

cdef caw_poll counter_poll(caw_future *f, caw_context *cx) noexcept nogil:
    cdef counter *c = <counter *>f
    c.left -= 1
    if c.left > 0:
        caw_waker_wake_by_ref(cx.waker)
        return CAW_PENDING
    return caw_future_finish(f, 0)

cdef void counter_destroy(caw_future *f) noexcept nogil:
    free(f)

cdef caw_future_ops counter_ops
counter_ops.name, counter_ops.poll, counter_ops.destroy = "counter", counter_poll, counter_destroy

cdef caw_future *polls_start(object self, object count) except? NULL:
    cdef counter *c = <counter *>calloc(1, sizeof(counter))
    if c is NULL:
        return NULL
    try:
        c.left = count
    except BaseException:
        free(c)
        raise
    caw_future_init(&c.future, &counter_ops)
    return &c.future

# --- a promise that can be cancelled ---

cdef int parked = 0, cancels = 0, frees = 0

cdef int park_begin(caw_promise *p) noexcept nogil:
    global parked
    parked += 1
    return 0

cdef void park_cancel(caw_promise *p) noexcept nogil:
    global cancels
    cancels += 1
    caw_promise_resolve(p, CAW_ECANCELED)

cdef void park_free(caw_promise *p) noexcept nogil:
    global frees
    frees += 1
    free(p)

cdef caw_promise_ops park_ops = CAW_PROMISE_OPS_CANCEL("park", park_begin, park_cancel, park_free)

def park():
    """Waits until it is cancelled."""
    cdef caw_promise *p = <caw_promise *>calloc(1, sizeof(caw_promise))
    if p is NULL:
        raise MemoryError
    caw_promise_init(p, &park_ops)
    return caw_py_coroutine(module, &p.future, NULL)

def park_counts():
    return parked, cancels, frees

# --- a serial, whose calls are nogil functions ---

cdef caw_serial *serial = NULL

cdef struct addition:
    int *total
    int number
    int before

cdef int add_run(void *arg) noexcept nogil:  # on the serial's thread, one after another: so no lock
    cdef addition *a = <addition *>arg
    a.before = a.total[0]
    a.total[0] += a.number
    return 0

cdef object add_result(caw_future *f):
    return (<addition *>caw_blocking_arg(f)).before

cdef int total = 0

cdef caw_future *add_start(object self, object number) except? NULL:
    cdef addition a
    a.total, a.number, a.before = &total, number, 0
    return caw_blocking_copy(serial, add_run, &a, sizeof(a))

cdef caw_serial_spec serial_spec
if caw_serial_new(&serial_spec, &serial) < 0:
    raise MemoryError

# --- callbacks that raise, where they may ---

class Refused(Exception):
    pass

cdef object result_raises(caw_future *f):
    raise Refused("result")

cdef void error_raises(caw_future *f, int status) except *:
    raise Refused(f"error {status}")

cdef caw_future *raises_start(object self, object what) except? NULL:
    if what == "start":
        raise Refused("start")
    if what == "memory":
        return NULL
    return caw_ready(0 if what == "result" else CAW_EFAILED)

# --- what runs without the GIL and holds an object ---

cdef struct holding:
    caw_py_ref *object_
    uint64_t ns

cdef int hold_run(void *arg) noexcept nogil:
    cdef caw_future *f = caw_sleep((<holding *>arg).ns)
    cdef int status = caw_block_on(f)
    caw_future_destroy(f)
    return status

cdef void hold_free(void *arg) noexcept nogil:
    caw_py_ref_release((<holding *>arg).object_)
    free(arg)

cdef object hold_result(caw_future *f):
    return <object>caw_py_ref_get((<holding *>caw_blocking_arg(f)).object_)

cdef caw_py_spec hold_spec = CAW_PY_SPEC("hold", hold_result, NULL)

cdef class Holder:
    """Its methods are plain ones, which return coroutines; what a worker needs of `self` is held for it."""

    cdef public object value

    def __init__(self, value):
        self.value = value

    def hold(self, uint64_t ns):
        """This object, after that time on a worker."""
        cdef holding *h = <holding *>calloc(1, sizeof(holding))
        if h is NULL:
            raise MemoryError
        h.ns = ns
        try:
            h.object_ = caw_py_hold(module, self)
        except BaseException:
            free(h)
            raise
        return caw_py_coroutine(module, caw_blocking(NULL, hold_run, h, hold_free), &hold_spec)

    async def hold_twice(self, ns):
        """An async function of Cython's own awaits the others."""
        return await self.hold(ns), await self.hold(ns)

# --- Python that C awaits ---

cdef object value_result(caw_future *f):
    return caw_py_value(f)

cdef caw_py_spec value_spec = CAW_PY_SPEC("value", value_result, NULL)

def await_in_place(awaitable):
    return caw_py_coroutine(module, caw_py_await(NULL, awaitable), &value_spec)

cdef void report_error(caw_future *f, int status) except *:
    raise Refused(status) from caw_py_exception(caw_child(f, 0))

cdef int as_failed(void *user, caw_future *done) noexcept nogil:
    return CAW_EFAILED if done.status == CAW_EPYTHON else done.status

cdef caw_py_spec reporting_spec = CAW_PY_SPEC("reporting", value_result, NULL)
reporting_spec.error = report_error

def await_reporting(awaitable):
    return caw_py_coroutine(module, caw_map(caw_py_await(NULL, awaitable), as_failed, NULL, NULL), &reporting_spec)

def await_on_loop(awaitable):
    cdef caw_py_locals *locals = caw_py_locals_new(module)
    try:
        return caw_py_coroutine(module, caw_py_await(locals, awaitable), &value_spec)
    finally:
        caw_py_locals_release(locals)

def exception_of(coroutine):
    """What a future that was polled once in no loop says, and that the reference of the awaitable is gone."""
    cdef caw_future *f = caw_py_await(NULL, coroutine)
    cdef int status
    try:
        with nogil:
            status = caw_block_on_for(f, 0)
        return status, caw_py_exception(f)
    finally:
        caw_future_destroy(f)

cdef struct calling:
    caw_py_locals *locals
    caw_py_ref *function
    long long answer

cdef object call_call(void *arg):  # in the loop's thread, with the GIL
    return (<object>caw_py_ref_get((<calling *>arg).function))()

cdef int call_result(void *arg, object value) except? CAW_EPYTHON:
    (<calling *>arg).answer = value
    return 0

cdef caw_py_call_spec call_spec
call_spec.call, call_spec.result = call_call, call_result

cdef int call_run(void *arg) noexcept nogil:  # on a worker: it calls Python, and never has the GIL
    cdef caw_future *f = caw_py_call((<calling *>arg).locals, &call_spec, arg)
    cdef int status = caw_block_on(f)
    caw_future_destroy(f)
    return status

cdef void call_free(void *arg) noexcept nogil:
    caw_py_ref_release((<calling *>arg).function)
    caw_py_locals_release((<calling *>arg).locals)
    free(arg)

cdef object call_answer(caw_future *f):
    return (<calling *>caw_blocking_arg(f)).answer

cdef caw_future *call_start(object self, object function) except? NULL:
    cdef calling *c = <calling *>calloc(1, sizeof(calling))
    if c is NULL:
        return NULL
    try:
        c.locals = caw_py_locals_new(module)
        c.function = caw_py_ref_new(c.locals, function)
    except BaseException:
        call_free(c)
        raise
    return caw_blocking(NULL, call_run, c, call_free)

# --- streams ---

cdef object number_item(caw_stream *s, caw_item *item):
    return <size_t>caw_box_value(item)

cdef int number_convert(void *user, object value, caw_item **out) except? CAW_EPYTHON:
    cdef size_t number = value
    out[0] = NULL  # left out
    if number % 2:
        return 0
    out[0] = caw_box_new(<void *>number, NULL)
    return 0 if out[0] is not NULL else CAW_ENOMEM

cdef caw_py_iterable_spec even_numbers
even_numbers.convert = number_convert

cdef caw_stream *even_start(object self, object iterable) except? NULL:
    return caw_py_iterate(NULL, iterable, &even_numbers)

cdef caw_stream *numbers_start(object self) except? NULL:
    cdef caw_channel *channel = NULL
    cdef caw_channel_spec spec = even_spec
    cdef size_t number
    cdef caw_item *item
    if caw_channel_new(&spec, &channel) < 0:
        return NULL
    for number in range(1, 11):
        item = caw_box_new(<void *>number, NULL)
        if item is NULL or caw_channel_try_send(channel, item) < 0:
            caw_item_destroy(item)
            break
    stream = caw_channel_stream(channel)
    caw_channel_release(channel)
    return stream

cdef caw_channel_spec even_spec
even_spec.capacity = 16

def chunks(numbers, size_t n):
    """An async generator that is made without a table."""
    return caw_py_async_generator(module, caw_stream_chunk(caw_py_iterate(NULL, numbers, NULL), n), &chunk_spec)

cdef object chunk_item(caw_stream *s, caw_item *item):
    cdef caw_item *one = (<caw_chunk_item *>item).first
    values = []
    while one is not NULL:
        values.append(caw_py_item_value(one))
        one = one.next
    return values

cdef caw_py_stream_spec chunk_spec = CAW_PY_STREAM_SPEC("chunks", chunk_item, NULL)

# --- tables ---

def parsed_arguments(a, int b=2, *, c=3):
    return a, b, c

cdef caw_future *parsed_start(object self, object args, PyObject *kwargs) except? NULL:
    return caw_py_await(NULL, identity(caw_py_parse(parsed_arguments, args, kwargs)))

async def identity(value):
    return value

cdef caw_future *fast_start(object self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) except? NULL:
    return caw_py_await(NULL, identity(tuple([<object>args[i] for i in range(nargs)])))

cdef caw_future *tick_start(object self) except? NULL:
    return caw_sleep(1)

class Plain:
    """A class of Python: it can have async methods by a table."""

cdef caw_future *method_start(object self, object value) except? NULL:
    return caw_py_await(NULL, identity((self, value)))

cdef caw_py_async_def functions[8]
functions[0] = CAW_PY_ASYNC_O("polls", polls_start, NULL, "polls(count, /)\n--\n\n.")
functions[1] = CAW_PY_ASYNC_O("add", add_start, add_result, "add(number, /)\n--\n\nThe total before.")
functions[2] = CAW_PY_ASYNC_O("raises", raises_start, result_raises, "raises(what, /)\n--\n\n.")
functions[2].spec.error = error_raises
functions[3] = CAW_PY_ASYNC_O("call", call_start, call_answer, "call(function, /)\n--\n\n.")
functions[4] = CAW_PY_ASYNC("parsed", parsed_start, value_result, "parsed(a, b=2, *, c=3)\n--\n\n.")
functions[5] = CAW_PY_ASYNC_FASTCALL("fast", fast_start, value_result, "fast(*args)\n--\n\n.")
functions[6] = CAW_PY_ASYNC_NOARGS("tick", tick_start, NULL, "tick()\n--\n\n.")
functions[6].spec.sync_name = "tick_sync"
caw_py_add_functions(module, functions)

cdef caw_py_async_def methods[2]
methods[0] = CAW_PY_ASYNC_O("method", method_start, value_result, "method($self, value, /)\n--\n\n.")
caw_py_add_methods(module, <PyTypeObject *>Plain, methods)

cdef caw_py_stream_def streams[4]
streams[0] = CAW_PY_STREAM_O("even", even_start, number_item, "even(numbers, /)\n--\n\n.")
streams[1] = CAW_PY_STREAM_NOARGS("numbers", numbers_start, number_item, "numbers()\n--\n\n.")
streams[2] = CAW_PY_STREAM_NOARGS("number_lists", numbers_start, number_item, "number_lists()\n--\n\n.")
streams[2].spec.batch = 4
caw_py_add_streams(module, streams)
