/* channel_shared.h: many producers, one consumer, and a bound: what the two sides share.
 *
 * Promise. Items come out in the order in which they went in; there are never more than `capacity` between the two
 * sides; each is destroyed once, by whoever gets it or by the channel; a consumer that was pending is woken after the
 * item, or the close, is there to be seen; a send that waits is woken when its item is in, or never will be.
 *
 * Words and who may touch them:
 *
 *   first, last, sent, seen, waiting, waker, closed, status, shut, paused, told, telling    under `lock`
 *   starts            the consumer's: the producers' reference is still to be given to `start`
 *   taken             the consumer's: what it has taken out of the list and not returned yet. It takes all at once, so
 *                     that it locks once for many items
 *   received          written by the consumer, read by anybody. `sent - received` items are between the two sides;
 *                     when the consumer wants no more it counts the rest too, and the lock is held
 *   watched           set by whoever waits for room, before it looks at `received` once more; read by the consumer
 *                     after each item; cleared under `lock`
 *   refs              any thread, atomic: one of all producers together, one of the consumer
 *   senders           any thread, atomic: the producers' references. With the last of them the channel closes
 *
 * The race that looks bad: a producer finds the channel full while the consumer takes the last item out, without the
 * lock, and then sleeps. The producer sets `watched` and reads `received`; the consumer writes `received` and reads
 * `watched`; all four are sequentially consistent, so one of the two sees the other, and serves the producer.
 *
 * `pause` and `resume` are called without the lock, by whoever turned `paused`; that thread is `telling` until what it
 * told is what is true. Others who turn it meanwhile leave the telling to it. So the last call is the right one.
 *
 * In a forked child the lock may be held for ever, and the threads of the other side are not there: nothing waits
 * there, every operation ends with CAW_EFORKED, and what is destroyed takes its items along only if the lock is free.
 * Wakers are neither woken nor dropped there: they are the parent's, and may want locks too.
 */
#ifndef CAWAIT_CORE_STREAM_CHANNEL_SHARED_H
#define CAWAIT_CORE_STREAM_CHANNEL_SHARED_H

#include "cawait/channel.h"

#include "core/os/mutex.h"

CAW__INTERNAL_BEGIN

struct caw_channel {
    caw__mutex lock;
    caw_stream stream;
    caw_channel_spec spec;
    unsigned forks; /* caw__fork_count when it was made */
    _Atomic uint32_t refs, senders;

    caw_item *first, **last; /* sent, and not taken by the consumer */
    size_t sent, seen;       /* how many ever; `received` when a producer looked last */
    caw_send_op *waiting, *waiting_last;
    caw_waker waker; /* the consumer's: empty unless it is pending */
    int status;      /* with closed */
    bool closed;     /* by a producer, or by the consumer's cancel: nothing goes in any more */
    bool shut;       /* the consumer wants no more */
    bool paused, told, telling;
    atomic_bool has_consumer;

    char apart[64]; /* what the consumer writes for each item is in a cache line of its own */
    _Atomic size_t received;
    atomic_bool watched;
    caw_item *taken;
    bool starts;
};

/* Made before a fork() that this process is the child of. */
bool caw__channel_forked(const caw_channel *c);

/* False in a forked child. */
bool caw__channel_lock(caw_channel *c);

/* To clean up: in a forked child where nobody held the lock, too. */
bool caw__channel_lock_to_end(caw_channel *c);

void caw__channel_unlock(caw_channel *c);

/* Under the lock, all of them: */

/* Read how many the consumer has received. */
void caw__channel_look(caw_channel *c);

/* How many there are; fewer if the consumer took some since caw__channel_look. */
static inline size_t
caw__channel_seen_length(const caw_channel *c)
{
    return c->sent - c->seen;
}

bool caw__channel_has_room(caw_channel *c);

/* Have the consumer look after each item whether somebody waits for room. */
void caw__channel_watch(caw_channel *c);

/* Put an item in, for which there is room. `tells`: the caller has to call caw__channel_tell, after the lock. */
void caw__channel_append(caw_channel *c, caw_item *item, bool *tells);

/* Whether the caller has to call caw__channel_tell, after the lock. */
bool caw__channel_turn(caw_channel *c, bool paused);

/* The consumer's waker, to wake after the lock; an empty one in a forked child. */
caw_waker caw__channel_take_waker(caw_channel *c);

/* Without it: */

/* Call pause or resume. */
void caw__channel_tell(caw_channel *c);

/* Up to `most` of the items that the consumer's stream has taken already, as a list, how many in *n, the last one in *end: what
 * poll_next would give without looking any further. NULL where there are none, or where the stream is not a channel's.
 *   poller · no-gil */
caw_item *caw__channel_take_ready(caw_stream *s, size_t most, size_t *n, caw_item **end);

/* send.c: there is room, or the channel is closed: serve the sends that wait, and resume. */
void caw__channel_serve(caw_channel *c);

CAW__INTERNAL_END

#endif
