/* user.h: code that uses the core's headers as an author would, in C and in C++, with each macro and each inline
 * function. tools/check.py compiles it with every compiler in every standard, with all warnings. It is never run. */
#ifndef CAWAIT_TESTS_HEADERS_USER_H
#define CAWAIT_TESTS_HEADERS_USER_H

#include <cawait_testing.h>

/* --- a future --- */

typedef struct user_future {
    int count; /* so that the future is not the first member */
    caw_future future;
} user_future;

static caw_poll
user_poll(caw_future *f, caw_context *cx)
{
    user_future *u = CAW_CONTAINER_OF(f, user_future, future);
    int error = 0;
    if (u->count++ == 0) {
        caw_waker kept = caw_waker_clone(cx->waker), none = CAW_WAKER_NONE;
        bool same = caw_waker_same(kept, none);
        caw_waker_wake_by_ref(cx->waker);
        caw_waker_drop(kept);
        caw_waker_wake(none);
        return same ? CAW_READY : CAW_PENDING;
    }
    return caw_future_finish(f, caw_context_reactor(cx, &error) ? 0 : error);
}

static void
user_cancel(caw_future *f)
{
    const caw_future *read_only = f;
    const user_future *u = CAW_CONTAINER_OF(read_only, const user_future, future);
    f->status = u->count > 0 ? 0 : CAW_ECANCELED;
}

static void
user_destroy(caw_future *f)
{
    f->status = CAW_ECLOSED;
}

static const caw_future_ops user_ops = {"user", user_poll, user_cancel, user_destroy};

static inline int
user_runs(caw_context *cx)
{
    user_future u;
    u.count = 0;
    caw_future_init(&u.future, &user_ops);
    if (caw_future_poll(&u.future, cx) == CAW_PENDING) {
        caw_future_cancel(&u.future);
    }
    caw_future_destroy(&u.future);
    return caw_block_on(&u.future);
}

/* --- futures made of others --- */

static caw_future *
user_next(void *user, caw_future *done)
{
    return caw_ready(user ? done->status : 0);
}

/* Functions that suspend. */
#if !defined(__cplusplus) || __cplusplus >= 201703L

typedef struct user_sum {
    caw_async async;
    caw_stream *numbers;
    caw_next_op next;
    size_t sum;
} user_sum;

CAW_ASYNC_FUNCTION(user_sum)

static caw_step
user_sum_run(user_sum *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        for (;;) {
            caw_next_init(&self->next, self->numbers);
            CAW_AWAIT_REF(&self->next.future);
            if (!self->next.item) {
                CAW_RETURN(0);
            }
            self->sum++;
            caw_future_destroy(&self->next.future);
            CAW_AWAIT(caw_sleep(1));
            CAW_TRY(self->sum > 100 ? CAW_EINVAL : 0);
        }
    }
    CAW_FINALLY
    {
        caw_stream_destroy(self->numbers);
    }
}

typedef struct user_ticks {
    caw_generator generator;
    user_sum kid;
    int status;
} user_ticks;

CAW_GENERATOR_FUNCTION(user_ticks)

static caw_step
user_ticks_run(user_ticks *self, caw_context *cx)
{
    CAW_GENERATOR (&self->generator, cx) {
        CAW_AWAIT_STATUS(self->status,
                         CAW_ASYNC_CALL(&self->kid, user_sum, CAW_ARG(numbers, caw_interval(1, CAW_TICKS_SKIP))));
        CAW_YIELD(caw_box_new(self, NULL));
    }
}

static inline caw_future *
user_suspends(void)
{
    return CAW_ASYNC_NEW(user_sum, CAW_ARG(numbers, CAW_GENERATOR_NEW(user_ticks, CAW_ARG(status, 0))));
}

#else

static inline caw_future *
user_suspends(void)
{
    return NULL;
}

#endif

static inline caw_future *
user_combines(caw_group *group)
{
    caw_future *const both[] = {caw_ready(0), caw_sleep(1)};
    caw_future *f =
        caw_all(caw_all_array(both, 2), caw_race(caw_ready(0), caw_any(caw_ready(1)), caw_group_room(group)));
    f = caw_then(caw_timeout(1000, f), user_next, NULL, NULL);
    return caw_race_winner(f) == SIZE_MAX ? f : caw_child(f, 0);
}

/* --- a promise, and work --- */

typedef struct user_promise {
    caw_promise promise;
    uint64_t result;
} user_promise;

static int
user_start(caw_promise *p)
{
    CAW_CONTAINER_OF(p, user_promise, promise)->result = caw_now_ns();
    if (!caw_promise_abandoned(p)) {
        caw_promise_resolve(p, 0);
    }
    return 0;
}

static int
user_run(caw_work *w)
{
    return caw_work_cancelled(w) ? CAW_ECANCELED : 0;
}

static const caw_promise_ops user_promise_ops = CAW_PROMISE_OPS("user", user_start, NULL);
static const caw_promise_ops user_promise_ops_cancel = CAW_PROMISE_OPS_CANCEL("user", user_start, NULL, NULL);

static inline void
user_inits(user_promise *p, caw_work *w, bool can_cancel)
{
    caw_promise_init(&p->promise, can_cancel ? &user_promise_ops_cancel : &user_promise_ops);
    caw_work_init(w, NULL, user_run, NULL);
}

/* --- streams --- */

typedef struct user_item {
    caw_item item;
    int code;
} user_item;

typedef struct user_stream {
    caw_stream stream;
    user_item item;
} user_stream;

static caw_poll
user_poll_next(caw_stream *s, caw_context *cx, caw_item **out)
{
    user_stream *u = CAW_CONTAINER_OF(s, user_stream, stream);
    if (cx->waker.ops == NULL) {
        return caw_stream_finish(s, -EIO, out);
    }
    u->item.code++;
    *out = &u->item.item;
    return CAW_READY;
}

