/* locals.h: where Python runs for native code: a loop and a context. */
#ifndef CAWAIT_PYTHON_LOOP_LOCALS_H
#define CAWAIT_PYTHON_LOOP_LOCALS_H

#include "python/loop/inbox.h"

CAW__INTERNAL_BEGIN

/* Never changes once it is made. */
struct caw_py_locals {
    _Atomic uint32_t refs;
    caw__inbox *inbox;   /* a reference: the loop */
    caw_py_ref *context; /* a reference */
};

/* The loop of the inbox with the current context; NULL with an exception. */
caw_py_locals *caw__locals_new(caw__inbox *inbox);

/* Locals of no loop, with the current context: what is posted to them ends as it does where the loop is closed. NULL
 * with an exception. */
caw_py_locals *caw__locals_of_no_loop(caw__orphans *orphans);

/* Whether they can be used here. False with an exception: they belong to another interpreter. With the GIL. */
bool caw__locals_are_ours(const caw_py_locals *locals);

CAW__INTERNAL_END

#endif
