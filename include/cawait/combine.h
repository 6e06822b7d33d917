/* cawait/combine.h: futures made of other futures: all of them, the first of them, one with a time limit, one after
 * another.
 *
 *     caw_future *f = caw_timeout(5 * UINT64_C(1000000000), caw_race(first, second));
 *
 * A combined future takes its children, also where it cannot be made: it is then NULL, and they are destroyed. NULL is
 * what is given where a child is NULL too, so calls that make futures go straight inside. The children are kept until
 * the combined future is destroyed. Until then their results can be read (caw_child), and taken out where their own
 * headers allow it. What nobody took goes with them.
 *
 * Nothing begins before the first poll. A child is polled when it was woken, and only then. Each child of caw_all,
 * caw_race, caw_any, caw_timeout and caw_deadline has a waker of its own; the others pass theirs on.
 *
 * A child that is not needed any more is cancelled, once, and waited for. So when a combined future is ready, all
 * its children have ended. One that has no cancel function is waited for too, unless it has not been polled yet: then
 * it never begins, and its status is CAW_ECANCELED.
 *
 * A cancel goes on to the children. Afterwards, of those with wakers of their own, only a value counts, each function
 * says which: with it the future ends with 0, and else with CAW_ECANCELED. An end that was decided before the cancel
 * stays. Where no child has a cancel function there is none, but for caw_then and caw_lazy.
 *
 * All of these are cancel-safe if their children are: when one ends with CAW_ECANCELED, nothing is lost but what
 * cancelled children lose, and the values of those that have ended are in them until it is destroyed.
 *
 * They may be nested. To cancel or destroy them takes no more C stack for many inside each other than for one. A poll
 * goes through as many calls as they are deep.
 *
 * In the child of a fork() those with wakers of their own end with CAW_EFORKED at their next poll. Their children have
 * not ended then. To destroy them there destroys the children, as ever.
 */
#ifndef CAWAIT_COMBINE_H
#define CAWAIT_COMBINE_H

#include "cawait/future.h"

CAW_BEGIN_DECLS

/* All of them. 0 when all have ended with 0. The first error decides: the others are cancelled. After a cancel: 0 where
 * all have ended with 0 all the same. All of none is 0. The array is copied.
 *   any-thread · no-gil · takes(each child) · returns-new, NULL when out of memory or a child is NULL · quiet;
 *   calls-user when polled */
CAW_API caw_future *caw_all_array(caw_future *const *children, size_t n);

/* The first that is ready decides, with its value or its error; the others are cancelled. A value that one of these
 * gives all the same stays in it. After a cancel: the first 0. Of none: CAW_EINVAL. The array is copied.
 *   any-thread · no-gil · takes(each child) · returns-new, NULL when out of memory or a child is NULL · quiet;
 *   calls-user when polled */
CAW_API caw_future *caw_race_array(caw_future *const *children, size_t n);

/* The first that ends with 0 decides, and the others are cancelled. Where none does, it ends with the error that came
 * last. After a cancel: the first 0. Of none: CAW_EINVAL. The array is copied.
 *   any-thread · no-gil · takes(each child) · returns-new, NULL when out of memory or a child is NULL · quiet;
 *   calls-user when polled */
CAW_API caw_future *caw_any_array(caw_future *const *children, size_t n);

/* Which child has decided: the index of the first that was ready (race), or that ended with 0 (any, and race after a
 * cancel). SIZE_MAX: none has, or this is another future.
 *   poller, once it is ready · no-gil · borrows(race) · never fails · quiet */
CAW_API size_t caw_race_winner(const caw_future *race);

/* The child, for so long: counted from the first poll, by the clock of the reactor where it is polled. When the time is
 * up the child is cancelled and waited for. A value that comes all the same is the result: 0. Any other end is
 * CAW_ETIMEDOUT then. A child that is ready at its first poll needs no time, and no reactor. Where the reactor gives no
 * timer (CAW_ENOREACTOR, CAW_ENOMEM, CAW_ECLOSED) the child is cancelled as well, and that is the error. After a
 * cancel: the child's 0.
 *   any-thread · no-gil · takes(child) · returns-new, NULL when out of memory or child is NULL · quiet; calls-user when
 *   polled */
CAW_API caw_future *caw_timeout(uint64_t duration_ns, caw_future *child);

