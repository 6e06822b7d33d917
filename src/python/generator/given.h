/* given.h: what asend() and athrow() give to the stream of an async generator. */
#ifndef CAWAIT_PYTHON_GENERATOR_GIVEN_H
#define CAWAIT_PYTHON_GENERATOR_GIVEN_H

#include "python/generator/generator.h"

CAW__INTERNAL_BEGIN

/* Give the stream the argument of a step that begins. A step of athrow() goes on as one of anext() where the stream has
 * taken the exception; where it has raised another one that is the argument now. False with an exception: that ends the
 * generator. */
bool caw__generator_give(caw__generator_step *a);

/* Throw an exception into the stream. True: it has taken that, and goes on. If not, another one may be set. */
bool caw__generator_throw(const caw__generator *g, PyObject *exception);

CAW__INTERNAL_END

#endif
