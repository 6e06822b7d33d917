/* cawait/bytes.h: bytes that come, and bytes that go, in the caller's own buffers.
 *
 * A reader is where bytes come from, a writer is where they go. Born by the function that makes it; nothing happens
 * before the first poll. It has one owner at a time, who polls it, may cancel what is pending, and at the end destroys
 * it, whatever state it is in. The owner may change (and so may the thread), but its functions never run at the same
 * time. For two directions there are two objects, which may have two owners.
 *
 *     caw_read_op read;                                                // somewhere in your struct
 *     caw_read_init(&read, reader, buffer, sizeof buffer);
 *     if (caw_future_poll(&read.future, cx) == CAW_PENDING) { return CAW_PENDING; }
 *     if (read.future.status == 0 && read.length == 0) { ...the end... }
 *
 * Back-pressure is in the polls: who does not poll a reader takes nothing from its source, and a writer whose sink is
 * full is pending.
 *
 * The caller's buffer is used during a poll and never between two of them. So a read or a write that is pending may be
 * given up at any moment, and the buffer freed. The next poll may have another buffer.
 */
#ifndef CAWAIT_BYTES_H
#define CAWAIT_BYTES_H

#include "cawait/future.h"

typedef struct caw_reader caw_reader;
typedef struct caw_writer caw_writer;

typedef struct caw_reader_ops {
    /* The reader's name, shown by the debug views. */
    const char *name;
    /* CAW_READY with 1 to `size` bytes in the buffer, and how many in *out; or 0 there and r->status set: 0 at the end,
     * or an error. CAW_PENDING after the context's waker was cloned where its wake will come from; the waker of the
     * latest poll counts. `size` is never 0. Polled after the end it says the end again; after CAW_ECANCELED it can be
     * read on. */
    caw_poll (*poll_read)(caw_reader *r, caw_context *cx, void *buffer, size_t size, size_t *out);
    /* Optional: the poll that is pending should not go on. Wakes, now or soon; then the poll has bytes, or
     * CAW_ECANCELED. No bytes get lost by it. NULL: it cannot be cancelled. */
    void (*cancel)(caw_reader *r);
    /* The last call, in any state except during a poll. */
    void (*destroy)(caw_reader *r);
} caw_reader_ops;

typedef struct caw_writer_ops {
    /* The writer's name, shown by the debug views. */
    const char *name;
    /* CAW_READY with 1 to `size` bytes taken, and how many in *out; or 0 there and w->status an error. CAW_PENDING as
     * above. A poll after CAW_PENDING has the same bytes, perhaps elsewhere, and perhaps more of them; a write that is
     * given up while it is pending may have been done in part. `size` is never 0. */
    caw_poll (*poll_write)(caw_writer *w, caw_context *cx, const void *buffer, size_t size, size_t *out);
    /* CAW_READY with w->status set: all that was taken is on its way, and no more will come. Not polled while a write
     * is pending, unless that was given up. */
    caw_poll (*poll_close)(caw_writer *w, caw_context *cx);
    /* Optional: the poll that is pending should not go on. Wakes, now or soon; then the poll is ready, with what it did
     * or CAW_ECANCELED. NULL: it cannot be cancelled. */
    void (*cancel)(caw_writer *w);
    /* The last call, in any state except during a poll. What was not closed by poll_close is not flushed. */
    void (*destroy)(caw_writer *w);
} caw_writer_ops;

/* The first member of your struct, or found from there with CAW_CONTAINER_OF. */
struct caw_reader {
    const caw_reader_ops *ops; /* read-only */
    int status;                /* 0 or an error; true once poll_read gave no bytes */
    bool cancel_sent;          /* private: cancel was called, and no poll has been ready since */
};

/* The first member of your struct, or found from there with CAW_CONTAINER_OF. */
struct caw_writer {
    const caw_writer_ops *ops; /* read-only */
    int status;                /* 0 or an error; true once poll_write took no bytes, or poll_close is ready */
    bool cancel_sent;          /* private: cancel was called, and no poll has been ready since */
};

/* One read as a future, in caller's memory. Ready with the length, or with the reader's status; 0 and a length of 0 is
 * the end. */
typedef struct caw_read_op {
    caw_future future;  /* public */
    caw_reader *reader; /* read-only: borrowed */
    void *buffer;       /* public: may be changed between polls */
    size_t size;        /* public: likewise */
    size_t length;      /* read-only: true once ready: so many bytes are in the buffer */
    bool pending;       /* private: the last poll was */
    bool cancelled;     /* private */
} caw_read_op;

/* The write of all these bytes as a future, in caller's memory. */
typedef struct caw_write_op {
    caw_future future;  /* public */
    caw_writer *writer; /* read-only: borrowed */
    const char *buffer; /* public: may be changed between polls; what it points to stays the same */
    size_t size;        /* read-only */
    size_t length;      /* read-only: so many of them are taken, at any moment */
    bool pending;       /* private: the last poll was */
    bool cancelled;     /* private */
} caw_write_op;

