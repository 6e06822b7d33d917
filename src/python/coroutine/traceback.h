/* traceback.h: frames that name the C function of a coroutine. */
#ifndef CAWAIT_PYTHON_COROUTINE_TRACEBACK_H
#define CAWAIT_PYTHON_COROUTINE_TRACEBACK_H

#include "python/coroutine/coroutine.h"

CAW__INTERNAL_BEGIN

enum { CAW__PLACES = 32 };

/* Where async functions in C are that wait for each other: suspended, or where each has failed. The outermost is the
 * first; of more than there is room for those in the middle are left out. */
typedef struct caw__places {
    size_t n;
    struct {
        const char *function, *file; /* static */
        int line;
    } at[CAW__PLACES];
} caw__places;

/* Those of a future, which are none if it is no async function, or has not begun. */
void caw__future_places(const caw_future *future, caw__places *out);

/* The same of a coroutine's future. None also while it is polled without the GIL, by whoever writes them. */
void caw__coroutine_places(const caw__coroutine *c, caw__places *out);

/* The frame of a coroutine, the same one as long as it is at that place: a new reference, or NULL with an exception. */
PyObject *caw__coroutine_frame(caw__coroutine *c);

/* Add the place of its operation to the traceback of the exception that is set: that of the row, or where it failed,
 * and the functions that it waited for there. */
void caw__coroutine_add_traceback(caw__coroutine *c, const caw__places *failed);

CAW__INTERNAL_END

#endif
