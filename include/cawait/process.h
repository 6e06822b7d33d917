/* cawait/process.h: what the system tells a process: that a child has ended, and signals. */
#ifndef CAWAIT_PROCESS_H
#define CAWAIT_PROCESS_H

#include "cawait/future.h"
#include "cawait/stream.h"

/* Deliveries of a signal as an item. */
typedef struct caw_signal_item {
    caw_item item;
    int number;     /* public: which signal */
    uint32_t count; /* public: how often it came since the item before; 1 or more */
} caw_signal_item;

CAW_BEGIN_DECLS

/* --- children --- */

/* A future that is ready when a child of this process has ended, however it did; its status is 0 then. The child is
 * reaped, so its number is free for another process from then on; no other child is touched. CAW_EINVAL for a number
 * that is none of one process (0 and below), and -ECHILD where it is no child of this process, or was reaped by
 * somebody else: only one may wait for a child, and SIGCHLD must not be ignored. Where Python has started the child
 * (subprocess), leave it to Python.
 *
 * It waits by a pidfd. Where the system has none (Linux before 5.3, other systems), or gives no fd, it looks again
 * after times that double from 1 to 64 milliseconds. Cancel-safe: unless it ends with 0 the child was not reaped, and
 * can be waited for again. In the child of a fork it ends with CAW_ECLOSED or -ECHILD.
 *   any-thread · no-gil · returns-new, NULL when out of memory · quiet */
CAW_API caw_future *caw_process_wait(int pid);

/* After it has ended with 0: the exit code, 0 to 255, of a child that exited, else -1; and the signal that ended it,
 * else 0.
 *   poller · no-gil · borrows(f) · never fails · quiet */
CAW_API int caw_process_exit_code(const caw_future *f);
CAW_API int caw_process_signal(const caw_future *f);

/* --- signals --- */

/* The deliveries of a signal to this process, from the first poll on. Each item is a caw_signal_item. Deliveries
 * between two polls make one item with their count, as far as the system has not put them together already. There may
 * be several streams, on any threads, of one signal: each is given all deliveries. It has no end of its own.
 *
 * From the first poll of the first stream of a signal until the last one ends, is cancelled, or is destroyed, the
 * signal has a handler of this library, with SA_RESTART. The handler that was there is put back then, unless somebody
 * has set another one meanwhile. While it is away it is not called: so with a stream of SIGINT Python raises no
 * KeyboardInterrupt, and what signal.signal() or loop.add_signal_handler() of Python has set for that signal does not
 * run. If they set one during the stream, that one gets the signal, and the stream gets none any more until another
 * stream of it begins. Make a stream of SIGCHLD only where nothing else waits for children by that signal.
 *
 * The handler counts, and rings a thread of the library, which is started once and stays; that wakes whoever polls. So
 * no reactor is needed. The signal has to be unblocked in some thread of the program; no thread of this library takes
 * it.
 *
 * CAW_EINVAL for numbers that cannot be caught (SIGKILL, SIGSTOP), for those of faults (SIGSEGV, SIGBUS, SIGFPE,
 * SIGILL, SIGTRAP), which no handler can return from, and for what is no signal. A cancel ends it with CAW_ECANCELED.
 * In the child of a fork a stream of the parent ends with CAW_EFORKED; a signal that comes there is passed to the
 * handler that was put aside, and a new stream can be made.
 *   any-thread · no-gil · returns-new, NULL when out of memory · quiet */
CAW_API caw_stream *caw_signal(int number);

CAW_END_DECLS

#endif
