/* signal.c: handlers of signals, of POSIX.
 *
 * The word `signal_former`: for each signal the handler that was put aside. Written by caw__signal_take, whose callers
 * take turns, before ours is set. Read by them, and by our handler where nobody waits for the signal: that is in a
 * forked child, or after caw__signal_give_back. There it is not written at the same time, but by a take in another
 * thread that has just begun; and that writes what is there already, unless somebody else has set a handler meanwhile.
 */
#include "core/os/signal.h"

#include <errno.h>
#include <signal.h>

static struct sigaction signal_former[CAW__SIGNALS];

bool
caw__signal_can_be_caught(int number)
{
    static const int faults[] = {SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        if (number == faults[i]) {
            return false;
        }
    }
    return number > 0 && number < CAW__SIGNALS;
}

static bool
signal_is(const struct sigaction *action, void (*handler)(int number))
{
    return !(action->sa_flags & SA_SIGINFO) && action->sa_handler == handler;
}

/* On the thread's own stack for signals, where it has one: its other one may be small. */
static int
signal_set(int number, void (*handler)(int number))
{
    struct sigaction ours = {.sa_handler = handler, .sa_flags = SA_RESTART | SA_ONSTACK};
    sigemptyset(&ours.sa_mask);
    return sigaction(number, &ours, NULL);
}

int
caw__signal_take(int number, void (*handler)(int number))
{
    struct sigaction now;
    if (sigaction(number, NULL, &now) < 0) {
        return -errno;
    }
    if (signal_is(&now, handler)) {
        return 0;
    }
    signal_former[number] = now;
    return signal_set(number, handler) < 0 ? -errno : 0;
}

void
caw__signal_give_back(int number, void (*handler)(int number))
{
    struct sigaction now;
    if (sigaction(number, NULL, &now) == 0 && signal_is(&now, handler)) {
        (void)sigaction(number, &signal_former[number], NULL);
    }
}

/* The signal is blocked while its handler runs: what is raised here is delivered after that. */
void
caw__signal_pass_on(int number)
{
    int before = errno;
    (void)sigaction(number, &signal_former[number], NULL);
    (void)raise(number);
    errno = before;
}

void
caw__signal_set(int number, void (*handler)(int number))
{
    int before = errno;
    (void)signal_set(number, handler);
    errno = before;
}
