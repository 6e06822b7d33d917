/* threads.h: starting and joining the threads of a test. */
#ifndef CAWAIT_TEST_THREADS_H
#define CAWAIT_TEST_THREADS_H

#include "test.h"

#include <pthread.h>

static inline pthread_t
start_thread(void *(*run)(void *user), void *user)
{
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, run, user), 0);
    return thread;
}

static inline void
join_thread(pthread_t thread)
{
    CHECK_INT(pthread_join(thread, NULL), 0);
}

/* Start n threads with the same argument. */
static inline void
start_threads(pthread_t *threads, int n, void *(*run)(void *user), void *user)
{
    for (int i = 0; i < n; i++) {
        threads[i] = start_thread(run, user);
    }
}

static inline void
join_threads(const pthread_t *threads, int n)
{
    for (int i = 0; i < n; i++) {
        join_thread(threads[i]);
    }
}

#endif
