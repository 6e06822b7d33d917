/* channel_shared.h: many producers, one consumer, and a bound: what the two sides share.
 *
 * Promise. Items come out in the order in which they went in; there are never more than `capacity` between the two
 * sides; each is destroyed once, by whoever gets it or by the channel; a consumer that was pending is woken after the
 * item, or the close, is there to be seen; a send that waits is woken when its item is in, or never will be.
 *
 * Words and who may touch them:
 *
 *   first, last, sent, seen, waiting, waker, poller, closed, status, shut, detail    under `lock`
 *   paused, signalled, signalling, signaller, told, late, n_late    under `lock`
 *   starts            the consumer's: the producers' reference is still to be given to `start`
 *   taken             the consumer's: what it has taken out of the list and not returned yet. It takes all at once, so
 *                     that it locks once for many items
 *   received          written by the consumer, read by anybody. `sent - received` items are between the two sides;
 *                     when the consumer takes no more it counts the rest too, and the lock is held
 *   watched           set by whoever waits for room, before it looks at `received` once more; read by the consumer
 *                     after each item; cleared under `lock`
 *   refs              any thread, atomic: one of all producers together, one of the consumer
 *   senders           any thread, atomic: the producers' references. With the last of them the channel closes
 *
 * The race that looks bad: a producer finds the channel full while the consumer takes the last item out, without the
 * lock, and then sleeps. The producer sets `watched` and reads `received`; the consumer writes `received` and reads
 * `watched`; all four are sequentially consistent, so one of the two sees the other, and serves the producer.
 *
 * `pause` and `resume` are called without the lock, by whoever changed `paused`. That thread is `signalling`, and goes
 * on until the last of the two calls, which is `signalled`, agrees with `paused`; others who change it meanwhile leave
 * the calls to that thread. So the last call is the right one. It may come late: while one of them runs, the other
 * cannot be called. So a source that has not been told to pause is not refused, however many items there are: `told` is
 * true from the return of `pause` to the call of `resume`. A thread may have looked before that, and send after it: so
 * each has one item more, until it is in `late`. Without `pause` nobody is told, and the capacity holds.
 *
 * In a forked child the lock may be held for ever, and the threads of the other side are not there: nothing waits
 * there, every operation ends with CAW_EFORKED, and what is destroyed takes its items along only if the lock is free.
 * Wakers are neither woken nor dropped there: they are the parent's, and may want locks too.
 */
#ifndef CAWAIT_CORE_STREAM_CHANNEL_SHARED_H
#define CAWAIT_CORE_STREAM_CHANNEL_SHARED_H

#include "cawait/channel.h"

#include "core/base/detail.h"
#include "core/os/fork.h"
#include "core/os/mutex.h"

CAW__INTERNAL_BEGIN

/* How many items over the capacity a channel takes from a source that has been told to pause: one of each thread. And
 * from the callbacks themselves, which cannot be told meanwhile: a source that sends until it is refused ends there. */
#define CAW__CHANNEL_LATE   64
#define CAW__CHANNEL_INSIDE 1024

/* The word of a send's future. From NEW it is changed by its poller alone; from WAITING, in which it is linked, by
 * anybody under the lock. In ENDED the status is there. */
enum { CAW__SEND_NEW, CAW__SEND_WAITING, CAW__SEND_ENDED };

struct caw_channel {
    caw__mutex lock;
    caw_stream stream;
    caw_channel_spec spec;
    unsigned forks; /* caw__fork_count when it was made */
    _Atomic uint32_t refs, senders;

    caw_item *first, **last; /* sent, and not taken by the consumer */
    size_t sent, seen;       /* how many ever; `received` when a producer looked last */
    caw_send_op *waiting, *waiting_last;
    caw_waker waker;     /* the consumer's: empty unless it is pending */
    uintptr_t poller;    /* the thread in which it became pending last; 0 for a worker of a pool, where it moves */
    int status;          /* with closed */
    caw__detail *detail; /* with status: a reference, or NULL */
    bool closed;         /* by a producer, or by the consumer's cancel: nothing goes in any more */
    bool shut;           /* the consumer takes no more */
    bool paused, signalled, signalling, told;
    atomic_bool has_consumer;
    uint32_t n_late;
    const char *signaller; /* caw__channel_thread of who is signalling */
    const char **late;     /* of those that were told; room for CAW__CHANNEL_LATE; NULL without `pause` */

