/* instruction.c: which instruction the innermost frame of Python executes. */
#include "python/base/instruction.h"

/* The byte of an instruction by its name, as the module opcode has it; -1 where there is none. */
static int
instruction_code(const char *name)
{
    PyObject *opcode = PyImport_ImportModule("opcode");
    PyObject *opmap = opcode ? PyObject_GetAttrString(opcode, "opmap") : NULL;
    PyObject *number = opmap ? PyMapping_GetItemString(opmap, name) : NULL;
    int code = number ? (int)PyLong_AsLong(number) : -1;
    Py_XDECREF(number);
    Py_XDECREF(opmap);
    Py_XDECREF(opcode);
    return code;
}

/* Whether the frame executes that instruction, with an argument that has the bits. */
static bool
instruction_is(PyFrameObject *frame, PyObject *code, const char *name, int bits)
{
    int wanted = instruction_code(name);
    PyObject *bytes = wanted < 0 ? NULL : PyObject_GetAttrString(code, "co_code");
    PyObject *lasti = bytes ? PyObject_GetAttrString((PyObject *)frame, "f_lasti") : NULL;
    Py_ssize_t at = lasti ? PyLong_AsSsize_t(lasti) : -1;
    bool is = false;
    if (at >= 0 && PyBytes_Check(bytes) && at + 1 < PyBytes_GET_SIZE(bytes)) {
        const unsigned char *now = (const unsigned char *)PyBytes_AS_STRING(bytes) + at;
        is = now[0] == wanted && (now[1] & bits) == bits;
    }
    Py_XDECREF(lasti);
    Py_XDECREF(bytes);
    return is;
}

/* Ask of the innermost frame. The flags of its code are put into `flags`. Keeps the exception that is set. */
static bool
instruction_of_caller(const char *name, int bits, int *flags)
{
    PyObject *raised = caw__take_raised();
    PyFrameObject *frame = (PyFrameObject *)Py_XNewRef((PyObject *)PyEval_GetFrame());
    PyCodeObject *code = frame ? PyFrame_GetCode(frame) : NULL;
    bool is = code && instruction_is(frame, (PyObject *)code, name, bits);
    *flags = code ? code->co_flags : 0;
    Py_XDECREF((PyObject *)code);
    Py_XDECREF((PyObject *)frame);
    caw__forget_raised();
    if (raised) {
        caw__raise(raised);
    }
    return is;
}

bool
caw__begins_await(void)
{
    int flags;
    return instruction_of_caller("GET_AWAITABLE", 0, &flags);
}

caw__yield_from
caw__begins_yield_from(void)
{
    int flags;
    if (!instruction_of_caller(CAW__YIELD_FROM_INSTRUCTION, CAW__YIELD_FROM_ARGUMENT, &flags)) {
        return YIELD_FROM_NONE;
    }
    return flags & CO_ITERABLE_COROUTINE ? YIELD_FROM_COROUTINE : YIELD_FROM_GENERATOR;
}
