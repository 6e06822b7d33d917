/* address_lock.c: a few mutexes for all addresses of the process.
 *
 * Promise. An address always has the same mutex, also when the memory there has been freed. No mutex is held in a
 * forked child that was not taken by the child itself.
 *
 * Words. `address_table` is constant but for the mutexes themselves. Each is in a cache line of its own, so that
 * threads which work with different objects seldom meet.
 *
 * The race that looks bad: a thread that forks takes all mutexes, one after the other, while others take theirs. The
 * others have one at a time, and need no second one to give the first back. So whoever forks gets all of them in the
 * end; two threads that fork take them in the same order.
 */
#include "core/os/address_lock.h"

#include "core/os/mutex.h"
#include "core/os/once.h"

#include <pthread.h>

/* 32 of them: ThreadSanitizer can follow up to 63 that one thread has. */
#define ADDRESS_TABLE_BITS 5
#define ADDRESS_TABLE_SIZE (1u << ADDRESS_TABLE_BITS)

typedef union address_mutex {
    caw__mutex mutex;
    char apart[128];
} address_mutex;

#define ADDRESS_LOCK   {CAW__MUTEX_INIT}
#define ADDRESS_LOCK_4 ADDRESS_LOCK, ADDRESS_LOCK, ADDRESS_LOCK, ADDRESS_LOCK
#define ADDRESS_LOCK_8 ADDRESS_LOCK_4, ADDRESS_LOCK_4

static address_mutex address_table[ADDRESS_TABLE_SIZE] = {
    ADDRESS_LOCK_8,
    ADDRESS_LOCK_8,
    ADDRESS_LOCK_8,
    ADDRESS_LOCK_8,
};
static caw__once address_once = CAW__ONCE_INIT;
static int address_watch_error; /* true after address_once, which publishes it */

static void
address_take_all(void)
{
    for (unsigned i = 0; i < ADDRESS_TABLE_SIZE; i++) {
        caw__mutex_lock(&address_table[i].mutex);
    }
}

static void
address_give_back_all(void)
{
    for (unsigned i = 0; i < ADDRESS_TABLE_SIZE; i++) {
        caw__mutex_unlock(&address_table[i].mutex);
    }
}

static void
address_watch_begin(void)
{
    address_watch_error = -pthread_atfork(address_take_all, address_give_back_all, address_give_back_all);
}

int
caw__address_watch(void)
{
    int error = caw__once_call(&address_once, address_watch_begin);
    return error ? error : address_watch_error;
}

static caw__mutex *
address_mutex_of(const void *address)
{
    uint64_t number = (uint64_t)(uintptr_t)address * UINT64_C(0x9E3779B97F4A7C15); /* spreads what is near each other */
    return &address_table[number >> (64 - ADDRESS_TABLE_BITS)].mutex;
}

void
caw__address_lock(const void *address)
{
    caw__mutex_lock(address_mutex_of(address));
}

void
caw__address_unlock(const void *address)
{
    caw__mutex_unlock(address_mutex_of(address));
}
