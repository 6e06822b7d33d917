/* channel_send.c: a send by a thread that may sleep until there is room. */
#include "core/stream/send.h"

int
caw_channel_send(caw_channel *channel, caw_item *item)
{
    int status = caw__channel_try(channel, item);
    if (status == 0) {
        return 0;
    }
    if (status != -EAGAIN) {
        caw_item_destroy(item);
        return status;
    }
    caw_send_op send;
    caw_send_init(&send, channel, item);
    status = caw_block_on(&send.future);
    caw_future_destroy(&send.future);
    return status;
}
