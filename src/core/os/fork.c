/* fork.c: a number that changes in the child of a fork().
 *
 * The word `fork_count`. Set by the child handler alone, in the child, when its only thread is the one that forked;
 * read by any thread at any time, relaxed: it never changes while there are two threads.
 */
#include "core/os/fork.h"

#include "core/os/once.h"

#include <pthread.h>
#include <stdatomic.h>

static atomic_uint fork_count;
static caw__once fork_once = CAW__ONCE_INIT;
static int fork_watch_error; /* true after fork_once; fork_once publishes it */

static void
fork_in_child(void)
{
    atomic_fetch_add_explicit(&fork_count, 1, memory_order_relaxed);
}

static void
fork_watch_begin(void)
{
    fork_watch_error = -pthread_atfork(NULL, NULL, fork_in_child);
}

int
caw__fork_watch(void)
{
    int error = caw__once_call(&fork_once, fork_watch_begin);
    return error ? error : fork_watch_error;
}

unsigned
caw__fork_count(void)
{
    return atomic_load_explicit(&fork_count, memory_order_relaxed);
}
