/* process.c: the end of child processes, by waitpid() and, where there are any, pidfds. */
#include "core/os/process.h"

#include "core/os/compiler.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>
#if CAW__HAS_PIDFD
#  include <sys/syscall.h>
#endif

int
caw__process_reap(int pid, caw__process_end *out)
{
    int status = 0;
    pid_t ended;
    do {
        ended = waitpid(pid, &status, WNOHANG);
    } while (ended < 0 && errno == EINTR);
    if (ended <= 0) {
        return ended < 0 ? -errno : 0;
    }
    out->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    out->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return 1;
}

int
caw__process_fd(int pid)
{
#if CAW__HAS_PIDFD && defined(SYS_pidfd_open)
    long fd = syscall(SYS_pidfd_open, pid, 0); /* glibc has had a function for it only since 2.36 */
    return fd < 0 ? -errno : (int)fd;
#else
    (void)pid;
    return -ENOSYS;
#endif
}
