/* report.c: writing the lines of TAP and the file of JUnit. */
#include "python/testing/report.h"

#include <errno.h>
#include <string.h>

static double
report_seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

static size_t
report_count_failed(const caw__test_outcome *outcomes, size_t n)
{
    size_t failed = 0;
    for (size_t i = 0; i < n; i++) {
        failed += outcomes[i].failed;
    }
    return failed;
}

static size_t
report_count_ended(const caw__test_outcome *outcomes, size_t n)
{
    size_t ended = 0;
    for (size_t i = 0; i < n; i++) {
        ended += outcomes[i].ended;
    }
    return ended;
}

static const char *
report_failure(const caw__test_outcome *outcome)
{
    return outcome->failure ? outcome->failure : "out of memory";
}

/* --- TAP --- */

void
caw__test_tap_begin(size_t n)
{
    printf("TAP version 13\n1..%zu\n", n);
    fflush(stdout);
}

/* Write each line as a TAP comment. */
static void
tap_comment(const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        printf("# %.*s\n", (int)length, text);
        text += length + (text[length] == '\n');
    }
}

/* Write a description. A # is escaped: what follows it would be a directive, such as SKIP. */
static void
tap_name(const char *name)
{
    for (; *name; name++) {
        if (*name == '#' || *name == '\\') {
            putchar('\\');
        }
        putchar(*name == '\n' || *name == '\r' ? ' ' : *name);
    }
}

void
caw__test_tap_outcome(size_t number, const caw__test_outcome *outcome)
{
    printf("%s %zu - ", outcome->failed ? "not ok" : "ok", number);
    tap_name(outcome->test->spec.name);
    putchar('\n');
    if (outcome->failed) {
        tap_comment(report_failure(outcome));
    }
    fflush(stdout);
}

void
caw__test_tap_end(const caw__test_outcome *outcomes, size_t n, uint64_t duration_ns)
{
    size_t ended = report_count_ended(outcomes, n), failed = report_count_failed(outcomes, n);
    if (ended < n) {
        printf("Bail out! The run ended before %zu of the tests did\n", n - ended);
    }
    printf("# %zu passed, %zu failed in %.2f s\n", ended - failed, failed, report_seconds(duration_ns));
    fflush(stdout);
}

/* --- JUnit --- */

/* The length in bytes of the text's first character: 0 if it is not UTF-8, or not allowed in XML 1.0. */
static size_t
junit_character(const unsigned char *text)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = *text < 0x80 ? 1 : *text >> 5 == 6 ? 2 : *text >> 4 == 14 ? 3 : *text >> 3 == 30 ? 4 : 0;
    uint32_t c = length == 1 ? *text : length ? *text & (0x7fu >> length) : 0;
    for (size_t i = 1; i < length; i++) {
        if (text[i] >> 6 != 2) { /* also at the end of the text */
            return 0;
        }
        c = c << 6 | (text[i] & 0x3f);
    }
    bool is_xml = c >= 0x20 ? c < 0xd800 || (c > 0xdfff && c < 0xfffe) || (c > 0xffff && c <= 0x10ffff)
                            : c == '\t' || c == '\n' || c == '\r';
    return length && c >= least[length] && is_xml ? length : 0;
}

/* Write the text of an attribute or an element. */
static void
junit_text(FILE *file, const char *text)
{
    for (size_t length; *text; text += length ? length : 1) {
        length = junit_character((const unsigned char *)text);
        switch (*text) {
        case '&':
            fputs("&amp;", file);
            break;
        case '<':
            fputs("&lt;", file);
            break;
        case '>':
            fputs("&gt;", file);
            break;
        case '"':
            fputs("&quot;", file);
            break;
        case '\n':
            fputs("&#10;", file);
            break;
        case '\r':
            fputs("&#13;", file);
            break;
        default:
            fwrite(length ? text : "?", 1, length ? length : 1, file);
        }
    }
}

static void
junit_attribute(FILE *file, const char *name, const char *text)
{
    fprintf(file, " %s=\"", name);
    junit_text(file, text);
    fputc('"', file);
}

/* The last line is the message: of a traceback, or the only line. */
static const char *
junit_message(const char *failure)
{
    const char *line = failure;
    for (const char *at = failure; *at; at++) {
        if (*at == '\n' && at[1]) {
            line = at + 1;
        }
    }
    return line;
}

static void
junit_case(FILE *file, const char *suite, const caw__test_outcome *outcome)
{
    const caw_py_spec *spec = &outcome->test->spec;
    fputs("<testcase", file);
    junit_attribute(file, "classname", suite);
    junit_attribute(file, "name", spec->name);
    if (spec->file) {
        junit_attribute(file, "file", spec->file);
        fprintf(file, " line=\"%d\"", spec->line);
    }
    fprintf(file, " time=\"%.3f\"", report_seconds(outcome->duration_ns));
    if (outcome->ended && !outcome->failed) {
        fputs("/>\n", file);
        return;
    }
    const char *what = outcome->ended ? "failure" : "error";
    const char *text = outcome->ended ? report_failure(outcome) : "the run ended before this test did";
    fprintf(file, "><%s", what);
    junit_attribute(file, "message", junit_message(text));
    fputc('>', file);
    junit_text(file, text);
    fprintf(file, "</%s></testcase>\n", what);
}

int
caw__test_junit(FILE *file, const char *suite, const caw__test_outcome *outcomes, size_t n, uint64_t duration_ns)
{
    fputs("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<testsuites><testsuite", file);
    junit_attribute(file, "name", suite);
    fprintf(file, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"0\" time=\"%.3f\">\n", n,
            report_count_failed(outcomes, n), n - report_count_ended(outcomes, n), report_seconds(duration_ns));
    for (size_t i = 0; i < n; i++) {
        junit_case(file, suite, &outcomes[i]);
    }
    fputs("</testsuite></testsuites>\n", file);
    int error = ferror(file) ? -EIO : 0;
    return fclose(file) == 0 ? error : -errno;
}
