/* thread.c: threads of POSIX. The mask of signals is inherited, so it is set by the thread that starts another, not in
 * the new one: there is no moment at which a signal could be delivered to that. */
#include "core/os/thread.h"

#include "core/os/once.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>

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

typedef struct thread_left {
    void *what;
    void (*drop)(void *what);
} thread_left;

static caw__once thread_left_once = CAW__ONCE_INIT;
static pthread_key_t thread_left_key; /* with thread_left_error 0 */
static int thread_left_error;

static void
thread_left_drop(void *user)
{
    thread_left left = *(thread_left *)user;
    free(user);
    left.drop(left.what);
}

static void
thread_left_begin(void)
{
    thread_left_error = pthread_key_create(&thread_left_key, thread_left_drop);
}

bool
caw__thread_leave(void *what, void (*drop)(void *what))
{
    if (caw__once_call(&thread_left_once, thread_left_begin) || thread_left_error) {
        return false;
    }
    thread_left *left = malloc(sizeof *left);
    if (left) {
        *left = (thread_left){what, drop};
        if (pthread_setspecific(thread_left_key, left) == 0) {
            return true;
        }
        free(left);
    }
    return false;
}
