/* cawait/base.h: what every other header needs: linkage and small helpers.
 *
 * How to read the mark above each function. It has five slots, in this order:
 *
 *   thread        any-thread | poller (the thread that polls now) | loop (the Python loop's thread) |
 *                 init (before the object is shared)
 *   GIL           no-gil (needs none; held or not) | gil (must be held) | drops-gil (held, but given up meanwhile)
 *   ownership     - | takes(x) | borrows(x) | returns-new | returns-borrowed
 *   failure       never fails | fails(A,B) | raises (a Python exception is set)
 *   re-entrancy   quiet | wakes (calls wakers) | calls-user (calls functions of yours) | runs-python
 *
 * Failure in the core is a negative int (error.h). No function sets or reads errno for its caller.
 *
 * takes(x): from the call on x is the library's, whether the call fails or not; where it fails, x is destroyed, freed
 * or released. So there is one path for both at the caller. The exceptions are:
 *
 *   caw_channel_try_send           the item stays the caller's on failure, who sends it again
 *   the `start` of a promise, of a channel: functions of yours, which take what they are given with 0 alone
 */
#ifndef CAWAIT_BASE_H
#define CAWAIT_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each extension carries its own copy of the library, and copies in one process must not meet:
 * by default nothing is exported. A build as a shared library defines CAW_API itself. */
#ifndef CAW_API
#  if defined(__GNUC__)
#    define CAW_API __attribute__((visibility("hidden")))
#  else
#    define CAW_API
#  endif
#endif

/* The library's own headers, which are in no public one, stand between these two: hidden likewise. */
#if defined(__GNUC__)
#  define CAW__INTERNAL_BEGIN _Pragma("GCC visibility push(hidden)")
#  define CAW__INTERNAL_END   _Pragma("GCC visibility pop")
#else
#  define CAW__INTERNAL_BEGIN
#  define CAW__INTERNAL_END
#endif

#ifdef __cplusplus
#  define CAW_BEGIN_DECLS extern "C" {
#  define CAW_END_DECLS   }
#else
#  define CAW_BEGIN_DECLS
#  define CAW_END_DECLS
#endif

/* The struct that holds `member` at `pointer`: how a table's function finds the struct you embedded its argument in. */
#ifdef __cplusplus
#  define CAW_CONTAINER_OF(pointer, type, member)                                                                      \
      (reinterpret_cast<type *>(const_cast<char *>(reinterpret_cast<const volatile char *>(pointer)) -                 \
                                offsetof(type, member)))
#else
#  define CAW_CONTAINER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer) - offsetof(type, member)))
#endif

#endif
