/* compiler.h: what is not ISO C11, in one place: what a compiler has beyond it, and which system's parts there are. */
#ifndef CAWAIT_CORE_OS_COMPILER_H
#define CAWAIT_CORE_OS_COMPILER_H

/* Before a function that the shortest way, a future that is ready at once, does not call. It stays out of its callers,
 * which then save fewer registers: APART where it is on another usual way, SLOW where it is not. */
#ifdef __GNUC__
#  define CAW__APART __attribute__((noinline))
#  define CAW__SLOW  __attribute__((cold, noinline))
#else
#  define CAW__APART
#  define CAW__SLOW
#endif

/* Before a variable of which each thread has its own. */
#define CAW__THREAD_LOCAL _Thread_local

/* Before the declaration of what may not be there: then its address is NULL. */
#ifdef __GNUC__
#  define CAW__WEAK     __attribute__((weak))
#  define CAW__HAS_WEAK 1
#else
#  define CAW__HAS_WEAK 0
#endif

/* Whether the C library has on_exit; whether each thread has a clock of the processor time that it has used. */
#ifdef __GLIBC__
#  define CAW__HAS_ON_EXIT 1
#else
#  define CAW__HAS_ON_EXIT 0
#endif
#ifdef __linux__
#  define CAW__HAS_THREAD_CLOCKS 1
#else
#  define CAW__HAS_THREAD_CLOCKS 0
#endif

/* Whether the system has epoll, eventfd and timerfd; pipe2, accept4, fdatasync. */
#ifdef __linux__
#  define CAW__HAS_EPOLL 1
#else
#  define CAW__HAS_EPOLL 0
#endif
/* Whether errno has all the numbers of Linux. */
#ifdef __linux__
#  define CAW__HAS_LINUX_ERRNOS 1
#else
#  define CAW__HAS_LINUX_ERRNOS 0
#endif
/* Whether there may be pidfds: a kernel, and headers, of before 2019 have none. */
#ifdef __linux__
#  define CAW__HAS_PIDFD 1
#else
#  define CAW__HAS_PIDFD 0
#endif
#ifdef __APPLE__
#  define CAW__HAS_PIPE2     0
#  define CAW__HAS_ACCEPT4   0
#  define CAW__HAS_FDATASYNC 0
#else
#  define CAW__HAS_PIPE2     1
#  define CAW__HAS_ACCEPT4   1
#  define CAW__HAS_FDATASYNC 1
#endif

/* Whether a condition can be given the monotonic clock. Elsewhere its waits are given a time from now. */
#ifdef __APPLE__
#  define CAW__HAS_CONDITION_CLOCK 0
#else
#  define CAW__HAS_CONDITION_CLOCK 1
#endif

/* Whether a thread's set of processors, and a limit on their time, are told by the system as Linux does. */
#ifdef __linux__
#  define CAW__HAS_AFFINITY 1
#else
#  define CAW__HAS_AFFINITY 0
#endif

#endif
