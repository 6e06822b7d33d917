/* options.c: reading the command line of caw_test_main. getopt() is not used, because it keeps its position in
 * globals. */
#include "python/testing/options.h"

#include "python/testing/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char caw__test_usage[] = "usage: %s [FILTER]... [OPTION]...\n"
                               "Runs the tests whose name has one of the filters in it; without filters, all.\n"
                               "  --exact                        filters are whole names\n"
                               "  --skip FILTER                  not these; may be repeated\n"
                               "  --list                         write the names of the tests, and run none\n"
                               "  --jobs N                       run N at a time (1)\n"
                               "  --timeout SECONDS              for each test; 0: for ever (60)\n"
                               "  --loop asyncio|uvloop|trio     the loop to run on (asyncio)\n"
                               "  --junit FILE                   write a report for machines, besides\n"
                               "  --help                         write this\n";

/* In the order of option_names; those from OPTION_WITH_VALUE on take a value. */
typedef enum option_kind {
    OPTION_EXACT,
    OPTION_LIST,
    OPTION_HELP,
    OPTION_WITH_VALUE,
    OPTION_SKIP = OPTION_WITH_VALUE,
    OPTION_JOBS,
    OPTION_TIMEOUT,
    OPTION_LOOP,
    OPTION_JUNIT,
    OPTION_UNKNOWN,
} option_kind;

static const char *const option_names[] = {"exact", "list", "help", "skip", "jobs", "timeout", "loop", "junit"};

/* `name` is what comes after the two dashes, up to a `=`. */
static option_kind
option_find(const char *name)
{
    size_t length = strcspn(name, "=");
    for (int kind = 0; kind < OPTION_UNKNOWN; kind++) {
        if (strlen(option_names[kind]) == length && strncmp(option_names[kind], name, length) == 0) {
            return (option_kind)kind;
        }
    }
    return OPTION_UNKNOWN;
}

static bool
option_set_loop(caw__test_options *options, const char *value)
{
    static const char *const loops[] = {"asyncio", "uvloop", "trio"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(value, loops[i]) == 0) {
            options->loop = (caw_py_loop)i;
            return true;
        }
    }
    return false;
}

static bool
option_set_jobs(caw__test_options *options, const char *value)
{
    char *end;
    long jobs = strtol(value, &end, 10);
    options->jobs = jobs > 0 && jobs <= 10000 ? (size_t)jobs : 1;
    return end != value && *end == '\0' && jobs > 0 && jobs <= 10000;
}

static bool
option_set_timeout(caw__test_options *options, const char *value)
{
    char *end;
    double seconds = strtod(value, &end);
    return end != value && *end == '\0' && caw__test_seconds(seconds, &options->timeout_ns);
}

/* Set an option. False if the value is not valid for it. */
static bool
option_set(caw__test_options *options, option_kind kind, char *value)
{
    switch (kind) {
    case OPTION_EXACT:
        options->exact = true;
        return true;
    case OPTION_LIST:
        options->list = true;
        return true;
    case OPTION_HELP:
        options->help = true;
        return true;
    case OPTION_SKIP:
        options->skips[options->n_skips++] = value;
        return true;
    case OPTION_JOBS:
        return option_set_jobs(options, value);
    case OPTION_TIMEOUT:
        return option_set_timeout(options, value);
    case OPTION_LOOP:
        return option_set_loop(options, value);
    case OPTION_JUNIT:
        options->junit = value;
        return *value != '\0';
    case OPTION_UNKNOWN:
        break;
    }
    return false;
}

/* Read the option at `arguments`. Returns how many arguments it takes, or 0 after a message on stderr if it is
 * wrong. */
static int
option_read(caw__test_options *options, const char *program, char **arguments)
{
    char *name = arguments[0] + 2, *equals = strchr(name, '=');
    option_kind kind = option_find(name);
    bool takes = kind >= OPTION_WITH_VALUE && kind < OPTION_UNKNOWN, is_next = takes && !equals;
    char *value = equals ? equals + 1 : is_next ? arguments[1] : NULL;
    if (kind == OPTION_UNKNOWN || (!takes && equals)) {
        fprintf(stderr, "%s: no option %s; see --help\n", program, arguments[0]);
        return 0;
    }
    if (takes && !value) {
        fprintf(stderr, "%s: %s needs a value; see --help\n", program, arguments[0]);
        return 0;
    }
    if (!option_set(options, kind, value)) {
        fprintf(stderr, "%s: %s is no value for --%s; see --help\n", program, value, option_names[kind]);
        return 0;
    }
    return is_next ? 2 : 1;
}

bool
caw__test_options_init(caw__test_options *options, int argc, char **argv)
{
    *options = (caw__test_options){.jobs = 1, .timeout_ns = UINT64_C(60000000000)};
    const char *program = argc > 0 ? argv[0] : "tests";
    options->filters = calloc((size_t)argc + 1, sizeof *options->filters);
    options->skips = calloc((size_t)argc + 1, sizeof *options->skips);
    if (!options->filters || !options->skips) {
        fprintf(stderr, "%s: out of memory\n", program);
        return false;
    }
    bool only_filters = false; /* after a -- */
    for (int i = 1; i < argc;) {
        bool is_option = !only_filters && argv[i][0] == '-' && argv[i][1] != '\0';
        if (!is_option) {
            options->filters[options->n_filters++] = argv[i++];
        }
        else if (strcmp(argv[i], "--") == 0) {
            only_filters = true;
            i++;
        }
        else if (argv[i][1] != '-') {
            fprintf(stderr, "%s: no option %s; see --help\n", program, argv[i]);
            return false;
        }
        else {
            int took = option_read(options, program, &argv[i]);
            if (took == 0) {
                return false;
            }
            i += took;
        }
    }
    return true;
}

void
caw__test_options_fini(caw__test_options *options)
{
    free(options->filters);
    free(options->skips);
}

static bool
options_match(char *const *filters, size_t n, bool exact, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (exact ? strcmp(name, filters[i]) == 0 : strstr(name, filters[i]) != NULL) {
            return true;
        }
    }
    return false;
}

bool
caw__test_options_chose(const caw__test_options *options, const char *name)
{
    return (options->n_filters == 0 || options_match(options->filters, options->n_filters, options->exact, name)) &&
           !options_match(options->skips, options->n_skips, options->exact, name);
}
