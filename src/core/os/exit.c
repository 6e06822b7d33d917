/* exit.c: what runs at the end of a process. */
#include "core/os/exit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/os/compiler.h" /* after the headers of the system, which say whose C library it is */

int
caw__at_exit(void (*function)(void))
{
    return atexit(function) == 0 ? 0 : -ENOMEM;
}

#if CAW__HAS_WEAK
/* Each C++ library has it, for exceptions. */
extern CAW__WEAK void __gxx_personality_v0(void);

bool
caw__has_cpp(void)
{
    return __gxx_personality_v0 != NULL;
}
#else
bool
caw__has_cpp(void)
{
    return false;
}
#endif

#if CAW__HAS_ON_EXIT
static void
exit_with(int code, void *user)
{
    (void)user;
    FILE *streams[] = {stdout, stderr};
    for (int i = 0; i < 2; i++) {
        if (ftrylockfile(streams[i]) == 0) { /* else a thread is in it, perhaps for ever */
            (void)fflush(streams[i]);
            funlockfile(streams[i]);
        }
    }
    _exit(code);
}

void
caw__exit_at_once(void)
{
    (void)on_exit(exit_with, NULL); /* in exit() it is called next, and is given the code */
}
#else
void
caw__exit_at_once(void)
{
}
#endif

uint64_t
caw__thread_cpu_ns(caw__thread thread)
{
#if CAW__HAS_THREAD_CLOCKS
    clockid_t clock;
    struct timespec used;
    if (pthread_getcpuclockid(thread, &clock) == 0 && clock_gettime(clock, &used) == 0) {
        return (uint64_t)used.tv_sec * UINT64_C(1000000000) + (uint64_t)used.tv_nsec;
    }
#else
    (void)thread;
#endif
    return 0;
}

void
caw__thread_sleep_ns(uint64_t ns)
{
    struct timespec time = {(time_t)(ns / UINT64_C(1000000000)), (long)(ns % UINT64_C(1000000000))};
    (void)nanosleep(&time, NULL);
}
