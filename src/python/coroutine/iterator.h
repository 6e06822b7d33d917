/* iterator.h: what __await__() of a coroutine gives. */
#ifndef CAWAIT_PYTHON_COROUTINE_ITERATOR_H
#define CAWAIT_PYTHON_COROUTINE_ITERATOR_H

#include "python/coroutine/coroutine.h"

CAW__INTERNAL_BEGIN

extern PyType_Spec caw__iterator_spec;

/* An iterator over the coroutine: a new reference, or NULL with an exception. */
PyObject *caw__iterator_new(caw__coroutine *c);

/* The coroutine under the iterator: borrowed, or NULL where that is another object. */
caw__coroutine *caw__iterator_coroutine(const caw__state *state, PyObject *object);

/* send(), throw() and close() of the coroutine, for the iterator and for the coroutine's own type. */
PyObject *caw__coroutine_method_send(caw__coroutine *c, PyObject *value);
PyObject *caw__coroutine_method_throw(caw__coroutine *c, PyObject *const *args, Py_ssize_t nargs);
PyObject *caw__coroutine_method_close(caw__coroutine *c);

CAW__INTERNAL_END

#endif
