/* fork.h: a test that goes on in the child of a fork(). The child's exit code is 0 if all went well. */
#ifndef CAWAIT_TEST_FORK_H
#define CAWAIT_TEST_FORK_H

#include "test.h"

#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

/* Fork: true in the child, which ends by _exit(0), and which SIGALRM kills if it hangs; false in the parent, once the
 * child has ended. */
static inline bool
in_child(void)
{
    pid_t pid = fork();
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
