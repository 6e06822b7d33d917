/* cawait/async.h: functions that suspend: `async def` in C.
 *
 * Such a function is a struct and a body. The struct is its frame: first a caw_async, then the arguments, then whatever
 * has to live across an await. The body is an ordinary C function with two blocks, the second of which may be left out:
 *
 *     typedef struct fetch {
 *         caw_async async;
 *         int fd;               // an argument
 *         size_t length;        // what it returns
 *         char buffer[512];
 *     } fetch;
 *
 *     CAW_ASYNC_FUNCTION(fetch)
 *
 *     static caw_step
 *     fetch_run(fetch *self, caw_context *cx)
 *     {
 *         CAW_ROUTINE (&self->async, cx) {
 *             CAW_AWAIT(caw_sleep(10 * 1000000));
 *             CAW_AWAIT(caw_readable(self->fd));
 *             ssize_t n = read(self->fd, self->buffer, sizeof self->buffer);
 *             CAW_TRY(n < 0 ? -errno : 0);
 *             self->length = (size_t)n;
 *         }
 *         CAW_FINALLY {
 *             close(self->fd);
 *         }
 *     }
 *
 *     caw_future *f = CAW_ASYNC_NEW(fetch, .fd = fd);
 *
 * It is a future as any other; the frame of another such function may hold its own. The words:
 *
 *     CAW_AWAIT(f)                   wait; then destroy f. An error leaves for the final part
 *     CAW_AWAIT_STATUS(status, f)    the same, but an error is only stored
 *     CAW_AWAIT_REF(f)               wait; f stays yours, its result can be read, the final part destroys it
 *     CAW_AWAIT_REF_STATUS(status, f)
 *     CAW_TRY(status)                leave for the final part if it is negative
 *     CAW_RETURN(status)             leave
 *     CAW_YIELD(item)                give an item, in a generator
 *
 * What holds:
 *
 * 1. A frame owns its arguments from its making. The final part runs exactly once in each frame's life: after a return,
 *    an error and a cancel, when it is destroyed, also before its first poll, and when CAW_ASYNC_NEW has no memory. So
 *    what is to be released is released there, and only there; written so that it is right for a frame in which nothing
 *    has happened yet.
 * 2. A cancel is passed on, once, to the child that is awaited now, and the function goes on when that has ended. If it
 *    ends with CAW_ECANCELED, control goes to the final part, also from the _STATUS words. Its value, or another error,
 *    is delivered as ever: nothing is lost.
 * 3. In a cancelled body no further await begins: its future is destroyed, and control goes to the final part. A body
 *    that was cancelled before its first poll does not run. One that ends without another await has its own status.
 * 4. The final part is shielded: it may await, and a cancel that comes now changes nothing.
 * 5. In the final part nothing jumps: an await or CAW_TRY that fails goes on with the next statement. The first error
 *    is kept, and is the status if the body had none. CAW_RETURN ends it. `self->async.future.status` is the status so
 *    far.
 * 6. Destroy does not wait: the awaited child is destroyed, and the final part, or the rest of it, runs at once. Each
 *    await in it ends with CAW_ECANCELED, its future destroyed; `cx` is NULL. So a cleanup that must not be left out
 *    awaits nothing. An exception of Python that it has set for an await, a yield or CAW_TRY is dropped.
 * 7. Memory that others write to is not in the frame, for it goes with the frame: a caw_work or a caw_promise has an
 *    allocation of its own. What ends when it is destroyed may be in it: another frame, a caw_next_op, a lock.
 * 8. The result is the status, and fields of the frame. A value that nobody took is released by `fini`, which is called
 *    when the frame is destroyed (CAW_ASYNC_FUNCTION_FINI): the final part ran long before.
 * 9. A frame belongs to no thread: each poll may be on another one. Nothing but `self` and `cx` is kept for the body.
 *
 * A local variable does not live across an await. The compilers see most such mistakes: GCC with -Wmaybe-uninitialized
 * and optimisation, Clang with -Wconditional-uninitialized, and `gcc -DCAW_ASYNC_SWITCH -Wjump-misses-init
 * -fsyntax-only` each one with an initialiser. A debug build (without NDEBUG) overwrites the stack that locals would be
 * in before it goes on, and aborts, with the function's name, when a function is polled while it runs or after its end,
 * destroyed twice, or awaits a future that is a local.
 *
 * Nothing but the two blocks stands in such a function. `break` out of a block is a warning; `continue` out of a block
 * ends it, as if its last statement had been reached. `goto`, loops and `switch` inside a block are free. Where there
 * is no computed goto (CAW_ASYNC_SWITCH, which is also for the check above), an await inside a `switch` of yours aborts
 * when it is resumed. A resume goes through all functions that wait for each other, outermost first: so a chain of
 * 20 000 is near the end of a usual stack.
 */
