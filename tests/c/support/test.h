/* test.h: checks and the main function of a C test. There is one executable per unit. A failing check prints where it
 * is and aborts, because it may be on any thread. A test that hangs is killed by the runner's time-out.
 *
 *     static void promise_resolve_twice_is_ignored(void) { ... CHECK(x == 1); ... }
 *     TESTS(TEST(promise_resolve_twice_is_ignored), ...)
 */
#ifndef CAWAIT_TEST_H
#define CAWAIT_TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s: failed: %s\n", __FILE__, __LINE__, __func__, #condition);                      \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

#define CHECK_INT(actual, expected)                                                                                    \
    do {                                                                                                               \
        long long actual_ = (long long)(actual), expected_ = (long long)(expected);                                    \
        if (actual_ != expected_) {                                                                                    \
            fprintf(stderr, "%s:%d: %s: %s is %lld, expected %lld\n", __FILE__, __LINE__, __func__, #actual, actual_,  \
                    expected_);                                                                                        \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* Mark the running test as one that cannot be run here, for this reason; the test then returns. */
#define SKIP(reason) ((void)(test_skipped = (reason)))

static const char *test_skipped;

struct test {
    const char *name;
    void (*run)(void);
};

#define TEST(function) {#function, function}

/* Run all tests, or the one named on the command line. Speaks TAP, which Meson reads. */
static inline int
run_tests(const struct test *tests, size_t n, int argc, char **argv)
{
    printf("1..%zu\n", argc > 1 ? (size_t)1 : n);
    fflush(stdout);
    size_t ran = 0;
    for (size_t i = 0; i < n; i++) {
        if (argc > 1 && strcmp(argv[1], tests[i].name) != 0) {
            continue;
        }
        test_skipped = NULL;
        tests[i].run();
        printf("ok %zu - %s%s%s\n", ++ran, tests[i].name, test_skipped ? " # SKIP " : "",
               test_skipped ? test_skipped : "");
        fflush(stdout);
    }
    return ran > 0 ? 0 : 1;
}

#define TESTS(...)                                                                                                     \
    int main(int argc, char **argv)                                                                                    \
    {                                                                                                                  \
        static const struct test tests[] = {__VA_ARGS__};                                                              \
        return run_tests(tests, sizeof tests / sizeof *tests, argc, argv);                                             \
    }

#endif
