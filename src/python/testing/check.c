/* check.c: recording the failed checks of tests, on any thread.
 *
 *   refs                  any thread, atomic
 *   text, next, running   any thread, under test_lock
 *   test_running          the records of all tests that run, in this process; under test_lock
 *   test_current thread-local: the test that this thread is inside of; borrowed
 *   test_strays any thread, atomic: a count, which publishes nothing
 *
 * The lock is held for a few instructions. Only the allocator is called meanwhile.
 */
#include "python/testing/check.h"

#include "core/os/compiler.h"
#include "core/os/mutex.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct caw__test_record {
    atomic_uint refs;
    char *text; /* a line for each check that failed, or NULL */
    bool running;
    caw__test_record *next; /* in test_running */
};

static caw__mutex test_lock = CAW__MUTEX_INIT;
static caw__test_record *test_running;
static atomic_uint test_strays;
static CAW__THREAD_LOCAL caw__test_record *test_current;

caw__test_record *
caw__test_record_new(void)
{
    caw__test_record *r = calloc(1, sizeof *r);
    if (!r) {
        return NULL;
    }
    atomic_init(&r->refs, 1);
    r->running = true;
    caw__mutex_lock(&test_lock);
    r->next = test_running;
    test_running = r;
    caw__mutex_unlock(&test_lock);
    return r;
}

caw__test_record *
caw__test_record_retain(caw__test_record *r)
{
    atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed); /* relaxed: the caller has a reference */
    return r;
}

/* acq_rel, pairs with itself on other threads: whoever releases last sees what the others wrote. */
void
caw__test_record_release(void *record)
{
    caw__test_record *r = record;
    if (r && atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) == 1) {
        free(r->text);
        free(r);
    }
}

void
caw__test_record_end(caw__test_record *r)
{
    caw__mutex_lock(&test_lock);
    for (caw__test_record **link = &test_running; r->running && *link; link = &(*link)->next) {
        if (*link == r) {
            *link = r->next;
            break;
        }
    }
    r->running = false;
    caw__mutex_unlock(&test_lock);
}

const char *
caw__test_record_text(const caw__test_record *r)
{
    return r->text;
}

caw__test_record *
caw__test_record_enter(caw__test_record *r)
{
    caw__test_record *before = test_current;
    test_current = r;
    return before;
}

/* Add a line, under the lock. Without memory the line is lost: false if the record has no other line, so that the
 * failure would not be seen. */
static bool
test_record_add(caw__test_record *r, const char *line)
{
    size_t before = r->text ? strlen(r->text) + 1 : 0, size = strlen(line) + 1;
    char *text = realloc(r->text, before + size);
    if (!text) {
        return r->text != NULL;
    }
    if (before > 0) {
        text[before - 1] = '\n';
    }
    memcpy(text + before, line, size);
    r->text = text;
    return true;
}

void
caw_test_fail(const char *file, int line, const char *function, const char *text)
{
    char buffer[512];
    bool noted = false;
    (void)snprintf(buffer, sizeof buffer, "%s:%d: %s: failed: %s", file, line, function, text);
    caw__mutex_lock(&test_lock);
    for (caw__test_record *r = test_running; r; r = r->next) {
        if (!test_current || r == test_current) {
            noted = test_record_add(r, buffer) || noted;
        }
    }
    caw__mutex_unlock(&test_lock);
    if (!noted) {
        atomic_fetch_add_explicit(&test_strays, 1, memory_order_relaxed); /* relaxed: a count, publishes nothing */
        fprintf(stderr, "%s (no test runs that it belongs to)\n", buffer);
    }
}

unsigned
caw__test_strays(void)
{
    return atomic_load_explicit(&test_strays, memory_order_relaxed); /* relaxed: as above */
}
