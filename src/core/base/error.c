/* error.c: the names and texts of errors, and what becomes of a function that returned what it must not. */
#include "core/base/error.h"

#include "core/os/compiler.h"
#include "core/os/errno_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *
error_text_of_errno(int number)
{
    const char *text = caw__errno_text(number);
    return text ? text : "unknown errno";
}

const char *
caw_error_text(int status)
{
    switch (status) {
    case 0:
        return "success";
#define ERROR_CASE_TEXT(code, value, text)                                                                             \
    case code:                                                                                                         \
        return text;
        CAW_ERRORS(ERROR_CASE_TEXT)
#undef ERROR_CASE_TEXT
    default:
        return status < 0 && status >= -4095 ? error_text_of_errno(-status) : "unknown status";
    }
}

static const char *
error_name_of_errno(int number)
{
    const char *name = caw__errno_name(number);
    return name ? name : "-errno";
}

const char *
caw_error_name(int status)
{
    switch (status) {
    case 0:
        return "OK";
#define ERROR_CASE_NAME(code, value, text)                                                                             \
    case code:                                                                                                         \
        return #code;
        CAW_ERRORS(ERROR_CASE_NAME)
#undef ERROR_CASE_NAME
    default:
        return status < 0 && status >= -4095 ? error_name_of_errno(-status) : "UNKNOWN";
    }
}

/* --- mistakes --- */

/* The last mistake of this thread that was not taken: its text, or "". */
static CAW__THREAD_LOCAL char error_mistake[CAW__MISTAKE_SIZE];

int
caw_error_from_return(const char *operation, const char *function, int returned)
{
    if (returned < 0) {
        return returned;
    }
    (void)snprintf(error_mistake, sizeof error_mistake, "the %s function of '%s' returned %d", function,
                   operation ? operation : "?", returned);
#ifndef NDEBUG
    fprintf(stderr, "cawait: %s\n", error_mistake);
    abort();
#endif
    return CAW_EINVAL;
}

bool
caw__error_take_mistake(char out[CAW__MISTAKE_SIZE])
{
    memcpy(out, error_mistake, sizeof error_mistake);
    error_mistake[0] = 0;
    return out[0] != 0;
}

void
caw__error_say_never_woken(const char *operation)
{
    fprintf(stderr, "cawait: '%s' is pending, but nobody has a clone of its waker, so nothing will wake it\n",
            operation ? operation : "?");
}
