/* values.c: values from Python to SQLite and back: None, int, float, str, bytes. All of it with the GIL. */
#include "values.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static int
parameter_copy(parameter *p, int type, const char *bytes, Py_ssize_t size)
{
    p->bytes = malloc((size_t)size + 1); /* the thread has no GIL, and must not use Python's */
    if (!p->bytes) {
        PyErr_NoMemory();
        return -1;
    }
    memcpy(p->bytes, bytes, (size_t)size);
    p->type = type;
    p->size = (sqlite3_uint64)size;
    return 0;
}

/* 0; or -1 with an exception set. */
static int
parameter_set(parameter *p, PyObject *value)
{
    if (value == Py_None) {
        p->type = SQLITE_NULL;
    }
    else if (PyLong_Check(value)) {
        p->type = SQLITE_INTEGER;
        p->integer = PyLong_AsLongLong(value);
    }
    else if (PyFloat_Check(value)) {
        p->type = SQLITE_FLOAT;
        p->real = PyFloat_AsDouble(value);
    }
    else if (PyUnicode_Check(value)) {
        Py_ssize_t size;
        const char *text = PyUnicode_AsUTF8AndSize(value, &size);
        return text ? parameter_copy(p, SQLITE_TEXT, text, size) : -1;
    }
    else if (PyBytes_Check(value)) {
        return parameter_copy(p, SQLITE_BLOB, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value));
    }
    else {
        PyErr_Format(PyExc_TypeError, "SQLite has no type for %.100s", Py_TYPE(value)->tp_name);
    }
    return PyErr_Occurred() ? -1 : 0;
}

query *
query_from_python(query_place place, const char *sql, PyObject *parameters)
{
    if (parameters != Py_None && !PySequence_Check(parameters)) { /* such as a set, which has no order */
        PyErr_Format(PyExc_TypeError, "parameters are a sequence, not %.100s", Py_TYPE(parameters)->tp_name);
        return NULL;
    }
    PyObject *items = parameters == Py_None ? PyTuple_New(0) : PySequence_Tuple(parameters);
    if (!items) {
        return NULL;
    }
    Py_ssize_t n = PyTuple_GET_SIZE(items);
    query *q = n <= INT_MAX ? query_new(place, sql, (int)n) : NULL;
    if (!q) {
        PyErr_NoMemory();
    }
    for (Py_ssize_t i = 0; q && i < n; i++) {
        if (parameter_set(&q->parameters[i], PyTuple_GET_ITEM(items, i)) < 0) {
            query_release(q);
            q = NULL;
        }
    }
    Py_DECREF(items);
    return q;
}

static PyObject *
cell_value(sqlite3_value *cell)
{
    switch (sqlite3_value_type(cell)) {
    case SQLITE_INTEGER:
        return PyLong_FromLongLong(sqlite3_value_int64(cell));
    case SQLITE_FLOAT:
        return PyFloat_FromDouble(sqlite3_value_double(cell));
    case SQLITE_TEXT: {
        const char *text = (const char *)sqlite3_value_text(cell); /* first: it may change the size */
        return text ? PyUnicode_DecodeUTF8(text, sqlite3_value_bytes(cell), NULL) : PyErr_NoMemory();
    }
    case SQLITE_BLOB: {
        const void *blob = sqlite3_value_blob(cell);
        return PyBytes_FromStringAndSize(blob, sqlite3_value_bytes(cell));
    }
    default:
        return Py_NewRef(Py_None);
    }
}

PyObject *
query_rows(const query *q)
{
    PyObject *rows = PyList_New(0);
    for (size_t i = 0; rows && i < q->n_cells; i += (size_t)q->n_columns) {
        PyObject *row = PyTuple_New(q->n_columns);
        for (int k = 0; row && k < q->n_columns; k++) {
            PyObject *value = cell_value(q->cells[i + (size_t)k]);
            if (value) {
                PyTuple_SET_ITEM(row, k, value);
            }
            else {
                Py_CLEAR(row);
            }
        }
        if (!row || PyList_Append(rows, row) < 0) {
            Py_CLEAR(rows);
        }
        Py_XDECREF(row);
    }
    return rows;
}

void
query_raise(const query *q, int status, PyObject *class_)
{
    if (status == CAW_ECLOSED) {
        PyErr_SetString(class_, "the connection is closed");
    }
    else if (status == CAW_EFAILED && q->error) {
        PyErr_SetString(class_, q->error);
    }
    else {
        (void)caw_py_set_error(status);
    }
}
