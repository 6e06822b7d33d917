/* around.h: the stream that map, take or chunk is around. */
#ifndef CAWAIT_CORE_STREAM_AROUND_H
#define CAWAIT_CORE_STREAM_AROUND_H

#include "cawait/stream.h"

CAW__INTERNAL_BEGIN

/* The inner stream: borrowed; NULL where it was given up, and for streams of another kind.
 *   poller · no-gil · borrows(s), returns-borrowed · never fails · quiet */
caw_stream *caw__around_inner(caw_stream *s);

CAW__INTERNAL_END

#endif
