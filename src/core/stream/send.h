/* send.h: an item that is sent at once or not at all, by who would rather wait. */
#ifndef CAWAIT_CORE_STREAM_SEND_H
#define CAWAIT_CORE_STREAM_SEND_H

#include "cawait/channel.h"

CAW__INTERNAL_BEGIN

/* As caw_channel_try_send, but a full channel takes nothing, whether or not its source was told to pause.
 *   any-thread · no-gil · takes(item), but not on failure · fails(-EAGAIN: full, CAW_ECLOSED, CAW_EFORKED) · wakes,
 *   calls-user (`pause`) */
int caw__channel_try(caw_channel *c, caw_item *item);

CAW__INTERNAL_END

#endif
