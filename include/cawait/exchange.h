/* cawait/exchange.h: one value to one reader, the latest value to all, every value to all.
 *
 *   oneshot     one item, from any thread, to one future
 *   watch       a value that changes: readers see the latest, and wait for a newer one
 *   broadcast   items to many streams, each of which gets all that it can keep up with
 *
 * A queue from many producers to one consumer is a channel (channel.h).
 */
#ifndef CAWAIT_EXCHANGE_H
#define CAWAIT_EXCHANGE_H

#include "cawait/stream.h"
#include "cawait/sync.h"

/* --- oneshot ---
 *
 *     caw_oneshot reply;                                  // in the frame of whoever waits
 *     caw_oneshot_init(&reply, &job->sender);             // the other end is in the memory of whoever answers
 *     ...
 *     caw_oneshot_send(&job->sender, &answer->item);      // on any thread
 *
 * The two ends are in your memory, and nothing is allocated. Neither moves, and either may be the first to end: the
 * receiver when its future is destroyed, the sender with its one send, or without one when it is dropped. It is one of
 * the two before its memory goes. In a forked child both ends of the parent's are of no use: the future ends with
 * CAW_EFORKED, and so does a send.
 */
typedef struct caw_oneshot_sender caw_oneshot_sender;

/* The receiver. Ready with an item; with CAW_ECLOSED, where the sender was dropped; with CAW_ECANCELED or CAW_EFORKED.
 * Cancel-safe: when it ends with CAW_ECANCELED no item has been sent, and a send from then on fails. */
typedef struct caw_oneshot {
    caw_future future; /* public */
    caw_item *item;    /* public: true once ready. Take it by writing NULL; what is left is destroyed with the future */
    caw_oneshot_sender *sender; /* private: until either has ended */
    caw_waker waker;            /* private */
    int result;                 /* private: true once `is_over` */
    unsigned forks;             /* private */
    bool is_over;               /* private */
} caw_oneshot;

struct caw_oneshot_sender {
    caw_oneshot *receiver; /* private: until either has ended */
    const void *address;   /* private: of the receiver. NULL: idle */
    unsigned forks;        /* private */
};

/* --- watch ---
 *
 * The value is bytes in your memory, which are copied in and out: so it is something small, as a number, a state, or a
 * handle. Its version is 1 at first, and one more with each set. Where it lives, how its waits end, its end, and forks,
 * are as of the objects of sync.h; the value can still be read after its end.
 */
typedef struct caw_watch {
    caw_waiters waiters; /* private */
    void *value;         /* private */
    size_t size;         /* private */
    uint64_t version;    /* private */
} caw_watch;

typedef struct caw_watch_op {
    caw_future future; /* public */
    caw_waiter waiter; /* private */
    uint64_t seen;     /* private */
} caw_watch_op;

/* --- broadcast ---
 *
 * A ring of the last `capacity` items. Senders have references, as those of a channel: with the last one released it
 * closes, as by caw_broadcast_close(b, 0). Each reader is a stream, which gives the items that are sent from its making
 * on, in order, then ends with the status of the close. A send never waits. A reader that is slow misses the oldest
 * items, and is told how many with the next one. Destroy a reader that is not polled any more.
 *
 * All readers of an item share it: what a stream gives is a caw_broadcast_item, which points to what was sent. It is
 * destroyed when the last of them, and the ring, have let it go.
 *
 * In a forked child sends and readers of the parent's end with CAW_EFORKED.
 */
typedef struct caw_broadcast caw_broadcast;
typedef struct caw_broadcast_slot caw_broadcast_slot;

typedef struct caw_broadcast_item {
    caw_item item;
    const caw_item *value;    /* public: what was sent; borrowed until this is destroyed */
    uint64_t missed;          /* public: how many items came before this one that this reader has not got */
    caw_broadcast_slot *slot; /* private: a reference */
} caw_broadcast_item;

CAW_BEGIN_DECLS

