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
    CHECK(strcmp(caw_error_name(1), "UNKNOWN") == 0);
    CHECK(strcmp(caw_error_name(EPIPE), "UNKNOWN") == 0);
    CHECK(strcmp(caw_error_name(-4096), "UNKNOWN") == 0);
    CHECK(strcmp(caw_error_text(-999999), "unknown status") == 0);
}

static void
errno_has_its_own_name_and_text(void)
{
    CHECK(strcmp(caw_error_name(-EPIPE), "EPIPE") == 0);
    CHECK(strcmp(caw_error_text(-EPIPE), "Broken pipe") == 0);
    CHECK(strcmp(caw_error_name(-ENOENT), "ENOENT") == 0);
    CHECK(strcmp(caw_error_text(-ENOENT), "No such file or directory") == 0);
    CHECK(strcmp(caw_error_name(-EAGAIN), "EAGAIN") == 0);
}

/* The texts of the system's strerror(), as far as it has any; with glibc, and no locale set, the very same. */
static void
every_errno_of_the_system_has_a_text(void)
{
    for (int number = 1; number <= 4095; number++) {
        bool is_known = strncmp(strerror(number), "Unknown error", 13) != 0;
        bool has_name = strcmp(caw_error_name(-number), "-errno") != 0;
        bool has_text = strcmp(caw_error_text(-number), "unknown errno") != 0;
        CHECK(has_text || !is_known);
        CHECK(has_name || !is_known);
#ifdef __GLIBC__
        CHECK(!is_known || -number == CAW_ECANCELED || -number == CAW_EINVAL || -number == CAW_ENOMEM ||
              -number == CAW_ETIMEDOUT || -number == CAW_EBADF ||
              strcmp(caw_error_text(-number), strerror(number)) == 0);
#endif
    }
}

static void
text_that_is_held_stays_as_it_is(void)
{
    const char *first = caw_error_text(-ENOENT), *unknown = caw_error_text(-4000);
    for (int status = -4095; status < 0; status++) {
        (void)caw_error_text(status);
    }
    CHECK(strcmp(first, "No such file or directory") == 0);
    CHECK(strcmp(unknown, "unknown errno") == 0);
    CHECK(caw_error_text(-ENOENT) == first);
}

TESTS(TEST(errno_has_its_own_name_and_text), TEST(every_errno_of_the_system_has_a_text),
      TEST(text_that_is_held_stays_as_it_is), TEST(errors_are_negative_and_distinct),
      TEST(each_error_has_its_name_and_text), TEST(codes_without_an_errno_lie_outside_its_range),
      TEST(other_numbers_are_named_for_what_they_are))
