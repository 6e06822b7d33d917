/* options.h: the command line of caw_test_main. */
#ifndef CAWAIT_PYTHON_TESTING_OPTIONS_H
#define CAWAIT_PYTHON_TESTING_OPTIONS_H

#include "cawait/python_run.h"
#include "cawait/python_testing.h"

CAW__INTERNAL_BEGIN

typedef struct caw__test_options {
    char **filters, **skips; /* borrowed from argv; arrays of n_filters and n_skips */
    size_t n_filters, n_skips, jobs;
    bool exact, list, help;
    uint64_t timeout_ns;
    caw_py_loop loop;
    const char *junit; /* or NULL */
} caw__test_options;

/* Read the arguments. False, after a message on stderr, if they are wrong or there is no memory. caw__test_options_fini
 * is called in both cases. */
bool caw__test_options_init(caw__test_options *options, int argc, char **argv);
void caw__test_options_fini(caw__test_options *options);

/* Whether a test of this name is to run. */
bool caw__test_options_chose(const caw__test_options *options, const char *name);

/* The text of --help. */
extern const char caw__test_usage[];

CAW__INTERNAL_END

#endif
