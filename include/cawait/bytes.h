/* cawait/bytes.h: bytes that come, and bytes that go, in the caller's own buffers.
 *
 * A reader is where bytes come from, a writer is where they go. Each is made by the function that makes its source or
 * sink; nothing happens before the first poll. It has one owner at a time. The owner polls it, may cancel the poll that
 * is pending, and in the end destroys it, in whatever state it is. The owner may change (and so may the thread), but
 * its functions never run at the same time. For two directions there are two objects, which may have two owners.
 *
 *     caw_read_op read;                                                // somewhere in your struct
 *     caw_read_init(&read, reader, buffer, sizeof buffer);
 *     if (caw_future_poll(&read.future, cx) == CAW_PENDING) { return CAW_PENDING; }
 *     if (read.future.status == 0 && read.length == 0) { ...the end... }
 *
 * Back-pressure is in the polls: a reader that is not polled takes nothing from its source, and a writer whose sink is
 * full is pending.
 *
 * The caller's buffer is used during a poll and never between two polls. So a read or a write that is pending may be
 * destroyed at any moment, and its buffer freed. The next poll may have another buffer.
 */
#ifndef CAWAIT_BYTES_H
#define CAWAIT_BYTES_H

#include "cawait/future.h"

typedef struct caw_reader caw_reader;
typedef struct caw_writer caw_writer;

typedef struct caw_reader_ops {
    /* The reader's name, shown by the debug views. */
    const char *name;
    /* Returns CAW_READY with 1 to `size` bytes in the buffer and their number in *out; or CAW_READY with 0 in *out and
     * r->status set, which is 0 at the end, or an error; or CAW_PENDING, after it has cloned the context's waker to
     * where the wake will come from. The waker of the latest poll counts. `size` is never 0. A poll after the end gives
     * the end again. After CAW_ECANCELED reading can go on. */
    caw_poll (*poll_read)(caw_reader *r, caw_context *cx, void *buffer, size_t size, size_t *out);
    /* Optional: a request to end the poll that is pending. Wakes, now or soon; the next poll then gives bytes, or
     * CAW_ECANCELED. No bytes get lost by it. NULL: it cannot be cancelled. */
    void (*cancel)(caw_reader *r);
    /* The last call, in any state except during a poll. */
    void (*destroy)(caw_reader *r);
} caw_reader_ops;

typedef struct caw_writer_ops {
    /* The writer's name, shown by the debug views. */
    const char *name;
    /* Returns CAW_READY with the number of bytes taken, 1 to `size`, in *out; or CAW_READY with 0 in *out and an error
     * in w->status; or CAW_PENDING, as in poll_read. A poll after CAW_PENDING has the same bytes, perhaps at another
     * address, and perhaps more after them. A write that is not polled again while it is pending may have been done in
     * part. `size` is never 0. */
    caw_poll (*poll_write)(caw_writer *w, caw_context *cx, const void *buffer, size_t size, size_t *out);
    /* Returns CAW_READY with w->status set: all that was taken is on its way, and no more will come; or CAW_PENDING.
     * Not polled while a write is pending, unless that write will not be polled again. */
    caw_poll (*poll_close)(caw_writer *w, caw_context *cx);
    /* Optional: a request to end the poll that is pending. Wakes, now or soon; the next poll is then ready, with what
     * was done or with CAW_ECANCELED. NULL: it cannot be cancelled. */
    void (*cancel)(caw_writer *w);
    /* The last call, in any state except during a poll. Nothing is flushed here: poll_close does that. */
    void (*destroy)(caw_writer *w);
} caw_writer_ops;

/* The first member of your struct; or found from there with CAW_CONTAINER_OF. */
struct caw_reader {
    const caw_reader_ops *ops; /* read-only */
    int status;                /* 0 or an error; true once poll_read gave no bytes */
    bool cancel_sent;          /* private: cancel was called, and no poll has been ready since */
};

/* The first member of your struct; or found from there with CAW_CONTAINER_OF. */
struct caw_writer {
    const caw_writer_ops *ops; /* read-only */
    int status;                /* 0 or an error; true once poll_write took no bytes, or poll_close is ready */
    bool cancel_sent;          /* private: cancel was called, and no poll has been ready since */
};

/* One read as a future, in the caller's memory. Ready with the length, or with the reader's status. A status of 0 with
 * a length of 0 is the end. */
typedef struct caw_read_op {
    caw_future future;  /* public */
    caw_reader *reader; /* read-only: borrowed */
    void *buffer;       /* public: may be changed between polls */
    size_t size;        /* public: likewise */
    size_t length;      /* read-only: true once ready: so many bytes are in the buffer */
    bool pending;       /* private: the last poll was */
    bool cancelled;     /* private */
} caw_read_op;

/* The write of all these bytes as a future, in the caller's memory. */
typedef struct caw_write_op {
    caw_future future;  /* public */
    caw_writer *writer; /* read-only: borrowed */
    const char *buffer; /* public: may be changed between polls; what it points to stays the same */
    size_t size;        /* read-only */
    size_t length;      /* read-only: so many of them are taken, at any moment */
    bool pending;       /* private: the last poll was */
    bool cancelled;     /* private */
} caw_write_op;