#ifndef CAWAIT_ASYNC_H
#define CAWAIT_ASYNC_H

#include "cawait/async_frame.h"

CAW_BEGIN_DECLS

/* Private: what the words do where that is not usual.
 *   poller · no-gil · borrows(a, point, cx), takes(f, item) · never fails · calls-user */
CAW_API int caw__routine_leave(caw_async *a, int status);
CAW_API int caw__routine_end_block(caw_async *a);
CAW_API int caw__routine_return(caw_async *a, int status, const caw_context *cx);
CAW_API bool caw__routine_fails(caw_async *a, int status, const caw_point *point, const caw_context *cx);
CAW_API int caw__await_begin_slow(caw_async *a, caw_future *f, const caw_point *point, const caw_context *cx);
CAW_API int caw__await_ended(caw_async *a, const caw_point *point, int poll, const caw_context *cx);
CAW_API int caw__yield_begin(caw_generator *g, caw_item *item, const caw_point *point, const caw_context *cx);
CAW_API int caw__yield_end(caw_async *a);
CAW_API void caw__routine_no_such_point(const caw_async *a);

CAW_END_DECLS

/* Private: the flags. */
enum {
    CAW__ASYNC_CANCELLED = 1, /* asked to stop */
    CAW__ASYNC_FINAL = 2,     /* in the final part */
    CAW__ASYNC_DROPPED = 4,   /* being destroyed */
    CAW__ASYNC_HEAP = 8,
    CAW__ASYNC_RUNNING = 16 /* in debug builds */
};
enum { CAW__AT_BODY, CAW__AT_FINALLY, CAW__AT_POINT, CAW__AT_END }; /* what follows in a body */
enum { CAW__WAITS = 1, CAW__LEAVES = 2 };                           /* what is returned beside 0 and a status */

/* On the stack of a body that runs. */
typedef struct caw__routine {
    caw_async *async;
    caw_context *cx;
    int at;
} caw__routine;

typedef struct caw__generator_routine {
    caw_async *async;
    caw_context *cx;
    caw_generator *generator;
    int at;
} caw__generator_routine;

/* --- private: what the words do where that is usual --- */

/* What a body returns.
 *   any-thread · no-gil · - · never fails · quiet */
static inline caw_step
caw__step(int ended)
{
    caw_step step = {ended};
    return step;
}

/* The flags.
 *   poller · no-gil · borrows(a) · never fails · quiet */
static inline uint32_t
caw__async_flags(const caw_async *a)
{
#ifdef __cplusplus
    return std::atomic_load_explicit(&a->future.word, std::memory_order_relaxed);
#else
    return atomic_load_explicit(&a->future.word, memory_order_relaxed); /* relaxed: the poller's alone */
#endif
}

/* What comes next.
 *   poller · no-gil · borrows(a) · never fails · quiet */
static inline int
caw__routine_at(const caw_async *a)
{
    if (a->point) {
        return CAW__AT_POINT;
    }
    return caw__async_flags(a) & CAW__ASYNC_FINAL ? CAW__AT_FINALLY : CAW__AT_BODY;
}

/* The beginning of a body.
 *   poller · no-gil · borrows(a, cx) · never fails · quiet */
static inline caw__routine
caw__routine_enter(caw_async *a, caw_context *cx)
{
    caw__routine routine = {a, cx, caw__routine_at(a)};
    return routine;
}

/* The same of a generator.
 *   poller · no-gil · borrows(g, cx) · never fails · quiet */
static inline caw__generator_routine
caw__generator_enter(caw_generator *g, caw_context *cx)
{
    caw__generator_routine routine = {&g->async, cx, g, caw__routine_at(&g->async)};
    return routine;
}

/* Begin to wait, where that is usual. Else, and in a debug build, caw__await_begin_slow sees to it.
 *   poller · no-gil · borrows(a, point), takes(f) where it returns true · never fails · quiet */
