# Streams, channels and bytes of the core. See cawait/__init__.pxd.
#
# Unless a group says something else: any thread, no GIL, and the functions that make a stream, a reader or a writer
# return a new one, which is NULL when out of memory.
from libc.stdint cimport uint32_t, uint64_t
from cawait.core cimport _bool, caw_context, caw_future, caw_poll, caw_pool

cdef extern from "<cawait.h>" nogil:
    # --- stream.h. An item is a struct of yours with a caw_item as its first member. Who has it owns it; its `destroy`
    # runs on any thread, without the GIL. Streams are polled, cancelled and destroyed by one owner at a time.
    ctypedef struct caw_item:
        caw_item *next
        void (*destroy)(caw_item *item) noexcept nogil
    ctypedef struct caw_stream
    ctypedef struct caw_stream_ops:
        const char *name
        caw_poll (*poll_next)(caw_stream *s, caw_context *cx, caw_item **out) noexcept nogil
        void (*cancel)(caw_stream *s) noexcept nogil
        void (*destroy)(caw_stream *s) noexcept nogil
        size_t (*take_ready)(caw_stream *s, size_t most, caw_item **first) noexcept nogil
    ctypedef struct caw_stream:
        const caw_stream_ops *ops
        int status
    ctypedef struct caw_next_op:
        caw_future future
        caw_stream *stream
        caw_item *item  # take it by writing NULL
    ctypedef struct caw_bytes_item:
        caw_item item
        size_t length
        char data[]  # `length` of them
    ctypedef struct caw_chunk_item:
        caw_item item
        caw_item *first
        size_t length
    void caw_stream_init(caw_stream *s, const caw_stream_ops *ops)
    caw_poll caw_stream_finish(caw_stream *s, int status, caw_item **out)
    caw_poll caw_stream_poll_next(caw_stream *s, caw_context *cx, caw_item **out)
    size_t caw_stream_take_ready(caw_stream *s, size_t most, caw_item **first)
    void caw_stream_cancel(caw_stream *s)
    void caw_stream_destroy(caw_stream *s)
    void caw_item_destroy(caw_item *item)
    void caw_item_destroy_all(caw_item *first)
    void caw_next_init(caw_next_op *next, caw_stream *stream)
    caw_item *caw_box_new(void *value, void (*free_)(void *value) noexcept nogil)
    void *caw_box_value(const caw_item *item)
    caw_bytes_item *caw_bytes_new(const void *data, size_t length)
    # Streams are taken, also on failure; `user` likewise. `map` takes the item, and is called in a poll.
    caw_stream *caw_stream_map(caw_stream *stream, int (*map)(void *user, caw_item *item, caw_item **out) noexcept nogil,
                               void *user, void (*free_)(void *user) noexcept nogil)
    caw_stream *caw_stream_take(caw_stream *stream, size_t n)
    caw_stream *caw_stream_merge(caw_stream *const *streams, size_t n)
    caw_stream *caw_stream_chunk(caw_stream *stream, size_t n)
    caw_stream *caw_stream_from_fd(int fd, size_t size)

    # --- channel.h. References are the producers', the stream is the consumer's. Callbacks run on whatever thread sends
    # or receives, `free` on the one that ends last. caw_channel_send sleeps where the channel is full: for native
    # threads and calls of a pool, never with the GIL. Items are taken; by caw_channel_try_send not on failure.
    ctypedef struct caw_channel:
        pass
    ctypedef struct caw_channel_spec:
        size_t capacity
        int (*start)(caw_channel *channel, void *user) noexcept nogil  # takes the reference if it returns 0
        void (*pause)(void *user) noexcept nogil
        void (*resume)(void *user) noexcept nogil
        size_t high
        size_t low
        void (*cancel)(void *user) noexcept nogil
        void (*free)(void *user) noexcept nogil
        void *user
    ctypedef struct caw_send_op:
        caw_future future
    int caw_channel_new(const caw_channel_spec *spec, caw_channel **out)
    caw_channel *caw_channel_retain(caw_channel *channel)
    void caw_channel_release(caw_channel *channel)
    caw_stream *caw_channel_stream(caw_channel *channel)
    int caw_channel_send(caw_channel *channel, caw_item *item)
    int caw_channel_try_send(caw_channel *channel, caw_item *item)
    void caw_send_init(caw_send_op *send, caw_channel *channel, caw_item *item)
    caw_item *caw_send_reclaim(caw_send_op *send)
    _bool caw_channel_close(caw_channel *channel, int status)
    size_t caw_channel_length(const caw_channel *channel)

    # --- interval.h. Items are caw_tick_item.
    ctypedef enum caw_missed_ticks:
        CAW_TICKS_BURST
        CAW_TICKS_DELAY
        CAW_TICKS_SKIP
    ctypedef struct caw_tick_item:
        caw_item item
        uint64_t due_ns
        uint64_t late_ns
        uint64_t missed
    caw_stream *caw_interval(uint64_t period_ns, caw_missed_ticks missed)
    caw_stream *caw_interval_at(uint64_t first_ns, uint64_t period_ns, caw_missed_ticks missed)
    uint64_t caw_interval_missed(const caw_stream *ticks)

    # --- process.h. Items are caw_signal_item.
    ctypedef struct caw_signal_item:
        caw_item item
        int number
        uint32_t count
    caw_stream *caw_signal(int number)

    # --- file.h. Read and written by workers; bytes and files are counted, no buffer of yours is used.
    ctypedef struct caw_file:
        pass
    caw_file *caw_file_new(int fd)  # takes the fd
    caw_file *caw_file_retain(caw_file *file)
    void caw_file_release(caw_file *file)
    int caw_file_fd(const caw_file *file)
    caw_future *caw_file_read(caw_pool *pool, caw_file *file, uint64_t offset, size_t size)
    caw_bytes_item *caw_file_read_take(caw_future *f)
    caw_future *caw_file_write(caw_pool *pool, caw_file *file, uint64_t offset, caw_bytes_item *bytes)
    size_t caw_file_write_count(const caw_future *f)
    caw_future *caw_file_sync(caw_pool *pool, caw_file *file)
    caw_future *caw_file_sync_data(caw_pool *pool, caw_file *file)

    # --- exchange.h. A oneshot, its sender and a watch are in your memory, and do not move. Sent items are taken, also
    # on failure. A reader of a broadcast gives caw_broadcast_item, whose value is borrowed.
    ctypedef struct caw_oneshot_sender:
        pass
    ctypedef struct caw_oneshot:
        caw_future future
        caw_item *item  # take it by writing NULL
    ctypedef struct caw_watch:
        pass
    ctypedef struct caw_watch_op:
        caw_future future
    ctypedef struct caw_broadcast:
        pass
    ctypedef struct caw_broadcast_item:
        caw_item item
        const caw_item *value
        uint64_t missed
    caw_future *caw_oneshot_init(caw_oneshot *oneshot, caw_oneshot_sender *sender)
    int caw_oneshot_send(caw_oneshot_sender *sender, caw_item *item)
    void caw_oneshot_drop(caw_oneshot_sender *sender)
    _bool caw_oneshot_is_abandoned(const caw_oneshot_sender *sender)
    void caw_watch_init(caw_watch *watch, void *value, size_t size)
    void caw_watch_fini(caw_watch *watch)
    uint64_t caw_watch_set(caw_watch *watch, const void *value)
    uint64_t caw_watch_get(const caw_watch *watch, void *out)
    caw_future *caw_watch_changed(caw_watch_op *op, caw_watch *watch, uint64_t seen)
    int caw_broadcast_new(size_t capacity, caw_broadcast **out)
    caw_broadcast *caw_broadcast_retain(caw_broadcast *b)
    void caw_broadcast_release(caw_broadcast *b)
    caw_stream *caw_broadcast_reader(caw_broadcast *b)
    int caw_broadcast_send(caw_broadcast *b, caw_item *item)
    _bool caw_broadcast_close(caw_broadcast *b, int status)

    # --- bytes.h. Polled, cancelled and destroyed by one owner at a time. A buffer is used in polls only.
    ctypedef struct caw_reader
    ctypedef struct caw_reader_ops:
        const char *name
        caw_poll (*poll_read)(caw_reader *r, caw_context *cx, void *buffer, size_t size, size_t *out) noexcept nogil
        void (*cancel)(caw_reader *r) noexcept nogil
        void (*destroy)(caw_reader *r) noexcept nogil
    ctypedef struct caw_reader:
        const caw_reader_ops *ops
        int status
    ctypedef struct caw_writer
    ctypedef struct caw_writer_ops:
        const char *name
        caw_poll (*poll_write)(caw_writer *w, caw_context *cx, const void *buffer, size_t size,
                               size_t *out) noexcept nogil
        caw_poll (*poll_close)(caw_writer *w, caw_context *cx) noexcept nogil
        void (*cancel)(caw_writer *w) noexcept nogil
        void (*destroy)(caw_writer *w) noexcept nogil
    ctypedef struct caw_writer:
        const caw_writer_ops *ops
        int status
    ctypedef struct caw_read_op:
        caw_future future
        caw_reader *reader
        void *buffer
        size_t size
        size_t length
    ctypedef struct caw_write_op:
        caw_future future
        caw_writer *writer
        const char *buffer
        size_t size
        size_t length
    ctypedef struct caw_close_op:
        caw_future future
        caw_writer *writer
    void caw_reader_init(caw_reader *r, const caw_reader_ops *ops)
    void caw_writer_init(caw_writer *w, const caw_writer_ops *ops)
    caw_poll caw_reader_poll_read(caw_reader *r, caw_context *cx, void *buffer, size_t size, size_t *out)
    caw_poll caw_reader_finish(caw_reader *r, int status, size_t *out)
    void caw_reader_cancel(caw_reader *r)
    void caw_reader_destroy(caw_reader *r)
    caw_poll caw_writer_poll_write(caw_writer *w, caw_context *cx, const void *buffer, size_t size, size_t *out)
    caw_poll caw_writer_poll_close(caw_writer *w, caw_context *cx)
    caw_poll caw_writer_finish(caw_writer *w, int status, size_t *out)
    void caw_writer_cancel(caw_writer *w)
    void caw_writer_destroy(caw_writer *w)
    void caw_read_init(caw_read_op *read, caw_reader *reader, void *buffer, size_t size)
    void caw_write_init(caw_write_op *write, caw_writer *writer, const void *buffer, size_t size)
    void caw_close_init(caw_close_op *close, caw_writer *writer)
    caw_reader *caw_reader_from_fd(int fd)
    caw_writer *caw_writer_from_fd(int fd)
