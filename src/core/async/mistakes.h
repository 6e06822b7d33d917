/* mistakes.h: the flags of a frame, and running its body; with checks in a debug build. */
#ifndef CAWAIT_CORE_ASYNC_MISTAKES_H
#define CAWAIT_CORE_ASYNC_MISTAKES_H

#include "cawait/async.h"

CAW__INTERNAL_BEGIN

/* The point of a function that has ended. */
extern const caw_point caw__async_end;

/* The table of a frame.
 *   any-thread · no-gil · returns-borrowed · never fails · quiet */
static inline const caw_async_ops *
caw__async_ops_of(const caw_async *a)
{
    return CAW_CONTAINER_OF(a->future.ops, const caw_async_ops, future);
}

/* Set all flags; and some in addition.
 *   poller · no-gil · borrows(a) · never fails · quiet */
static inline void
caw__async_set_flags(caw_async *a, uint32_t flags)
{
    atomic_store_explicit(&a->future.word, flags, memory_order_relaxed); /* relaxed: the poller's alone */
}

static inline void
caw__async_add_flags(caw_async *a, uint32_t flags)
{
    caw__async_set_flags(a, caw__async_flags(a) | flags);
}

#ifndef NDEBUG

/* Run the body from where it is.
 *   poller · no-gil · borrows(a, cx) · never fails · calls-user */
caw_step caw__async_run(caw_async *a, caw_context *cx);

/* Abort where it runs; or where it has ended, unless `ended` is NULL. The texts go behind its name.
 *   poller · no-gil · borrows(all) · never fails · quiet */
void caw__async_check(const caw_async *a, const char *running, const char *ended);

/* Abort where the awaited future is a local variable of the body.
 *   poller · no-gil · borrows(a, f) · never fails · quiet */
void caw__async_check_child(const caw_async *a, const caw_future *f);

/* A frame in the caller's memory was destroyed: until it is made again, its use aborts.
 *   poller · no-gil · borrows(a) · never fails · quiet */
void caw__async_mark_destroyed(caw_async *a);

#else

static inline caw_step
caw__async_run(caw_async *a, caw_context *cx)
{
    return caw__async_ops_of(a)->run(a, cx);
}

static inline void
caw__async_check(const caw_async *a, const char *running, const char *ended)
{
    (void)a;
    (void)running;
    (void)ended;
}

static inline void
caw__async_check_child(const caw_async *a, const caw_future *f)
{
    (void)a;
    (void)f;
}

static inline void
caw__async_mark_destroyed(caw_async *a)
{
    (void)a;
}

#endif

CAW__INTERNAL_END

#endif
