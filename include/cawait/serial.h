/* cawait/serial.h: a pool with one thread of its own, for what one thread must own: a connection of SQLite or DuckDB, a
 * handle of a library that keeps state in its thread.
 *
 *     caw_serial_spec spec = {.interrupt = stop_query, .at_end = close_database, .user = db};
 *     caw_serial *serial;
 *     int error = caw_serial_new(&spec, &serial);
 *     caw_future *opened = caw_blocking(serial, open_database, db, NULL);     // the first call
 *     caw_future *row = caw_blocking_copy(serial, run_query, &query, sizeof query);
 *     ...
 *     caw_future *closed = caw_serial_close(serial);          // what is queued runs, then close_database
 *     caw_pool_release(serial);
 *
 * A caw_serial is a caw_pool, and all of pool.h is for it too. Its calls, by caw_blocking, caw_blocking_copy or
 * caw_work_init, run one after another, in the order in which their futures were polled first, all on the very same
 * thread. So do what caw_defer is given, such as the `free` of a statement, and each poll of a future that caw_spawn
 * was given: these two count for no bound, and are never refused for want of room.
 *
 * The bound. As many calls as `capacity` may be queued behind the one that runs. When there are as many, a call ends
 * with -EAGAIN at once, if the spec says `refuses`; else it waits for room, in its order. A queued call runs, also when
 * its future is destroyed. One that waits for room does not run then; nor when the serial closes.
 *
 * A cancel takes a call out of the queue: it never runs, ends with CAW_ECANCELED, and its arg is freed once. A call
 * that runs goes on to its end, with `interrupt` as the spec says; its future ends then, with the call's own result.
 *
 * The thread is not replaced while it sleeps in caw_block_on or another call of the library: what is queued waits.
 * Where it would sleep until something that it would have to do itself, that ends with CAW_EDEADLOCK at once: a call of
 * its own serial, a future that was spawned there, the close. A call that was queued by then never runs. What goes
 * through others cannot be seen, such as a call of another serial that waits for this one.
 *
 * The end, in one of these ways. After each, calls that are given to the serial end with CAW_ECLOSED, what is deferred
 * to it goes to the default pool, futures that were spawned there are cancelled, and `at_end` is called on the thread,
 * last.
 *
 *   caw_serial_close     a future; what is queued runs
 *   caw_pool_close       waits; what is queued ends with CAW_ECLOSED, and what runs is interrupted
 *   the last release     the same, and does not wait
 *
 * exit() does for a serial what it does for a pool, but that the thread of the serial runs what is to be finished
 * (caw_finish_at_exit), in its order, behind what else is queued: exit() waits for it, for ever if a call does not end.
 * `at_end` is not called by exit(), unless that stops pools: what must be closed is closed before. In a child of fork()
 * neither a call nor `at_end` ever runs.
 */
#ifndef CAWAIT_SERIAL_H
#define CAWAIT_SERIAL_H

#include "cawait/pool.h"

typedef caw_pool caw_serial;

typedef struct caw_serial_spec {
    size_t capacity; /* how many calls may be queued; 0: 1024 */
    bool refuses;    /* what there is no room for ends with -EAGAIN, and does not wait */

    /* Optional: makes the running call return early, as sqlite3_interrupt does. Called by the thread that cancels the
     * future of that call, closes the pool, releases it for the last time, or cancels the future of caw_serial_close,
     * and by exit() where that stops pools; at most once for a call, never for one of caw_finish_at_exit, and never
     * when the next call has begun: that waits until this has returned. The call may not have reached yet what this
     * interrupts, and then goes on: long calls look at caw_work_cancelled too. Must return soon, and must not wait for
     * the serial. */
    void (*interrupt)(void *user);

    /* Optional: the last thing that is called on the thread, once, when all else has ended: closes the connection. Its
     * value, 0 or an error, is the status of caw_serial_close. */
    int (*at_end)(void *user);
    void *user; /* yours; not used any more after at_end */
} caw_serial_spec;

CAW_BEGIN_DECLS

/* A serial with one reference in *out, and its thread, which is started here. On failure nothing of the spec is called.
 * References are counted by caw_pool_retain and caw_pool_release.
 *   any-thread · no-gil · borrows(spec), which is copied; returns-new · fails(CAW_ENOMEM, -errno), *out is then NULL ·
 *   quiet */
CAW_API int caw_serial_new(const caw_serial_spec *spec, caw_serial **out);

/* A future that closes the serial, from its first poll on. No more calls are taken. What is queued runs; what waits for
 * room ends with CAW_ECLOSED, but for calls of caw_finish_at_exit. It is ready when `at_end` has returned, with the
 * value of that. So are others of the same serial, also those that are polled later.
 *
 * To cancel it, once it was polled, is to hurry: what is queued ends with CAW_ECLOSED, what runs is interrupted, and
 * the future is ready when `at_end` has returned all the same. To destroy it does not take back the close, which then
 * goes on as it is. It keeps a reference, so the caller may release the last of its own.
 *
 * Ends with the value of `at_end`, CAW_ECANCELED if it was cancelled before its first poll, CAW_EDEADLOCK where the
 * thread of the serial would sleep until then (a close that would begin so does not), CAW_EFORKED, CAW_EINVAL for a
 * pool that is not serial.
 *   any-thread · no-gil · borrows(serial), which is retained · returns-new, NULL when out of memory · quiet */
CAW_API caw_future *caw_serial_close(caw_serial *serial);

CAW_END_DECLS

#endif
