/* cawait/error.h: errors of the core.
 *
 * An error is a negative int. Where errno has the case it is -errno, so the error of a system call can be passed on
 * unchanged. Where errno has no such case it is one of the codes below -4095, which is the largest errno that a Linux
 * system call returns. 0 is success. A status above 0 is a mistake in the code that made it.
 *
 * Where your operation fails in a way of its own, which no errno says, end it with CAW_EFAILED, and keep in your struct
 * what went wrong. The `error` function of its spec (python_coroutine.h) then makes the exception of that. Numbers of
 * your own are no statuses: later versions may use them.
 *
 * What your functions return. A poll function returns CAW_PENDING or CAW_READY. Where it returns an error instead, the
 * operation has ended with that error, as if by `return caw_future_finish(f, error);`. Any other function that returns
 * an int returns 0 or an error. Whatever else is returned, such as a count of bytes, or an errno without its minus, is
 * a mistake: a debug build (without NDEBUG) aborts with a message that names the operation; in a release build the
 * operation ends with CAW_EINVAL, and the exception in Python has the message, where the mistake was made in the
 * awaiting thread.
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
    X(CAW_EFAILED, -4106, "the operation failed")                                                                      \
    X(CAW_EDEADLOCK, -4107, "blocking on what this very thread would have to do")

enum caw_error {
#define CAW_ERROR_ENUM(code, value, text) code = (value),
    CAW_ERRORS(CAW_ERROR_ENUM)
#undef CAW_ERROR_ENUM
};

CAW_BEGIN_DECLS

/* The text of a status, in English: "the operation failed", "No such file or directory". It is a constant, which any
 * thread may hold for as long as it likes. "unknown errno" for an errno that no system here has, and "unknown status"
 * for a number that is no status. Never NULL.
 *   any-thread · no-gil · returns-borrowed · never fails · quiet */
CAW_API const char *caw_error_text(int status);

/* The name of a status, likewise a constant: "CAW_ECLOSED", "ENOENT" for -ENOENT, "-errno" for an errno without a name,
 * "OK" for 0, or "UNKNOWN" for a number that is no status. Never NULL.
 *   any-thread · no-gil · returns-borrowed · never fails · quiet */
CAW_API const char *caw_error_name(int status);

/* What a function of the author's has returned where it should have returned something else: as a status. An error is
 * that error. Anything else is a mistake, as said above: CAW_EINVAL, unless this aborts. Called by the library;
 * `function` is "poll" or another name out of the operation's table.
 *   any-thread · no-gil · borrows(operation, function) · never fails · quiet */
CAW_API int caw_error_from_return(const char *operation, const char *function, int returned);

CAW_END_DECLS

#endif
