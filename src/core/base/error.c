/* error.c: the names and texts of errors. */
#include "cawait/error.h"

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
        return status < 0 && status >= -4095 ? "errno" : "unknown status";
    }
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
        return status < 0 && status >= -4095 ? "-errno" : "UNKNOWN";
    }
}