static void
user_destroy_stream(caw_stream *s)
{
    s->status = CAW_ECLOSED;
}

static size_t
user_take_ready(caw_stream *s, size_t most, caw_item **first)
{
    *first = &CAW_CONTAINER_OF(s, user_stream, stream)->item.item;
    return most > 0 ? 1 : 0;
}

static const caw_stream_ops user_stream_ops = {"user", user_poll_next, NULL, user_destroy_stream, user_take_ready};

static inline void
user_streams(user_stream *u, caw_context *cx)
{
    caw_stream_init(&u->stream, &user_stream_ops);
    caw_item *item = NULL;
    if (caw_stream_poll_next(&u->stream, cx, &item) == CAW_READY && item) {
        int code = CAW_CONTAINER_OF(item, user_item, item)->code;
        caw_item_destroy(code > 0 ? item : NULL);
    }
    if (caw_stream_take_ready(&u->stream, 2, &item) > 0) {
        caw_item_destroy_all(item);
    }
    caw_stream_cancel(&u->stream);
    caw_stream_destroy(&u->stream);
}

/* --- bytes --- */

static caw_poll
user_poll_read(caw_reader *r, caw_context *cx, void *buffer, size_t size, size_t *out)
{
    return cx->place && buffer && size > 0 ? CAW_PENDING : caw_reader_finish(r, 0, out);
}

static caw_poll
user_poll_write(caw_writer *w, caw_context *cx, const void *buffer, size_t size, size_t *out)
{
    return cx->place && buffer && size > 0 ? CAW_PENDING : caw_writer_finish(w, -EPIPE, out);
}

static caw_poll
user_poll_close(caw_writer *w, caw_context *cx)
{
    w->status = cx->place ? 0 : -EPIPE;
    return CAW_READY;
}

static void
user_destroy_reader(caw_reader *r)
{
    r->status = CAW_ECLOSED;
}

static void
user_destroy_writer(caw_writer *w)
{
    w->status = CAW_ECLOSED;
}

static const caw_reader_ops user_reader_ops = {"user", user_poll_read, NULL, user_destroy_reader};
static const caw_writer_ops user_writer_ops = {"user", user_poll_write, user_poll_close, NULL, user_destroy_writer};

static inline void
user_bytes(caw_reader *r, caw_writer *w)
{
    caw_read_op read;
    caw_reader_init(r, &user_reader_ops);
    caw_writer_init(w, &user_writer_ops);
    caw_read_init(&read, r, NULL, 0);
    caw_future_destroy(&read.future);
    caw_reader_destroy(r);
    caw_writer_destroy(w);
}

/* --- what can be waited for --- */

static caw_mutex user_mutex = CAW_MUTEX_INIT;
static caw_semaphore user_semaphore = CAW_SEMAPHORE_INIT(2);
static caw_event user_event = CAW_EVENT_INIT;
static caw_condition user_condition = CAW_CONDITION_INIT;
static caw_barrier user_barrier = CAW_BARRIER_INIT(2);
static caw_once user_once = CAW_ONCE_INIT;

static caw_future *
user_make(void *user)
{
    return caw_ready(user ? 0 : CAW_ENOMEM);
}

static inline void
user_waits(caw_lock *lock, caw_permit *permit)
{
    caw_event_op event;
    caw_condition_op condition;
    caw_barrier_op barrier;
    caw_once_op once;
    (void)caw_block_on(caw_mutex_lock(lock, &user_mutex));
    (void)caw_block_on(caw_semaphore_acquire(permit, &user_semaphore, 1));
    (void)caw_block_on(caw_event_wait(&event, &user_event));
    (void)caw_block_on(caw_condition_wait(&condition, &user_condition, lock));
    (void)caw_block_on(caw_barrier_wait(&barrier, &user_barrier));
    (void)caw_block_on(caw_once_do(&once, &user_once, user_make, &user_once));
    caw_permit_release(permit);
    caw_lock_release(lock);
}

static inline int
user_exchanges(const caw_item *item)
{
    caw_oneshot oneshot;
    caw_oneshot_sender sender;
    int value = 0;
    caw_watch watch;
    caw_watch_init(&watch, &value, sizeof value);
    caw_future_destroy(caw_oneshot_init(&oneshot, &sender));
    caw_oneshot_drop(&sender);
    const caw_broadcast_item *b = CAW_CONTAINER_OF(item, const caw_broadcast_item, item);
    return b->value && b->missed == 0 ? 1 : 0;
}

/* --- the other headers have no code in them --- */

static inline const char *
user_errors(int status)
{
#define USER_ERROR_NAME(code, value, text)                                                                             \
    if (status == code) {                                                                                              \
        return text;                                                                                                   \
    }
    CAW_ERRORS(USER_ERROR_NAME)
#undef USER_ERROR_NAME
    unsigned events = CAW_READABLE | CAW_WRITABLE;
    return status + CAW_VERSION_MAJOR > 0 && events == 3u ? CAW_VERSION : caw_error_text(status);
}

static inline int
user_uses_all(caw_context *cx, user_promise *p, caw_work *w, user_stream *s)
{
    caw_reader r;
    caw_writer out;
    user_inits(p, w, true);
    user_streams(s, cx);
    user_bytes(&r, &out);
    caw_future_destroy(user_combines(NULL));
    caw_future_destroy(user_suspends());
    caw_lock lock;
    caw_permit permit;
    user_waits(&lock, &permit);
    if (user_exchanges(&s->item.item)) {
        return 0;
    }
    return user_errors(user_runs(cx))[0];
}

#endif
