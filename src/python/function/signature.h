/* signature.h: the signature and the text in the doc of an async function. */
#ifndef CAWAIT_PYTHON_FUNCTION_SIGNATURE_H
#define CAWAIT_PYTHON_FUNCTION_SIGNATURE_H

#include "python/function/object.h"

CAW__INTERNAL_BEGIN

/* The doc without its signature line, the signature line behind the name, an inspect.Signature: a new reference, None
 * where there is no such text, or NULL with an exception. */
PyObject *caw__signature_doc(const caw__function *f);
PyObject *caw__signature_text(const caw__function *f);
PyObject *caw__signature(caw__function *f);

/* The types in the signature line, as __annotations__: a new dict, or NULL with an exception. */
PyObject *caw__signature_annotations(const caw__function *f);

/* In debug builds: -1 with an exception where the signature line in the doc is not that of the function. */
int caw__signature_check(const caw__function *f);

CAW__INTERNAL_END

#endif