/* The end of writing as a future, in the caller's memory. */
typedef struct caw_close_op {
    caw_future future;  /* public */
    caw_writer *writer; /* read-only: borrowed */
    bool pending;       /* private: the last poll was */
    bool cancelled;     /* private */
} caw_close_op;

CAW_BEGIN_DECLS

/* Make a reader in the caller's memory.
 *   init · no-gil · borrows(r, ops) · never fails · quiet */
static inline void
caw_reader_init(caw_reader *r, const caw_reader_ops *ops)
{
    r->ops = ops;
    r->status = 0;
    r->cancel_sent = false;
}

/* Make a writer in the caller's memory.
 *   init · no-gil · borrows(w, ops) · never fails · quiet */
static inline void
caw_writer_init(caw_writer *w, const caw_writer_ops *ops)
{
    w->ops = ops;
    w->status = 0;
    w->cancel_sent = false;
}

/* Read once, as caw_reader_ops says. A size of 0 is CAW_EINVAL.
 *   poller · no-gil · borrows(r, buffer) · never fails · calls-user */
CAW_API caw_poll caw_reader_poll_read(caw_reader *r, caw_context *cx, void *buffer, size_t size, size_t *out);

/* How a poll function returns no bytes: `return caw_reader_finish(r, 0, out);` is the end.
 *   poller · no-gil · borrows(r) · never fails · quiet */
static inline caw_poll
caw_reader_finish(caw_reader *r, int status, size_t *out)
{
    r->status = status;
    *out = 0;
    return CAW_READY;
}

/* Request the poll that is pending to end; only when one is. Does nothing where there is no `cancel`.
 *   poller · no-gil · borrows(r) · never fails · calls-user */
CAW_API void caw_reader_cancel(caw_reader *r);

/* Destroy a reader, in any state. NULL is allowed.
 *   poller · no-gil · takes(r) · never fails · calls-user */
static inline void
caw_reader_destroy(caw_reader *r)
{
    if (r) {
        r->ops->destroy(r);
    }
}

/* Write once, and end the writing, as caw_writer_ops says. A size of 0 is CAW_EINVAL.
 *   poller · no-gil · borrows(w, buffer) · never fails · calls-user */
CAW_API caw_poll caw_writer_poll_write(caw_writer *w, caw_context *cx, const void *buffer, size_t size, size_t *out);
CAW_API caw_poll caw_writer_poll_close(caw_writer *w, caw_context *cx);

/* How a poll_write function returns an error.
 *   poller · no-gil · borrows(w) · never fails · quiet */
static inline caw_poll
caw_writer_finish(caw_writer *w, int status, size_t *out)
{
    w->status = status;
    *out = 0;
    return CAW_READY;
}

/* Request the poll that is pending to end; only when one is. Does nothing where there is no `cancel`.
 *   poller · no-gil · borrows(w) · never fails · calls-user */
CAW_API void caw_writer_cancel(caw_writer *w);

/* Destroy a writer, in any state. NULL is allowed.
 *   poller · no-gil · takes(w) · never fails · calls-user */
static inline void
caw_writer_destroy(caw_writer *w)
{
    if (w) {
        w->ops->destroy(w);
    }
}

/* Make the future of one read. Once it was destroyed it may be made again, for the next read. To destroy it while it is
 * pending leaves the reader as it is. A size of 0 is CAW_EINVAL.
 *   init · no-gil · borrows(read, reader, buffer) · never fails · quiet */
CAW_API void caw_read_init(caw_read_op *read, caw_reader *reader, void *buffer, size_t size);

/* Make the future that writes all of it. A size of 0 is ready at once. When it has ended with an error, or before it is
 * destroyed, `length` is the number of bytes taken. The writer may have taken some more that it could not count.
 *   init · no-gil · borrows(write, writer, buffer) · never fails · quiet */
CAW_API void caw_write_init(caw_write_op *write, caw_writer *writer, const void *buffer, size_t size);

/* Make the future that ends the writing.
 *   init · no-gil · borrows(close, writer) · never fails · quiet */
CAW_API void caw_close_init(caw_close_op *close, caw_writer *writer);

/* What can be read from a file descriptor: a pipe, a socket, a terminal, a file. Ends with 0 at the end of the file, or
 * with -errno. The fd stays yours. It must stay open until the reader is destroyed, and is best non-blocking. A
 * blocking one is read only when it is readable; you then have to make sure that nothing else reads it. A regular file
 * is read at once, and the thread waits for its disk.
 *   any-thread · no-gil · - · returns-new, NULL when out of memory · quiet */
CAW_API caw_reader *caw_reader_from_fd(int fd);

/* The same for writing. To close the writer shuts a socket down, so that its other end sees the end; anything else ends
 * when you close the fd. A socket whose other end is gone gives -EPIPE, without a signal. A pipe does too, but the
 * system sends SIGPIPE first, which your program has to ignore; Python does. To a blocking pipe or terminal only few
 * bytes are written at a time, so that the thread does not sleep.
 *   any-thread · no-gil · - · returns-new, NULL when out of memory · quiet */
CAW_API caw_writer *caw_writer_from_fd(int fd);

CAW_END_DECLS

#endif
