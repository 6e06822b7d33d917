/* cawait/channel.h: a queue with a bound, from many producers on any threads to one consumer.
 *
 *     caw_channel_spec spec = {.capacity = 1024};
 *     caw_channel *channel;
 *     int error = caw_channel_new(&spec, &channel);        // one reference: the producers'
 *     caw_stream *events = caw_channel_stream(channel);    // the consumer's end
 *     ...
 *     caw_channel_send(channel, &event->item);             // any thread but the consumer's
 *     caw_channel_release(channel);                        // the last one closes it
 *
 * It has two sides. The producers have references. With a reference one can send, close, and make more references. When
 * the last one is released the channel closes, as by caw_channel_close(channel, 0). The consumer has the stream. It
 * gives the items in the order in which they were sent, then the status of the close. When the stream is cancelled or
 * destroyed no more items are taken: sends fail with CAW_ECLOSED, and `cancel` of the spec is called.
 *
 * There are never more than `capacity` items between the two sides, but for what a `pause` allows. A thread that may
 * sleep sends by caw_channel_send, a future by a caw_send_op. A producer that cannot wait sends by
 * caw_channel_try_send, with the callbacks `pause` and `resume`. None of these allocates for an item.
 */
#ifndef CAWAIT_CHANNEL_H
#define CAWAIT_CHANNEL_H

#include "cawait/stream.h"

typedef struct caw_channel caw_channel;

typedef struct caw_channel_spec {
    size_t capacity; /* in items, 1 or more */

    /* Optional: begins to produce. Called by the consumer, at its first poll, so that nothing happens before. If it
     * returns 0 it has taken the reference that caw_channel_new gave; the caller of caw_channel_new does not release
     * that then. An error ends the stream. A stream that is destroyed before its first poll releases the reference, and
     * `cancel` is not called. */
    int (*start)(caw_channel *channel, void *user);

    /* Optional, for producers that cannot wait. `pause` is called when there are `high` items; `resume` when there are
     * `low` or fewer again. They are called in turns, `pause` first, never two at a time, by a thread that sends or
     * receives. They may send, and must not wait. When the consumer is gone no more calls begin, but one that has begun
     * may still run after `cancel`. low < high <= capacity. If both are 0, `high` is the capacity and `low` is half of
     * it.
     *
     * Where there is a `pause`, what caw_channel_try_send sends before `pause` returns is always taken, also when the
     * channel is full: a producer that looks whether it is paused, and then sends, is never refused. So there may be
     * more than `capacity` items: those that are sent from the one that makes `high` until `pause` has returned, which
     * is called at once, or, where `resume` is running in another thread, when that has returned; and after that one of
     * each thread, since it may have looked before (of 64 threads at most). Then the channel refuses what is more, so
     * that a producer that goes on is bounded too. In the callbacks themselves, where `pause` cannot come in between,
     * 1024 more are taken. */
    void (*pause)(void *user);
    void (*resume)(void *user);
    size_t high, low;

    /* Optional: the consumer takes no more. Called at most once, by the consumer, unless the channel was closed
     * before. */
    void (*cancel)(void *user);

    /* Optional: frees `user`. Called once, by the side that ends last, when the channel is not used any more. */
    void (*free)(void *user);
    void *user;
} caw_channel_spec;

/* An item that waits for room, in the caller's memory. The future is ready when the item is in the channel. Sends that
 * wait are served in the order of their first polls. */
typedef struct caw_send_op caw_send_op;
struct caw_send_op {
    caw_future future;            /* public */
    caw_channel *channel;         /* private: a reference */
    caw_item *item;               /* private: owned until it is sent */
    caw_waker waker;              /* private: true while waiting */
    caw_send_op *next, *previous; /* private: true while waiting */
};

CAW_BEGIN_DECLS

/* A channel with one producer's reference in *out.
 *   any-thread · no-gil · borrows(spec), which is copied; takes(user) · returns-new · fails(CAW_EINVAL, CAW_ENOMEM),
 *   *out is then NULL · quiet, calls-user on failure (`free`) */
CAW_API int caw_channel_new(const caw_channel_spec *spec, caw_channel **out);

/* One more reference of a producer; and one less. NULL is allowed.
 *   any-thread · no-gil · borrows(channel) / takes(one reference) · never fails · quiet / wakes, calls-user (`free`) */
CAW_API caw_channel *caw_channel_retain(caw_channel *channel);
CAW_API void caw_channel_release(caw_channel *channel);

/* The consumer's end. There is one: a second call returns NULL.
 *   any-thread · no-gil · borrows(channel) · returns-new · quiet */
CAW_API caw_stream *caw_channel_stream(caw_channel *channel);

/* Send an item, and sleep until there is room for it; sends that wait already come first. Not on the thread that polls
 * the consumer's end, which would wait for itself: so neither in a Python loop's thread nor in a poll. CAW_EDEADLOCK,
 * as of caw_block_on, where it would sleep, and this thread has the GIL, or runs the Python loop on which the consumer
 * has waited last. Another thread that consumes for itself is not recognised. A future sends by a caw_send_op. On
 * failure the item is destroyed.
 *   any-thread but the consumer's · no-gil · takes(item) · fails(CAW_ECLOSED, CAW_EFORKED, CAW_EDEADLOCK, CAW_ENOMEM,
 *   and on a worker as caw_block_on) · wakes, calls-user (`pause`) */
CAW_API int caw_channel_send(caw_channel *channel, caw_item *item);

/* Send an item if there is room and no other send waits for it; or if the producer has not been told to pause, as the
 * spec says. 0: the item is the channel's. Else it stays yours, and can be sent again.
 *   any-thread · no-gil · takes(item), but not on failure · fails(-EAGAIN: full, CAW_ECLOSED, CAW_EFORKED) · wakes,
 *   calls-user (`pause`) */
CAW_API int caw_channel_try_send(caw_channel *channel, caw_item *item);

/* Make a send in the caller's memory. Its future ends with 0, CAW_ECLOSED, CAW_ECANCELED or CAW_EFORKED. An item that
 * was not sent is destroyed with it, unless caw_send_reclaim gave it back.
 *   init · no-gil · borrows(send), takes(item), retains the channel until it is destroyed · never fails · quiet */
CAW_API void caw_send_init(caw_send_op *send, caw_channel *channel, caw_item *item);

/* The item of a send that failed, given back to the caller; NULL where it was sent.
 *   poller, once it is ready · no-gil · borrows(send), returns-new · never fails · quiet */
CAW_API caw_item *caw_send_reclaim(caw_send_op *send);

/* No more items: the consumer gets those that are there, then the status. Sends that wait end with CAW_ECLOSED. The
 * first close counts: returns false when the channel was closed, or its consumer was gone, before.
 *   any-thread · no-gil · borrows(channel) · never fails · wakes */
CAW_API bool caw_channel_close(caw_channel *channel, int status);

/* How many items are there now: sent, and not yet given to the consumer.
 *   any-thread · no-gil · borrows(channel) · never fails · quiet */
CAW_API size_t caw_channel_length(const caw_channel *channel);

CAW_END_DECLS

#endif