/* The same until a point in time, on the clock of the reactor where it is polled: caw_now_ns(), or in a test
 * caw_test_reactor_now. Where that has passed, the child is polled once before it is cancelled.
 *   any-thread · no-gil · takes(child) · returns-new, NULL when out of memory or child is NULL · quiet; calls-user when
 *   polled */
CAW_API caw_future *caw_deadline(uint64_t when_ns, caw_future *child);

/* The child, which no cancel reaches: it ends with the child's status when the child has ended. To destroy it destroys
 * the child.
 *   any-thread · no-gil · takes(child) · returns-new, NULL when out of memory or child is NULL · quiet; calls-user when
 *   polled */
CAW_API caw_future *caw_shield(caw_future *child);

/* One after another: when the child has ended with 0, `next` makes the second, from what it finds in `done`, which is
 * the child. It ends with the second's status; or with the child's error, and `next` is not called. NULL of `next` is
 * CAW_ENOMEM. A cancel goes to the one that runs. After a cancel `next` is not called: where the child ends with 0 all
 * the same, the status is CAW_ECANCELED, and the value is in the child. The second is destroyed before the child, so it
 * may use what is in that. `free_`, when not NULL, is called once with `user`, when both are destroyed or when this
 * call fails.
 *   any-thread · no-gil · takes(child, user) · returns-new, NULL when out of memory or child is NULL · quiet;
 *   calls-user when polled */
CAW_API caw_future *caw_then(caw_future *child, caw_future *(*next)(void *user, caw_future *done), void *user,
                             void (*free_)(void *user));

/* The child's end as a function makes it: `map` is called when the child has ended, whatever its status is, a cancel
 * included, and returns the status: done->status, 0 or an error. `free_` as above.
 *   any-thread · no-gil · takes(child, user) · returns-new, NULL when out of memory or child is NULL · quiet;
 *   calls-user when polled */
CAW_API caw_future *caw_map(caw_future *child, int (*map)(void *user, caw_future *done), void *user,
                            void (*free_)(void *user));

/* A future that is made at the first poll, by `make`. NULL of that is CAW_ENOMEM. After a cancel before the first poll
 * it is not made, and the status is CAW_ECANCELED. `free_` as above.
 *   any-thread · no-gil · takes(user) · returns-new, NULL when out of memory · quiet; calls-user when polled */
CAW_API caw_future *caw_lazy(caw_future *(*make)(void *user), void *user, void (*free_)(void *user));

/* A child, to read its result: from when the combined future is ready until it is destroyed. caw_then has two, and
 * caw_lazy its one once it is made. NULL: there is none with this index, or this is another future.
 *   poller · no-gil · borrows(combined), returns-borrowed · never fails · quiet */
CAW_API caw_future *caw_child(const caw_future *combined, size_t i);

CAW_END_DECLS

/* caw_all(a, b, ...), caw_race(a, b, ...), caw_any(a, b, ...): the same of futures that are written out, one or more.
 * In C they are macros, which write their arguments twice and evaluate them once. */
#ifdef __cplusplus
/* As caw_all_array.
 *   any-thread · no-gil · takes(each child) · returns-new, NULL likewise · quiet; calls-user when polled */
template <typename... Children>
static inline caw_future *
caw_all(Children... children)
{
    caw_future *const array[] = {children...};
    return caw_all_array(array, sizeof...(children));
}

/* As caw_race_array.
 *   any-thread · no-gil · takes(each child) · returns-new, NULL likewise · quiet; calls-user when polled */
template <typename... Children>
static inline caw_future *
caw_race(Children... children)
{
    caw_future *const array[] = {children...};
    return caw_race_array(array, sizeof...(children));
}

/* As caw_any_array.
 *   any-thread · no-gil · takes(each child) · returns-new, NULL likewise · quiet; calls-user when polled */
template <typename... Children>
static inline caw_future *
caw_any(Children... children)
{
    caw_future *const array[] = {children...};
    return caw_any_array(array, sizeof...(children));
}
#else
#  define CAW__FUTURES(...)                                                                                            \
      ((caw_future *const[]){__VA_ARGS__}), sizeof((caw_future *const[]){__VA_ARGS__}) / sizeof(caw_future *)
#  define caw_all(...)  caw_all_array(CAW__FUTURES(__VA_ARGS__))
#  define caw_race(...) caw_race_array(CAW__FUTURES(__VA_ARGS__))
#  define caw_any(...)  caw_any_array(CAW__FUTURES(__VA_ARGS__))
#endif

#endif
