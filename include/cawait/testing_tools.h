/* cawait/testing_tools.h: for the unit tests of your own futures. No Python in it.
 *
 *   a waker that counts            caw_test_waker      was it woken, and was every clone used up?
 *   a future that wakes itself     caw_test_yield      is it polled again after each wake?
 *   an allocator that fails        caw_test_malloc     what if this allocation is the one that fails?
 *   a reactor with a fake clock    caw_test_reactor    what happens after an hour, at once and every time alike?
 *
 *     caw_test_waker waker;
 *     caw_test_reactor *r;
 *     caw_test_waker_init(&waker);
 *     assert(caw_test_reactor_new(&r) == 0);
 *     caw_future *f = my_retry(...);                                       // tries again after 30 s
 *     assert(caw_test_reactor_poll(r, f, &waker) == CAW_PENDING);
 *     caw_test_reactor_advance(r, 30 * UINT64_C(1000000000));
 *     assert(caw_test_waker_wakes(&waker) == 1);
 *     assert(caw_test_reactor_poll(r, f, &waker) == CAW_READY);
 *     caw_future_destroy(f);
 *     assert(caw_test_waker_references(&waker) == 0);
 *     caw_test_reactor_free(r);
 */
#ifndef CAWAIT_TESTING_TOOLS_H
#define CAWAIT_TESTING_TOOLS_H

#include "cawait/reactor.h"

/* Counts what is done to its wakers, on any thread. A wake of it polls nothing: the test reads the counts. It is in
 * your memory, which has to stay for as long as there are clones. */
typedef struct caw_test_waker {
    caw_atomic_word wakes, references; /* private */
} caw_test_waker;

/* A place to poll futures in. Its time begins at 0, and stands still until the test moves it on. */
typedef struct caw_test_reactor caw_test_reactor;

CAW_BEGIN_DECLS

/* --- a waker that counts --- */

/* Make one, with nothing counted.
 *   init · no-gil · borrows(w) · never fails · quiet */
CAW_API void caw_test_waker_init(caw_test_waker *w);

/* Its waker, borrowed, as a poll is given one. The caller's own copy is not counted.
 *   any-thread · no-gil · returns-borrowed · never fails · quiet */
CAW_API caw_waker caw_test_waker_get(caw_test_waker *w);

/* How often it was woken; and how many clones have been neither woken nor dropped: below 0, one was used up twice.
 *   any-thread · no-gil · borrows(w) · never fails · quiet */
CAW_API int caw_test_waker_wakes(const caw_test_waker *w);
CAW_API int caw_test_waker_references(const caw_test_waker *w);

/* --- a future that wakes itself --- */

/* A future that is pending n times, and then ends with status 0. Each pending poll wakes its waker before it returns.
 * Use it as a child of the futures that you write around others. Cancelled, it ends with CAW_ECANCELED at its next
 * poll.
 *   any-thread · no-gil · returns-new, NULL when out of memory · quiet */
CAW_API caw_future *caw_test_yield(unsigned n);

/* --- an allocator that fails --- */

/* Like malloc, calloc and realloc, except for the one allocation that has to fail. free() frees what they gave. A file
 * of yours that is compiled for a test has this after its last #include:
 *
 *     #define malloc caw_test_malloc       // and calloc, realloc
 *
 * The test lets each allocation fail in turn, until a run has fewer:
 *
 *     for (unsigned n = 1; n == 1 || caw_test_allocation_failed(); n++) {
 *         caw_test_fail_allocation(n);
 *         ...what is tested; where it fails, it leaves nothing behind...
 *     }
 *
 * An allocation that fails returns NULL and sets errno to ENOMEM, as malloc does.
 *   any-thread · no-gil · returns-new, NULL when out of memory, or where it is the one to fail · quiet */
CAW_API void *caw_test_malloc(size_t size);
CAW_API void *caw_test_calloc(size_t count, size_t size);
CAW_API void *caw_test_realloc(void *block, size_t size);

/* Count again from here. The n-th allocation, of any thread, fails, and no other; with 0 none fails.
 *   any-thread · no-gil · - · never fails · quiet */
CAW_API void caw_test_fail_allocation(unsigned n);

/* Whether that allocation has come.
 *   any-thread · no-gil · - · never fails · quiet */
CAW_API bool caw_test_allocation_failed(void);

/* --- a reactor with a fake clock --- */

/* Make one. One thread makes all the calls on it, and frees it by caw_test_reactor_free. Futures that were polled in it
 * may be destroyed later; those that still wait end with CAW_ECLOSED. caw_sleep, and what is made of it, goes by its
 * clock. caw_now_ns, and the reactors of pools (caw_spawn), go by the clock of the machine. fds are real ones.
 *   init · no-gil · returns-new · fails(CAW_ENOMEM, -errno), *out is then NULL · quiet */
CAW_API int caw_test_reactor_new(caw_test_reactor **out);

/* End it. NULL is allowed.
 *   one thread at a time · no-gil · takes(r) · never fails · wakes */
CAW_API void caw_test_reactor_free(caw_test_reactor *r);

/* Poll a future there. With a NULL waker nothing is woken and nothing is counted.
 *   poller · no-gil · borrows(r, f, waker) · never fails · calls-user */
CAW_API caw_poll caw_test_reactor_poll(caw_test_reactor *r, caw_future *f, caw_test_waker *waker);

/* What time it is; and how long until the first timer is due: 0 when one is due already, UINT64_MAX when there is none.
 *   one thread at a time · no-gil · borrows(r) · never fails · quiet */
CAW_API uint64_t caw_test_reactor_now(const caw_test_reactor *r);
CAW_API uint64_t caw_test_reactor_until_timer(const caw_test_reactor *r);

/* Move the clock on (by 0: leave it), then do what is due, without waiting: expire timers, look which fds are ready.
 * Returns how many things it did. Timers that are due at different times expire together. To see each, move the clock
 * by caw_test_reactor_until_timer.
 *   one thread at a time · no-gil · borrows(r) · fails(-errno) · wakes, calls-user (sources) */
CAW_API int caw_test_reactor_advance(caw_test_reactor *r, uint64_t duration_ns);

/* Poll a future until it is ready, and return its status. It is polled again only after a wake. Where nothing has woken
 * it, the clock is moved on to the next timer. Where there is no timer either, the wake has been forgotten, and the
 * result is -EDEADLK. So it is not for a future that is woken by another thread, or through an fd by another process.
 * The waker must not be NULL.
 *   poller · no-gil · borrows(r, f, waker) · fails(the future's status, -EDEADLK, -errno) · calls-user, wakes */
CAW_API int caw_test_reactor_run(caw_test_reactor *r, caw_future *f, caw_test_waker *waker);

CAW_END_DECLS

#endif
