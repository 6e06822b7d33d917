/* test_error.c: names and texts of errors. */
#include "cawait/core.h"

#include "support/test.h"

static void
errors_are_negative_and_distinct(void)
{
    const int codes[] = {
#define CODE(code, value, text) code,
        CAW_ERRORS(CODE)
#undef CODE
    };
    size_t n = sizeof codes / sizeof *codes;
    for (size_t i = 0; i < n; i++) {
        CHECK(codes[i] < 0);
        for (size_t j = 0; j < i; j++) {
            CHECK(codes[i] != codes[j]);
        }
    }
}

static void
each_error_has_its_name_and_text(void)
{
#define NAMES(code, value, text)                                                                                       \
    CHECK(strcmp(caw_error_name(code), #code) == 0);                                                                   \
    CHECK(strcmp(caw_error_text(code), text) == 0);
    CAW_ERRORS(NAMES)
#undef NAMES
}

static void
codes_without_an_errno_lie_outside_its_range(void)
{
    CHECK(CAW_ECLOSED < -4095);
    CHECK(CAW_EBROKEN < -4095);
    CHECK(CAW_ENOREACTOR < -4095);
    CHECK(CAW_EFORKED < -4095);
    CHECK_INT(CAW_ECANCELED, -ECANCELED);
}

static void
other_numbers_are_named_for_what_they_are(void)
{
    CHECK(strcmp(caw_error_name(0), "OK") == 0);
    CHECK(strcmp(caw_error_name(-EPIPE), "-errno") == 0);
    CHECK(strcmp(caw_error_text(-EPIPE), "errno") == 0);
    CHECK(strcmp(caw_error_name(1), "UNKNOWN") == 0);
    CHECK(strcmp(caw_error_name(-4096), "UNKNOWN") == 0);
    CHECK(strcmp(caw_error_text(-999999), "unknown status") == 0);
}

TESTS(TEST(errors_are_negative_and_distinct), TEST(each_error_has_its_name_and_text),
      TEST(codes_without_an_errno_lie_outside_its_range), TEST(other_numbers_are_named_for_what_they_are))
