/* cawait/error.h: errors of the core.
 *
 * An error is a negative int. Where errno has the case it is -errno, so the error of a system call can be passed on
 * unchanged. Where errno has no such case it is one of the codes below -4095, which is the largest errno that a Linux
 * system call returns. 0 is success. A status above 0 is a mistake in the code that made it.
 */
#ifndef CAWAIT_ERROR_H
#define CAWAIT_ERROR_H

#include "cawait/base.h"

#include <errno.h>

/* X(code, value, text): the codes that the library itself makes. */
#define CAW_ERRORS(X)                                                                                                  \
    X(CAW_ECANCELED, -ECANCELED, "operation cancelled")                                                                \
    X(CAW_EINVAL, -EINVAL, "invalid argument")                                                                         \
    X(CAW_ENOMEM, -ENOMEM, "out of memory")                                                                            \
    X(CAW_ETIMEDOUT, -ETIMEDOUT, "timed out")                                                                          \
    X(CAW_EBADF, -EBADF, "not an open file descriptor")                                                                \
    X(CAW_ECLOSED, -4101, "the reactor, pool or loop it ran on was closed")                                            \
    X(CAW_EBROKEN, -4102, "the producer ended without a result")                                                       \
    X(CAW_ENOREACTOR, -4103, "polled in a place that has no reactor")                                                  \
    X(CAW_EPYTHON, -4104, "a Python exception")                                                                        \
    X(CAW_EFORKED, -4105, "made before a fork(), used in the child")                                                   \
    X(CAW_EDEADLOCK, -4107, "blocking on what this very thread would have to do")

enum caw_error {
#define CAW_ERROR_ENUM(code, value, text) code = (value),
    CAW_ERRORS(CAW_ERROR_ENUM)
#undef CAW_ERROR_ENUM
};

CAW_BEGIN_DECLS

/* The text of a status. For an errno that is not in the table it is "errno". Never NULL.
 *   any-thread · no-gil · returns-borrowed · never fails · quiet */
CAW_API const char *caw_error_text(int status);

/* The name of a status: "CAW_ECLOSED", "-errno", "OK" for 0, or "UNKNOWN" for a number that is no status. Never NULL.
 *   any-thread · no-gil · returns-borrowed · never fails · quiet */
CAW_API const char *caw_error_name(int status);

CAW_END_DECLS

#endif