static inline bool
caw__await_begins(caw_async *a, caw_future *f, const caw_point *point)
{
#ifdef NDEBUG
    if (f && !(caw__async_flags(a) & (CAW__ASYNC_CANCELLED | CAW__ASYNC_FINAL))) {
        a->point = point;
        a->child = f;
        return true;
    }
#else
    (void)a;
    (void)f;
    (void)point;
#endif
    return false;
}

/* Poll the child: its caw_poll, or what it returns in place of one.
 *   poller · no-gil · borrows(a, cx) · never fails · calls-user */
static inline int
caw__await_poll(const caw_async *a, caw_context *cx)
{
    return CAW__INT(a->child->ops->poll(a->child, cx));
}

/* Whether the child, which is not pending, has ended well; then it is gone. Else caw__await_ended sees to it. In a
 * debug build it is always the latter.
 *   poller · no-gil · borrows(a, point) · never fails · calls-user */
static inline bool
caw__await_done(caw_async *a, const caw_point *point, int poll)
{
#ifdef NDEBUG
    caw_future *f = a->child;
    if (((poll ^ CAW_READY) | f->status) == 0) {
        a->child = NULL;
        if (!point->borrows) {
            f->ops->destroy(f);
        }
        return true;
    }
#else
    (void)a;
    (void)point;
    (void)poll;
#endif
    return false;
}

/* --- the blocks --- */

/* Both blocks are one statement, a `for` without an end: so the compiler sees that the function returns nowhere but in
 * the words, and warns where a `break` leaves a block. `at` says what comes: the body, the final part, the place where
 * the function was suspended, or the end. */
#if CAW__ASYNC_GOTO
#  define CAW__BLOCKS                                                                                                  \
  caw_next:                                                                                                            \
      if (caw_.at == CAW__AT_END) {                                                                                    \
          (void)CAW__EXTENSION &&caw_next; /* Clang wants a label with an address where there is a `goto *` */         \
          return caw__step(1);                                                                                         \
      }                                                                                                                \
      else if (caw_.at == CAW__AT_POINT) {                                                                             \
          CAW__EXTENSION({ goto *caw_.async->point->resume; });                                                        \
      }                                                                                                                \
      else if (caw_.at == CAW__AT_BODY)
#  define CAW__RESUME(id)  CAW__JOIN(caw_resume_, id)
#  define CAW__ADDRESS(id) CAW__EXTENSION &&CAW__JOIN(caw_resume_, id)
#  define CAW__NO_ADDRESS  NULL
#else
#  define CAW__BLOCKS                                                                                                  \
  caw_next:                                                                                                            \
      switch (caw_.at == CAW__AT_POINT ? caw_.async->point->resume : caw_.at)                                          \
      default:                                                                                                         \
          if (caw_.at == CAW__AT_END) {                                                                                \
              if (0) {                                                                                                 \
                  goto caw_next; /* a body without awaits has no other use of the label */                             \
              }                                                                                                        \
              return caw__step(1);                                                                                     \
          }                                                                                                            \
          else if (caw_.at == CAW__AT_POINT) {                                                                         \
              caw__routine_no_such_point(caw_.async);                                                                  \
          }                                                                                                            \
          else if (caw_.at == CAW__AT_BODY)
#  define CAW__RESUME(id)  case (id) + 16
#  define CAW__ADDRESS(id) (id) + 16
#  define CAW__NO_ADDRESS  0
#endif
#define CAW__JOIN_(a, b) a##b
#define CAW__JOIN(a, b)  CAW__JOIN_(a, b)
#define CAW_ROUTINE(async_, cx_)                                                                                       \
    for (caw__routine caw_ = caw__routine_enter((async_), (cx_));; caw_.at = caw__routine_end_block(caw_.async))       \
    CAW__BLOCKS
#define CAW_GENERATOR(generator_, cx_)                                                                                 \
    for (caw__generator_routine caw_ = caw__generator_enter((generator_), (cx_));;                                     \
         caw_.at = caw__routine_end_block(caw_.async))                                                                 \
    CAW__BLOCKS
#define CAW_FINALLY else

/* --- the words --- */

/* Each await has a constant of its own, and a label that the constant has the address of. Declared, then assigned: a
 * jump over an initialiser is what the check for locals looks for. `done_` is done after an await that has ended well;
 * the `break` is there because Clang 14 would look at caw_status three times without it. */
