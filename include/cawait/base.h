/* cawait/base.h: what every other header needs: linkage, small helpers, and how the marks are read.
 *
 * The mark above each function has five slots, in this order:
 *
 *   thread        any-thread | poller (the thread that polls now) | loop (the Python loop's thread) |
 *                 init (before the object is shared)
 *   GIL           no-gil (not needed; held or not) | gil (must be held) | drops-gil (must be held; released meanwhile)
 *   ownership     - | takes(x) | borrows(x) | returns-new | returns-borrowed
 *   failure       never fails | fails(A,B) | raises (a Python exception is set)
 *   re-entrancy   quiet | wakes (calls wakers) | calls-user (calls functions of yours) | runs-python
 *
 * A failure in the core is a negative int (error.h). No function sets or reads errno for its caller.
 *
 * takes(x): from the call on, x belongs to the library, whether the call succeeds or fails. If it fails, x is
 * destroyed, freed or released. So the caller's code is the same in both cases. There are two exceptions:
 *
 *   caw_channel_try_send           on failure the item stays the caller's, which can send it again
 *   `start` of a promise or of a   a function of yours: it takes what it is given if it returns 0, and not if it
 *   channel                        returns an error
 */
#ifndef CAWAIT_BASE_H
#define CAWAIT_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each extension carries its own copy of the library, and copies in one process must not share symbols. So nothing is
 * exported by default. A build as a shared library defines CAW_API itself. */
#ifndef CAW_API
#  if defined(__GNUC__)
#    define CAW_API __attribute__((visibility("hidden")))
#  else
#    define CAW_API
#  endif
#endif

/* What the library's private headers declare stands between these two, and is hidden too. */
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

/* A number of another type as an int. */
#ifdef __cplusplus
#  define CAW__INT(number) (static_cast<int>(number))
#else
#  define CAW__INT(number) ((int)(number))
#endif

/* Before an expression that ISO C does not have, and every compiler does; whether there is `goto *`. */
#ifdef __GNUC__
#  define CAW__EXTENSION         __extension__
#  define CAW__HAS_COMPUTED_GOTO 1
#else
#  define CAW__EXTENSION
#  define CAW__HAS_COMPUTED_GOTO 0
#endif

/* The struct whose member is at `pointer`. With it a function of a table finds the struct that you embedded its
 * argument in. */
#ifdef __cplusplus
#  define CAW_CONTAINER_OF(pointer, type, member)                                                                      \
      (reinterpret_cast<type *>(const_cast<char *>(reinterpret_cast<const volatile char *>(pointer)) -                 \
                                offsetof(type, member)))
#else
#  define CAW_CONTAINER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer) - offsetof(type, member)))
#endif

#endif