    char apart[64]; /* what the consumer writes for each item is in a cache line of its own */
    _Atomic size_t received;
    atomic_bool watched;
    caw_item *taken;
    bool starts;
};

/* Whether it was made before a fork() that this process is the child of.
 *   any-thread · no-gil · borrows(c) · never fails · quiet */
static inline bool
caw__channel_forked(const caw_channel *c)
{
    return c->forks != caw__fork_count();
}

/* Take the lock: false in a forked child. The same to clean up: in a forked child too, where nobody held it. And give
 * it back.
 *   any-thread · no-gil · borrows(c) · - · quiet */
static inline bool
caw__channel_lock(caw_channel *c)
{
    if (caw__channel_forked(c)) {
        return false;
    }
    caw__mutex_lock(&c->lock);
    return true;
}

static inline bool
caw__channel_lock_to_end(caw_channel *c)
{
    return caw__channel_lock(c) || caw__mutex_try_lock(&c->lock);
}

static inline void
caw__channel_unlock(caw_channel *c)
{
    caw__mutex_unlock(&c->lock);
}

/* --- under the lock: any-thread · no-gil · borrows(c) · never fails · quiet --- */

/* Read how many the consumer has received. */
static inline void
caw__channel_look(caw_channel *c)
{
    c->seen = atomic_load_explicit(&c->received, memory_order_seq_cst); /* seq_cst: see the race above */
}

/* How many there are; fewer if the consumer took some since caw__channel_look. */
static inline size_t
caw__channel_seen_length(const caw_channel *c)
{
    return c->sent - c->seen;
}

/* Whether another item may go in. */
static inline bool
caw__channel_has_room(caw_channel *c)
{
    if (caw__channel_seen_length(c) >= c->spec.capacity) {
        caw__channel_look(c);
    }
    return caw__channel_seen_length(c) < c->spec.capacity;
}

/* Have the consumer look after each item whether somebody waits for room. */
void caw__channel_watch(caw_channel *c);

/* An address that stands for the thread which calls this, as long as that lives. */
const char *caw__channel_thread(void);

/* Whether an item goes in although there is no room for it: its sender was not told, or not in time. */
bool caw__channel_goes_over(caw_channel *c);

/* There are `high` items or more: pause, unless that was done. True: the caller has to call caw__channel_signal, after
 * the lock. */
bool caw__channel_fill(caw_channel *c);

/* Put an item in, for which there is room. `signals`: the caller has to call caw__channel_signal, after the lock. */
static inline void
caw__channel_append(caw_channel *c, caw_item *item, bool *signals)
{
    item->next = NULL;
    *c->last = item;
    c->last = &item->next;
    c->sent++;
    if (caw__channel_seen_length(c) >= c->spec.high) {
        *signals |= caw__channel_fill(c);
    }
}

/* The consumer's waker, to wake after the lock; an empty one in a forked child. */
static inline caw_waker
caw__channel_take_waker(caw_channel *c)
{
    caw_waker waker = caw__channel_forked(c) ? CAW_WAKER_NONE : c->waker;
    c->waker = CAW_WAKER_NONE;
    return waker;
}

/* A send that waits from now on; and its end. The waker is the caller's to wake or drop, an empty one in a forked
 * child. From the unlock on the send may be gone. */
void caw__channel_link(caw_channel *c, caw_send_op *send);
caw_waker caw__channel_unlink(caw_channel *c, caw_send_op *send, int status);

/* --- without it --- */

/* Call pause or resume.
 *   any-thread · no-gil · borrows(c) · never fails · calls-user */
void caw__channel_signal(caw_channel *c);

/* There is room, or the channel is closed: serve the sends that wait, and resume.
 *   any-thread · no-gil · borrows(c) · never fails · wakes, calls-user */
void caw__channel_serve(caw_channel *c);

/* Nothing goes in any more, and `status` comes after what is in. False when it was closed before. `shuts`: by the
 * consumer, which takes no items either: they are the caller's, in *rest.
 *   any-thread · no-gil · borrows(c) · never fails · wakes, calls-user */
bool caw__channel_end(caw_channel *c, int status, bool shuts, caw_item **rest);

CAW__INTERNAL_END

#endif
