/* thread.c: threads with signals blocked. The mask is inherited, so it is set here, not in the new thread: there is
 * no moment at which a signal could be delivered to it. */
#include "core/os/thread.h"

#include <signal.h>
#include <stddef.h>

int
caw__thread_start(void *(*entry)(void *), void *argument, pthread_t *out)
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
