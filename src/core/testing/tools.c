/* tools.c: a waker, a future and an allocator for tests of futures. See testing/reactor.c for the clock. */
#include "cawait/testing_tools.h"

#include <stdatomic.h>
#include <stdlib.h>

/* --- the waker that counts ---
 *
 * Two counts, each its own: nothing is published by them. What a wake means is published by whoever calls it; the
 * orders here are such that a test which has seen the count also sees what was written before the wake. */

static void
testing_waker_clone(void *data)
{
    atomic_fetch_add_explicit(&((caw_test_waker *)data)->references, 1, memory_order_relaxed);
}

/* Release: pairs with the acquire of caw_test_waker_references; a test that sees 0 may free the waker. */
static void
testing_waker_drop(void *data)
{
    atomic_fetch_sub_explicit(&((caw_test_waker *)data)->references, 1, memory_order_release);
}

/* Release: pairs with the acquire of caw_test_waker_wakes. */
static void
testing_waker_wake(void *data)
{
    atomic_fetch_add_explicit(&((caw_test_waker *)data)->wakes, 1, memory_order_release);
    testing_waker_drop(data);
}

static const caw_waker_ops testing_waker_ops = {testing_waker_clone, testing_waker_wake, testing_waker_drop};

void
caw_test_waker_init(caw_test_waker *w)
{
    atomic_init(&w->wakes, 0);
    atomic_init(&w->references, 0);
}

caw_waker
caw_test_waker_get(caw_test_waker *w)
{
    return (caw_waker){&testing_waker_ops, w};
}

int
caw_test_waker_wakes(const caw_test_waker *w)
{
    return (int)atomic_load_explicit(&w->wakes, memory_order_acquire);
}

int
caw_test_waker_references(const caw_test_waker *w)
{
    return (int)atomic_load_explicit(&w->references, memory_order_acquire);
}

/* --- the future that wakes itself --- */

typedef struct testing_yield {
    caw_future future;
    unsigned left;
    bool cancelled;
} testing_yield;

static caw_poll
testing_yield_poll(caw_future *f, caw_context *cx)
{
    testing_yield *y = CAW_CONTAINER_OF(f, testing_yield, future);
    if (y->cancelled || y->left == 0) {
        return caw_future_finish(f, y->cancelled ? CAW_ECANCELED : 0);
    }
    y->left--;
    caw_waker_wake_by_ref(cx->waker);
    return CAW_PENDING;
}

/* The next poll is under way already: each poll that was pending has woken. */
static void
testing_yield_cancel(caw_future *f)
{
    CAW_CONTAINER_OF(f, testing_yield, future)->cancelled = true;
}

static void
testing_yield_destroy(caw_future *f)
{
    free(CAW_CONTAINER_OF(f, testing_yield, future));
}

static const caw_future_ops testing_yield_ops = {"testing.yield", testing_yield_poll, testing_yield_cancel,
                                                 testing_yield_destroy};

caw_future *
caw_test_yield(unsigned n)
{
    testing_yield *y = malloc(sizeof *y);
    if (!y) {
        return NULL;
    }
    *y = (testing_yield){.left = n};
    caw_future_init(&y->future, &testing_yield_ops);
    return &y->future;
}

/* --- the allocator that fails ---
 *
 * One word: how many allocations come before the one that fails, and that one; 0: none is to fail, or it has failed.
 * Set by the test, counted down by any thread. Whoever takes it from 1 to 0 fails. Relaxed: it publishes nothing. */

static atomic_uint testing_allocations_left;
static atomic_bool testing_allocation_has_failed;

static bool
testing_allocation_fails(void)
{
    unsigned left = atomic_load_explicit(&testing_allocations_left, memory_order_relaxed);
    while (left > 0 && !atomic_compare_exchange_weak_explicit(&testing_allocations_left, &left, left - 1,
                                                              memory_order_relaxed, memory_order_relaxed)) {
    }
    if (left != 1) {
        return false;
    }
    atomic_store_explicit(&testing_allocation_has_failed, true, memory_order_relaxed);
    errno = ENOMEM;
    return true;
}

void *
caw_test_malloc(size_t size)
{
    return testing_allocation_fails() ? NULL : malloc(size);
}

void *
caw_test_calloc(size_t count, size_t size)
{
    return testing_allocation_fails() ? NULL : calloc(count, size);
}

void *
caw_test_realloc(void *block, size_t size)
{
    return testing_allocation_fails() ? NULL : realloc(block, size);
}

void
caw_test_fail_allocation(unsigned n)
{
    atomic_store_explicit(&testing_allocation_has_failed, false, memory_order_relaxed);
    atomic_store_explicit(&testing_allocations_left, n, memory_order_relaxed);
}

bool
caw_test_allocation_failed(void)
{
    return atomic_load_explicit(&testing_allocation_has_failed, memory_order_relaxed);
}
