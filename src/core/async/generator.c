/* generator.c: async functions that give items: the same frame, seen as a stream. A poll of the stream runs the
 * function until it yields, waits or ends. */
#include "core/async/failed.h"
#include "core/async/routine.h"

#include "core/os/compiler.h"

/* Out of the bodies also where these are in the same file, as in the joined source: Clang 14 with -g and
 * ThreadSanitizer crashes where it is in a body with `goto *`. */
CAW__APART int
caw__yield_begin(caw_generator *g, caw_item *item, const caw_point *point, const caw_context *cx)
{
    if (caw__async_flags(&g->async) & CAW__ASYNC_CANCELLED) { /* also when it is destroyed */
        if (!item) {
            (void)caw__async_missing(cx); /* nobody else would take the exception */
        }
        caw_item_destroy(item);
        return caw__yield_end(&g->async);
    }
    if (!item) {
        return caw__async_missing(cx);
    }
    if (caw__async_flags(&g->async) & CAW__ASYNC_FINAL) {
        caw__failed_keep_detail(&g->async, cx);
    }
    g->async.point = point;
    g->item = item;
    return CAW__WAITS;
}

CAW__APART int
caw__yield_end(caw_async *a)
{
    uint32_t flags = caw__async_flags(a);
    if (!(flags & CAW__ASYNC_CANCELLED)) {
        return 0;
    }
    if (flags & CAW__ASYNC_FINAL) {
        return CAW_ECANCELED;
    }
    (void)caw__routine_leave(a, CAW_ECANCELED);
    return CAW__LEAVES;
}

static caw_generator *
generator_of(caw_stream *s)
{
    return CAW_CONTAINER_OF(s, caw_generator, stream);
}

caw_poll
caw_generator_poll_next(caw_stream *s, caw_context *cx, caw_item **out)
{
    caw_generator *g = generator_of(s);
    if (caw_async_poll(&g->async.future, cx) == CAW_READY) {
        return caw_stream_finish(s, g->async.future.status, out);
    }
    *out = g->item;
    g->item = NULL;
    return *out ? CAW_READY : CAW_PENDING;
}

void
caw_generator_cancel(caw_stream *s)
{
    caw_async_cancel(&generator_of(s)->async.future);
}

void
caw_generator_destroy(caw_stream *s)
{
    caw_async_destroy(&generator_of(s)->async.future);
}

static caw_generator *
generator_of_async(caw_async *a)
{
    return CAW_CONTAINER_OF(a, caw_generator, async);
}

caw_generator *
caw_generator_alloc(const caw_generator_ops *ops)
{
    caw_async *a = caw_async_alloc(&ops->async);
    if (!a) {
        return NULL;
    }
    caw_stream_init(&generator_of_async(a)->stream, &ops->stream);
    return generator_of_async(a);
}

caw_stream *
caw_generator_new(const caw_generator *frame)
{
    caw_async *a = caw__async_copy(&frame->async);
    return a ? &generator_of_async(a)->stream : NULL;
}
