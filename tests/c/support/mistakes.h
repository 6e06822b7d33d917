/* mistakes.h: what a mistake of the author's does: a debug build aborts with a message, a release build goes on. */
#ifndef CAWAIT_TEST_MISTAKES_H
#define CAWAIT_TEST_MISTAKES_H

#include "fork.h"
#include "test.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef NDEBUG
static const bool mistakes_abort = false;
#else
static const bool mistakes_abort = true;
#endif

typedef struct mistake {
    bool aborted;
    char said[1024]; /* on stderr */
} mistake;

/* Call it in a child of a fork(). A child that neither returns nor aborts is killed by SIGALRM, and fails the test. */
static inline mistake
mistake_of(void (*body)(void *arg), void *arg)
{
    mistake m = {.aborted = false};
    int fds[2], status;
    CHECK(pipe(fds) == 0);
    pid_t child = fork_child();
    CHECK(child >= 0);
    if (child == 0) {
        (void)alarm(20);
        CHECK(dup2(fds[1], STDERR_FILENO) >= 0);
        body(arg);
        _exit(0);
    }
    (void)close(fds[1]);
    size_t length = 0;
    for (ssize_t n; (n = read(fds[0], m.said + length, sizeof m.said - 1 - length)) > 0;) {
        length += (size_t)n;
    }
    (void)close(fds[0]);
    CHECK(waitpid(child, &status, 0) == child);
    m.aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
    if (!m.aborted && status != 0) {
        fprintf(stderr, "the child ended with %d, and said: %s\n", status, m.said);
        abort();
    }
    return m;
}

/* The first line that it writes to stderr, in a child that is then killed; "" where it returns before. A child that
 * neither returns nor writes is killed by SIGALRM: "" too. */
static inline void
first_line_of(void (*body)(void), char *line, size_t size)
{
    int fds[2], status;
    CHECK(pipe(fds) == 0);
    pid_t child = fork_child();
    CHECK(child >= 0);
    if (child == 0) {
        (void)alarm(20);
        CHECK(dup2(fds[1], STDERR_FILENO) >= 0);
        body();
        _exit(0);
    }
    (void)close(fds[1]);
    memset(line, 0, size);
    for (size_t length = 0; length + 1 < size && !strchr(line, '\n'); length++) {
        if (read(fds[0], line + length, 1) != 1) {
            break;
        }
    }
    (void)close(fds[0]);
    (void)kill(child, SIGKILL);
    CHECK(waitpid(child, &status, 0) == child);
}

#endif
