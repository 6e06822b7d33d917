/* values.h: values of Python as parameters of SQLite, its rows as tuples, and its errors as exceptions. */
#ifndef EXAMPLE_VALUES_H
#define EXAMPLE_VALUES_H

#include <cawait.h>

#include "database.h"

/* A statement with the items of a sequence, or of None, as its parameters. NULL with an exception set. */
query *query_from_python(query_place place, const char *sql, PyObject *parameters);

/* A list of tuples. */
PyObject *query_rows(const query *q);

/* The exception of its end: `class_` with what SQLite says. */
void query_raise(const query *q, int status, PyObject *class_);

#endif
