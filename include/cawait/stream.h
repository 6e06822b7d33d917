/* cawait/stream.h: items that come one after another.
 *
 * A stream is to many values what a future is to one. It is made by the function that makes the source of its items;
 * nothing happens before the first poll. It has one owner at a time. The owner polls it for the next item, may cancel
 * it, and in the end destroys it, in whatever state it is. The owner may change (and so may the thread), but poll_next,
 * cancel and destroy never run at the same time. A stream that has come to its end is not polled again.
 *
 * Owners are: an async generator of Python (python_stream.h), or a future or stream of yours.
 *
 * An item is a struct of yours with a caw_item in it, so a stream needs no allocation of its own for each:
 *
 *     typedef struct event { caw_item item; int code; } event;
 *
 * Whoever has an item owns it, and ends it by caw_item_destroy or by passing it on.
 */
#ifndef CAWAIT_STREAM_H
#define CAWAIT_STREAM_H

#include "cawait/future.h"

typedef struct caw_item caw_item;
struct caw_item {
    caw_item *next;                  /* the owner's, to keep items in a list */
    void (*destroy)(caw_item *item); /* public: frees the item, on any thread, without the GIL; NULL: nothing to do */
};

typedef struct caw_stream caw_stream;

typedef struct caw_stream_ops {
    /* The stream's name, shown by the debug views. */
    const char *name;
    /* Returns CAW_READY with the next item in *out, which is the caller's; or at the end CAW_READY with NULL there and
     * s->status set; or CAW_PENDING, after it has cloned the context's waker to where the wake will come from. The
     * waker of the latest poll counts. */
    caw_poll (*poll_next)(caw_stream *s, caw_context *cx, caw_item **out);
    /* Optional: a request to stop. Called at most once, never during a poll and never after the end. It may be called
     * before the first poll; then nothing should start. The stream still comes to its end, with CAW_ECANCELED or its
     * own status; items may come before that. Must return soon; may wake. NULL: it cannot be cancelled. */
    void (*cancel)(caw_stream *s);
    /* The last call, in any state except during a poll. Items that the stream holds are destroyed. */
    void (*destroy)(caw_stream *s);
    /* Optional: takes items that are there already. It takes up to `most` (1 or more) of the items that the next polls
     * would give, puts them into *first as a list linked by `next`, and returns how many they are. 0, with *first
     * unchanged: there are none, or only a poll can find out. Called where a poll may be called. NULL: each item takes
     * a poll. */
    size_t (*take_ready)(caw_stream *s, size_t most, caw_item **first);
} caw_stream_ops;

/* The first member of your struct; or found from there with CAW_CONTAINER_OF. */
struct caw_stream {
    const caw_stream_ops *ops; /* read-only */
    int status;                /* 0 or an error; true once poll_next gave NULL */
};

/* The next item of a stream as a future, in the caller's memory: to await one item at a time, also by caw_block_on.
 * Ready with an item; or, at the end, with NULL and the stream's status. */
typedef struct caw_next_op {
    caw_future future;  /* public */
    caw_stream *stream; /* read-only: borrowed */
    caw_item *item; /* public: true once ready. Take it by writing NULL; what is left is destroyed with the future */
} caw_next_op;

/* Bytes as an item. */
typedef struct caw_bytes_item {
    caw_item item;
    size_t length; /* public */
#ifdef __cplusplus
    char data[1]; /* public: `length` of them; C++ has no flexible array members */
#else
    char data[]; /* public: `length` of them */
#endif
} caw_bytes_item;

/* Items as an item. */
typedef struct caw_chunk_item {
    caw_item item;
    caw_item *first; /* public: linked by `next`, in order. Take them by writing NULL; what is left is destroyed */
    size_t length;   /* public: how many came */
} caw_chunk_item;

CAW_BEGIN_DECLS

/* Make a stream in the caller's memory.
 *   init · no-gil · borrows(s, ops) · never fails · quiet */
static inline void
caw_stream_init(caw_stream *s, const caw_stream_ops *ops)
{
    s->ops = ops;
    s->status = 0;
}

/* How a poll function says that the stream is at its end: `return caw_stream_finish(s, 0, out);`
 *   poller · no-gil · borrows(s) · never fails · quiet */
static inline caw_poll
caw_stream_finish(caw_stream *s, int status, caw_item **out)
{
    s->status = status;
    *out = NULL;
    return CAW_READY;
}

/* Poll for the next item, as caw_stream_ops says. *out is NULL where poll_next leaves it alone. A poll_next that
 * returns an error has ended the stream with that (error.h).
 *   poller · no-gil · borrows(s), returns-new in *out · never fails · calls-user */
static inline caw_poll
caw_stream_poll_next(caw_stream *s, caw_context *cx, caw_item **out)
{
    *out = NULL;
    caw_poll poll = s->ops->poll_next(s, cx, out);
    if (poll != CAW_PENDING && poll != CAW_READY) {
        return caw_stream_finish(s, caw_error_from_return(s->ops->name, "poll_next", CAW__INT(poll)), out);
    }
    return poll;
}

/* Take up to `most` (1 or more) items that are there already, as caw_stream_ops says.
 *   poller · no-gil · borrows(s), returns-new in *first · never fails · calls-user */