#define CAW__AWAIT(id, f_, borrows_, text_, done_, fails_)                                                             \
    do {                                                                                                               \
        static const caw_point caw_here = {CAW__ADDRESS(id), __FILE__, text_, __LINE__, borrows_};                     \
        caw_future *caw_awaited;                                                                                       \
        int caw_status;                                                                                                \
        caw_awaited = (f_);                                                                                            \
        if (caw__await_begins(caw_.async, caw_awaited, &caw_here) ||                                                   \
            (caw_status = caw__await_begin_slow(caw_.async, caw_awaited, &caw_here, caw_.cx)) == 0) {                  \
            if (0) {                                                                                                   \
                CAW__RESUME(id) :;                                                                                     \
            }                                                                                                          \
            caw_status = caw__await_poll(caw_.async, caw_.cx);                                                         \
            if (caw_status == CAW_PENDING) {                                                                           \
                return caw__step(0);                                                                                   \
            }                                                                                                          \
            if (caw__await_done(caw_.async, &caw_here, caw_status)) {                                                  \
                done_;                                                                                                 \
                break;                                                                                                 \
            }                                                                                                          \
            caw_status = caw__await_ended(caw_.async, &caw_here, caw_status, caw_.cx);                                 \
        }                                                                                                              \
        CAW__LEAVE_IF(caw_status == CAW__LEAVES || (fails_));                                                          \
    } while (0)
#define CAW__LEAVE_IF(condition)                                                                                       \
    if (condition) {                                                                                                   \
        caw_.at = CAW__AT_FINALLY;                                                                                     \
        goto caw_next;                                                                                                 \
    }
#define CAW__FAILS (caw_status < 0 && caw__routine_fails(caw_.async, caw_status, &caw_here, caw_.cx))

/* Wait for a future, and destroy it when it is ready. Takes it, also where it is not awaited (laws 3 and 6). NULL is
 * CAW_ENOMEM, or the Python exception that is set: so a call that makes a future goes straight inside. An error leaves
 * for the final part. With `return` and `goto` in it, as all of these. */
#define CAW_AWAIT(f) CAW__AWAIT(__COUNTER__, f, false, #f, (void)0, CAW__FAILS)
/* The same, but an error is only stored in `status`, an int variable. A cancellation of this function leaves all the
 * same. */
#define CAW_AWAIT_STATUS(status, f) CAW__AWAIT(__COUNTER__, f, false, #f, (status) = 0, ((status) = caw_status, 0))
/* The same two for a future that stays yours. */
#define CAW_AWAIT_REF(f)                CAW__AWAIT(__COUNTER__, f, true, #f, (void)0, CAW__FAILS)
#define CAW_AWAIT_REF_STATUS(status, f) CAW__AWAIT(__COUNTER__, f, true, #f, (status) = 0, ((status) = caw_status, 0))

/* Leave for the final part, or the final part for good, with this status. */
#define CAW_RETURN(status)                                                                                             \
    do {                                                                                                               \
        caw_.at = caw__routine_return(caw_.async, (status), caw_.cx);                                                  \
        goto caw_next;                                                                                                 \
    } while (0)
/* Leave for the final part if the status is negative. */
#define CAW_TRY(status)                                                                                                \
    do {                                                                                                               \
        static const caw_point caw_here = {CAW__NO_ADDRESS, __FILE__, #status, __LINE__, false};                       \
        int caw_status;                                                                                                \
        caw_status = (status);                                                                                         \
        CAW__LEAVE_IF(CAW__FAILS);                                                                                     \
    } while (0)

/* In a generator: give an item to whoever polls the stream, and go on when the next one is wanted. Takes it; NULL is
 * CAW_ENOMEM, or the Python exception that is set. Where nobody wants it any more, it is destroyed, and control goes to
 * the final part. */
#define CAW_YIELD(item) CAW__YIELD(__COUNTER__, item)
#define CAW__YIELD(id, item_)                                                                                          \
    do {                                                                                                               \
        static const caw_point caw_here = {CAW__ADDRESS(id), __FILE__, "yield " #item_, __LINE__, false};              \
        int caw_status;                                                                                                \
        caw_status = caw__yield_begin(caw_.generator, (item_), &caw_here, caw_.cx);                                    \
        if (caw_status == CAW__WAITS) {                                                                                \
            return caw__step(0);                                                                                       \
        }                                                                                                              \
        if (0) {                                                                                                       \
            CAW__RESUME(id) : caw_status = caw__yield_end(caw_.async);                                                 \
        }                                                                                                              \
        CAW__LEAVE_IF(caw_status == CAW__LEAVES || CAW__FAILS);                                                        \
    } while (0)

#endif
