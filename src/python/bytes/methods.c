/* methods.c: recognising the streams of asyncio, trio and anyio by their methods, and calling these. */
#include "python/bytes/methods.h"

static bool
methods_has(PyObject *stream, const char *name)
{
    return PyObject_HasAttrString((PyObject *)Py_TYPE(stream), name);
}

int
caw__bytes_kind_of_reader(PyObject *stream)
{
    if (methods_has(stream, "receive_some")) {
        return BYTES_TRIO;
    }
    if (methods_has(stream, "read")) {
        return BYTES_ASYNCIO;
    }
    if (methods_has(stream, "receive")) {
        return BYTES_ANYIO;
    }
    PyErr_Format(PyExc_TypeError, "object %.100s is no stream to read: it has no receive_some, read or receive",
                 Py_TYPE(stream)->tp_name);
    return -1;
}

int
caw__bytes_kind_of_writer(PyObject *stream)
{
    if (methods_has(stream, "send_all")) {
        return BYTES_TRIO;
    }
    if (methods_has(stream, "write") && methods_has(stream, "drain")) {
        return BYTES_ASYNCIO;
    }
    if (methods_has(stream, "send") && methods_has(stream, "aclose")) {
        return BYTES_ANYIO;
    }
    PyErr_Format(PyExc_TypeError, "object %.100s is no stream to write: it has no send_all, write and drain, or send",
                 Py_TYPE(stream)->tp_name);
    return -1;
}

PyObject *
caw__bytes_receive(caw__bytes_kind kind, PyObject *stream, size_t size)
{
    static const char *const names[] = {"receive_some", "read", "receive"};
    Py_ssize_t n = (Py_ssize_t)(size < BYTES_MAX ? size : BYTES_MAX);
    return PyObject_CallMethod(stream, names[kind], "n", n);
}

PyObject *
caw__bytes_send(caw__bytes_kind kind, PyObject *stream, const char *data, size_t size)
{
    static const char *const names[] = {"send_all", "write", "send"};
    PyObject *called = PyObject_CallMethod(stream, names[kind], "y#", data, (Py_ssize_t)size);
    if (!called || kind != BYTES_ASYNCIO) {
        return called;
    }
    Py_DECREF(called);
    return PyObject_CallMethod(stream, "drain", NULL);
}

PyObject *
caw__bytes_close(caw__bytes_kind kind, PyObject *stream)
{
    PyObject *called = PyObject_CallMethod(stream, kind == BYTES_ASYNCIO ? "close" : "aclose", NULL);
    if (!called || kind != BYTES_ASYNCIO) {
        return called;
    }
    Py_DECREF(called);
    return PyObject_CallMethod(stream, "wait_closed", NULL);
}

PyObject *
caw__bytes_end_of_stream(void)
{
    PyObject *name = PyUnicode_FromString("anyio");
    PyObject *anyio = name ? PyImport_GetModule(name) : NULL;
    PyObject *end = anyio ? PyObject_GetAttrString(anyio, "EndOfStream") : NULL;
    Py_XDECREF(anyio);
    Py_XDECREF(name);
    PyErr_Clear();
    return end;
}