/* Make both ends, and give the future of the receiver.
 *   init · no-gil · borrows(oneshot, sender), returns-borrowed · never fails · quiet */
CAW_API caw_future *caw_oneshot_init(caw_oneshot *oneshot, caw_oneshot_sender *sender);

/* Send the item, and end the sender. On failure nobody will receive it, and it is destroyed.
 *   any-thread, one at a time · no-gil · borrows(sender), takes(item) · fails(CAW_ECLOSED: the receiver has ended, or
 *   this sender has; CAW_EFORKED; CAW_EINVAL: no item, which is a drop) · wakes; calls-user on failure */
CAW_API int caw_oneshot_send(caw_oneshot_sender *sender, caw_item *item);

/* End the sender without an item. Nothing, where it has ended or is all zero bytes.
 *   any-thread, one at a time · no-gil · borrows(sender) · never fails · wakes */
CAW_API void caw_oneshot_drop(caw_oneshot_sender *sender);

/* Whether nobody waits for the item any more: what makes it may stop early.
 *   any-thread, one at a time · no-gil · borrows(sender) · never fails · quiet */
CAW_API bool caw_oneshot_is_abandoned(const caw_oneshot_sender *sender);

/* Make one, of a value of `size` bytes that is there; and end one.
 *   init / any-thread · no-gil · borrows(watch, value) · never fails · quiet / wakes */
CAW_API void caw_watch_init(caw_watch *watch, void *value, size_t size);
CAW_API void caw_watch_fini(caw_watch *watch);

/* Copy a new value in. Returns its version.
 *   any-thread · no-gil · borrows(watch, value) · never fails · wakes */
CAW_API uint64_t caw_watch_set(caw_watch *watch, const void *value);

/* Copy the latest value out, where `out` is not NULL. Returns its version.
 *   any-thread · no-gil · borrows(watch, out) · never fails · quiet */
CAW_API uint64_t caw_watch_get(const caw_watch *watch, void *out);

/* Wait for a version above `seen`. Then read it by caw_watch_get, which may give a newer one still. Cancel-safe.
 *   init · no-gil · borrows(op, watch), returns-borrowed · never fails · quiet */
CAW_API caw_future *caw_watch_changed(caw_watch_op *op, caw_watch *watch, uint64_t seen);

/* A broadcast with one sender's reference in *out. The capacity is 1 or more.
 *   any-thread · no-gil · returns-new · fails(CAW_EINVAL, CAW_ENOMEM), *out is then NULL · quiet */
CAW_API int caw_broadcast_new(size_t capacity, caw_broadcast **out);

/* One more reference of a sender; and one less. NULL is allowed.
 *   any-thread · no-gil · borrows(b) / takes(one reference) · never fails · quiet / wakes, calls-user */
CAW_API caw_broadcast *caw_broadcast_retain(caw_broadcast *b);
CAW_API void caw_broadcast_release(caw_broadcast *b);

/* A reader of what is sent from now on. To cancel it ends it with CAW_ECANCELED. To destroy the future of its next item
 * loses nothing (caw_next_init).
 *   any-thread, with a reference · no-gil · borrows(b) · returns-new, NULL when out of memory or in a forked child ·
 *   quiet */
CAW_API caw_stream *caw_broadcast_reader(caw_broadcast *b);

/* Send an item to all readers that there are. Where there is none it is destroyed, which is no failure.
 *   any-thread · no-gil · borrows(b), takes(item) · fails(CAW_ECLOSED, CAW_ENOMEM, CAW_EFORKED) · wakes, calls-user */
CAW_API int caw_broadcast_send(caw_broadcast *b, caw_item *item);

/* No more items: readers get those that are in the ring, then the status. The first close counts: returns false when it
 * was closed before.
 *   any-thread · no-gil · borrows(b) · never fails · wakes */
CAW_API bool caw_broadcast_close(caw_broadcast *b, int status);

CAW_END_DECLS

#endif
