/* tables.cpp: the tables of a module in C++17, with the public headers only: functions, streams, methods, and tests. */
#include <cawait_testing.h>

#include <new>

namespace {

/* --- futures: a sum, computed on the pool --- */

struct sum {
    long a, b, value;
};

int
sum_run(void *arg)
{
    sum *s = static_cast<sum *>(arg);
    s->value = s->a + s->b;
    return s->value < 0 ? -ERANGE : 0;
}

void
sum_free(void *arg)
{
    delete static_cast<sum *>(arg);
}

caw_future *
sum_new(long a, long b)
{
    sum *s = new (std::nothrow) sum{a, b, 0};
    caw_future *f = s ? caw_blocking(nullptr, sum_run, s, sum_free) : nullptr;
    if (!f) {
        PyErr_NoMemory();
    }
    return f;
}

PyObject *
sum_result(caw_future *f)
{
    return PyLong_FromLong(static_cast<const sum *>(caw_blocking_arg(f))->value);
}

void
sum_error(caw_future *f, int status)
{
    const sum *s = static_cast<const sum *>(caw_blocking_arg(f));
    if (status == -ERANGE) {
        PyErr_Format(PyExc_ArithmeticError, "%ld is negative", s->value);
    }
    else {
        caw_py_set_error(status);
    }
}

caw_future *
add_start(PyObject *, PyObject *args, PyObject *)
{
    long a = 0, b = 0;
    return PyArg_ParseTuple(args, "ll", &a, &b) ? sum_new(a, b) : nullptr;
}

caw_future *
zero_start(PyObject *)
{
    return sum_new(0, 0);
}

caw_future *
one_more_start(PyObject *, PyObject *arg)
{
    long a = PyLong_AsLong(arg);
    return PyErr_Occurred() ? nullptr : sum_new(a, 1);
}

caw_future *
length_start(PyObject *, PyObject *const *, Py_ssize_t nargs, PyObject *)
{
    return sum_new(static_cast<long>(nargs), 0);
}

constexpr caw_py_async_def functions[] = {
    CAW_PY_ASYNC("add", add_start, sum_result, "add(a, b)\n--\n\nTheir sum."),
    CAW_PY_ASYNC_NOARGS("zero", zero_start, sum_result, "zero()\n--\n\nNothing added."),
    CAW_PY_ASYNC("aadd", add_start, sum_result, "aadd(a, b)\n--\n\nTheir sum.", CAW_SET(sync_name, "add_now"),
                 CAW_SET(error, sum_error)),
    CAW_PY_ASYNC_O("one_more", one_more_start, sum_result, "one_more(a, /)\n--\n\nOne added.",
                   CAW_SET(error, sum_error), CAW_SET(cancel, CAW_PY_CANCEL_SHIELD),
                   CAW_SET(qualname, "numbers.one_more")),
    CAW_PY_ASYNC_FASTCALL(
        "length", length_start, [](caw_future *f) { return sum_result(f); }, nullptr),
    CAW_PY_ASYNC_END,
};

/* --- streams: numbers, each as an item --- */

struct number : caw_item {
    long value;
};

void
number_destroy(caw_item *item)
{
    delete static_cast<number *>(item);
}

PyObject *
number_object(caw_stream *, caw_item *item)
{
    return PyLong_FromLong(static_cast<const number *>(item)->value);
}

struct numbers : caw_stream {
    long next, end;
};

caw_poll
numbers_poll(caw_stream *s, caw_context *, caw_item **out)
{
    numbers *n = static_cast<numbers *>(s);
    if (n->next == n->end) {
        return caw_stream_finish(s, 0, out);
    }
    number *item = new (std::nothrow) number{};
    if (!item) {
        return caw_stream_finish(s, CAW_ENOMEM, out);
    }
    item->destroy = number_destroy;
    item->value = n->next++;
    *out = item;
    return CAW_READY;
}

void
numbers_destroy(caw_stream *s)
{
    delete static_cast<numbers *>(s);
}

constexpr caw_stream_ops
numbers_table()
{
    caw_stream_ops ops = {};
    ops.name = "numbers";
    ops.poll_next = numbers_poll;
    ops.destroy = numbers_destroy;
    return ops;
}

constexpr caw_stream_ops numbers_ops = numbers_table();

caw_stream *
numbers_new(long begin, long end)
{
    numbers *n = new (std::nothrow) numbers{};
    if (!n) {
        PyErr_NoMemory();
        return nullptr;
    }
    caw_stream_init(n, &numbers_ops);
    n->next = begin;
    n->end = end;
    return n;
}

caw_stream *
range_start(PyObject *, PyObject *args, PyObject *)
{
    long begin = 0, end = 0;
    return PyArg_ParseTuple(args, "ll", &begin, &end) ? numbers_new(begin, end) : nullptr;
}

caw_stream *
digits_start(PyObject *)
{
    return numbers_new(0, 10);
}

caw_stream *
up_to_start(PyObject *, PyObject *arg)
{
    long end = PyLong_AsLong(arg);
    return PyErr_Occurred() ? nullptr : numbers_new(0, end);
}

caw_stream *
count_start(PyObject *, PyObject *const *, Py_ssize_t nargs, PyObject *)
{
    return numbers_new(0, static_cast<long>(nargs));
}

constexpr caw_py_stream_def streams[] = {
    CAW_PY_STREAM("range", range_start, number_object, "range(begin, end)\n--\n\nIntegers."),
    CAW_PY_STREAM_NOARGS("digits", digits_start, number_object, "digits()\n--\n\nLists of them.", CAW_SET(batch, 4)),
    CAW_PY_STREAM_O("up_to", up_to_start, number_object, "up_to(end, /)\n--\n\nFrom 0."),
    CAW_PY_STREAM_FASTCALL("count", count_start, number_object, "count(*args)\n--\n\nOne for each."),
    CAW_PY_STREAM_END,
};

/* --- a type with an async method and a stream method --- */

struct accumulator {
    PyObject_HEAD
    long value;
};

caw_future *
accumulator_add_start(PyObject *self, PyObject *arg)
{
    accumulator *a = reinterpret_cast<accumulator *>(self);
    long more = PyLong_AsLong(arg);
    if (PyErr_Occurred()) {
        return nullptr;
    }
    caw_future *f = sum_new(a->value, more);
    if (f) {
        a->value += more;
    }
    return f;
}

caw_stream *
accumulator_steps_start(PyObject *self)
{
    return numbers_new(0, reinterpret_cast<accumulator *>(self)->value);
}

constexpr caw_py_async_def methods[] = {
    CAW_PY_ASYNC_O("add", accumulator_add_start, sum_result, "add($self, more, /)\n--\n\nThe sum so far."),
    CAW_PY_ASYNC_END,
};

constexpr caw_py_stream_def stream_methods[] = {
    CAW_PY_STREAM_NOARGS("steps", accumulator_steps_start, number_object, "steps($self)\n--\n\nUp to the sum."),
    CAW_PY_STREAM_END,
};

void
accumulator_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

int
add_accumulator(PyObject *module)
{
    static PyType_Slot slots[] = {{Py_tp_dealloc, reinterpret_cast<void *>(accumulator_dealloc)}, {0, nullptr}};
    static PyType_Spec spec = {"_cawait_test_cpp.Accumulator", sizeof(accumulator), 0, Py_TPFLAGS_DEFAULT, slots};
    PyObject *object = PyType_FromModuleAndSpec(module, &spec, nullptr);
    PyTypeObject *type = reinterpret_cast<PyTypeObject *>(object);
    int failed = !object || caw_py_add_methods(module, type, methods) < 0 ||
                 caw_py_add_stream_methods(module, type, stream_methods) < 0 || PyModule_AddType(module, type) < 0;
    Py_XDECREF(object);
    return failed ? -1 : 0;
}

/* --- tests --- */

caw_future *
sleeps(PyObject *)
{
    return caw_sleep(1000);
}

int
checks()
{
    CAW_TEST_CHECK(sizeof functions / sizeof functions[0] == 6);
    return 0;
}

PyObject *
awaits(PyObject *module)
{
    static constexpr caw_py_spec spec = CAW_PY_SPEC("awaits", nullptr, nullptr, CAW_SET(poll_without_gil, true));
    return caw_py_coroutine(module, caw_ready(0), &spec);
}

constexpr caw_test tests[] = {
    CAW_TEST_ASYNC(sleeps),
    CAW_TEST_BLOCKING(checks),
    CAW_TEST_COROUTINE(awaits),
    CAW_TEST_END,
};

/* --- the module --- */

int
module_exec(PyObject *module)
{
    return caw_py_add_functions(module, functions) < 0 || caw_py_add_streams(module, streams) < 0 ||
                   add_accumulator(module) < 0 || caw_test_add(module, tests) < 0
               ? -1
               : 0;
}

PyModuleDef_Slot module_slots[] = {{Py_mod_exec, reinterpret_cast<void *>(module_exec)}, {0, nullptr}};

PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT, "_cawait_test_cpp", nullptr, 0, nullptr, module_slots, nullptr, nullptr, nullptr};

} // namespace

PyMODINIT_FUNC
PyInit__cawait_test_cpp(void)
{
    return PyModuleDef_Init(&module_def);
}
