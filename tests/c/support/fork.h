/* fork.h: a test that goes on in the child of a fork(). The child's exit code is 0 if all went well. */
#ifndef CAWAIT_TEST_FORK_H
#define CAWAIT_TEST_FORK_H

#include "test.h"

#include <dirent.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* malloc can be used in the child of a fork(). Before LLVM 18 and GCC 14, AddressSanitizer's allocator cannot: the
 * child waits for ever for a lock that another thread held. So under it a test forks while the other threads sleep. */
#ifdef __SANITIZE_ADDRESS__
static inline bool
fork_is_running(const char *task)
{
    char path[64], line[256] = "";
    (void)snprintf(path, sizeof path, "/proc/self/task/%s/stat", task);
    FILE *file = fopen(path, "r");
    char *got = file ? fgets(line, sizeof line, file) : NULL;
    if (file) {
        (void)fclose(file);
    }
    const char *state = got ? strrchr(line, ')') : NULL; /* the letter after the name; none when it has ended */
    return state && strncmp(state, ") R", 3) == 0;
}

static inline bool
fork_is_beside_one_that_runs(void)
{
    DIR *tasks = opendir("/proc/self/task");
    CHECK(tasks != NULL);
    bool runs = false;
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        runs = runs || (task->d_name[0] != '.' && atoi(task->d_name) != gettid() && fork_is_running(task->d_name));
    }
    (void)closedir(tasks);
    return runs;
}
#endif

/* fork(), as said above. */
static inline pid_t
fork_child(void)
{
#ifdef __SANITIZE_ADDRESS__
    while (fork_is_beside_one_that_runs()) {
        (void)sched_yield();
    }
#endif
    return fork();
}

/* Fork: true in the child, which ends by _exit(0), and which SIGALRM kills if it hangs; false in the parent, once the
 * child has ended. */
static inline bool
in_child(void)
{
    pid_t pid = fork_child();
    CHECK(pid >= 0);
    if (pid == 0) {
        (void)alarm(30);
        return true;
    }
    int status = -1;
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return false;
}

#endif
