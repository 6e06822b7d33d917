/* cawait/interval.h: a tick every so often, as a stream.
 *
 *     caw_stream *ticks = caw_interval(100 * UINT64_C(1000000), CAW_TICKS_SKIP);     // ten a second
 *
 * The times are those of a grid: a tick's own time is a period after the one before, however late that was given. A
 * tick is late when the stream is polled late, and when the thread was busy. Where a later tick is due as well by then,
 * ticks were missed, and caw_missed_ticks says what becomes of them. All times are on the clock of the place where the
 * stream is polled (caw_context_now).
 */
#ifndef CAWAIT_INTERVAL_H
#define CAWAIT_INTERVAL_H

#include "cawait/reactor.h"
#include "cawait/stream.h"

/* What becomes of ticks that were missed. With a period of 10 ms, and a poll at 35 ms that gives the tick of 10 ms: */
typedef enum caw_missed_ticks {
    CAW_TICKS_BURST, /* each is given, one after another without a pause: 20, 30 at once, then 40, 50, ... */
    CAW_TICKS_DELAY, /* a new grid from now on, so that ticks are at least a period apart: 45, 55, ... */
    CAW_TICKS_SKIP,  /* they are left out, and the grid stays: 40, 50, ... */
} caw_missed_ticks;

/* A tick. */
typedef struct caw_tick_item {
    caw_item item;
    uint64_t due_ns;  /* public: its own time */
    uint64_t late_ns; /* public: how long after that it was given */
    uint64_t missed;  /* public: how many ticks after it are left out; always 0 where each is given */
} caw_tick_item;

CAW_BEGIN_DECLS

/* A tick every period: the first at the first poll, or at a time. An enum value that is none, and a period of 0, end it
 * with CAW_EINVAL at the first poll. It has no end of its own: take some of it (caw_stream_take), cancel it, or destroy
 * it. A cancel ends it at once with CAW_ECANCELED. A caw_next_op may be destroyed while it waits, and no tick is lost.
 * After a fork it ends in the child with CAW_ECLOSED if it was waiting; else it goes on there.
 *   any-thread · no-gil · returns-new, NULL when out of memory · quiet */
CAW_API caw_stream *caw_interval(uint64_t period_ns, caw_missed_ticks missed);
CAW_API caw_stream *caw_interval_at(uint64_t first_ns, uint64_t period_ns, caw_missed_ticks missed);

/* How many ticks it has left out so far.
 *   poller · no-gil · borrows(ticks), which one of the two made · never fails · quiet */
CAW_API uint64_t caw_interval_missed(const caw_stream *ticks);

CAW_END_DECLS

#endif