/* The end of writing as a future, in caller's memory. */
typedef struct caw_close_op {
    caw_future future;  /* public */
    caw_writer *writer; /* read-only: borrowed */
    bool pending;       /* private: the last poll was */
    bool cancelled;     /* private */
} caw_close_op;

CAW_BEGIN_DECLS

/* Make a reader of caller's memory.
 *   init · no-gil · borrows(r, ops) · never fails · quiet */
static inline void
caw_reader_init(caw_reader *r, const caw_reader_ops *ops)
{
    r->ops = ops;
    r->status = 0;
    r->cancel_sent = false;
}

/* Make a writer of caller's memory.
 *   init · no-gil · borrows(w, ops) · never fails · quiet */
static inline void
caw_writer_init(caw_writer *w, const caw_writer_ops *ops)
{
    w->ops = ops;
    w->status = 0;
    w->cancel_sent = false;
}

/* Read once: see caw_reader_ops. A size of 0 is CAW_EINVAL.
 *   poller · no-gil · borrows(r, buffer) · never fails · calls-user */
CAW_API caw_poll caw_reader_poll_read(caw_reader *r, caw_context *cx, void *buffer, size_t size, size_t *out);

/* Finish the poll that is running without bytes: `return caw_reader_finish(r, 0, out);` is the end.
 *   poller · no-gil · borrows(r) · never fails · quiet */
static inline caw_poll
caw_reader_finish(caw_reader *r, int status, size_t *out)
{
    r->status = status;
    *out = 0;
    return CAW_READY;
}

/* Cancel the poll that is pending; only when one is. Does nothing where there is no `cancel`.
 *   poller · no-gil · borrows(r) · never fails · calls-user */
CAW_API void caw_reader_cancel(caw_reader *r);

/* Give a reader up, in any state. NULL is allowed.
 *   poller · no-gil · takes(r) · never fails · calls-user */
static inline void
caw_reader_destroy(caw_reader *r)
{
    if (r) {
        r->ops->destroy(r);
    }
}

/* Write once; and end the writing: see caw_writer_ops. A size of 0 is CAW_EINVAL.
 *   poller · no-gil · borrows(w, buffer) · never fails · calls-user */
CAW_API caw_poll caw_writer_poll_write(caw_writer *w, caw_context *cx, const void *buffer, size_t size, size_t *out);
CAW_API caw_poll caw_writer_poll_close(caw_writer *w, caw_context *cx);

/* Finish the poll_write that is running with an error.
 *   poller · no-gil · borrows(w) · never fails · quiet */
static inline caw_poll
caw_writer_finish(caw_writer *w, int status, size_t *out)
{
    w->status = status;
    *out = 0;
    return CAW_READY;
}

/* Cancel the poll that is pending; only when one is. Does nothing where there is no `cancel`.
 *   poller · no-gil · borrows(w) · never fails · calls-user */
CAW_API void caw_writer_cancel(caw_writer *w);

/* Give a writer up, in any state. NULL is allowed.
 *   poller · no-gil · takes(w) · never fails · calls-user */
static inline void
caw_writer_destroy(caw_writer *w)
{
    if (w) {
        w->ops->destroy(w);
    }
}

/* Make the future of one read. It may be made again for the next, once it was destroyed. To give it up while it is
 * pending leaves the reader as it is. A size of 0 is CAW_EINVAL.
 *   init · no-gil · borrows(read, reader, buffer) · never fails · quiet */
CAW_API void caw_read_init(caw_read_op *read, caw_reader *reader, void *buffer, size_t size);

/* Make the future that writes all of it. A size of 0 is ready at once. When it ends with an error, or is given up,
 * `length` says how many bytes were taken; besides, some may have been that the writer could not count.
 *   init · no-gil · borrows(write, writer, buffer) · never fails · quiet */
CAW_API void caw_write_init(caw_write_op *write, caw_writer *writer, const void *buffer, size_t size);

/* Make the future that ends the writing.
 *   init · no-gil · borrows(close, writer) · never fails · quiet */
CAW_API void caw_close_init(caw_close_op *close, caw_writer *writer);

/* What can be read from a file descriptor: a pipe, a socket, a terminal, a file. Ends with 0 at the end of the file, or
 * with -errno. The fd stays yours; it must stay open until the reader is destroyed, and is best non-blocking. A
 * blocking one is read only when it says that it is readable: that nobody else reads it is then your part. A regular
 * file is read at once, and its disk is waited for.
 *   any-thread · no-gil · - · returns-new, NULL when out of memory · quiet */
CAW_API caw_reader *caw_reader_from_fd(int fd);

/* The same for writing. To close it shuts a socket down, so that its other end comes to the end; anything else ends
 * when you close the fd. A socket whose other end is gone gives -EPIPE, without a signal. A pipe does too, but the
 * system sends SIGPIPE first, which your program has to ignore; Python does. To a blocking pipe or terminal few bytes
 * are written at a time, so that the thread does not sleep.
 *   any-thread · no-gil · - · returns-new, NULL when out of memory · quiet */
CAW_API caw_writer *caw_writer_from_fd(int fd);

CAW_END_DECLS

#endif
