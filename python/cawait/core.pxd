# The core: <cawait/core.h> without streams, which are in cawait.stream. See cawait/__init__.pxd.
#
# Unless a group says something else: any thread, no GIL, and the functions that make a future return a new one, which
# is NULL when out of memory. A NULL future is a MemoryError to what makes a coroutine of it, and an error to what takes
# a child.
from libc.stdint cimport int64_t, uint64_t

cdef extern from *:
    ctypedef bint _bool "bool"

cdef extern from "<cawait.h>" nogil:
    int CAW_VERSION_MAJOR, CAW_VERSION_MINOR, CAW_VERSION_PATCH
    const char *CAW_VERSION

    # --- error.h. A status is 0 or a negative int: -errno, or one of these.
    enum:
        CAW_ECANCELED
        CAW_EINVAL
        CAW_ENOMEM
        CAW_ETIMEDOUT
        CAW_EBADF
        CAW_ECLOSED
        CAW_EBROKEN
        CAW_ENOREACTOR
        CAW_EPYTHON
        CAW_EFORKED
        CAW_EFAILED
        CAW_EDEADLOCK
    const char *caw_error_text(int status)
    const char *caw_error_name(int status)
    int caw_error_from_return(const char *operation, const char *function, int returned)

    # --- waker.h. To keep the waker of a context is to clone it; a wake or a drop uses the clone up.
    ctypedef struct caw_waker_ops:
        void (*clone)(void *data) noexcept nogil
        void (*wake)(void *data) noexcept nogil
        void (*drop)(void *data) noexcept nogil
    ctypedef struct caw_waker:
        const caw_waker_ops *ops
        void *data
    caw_waker CAW_WAKER_NONE
    caw_waker caw_waker_clone(caw_waker waker)
    void caw_waker_wake(caw_waker waker)
    void caw_waker_wake_by_ref(caw_waker waker)
    void caw_waker_drop(caw_waker waker)
    _bool caw_waker_same(caw_waker a, caw_waker b)

    # --- future.h. poll, cancel and destroy: the poller, one at a time. A poll by a coroutine has the GIL, unless its
    # spec says poll_without_gil; a poll by a pool never has it. So poll functions are nogil.
    ctypedef enum caw_poll:
        CAW_PENDING
        CAW_READY
    ctypedef struct caw_reactor:
        pass
    ctypedef struct caw_context:
        caw_waker waker
    ctypedef struct caw_future
    ctypedef struct caw_future_ops:
        const char *name
        caw_poll (*poll)(caw_future *f, caw_context *cx) noexcept nogil
        void (*cancel)(caw_future *f) noexcept nogil
        void (*destroy)(caw_future *f) noexcept nogil
    ctypedef struct caw_future:
        const caw_future_ops *ops
        int status
    void caw_future_init(caw_future *f, const caw_future_ops *ops)
    caw_poll caw_future_finish(caw_future *f, int status)
    caw_poll caw_future_poll(caw_future *f, caw_context *cx)
    void caw_future_cancel(caw_future *f)
    void caw_future_destroy(caw_future *f)
    caw_reactor *caw_context_reactor(const caw_context *cx, int *error)
    int caw_context_now(const caw_context *cx, uint64_t *out_ns)
    caw_future *caw_ready(int status)
    size_t caw_async_trace(const caw_future *f, char *out, size_t size)
    # These two sleep. With the GIL held they end with CAW_EDEADLOCK, and abort in a debug build: write `with nogil:`.
    int caw_block_on(caw_future *f)
    int caw_block_on_for(caw_future *f, uint64_t limit_ns)

    # --- promise.h. Resolved by any thread, without the GIL, exactly once, after `start` returned 0. `free` runs on any
    # thread without the GIL; NULL is free(), for a promise that is the first member of a struct from malloc or calloc.
    ctypedef struct caw_promise
    ctypedef struct caw_promise_ops:
        caw_future_ops future
        int (*start)(caw_promise *p) noexcept nogil
        void (*on_cancel)(caw_promise *p) noexcept nogil
        void (*free)(caw_promise *p) noexcept nogil
    ctypedef struct caw_promise:
        caw_future future
    caw_poll caw_promise_poll(caw_future *f, caw_context *cx)
    void caw_promise_cancel(caw_future *f)
    void caw_promise_destroy(caw_future *f)
    void caw_promise_init(caw_promise *p, const caw_promise_ops *ops)
    void caw_promise_resolve(caw_promise *p, int status)
    _bool caw_promise_abandoned(const caw_promise *p)

    # --- pool.h, serial.h. `run`, `fn`, `interrupt`, `at_end` and all `free`s run on a worker or another thread that
    # never has the GIL. A NULL pool is the default one. `arg` is taken: its free is called once, also on failure.
    ctypedef struct caw_pool:
        pass
    ctypedef struct caw_work:
        caw_promise promise
    ctypedef struct caw_deferred:
        pass
    int caw_pool_new(unsigned threads, caw_pool **out)
    caw_pool *caw_pool_default()
    caw_pool *caw_pool_retain(caw_pool *pool)
    void caw_pool_release(caw_pool *pool)
    void caw_pool_close(caw_pool *pool)  # waits for what runs: `with nogil:`
    void caw_work_init(caw_work *w, caw_pool *pool, int (*run)(caw_work *w) noexcept nogil,
                       void (*free_)(caw_work *w) noexcept nogil)
    _bool caw_work_cancelled(const caw_work *w)
    caw_future *caw_blocking(caw_pool *pool, int (*fn)(void *arg) noexcept nogil, void *arg,
                             void (*free_arg)(void *arg) noexcept nogil)
    caw_future *caw_blocking_copy(caw_pool *pool, int (*fn)(void *arg) noexcept nogil, const void *arg, size_t size)
    void *caw_blocking_arg(const caw_future *f)
    caw_future *caw_finish_at_exit(caw_future *f)
    void caw_defer(caw_pool *pool, caw_deferred *d, void (*run)(caw_deferred *d) noexcept nogil)
    caw_future *caw_spawn(caw_pool *pool, caw_future *child)
    int caw_spawn_detached(caw_pool *pool, caw_future *child)
    void caw_spawn_detach(caw_future *join)
    caw_future *caw_spawn_child(const caw_future *join)

    ctypedef caw_pool caw_serial
    ctypedef struct caw_serial_spec:
        size_t capacity
        _bool refuses
        void (*interrupt)(void *user) noexcept nogil
        int (*at_end)(void *user) noexcept nogil
        void *user
    int caw_serial_new(const caw_serial_spec *spec, caw_serial **out)
    caw_future *caw_serial_close(caw_serial *serial)

    # --- reactor.h. Times are nanoseconds. A turn is one thread's at a time, and waits: `with nogil:`.
    ctypedef enum caw_reactor_kind:
        CAW_REACTOR_DEFAULT
        CAW_REACTOR_EPOLL
        CAW_REACTOR_PORTABLE
    enum:  # a set, as unsigned
        CAW_READABLE
        CAW_WRITABLE
    ctypedef struct caw_fd_source:
        void (*ready)(caw_fd_source *source, unsigned events) noexcept nogil
        void *user
        int fd
        unsigned events
    uint64_t caw_now_ns()
    int caw_reactor_new(caw_reactor_kind kind, caw_reactor **out)
    caw_reactor *caw_reactor_retain(caw_reactor *r)
    void caw_reactor_release(caw_reactor *r)
    void caw_reactor_close(caw_reactor *r)
    int caw_reactor_fd(const caw_reactor *r)
    int caw_reactor_turn(caw_reactor *r, int64_t timeout_ns)
    void caw_reactor_ring(caw_reactor *r)
    int caw_reactor_add(caw_reactor *r, caw_fd_source *source)
    void caw_reactor_remove(caw_reactor *r, caw_fd_source *source)
    caw_future *caw_sleep(uint64_t duration_ns)
    caw_future *caw_sleep_until(uint64_t when_ns)
    caw_future *caw_readable(int fd)
    caw_future *caw_writable(int fd)

    # --- combine.h. Children are taken, also on failure. `user` is taken, its free_ is called once. Callbacks are called
    # in a poll. caw_all(a, b) of C is caw_all_array(both, 2) here, of a `cdef caw_future *both[2]`, which is copied. From
    # Cython 3.3 on it may be written out: caw_all_array([a, b], 2).
    caw_future *caw_all_array(caw_future *const *children, size_t n)
    caw_future *caw_race_array(caw_future *const *children, size_t n)
    caw_future *caw_any_array(caw_future *const *children, size_t n)
    size_t caw_race_winner(const caw_future *race)
    caw_future *caw_timeout(uint64_t duration_ns, caw_future *child)
    caw_future *caw_deadline(uint64_t when_ns, caw_future *child)
    caw_future *caw_shield(caw_future *child)
    caw_future *caw_then(caw_future *child, caw_future *(*next)(void *user, caw_future *done) noexcept nogil,
                         void *user, void (*free_)(void *user) noexcept nogil)
    caw_future *caw_map(caw_future *child, int (*map)(void *user, caw_future *done) noexcept nogil, void *user,
                        void (*free_)(void *user) noexcept nogil)
    caw_future *caw_lazy(caw_future *(*make)(void *user) noexcept nogil, void *user,
                         void (*free_)(void *user) noexcept nogil)
    caw_future *caw_child(const caw_future *combined, size_t i)  # borrowed

    # --- group.h. Members are taken, also on failure; `ended` is called in the owner's poll.
    ctypedef struct caw_group:
        pass
    ctypedef struct caw_group_spec:
        size_t limit
        int (*ended)(void *user, caw_future *member) noexcept nogil
        void (*free)(void *user) noexcept nogil
        void *user
    ctypedef struct caw_group_error:
        const char *name
        int status
    int caw_group_new(const caw_group_spec *spec, caw_group **out, caw_future **future)
    caw_group *caw_group_retain(caw_group *group)
    void caw_group_release(caw_group *group)
    int caw_group_add(caw_group *group, caw_future *member)
    int caw_group_add_body(caw_group *group, caw_future *body)
    void caw_group_close(caw_group *group)
    caw_future *caw_group_room(caw_group *group)
    size_t caw_group_errors(const caw_future *future, caw_group_error *out, size_t n)

    # --- sync.h. Objects and waits are in your memory, and do not move: module variables, or members of a C struct.
    # Start them with their init function; a wait that is all zero bytes may be released.
    ctypedef struct caw_mutex:
        pass
    ctypedef struct caw_semaphore:
        pass
    ctypedef struct caw_event:
        pass
    ctypedef struct caw_condition:
        pass
    ctypedef struct caw_barrier:
        pass
    ctypedef struct caw_once:
        pass
    ctypedef struct caw_lock:
        caw_future future
    ctypedef struct caw_permit:
        caw_future future
        size_t n
    ctypedef struct caw_event_op:
        caw_future future
    ctypedef struct caw_condition_op:
        caw_future future
    ctypedef struct caw_barrier_op:
        caw_future future
        size_t index
    ctypedef struct caw_once_op:
        caw_future future
    void caw_mutex_init(caw_mutex *mutex)
    void caw_mutex_fini(caw_mutex *mutex)
    caw_future *caw_mutex_lock(caw_lock *lock, caw_mutex *mutex)
    int caw_mutex_try_lock(caw_lock *lock, caw_mutex *mutex)
    void caw_lock_release(caw_lock *lock)
    _bool caw_lock_is_held(const caw_lock *lock)
    void caw_semaphore_init(caw_semaphore *semaphore, size_t permits)
    void caw_semaphore_fini(caw_semaphore *semaphore)
    caw_future *caw_semaphore_acquire(caw_permit *permit, caw_semaphore *semaphore, size_t n)
    int caw_semaphore_try_acquire(caw_permit *permit, caw_semaphore *semaphore, size_t n)
    void caw_permit_release(caw_permit *permit)
    void caw_permit_forget(caw_permit *permit)
    void caw_semaphore_add(caw_semaphore *semaphore, size_t n)
    size_t caw_semaphore_available(const caw_semaphore *semaphore)
    void caw_event_init(caw_event *event)
    void caw_event_fini(caw_event *event)
    void caw_event_set(caw_event *event)
    void caw_event_clear(caw_event *event)
    _bool caw_event_is_set(const caw_event *event)
    caw_future *caw_event_wait(caw_event_op *op, caw_event *event)
    void caw_condition_init(caw_condition *condition)
    void caw_condition_fini(caw_condition *condition)
    caw_future *caw_condition_wait(caw_condition_op *op, caw_condition *condition, caw_lock *held)
    void caw_condition_notify_one(caw_condition *condition)
    void caw_condition_notify_all(caw_condition *condition)
    void caw_barrier_init(caw_barrier *barrier, size_t parties)
    void caw_barrier_fini(caw_barrier *barrier)
    caw_future *caw_barrier_wait(caw_barrier_op *op, caw_barrier *barrier)
    void caw_once_init(caw_once *once)
    void caw_once_fini(caw_once *once)
    caw_future *caw_once_do(caw_once_op *op, caw_once *once, caw_future *(*make)(void *user) noexcept nogil,
                            void *user)
    _bool caw_once_is_done(const caw_once *once)

    # --- io.h. Buffers and fds are borrowed until the end of the future, so a buffer is C memory that lives longer than
    # that; what is taken out of a future (_take) is the caller's.
    struct sockaddr:
        pass
    struct addrinfo:
        pass
    caw_future *caw_read(int fd, void *buffer, size_t size)
    caw_future *caw_read_exactly(int fd, void *buffer, size_t size)
    caw_future *caw_write_all(int fd, const void *buffer, size_t size)
    size_t caw_io_count(const caw_future *f)
    caw_future *caw_accept(int fd)
    caw_future *caw_connect(int fd, const sockaddr *address, size_t length)  # takes the fd
    int caw_accept_take(caw_future *f)
    int caw_connect_take(caw_future *f)
    caw_future *caw_getaddrinfo(caw_pool *pool, const char *node, const char *service, const addrinfo *hints)
    addrinfo *caw_getaddrinfo_take(caw_future *f)
    int caw_getaddrinfo_error(const caw_future *f)

    # --- process.h. Signals are a stream: cawait.stream.
    caw_future *caw_process_wait(int pid)
    int caw_process_exit_code(const caw_future *f)
    int caw_process_signal(const caw_future *f)

# The macros of promise.h, as functions: a table for operations that cannot be cancelled, and one for those that can.
# Any thread, no GIL. `name` is a literal.
cdef inline caw_promise_ops CAW_PROMISE_OPS(const char *name, int (*start)(caw_promise *p) noexcept nogil,
                                            void (*free)(caw_promise *p) noexcept nogil) noexcept nogil:
    return CAW_PROMISE_OPS_CANCEL(name, start, NULL, free)

cdef inline caw_promise_ops CAW_PROMISE_OPS_CANCEL(const char *name, int (*start)(caw_promise *p) noexcept nogil,
                                                   void (*on_cancel)(caw_promise *p) noexcept nogil,
                                                   void (*free)(caw_promise *p) noexcept nogil) noexcept nogil:
    cdef caw_promise_ops ops
    ops.future.name = name
    ops.future.poll = caw_promise_poll
    ops.future.cancel = NULL
    if on_cancel is not NULL:
        ops.future.cancel = caw_promise_cancel
    ops.future.destroy = caw_promise_destroy
    ops.start = start
    ops.on_cancel = on_cancel
    ops.free = free
    return ops