static inline size_t
caw_stream_take_ready(caw_stream *s, size_t most, caw_item **first)
{
    size_t n = s->ops->take_ready ? s->ops->take_ready(s, most, first) : 0;
#ifndef NDEBUG
    if (n > most) {
        (void)caw_error_from_return(s->ops->name, "take_ready", CAW__INT(n));
    }
#endif
    return n > most ? 0 : n; /* an error, which looks as a large number, is left to the next poll */
}

/* Request a stream to stop; it still comes to its end. Does nothing where there is no `cancel`.
 *   poller · no-gil · borrows(s) · never fails · calls-user */
static inline void
caw_stream_cancel(caw_stream *s)
{
    if (s->ops->cancel) {
        s->ops->cancel(s);
    }
}

/* Destroy a stream, in any state. NULL is allowed.
 *   poller · no-gil · takes(s) · never fails · calls-user */
static inline void
caw_stream_destroy(caw_stream *s)
{
    if (s) {
        s->ops->destroy(s);
    }
}

/* Destroy an item. NULL is allowed.
 *   any-thread · no-gil · takes(item) · never fails · calls-user */
static inline void
caw_item_destroy(caw_item *item)
{
    if (item && item->destroy) {
        item->destroy(item);
    }
}

/* Destroy the items of a list, linked by `next`. NULL is the empty list.
 *   any-thread · no-gil · takes(first, and all that follow) · never fails · calls-user */
static inline void
caw_item_destroy_all(caw_item *first)
{
    while (first) {
        caw_item *next = first->next;
        caw_item_destroy(first);
        first = next;
    }
}

/* Make the future of the next item. Once it was destroyed it may be made again, for the item after that. Its cancel is
 * the stream's. To destroy it while it is pending leaves the stream as it is, and the next one gets the item: so a
 * future of yours around it that has no cancel function is a recv() that may be cancelled and loses nothing
 * (examples/receive).
 *   init · no-gil · borrows(next, stream) · never fails · quiet */
CAW_API void caw_next_init(caw_next_op *next, caw_stream *stream);

/* An item that holds a pointer, for values that have no caw_item in them. `free_`, when not NULL, is called with the
 * value when the item is destroyed, or when this call fails.
 *   any-thread · no-gil · takes(value) · returns-new, NULL when out of memory · quiet, calls-user on failure */
CAW_API caw_item *caw_box_new(void *value, void (*free_)(void *value));

/* The pointer.
 *   any-thread · no-gil · borrows(item), returns-borrowed · never fails · quiet */
CAW_API void *caw_box_value(const caw_item *item);

/* Bytes as an item: `length` of them, copied from `data`; where that is NULL they are for the caller to fill in.
 *   any-thread · no-gil · borrows(data) · returns-new, NULL when out of memory · quiet */
CAW_API caw_bytes_item *caw_bytes_new(const void *data, size_t length);

/* --- streams around streams. Each takes its inner stream. It is NULL when out of memory, and where it was given NULL.
 * To cancel it cancels the inner stream; it has a cancel only where that has one. --- */

/* Each item as a function makes it. `map` takes the item, and gives another one, or the same, in *out; NULL there
 * leaves the item out. It returns 0, or an error, which ends the stream; the inner stream is then cancelled and
 * destroyed. `free_`, when not NULL, is called once with `user`, when the stream is destroyed or when this call fails.
 *   any-thread · no-gil · takes(stream, user) · returns-new · quiet; calls-user when polled */
CAW_API caw_stream *caw_stream_map(caw_stream *stream, int (*map)(void *user, caw_item *item, caw_item **out),
                                   void *user, void (*free_)(void *user));

/* The first n items. With the last of them the inner stream is cancelled and destroyed: it is not polled again.
 *   any-thread · no-gil · takes(stream) · returns-new · quiet; calls-user when polled */
CAW_API caw_stream *caw_stream_take(caw_stream *stream, size_t n);

/* The items of all of them, each as it comes. The order is kept within each stream, and a stream that always has items
 * does not keep the others waiting. It ends with the last of them, or with the first error; then the others are
 * cancelled and destroyed. When it is cancelled it ends with CAW_ECANCELED as soon as all have ended; those that have
 * no cancel are destroyed at once. Each is polled with a waker of its own, and again only after that was woken. The
 * array is copied. n may be 0.
 *   any-thread · no-gil · takes(each of streams) · returns-new · quiet; calls-user when polled */
CAW_API caw_stream *caw_stream_merge(caw_stream *const *streams, size_t n);

/* Items in groups of n, each a caw_chunk_item; the last group may have fewer. An error comes after the items that came
 * before it. With an n of 0 the first poll ends it with CAW_EINVAL.
 *   any-thread · no-gil · takes(stream) · returns-new · quiet; calls-user when polled */
CAW_API caw_stream *caw_stream_chunk(caw_stream *stream, size_t n);

/* What can be read from a file descriptor, as it comes: each item is a caw_bytes_item of 1 to `size` bytes. Ends with 0
 * at the end of the file, or with -errno. With a size of 0 the first poll ends it with CAW_EINVAL. The fd stays yours.
 * It must stay open until the stream is destroyed, and is best non-blocking: it is then read until nothing more is
 * there. A blocking one is read once each time it is readable.
 *   any-thread · no-gil · - · returns-new · quiet */
CAW_API caw_stream *caw_stream_from_fd(int fd, size_t size);

CAW_END_DECLS

#endif
