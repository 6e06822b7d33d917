/* thread.c: threads of POSIX. The mask of signals is inherited, so it is set by the thread that starts another, not in
 * the new one: there is no moment at which a signal could be delivered to that. */
#include "core/os/thread.h"

#include <sched.h>
#include <signal.h>

int
caw__thread_start(void *(*entry)(void *), void *argument, caw__thread *out)
{
    static const int faults[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};
    sigset_t blocked, before;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        sigdelset(&blocked, faults[i]);
    }
    int error = pthread_sigmask(SIG_SETMASK, &blocked, &before);
    if (error) {
        return -error;
    }
    error = pthread_create(out, NULL, entry, argument);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -error;
}

void
caw__thread_yield(void)
{
    (void)sched_yield();
}
