/* stream.c: the small parts of a stream: its next item as a future, and items that hold a pointer, or bytes. */
#include "cawait/stream.h"

#include <stdlib.h>
#include <string.h>

/* --- the next item --- */

static caw_poll
next_poll(caw_future *f, caw_context *cx)
{
    caw_next_op *next = CAW_CONTAINER_OF(f, caw_next_op, future);
    if (caw_stream_poll_next(next->stream, cx, &next->item) == CAW_PENDING) {
        return CAW_PENDING;
    }
    return caw_future_finish(f, next->item ? 0 : next->stream->status);
}

static void
next_cancel(caw_future *f)
{
    caw_stream_cancel(CAW_CONTAINER_OF(f, caw_next_op, future)->stream);
}

static void
next_destroy(caw_future *f)
{
    caw_next_op *next = CAW_CONTAINER_OF(f, caw_next_op, future);
    caw_item *item = next->item;
    next->item = NULL;
    caw_item_destroy(item);
}

static const caw_future_ops next_ops = {"next", next_poll, next_cancel, next_destroy};
static const caw_future_ops next_ops_without_cancel = {"next", next_poll, NULL, next_destroy};

void
caw_next_init(caw_next_op *next, caw_stream *stream)
{
    caw_future_init(&next->future, stream->ops->cancel ? &next_ops : &next_ops_without_cancel);
    next->stream = stream;
    next->item = NULL;
}

/* --- boxes --- */

typedef struct stream_box {
    caw_item item;
    void *value;
    void (*free)(void *value);
} stream_box;

static void
box_destroy(caw_item *item)
{
    stream_box *box = CAW_CONTAINER_OF(item, stream_box, item);
    if (box->free) {
        box->free(box->value);
    }
    free(box);
}

caw_item *
caw_box_new(void *value, void (*free_)(void *value))
{
    stream_box *box = malloc(sizeof *box);
    if (!box) {
        if (free_) {
            free_(value);
        }
        return NULL;
    }
    *box = (stream_box){.item = {.destroy = box_destroy}, .value = value, .free = free_};
    return &box->item;
}

void *
caw_box_value(const caw_item *item)
{
    return CAW_CONTAINER_OF(item, const stream_box, item)->value;
}

/* --- bytes --- */

static void
bytes_new_destroy(caw_item *item)
{
    free(CAW_CONTAINER_OF(item, caw_bytes_item, item));
}

caw_bytes_item *
caw_bytes_new(const void *data, size_t length)
{
    caw_bytes_item *bytes = length <= PTRDIFF_MAX - sizeof *bytes ? malloc(sizeof *bytes + length) : NULL;
    if (!bytes) {
        return NULL;
    }
    bytes->item = (caw_item){.destroy = bytes_new_destroy};
    bytes->length = length;
    if (data && length > 0) {
        memcpy(bytes->data, data, length);
    }
    return bytes;
}
