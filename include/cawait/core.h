/* cawait/core.h: the core: futures, wakers, promises, async functions, combined futures, groups, streams, bytes,
 * channels, mutexes and other things to wait for, the reactor, the pool, a thread of its own; and what the system does,
 * as futures and streams: input and output, files, children, signals, ticks. No Python in it.
 */
#ifndef CAWAIT_CORE_H
#define CAWAIT_CORE_H

#define CAW_VERSION_MAJOR 0
#define CAW_VERSION_MINOR 1
#define CAW_VERSION_PATCH 0
#define CAW_VERSION       "0.1.0"

#include "cawait/async.h"
#include "cawait/bytes.h"
#include "cawait/channel.h"
#include "cawait/combine.h"
#include "cawait/error.h"
#include "cawait/exchange.h"
#include "cawait/file.h"
#include "cawait/future.h"
#include "cawait/group.h"
#include "cawait/interval.h"
#include "cawait/io.h"
#include "cawait/pool.h"
#include "cawait/process.h"
#include "cawait/promise.h"
#include "cawait/reactor.h"
#include "cawait/serial.h"
#include "cawait/stream.h"
#include "cawait/sync.h"
#include "cawait/waker.h"

#endif
