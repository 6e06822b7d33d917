/* written.h: what a process writes that exits while calls of its pools are in flight. */
#ifndef CAWAIT_TEST_WRITTEN_H
#define CAWAIT_TEST_WRITTEN_H

#include "fork.h"
#include "place.h"

#include <sys/wait.h>

static int written[2], never[2]; /* pipes: what the child writes; one that stays empty */
static atomic_int begun;         /* calls of never_ends */

static inline int
never_ends(void *unused)
{
    char byte;
    (void)unused;
    atomic_fetch_add(&begun, 1);
    return (int)read(never[0], &byte, 1);
}

/* What the process leaves behind, where a leak check finds it. */
static void *left[64];
static int n_left;

static inline void *
leave(void *pointer)
{
    CHECK(n_left < 64);
    return left[n_left++] = pointer;
}

/* Start a call, whose future is left alone. */
static inline caw_future *
started(caw_pool *pool, int (*call)(void *), const char *text, bool finishes)
{
    caw_future *f = leave(caw_blocking(pool, call, (void *)(uintptr_t)text, NULL));
    CHECK(f);
    f = finishes ? caw_finish_at_exit(f) : f;
    (void)poll_without_waker(f, NULL);
    return f;
}

/* Run the function in a child, which then exits with 3: what it wrote. */
static inline const char *
written_by(void (*function)(void), void (*ends)(int))
{
    static char text[64];
    CHECK_INT(pipe(written), 0);
    CHECK_INT(pipe(never), 0);
    (void)fflush(NULL); /* else the child writes it again */
    pid_t child = fork_child();
    CHECK(child >= 0);
    if (child == 0) {
        function();
        ends(3);
    }
    close(written[1]);
    size_t length = 0;
    for (ssize_t n; (n = read(written[0], text + length, sizeof text - 1 - length)) > 0;) {
        length += (size_t)n;
    }
    text[length] = 0;
    int status;
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    close(written[0]);
    close(never[0]);
    close(never[1]);
    return text;
}

static inline void
check_text(const char *text, const char *expected)
{
    if (strcmp(text, expected) != 0) {
        fprintf(stderr, "it wrote \"%s\", not \"%s\"\n", text, expected);
        abort();
    }
}

#endif
