/* cawait/group.h: a group of futures to which more are added while it runs (a nursery).
 *
 *     caw_group_spec spec = {.limit = 100};
 *     caw_group *group;
 *     caw_future *all;
 *     int error = caw_group_new(&spec, &group, &all);      // `group`: one reference, of those who add
 *     ...
 *     caw_group_add(group, connection_new(fd));            // any thread
 *     ...
 *     caw_group_release(group);                            // the last one closes it
 *
 * It has two sides. Those who add members have references, with which they add, close, and make more references. The
 * owner has the future. It polls the members: so they run while the future is awaited, wherever the adders are.
 *
 * No more members come when the group is closed: by caw_group_close, or when the last reference is released. The future
 * is ready when the group is closed and all its members have ended. A group that nobody closes waits for ever. The
 * usual way is a body: a member that adds the others, and whose end releases its reference (caw_group_add_body).
 *
 * The first failure of a member cancels the others, and members that are added later as they come; the future ends with
 * that error when all have ended, whether the group was closed or not. A cancel of the future does the same: it ends
 * with CAW_ECANCELED, or with 0 where the group was closed and all its members end with 0 all the same. A cancelled
 * member is waited for. One that has no cancel function is waited for too, unless it has not begun: then it never does,
 * and is destroyed.
 *
 * A member is polled when it was woken, with a waker of its own, and destroyed as soon as it has ended. When the future
 * is destroyed, so are the members, in whatever state they are, and later ones as they are added.
 *
 * The future is not cancel-safe by itself: what members lose when they are cancelled is lost. In the child of a fork()
 * it ends with CAW_EFORKED, as do adds and rooms; members that have not begun are leaked there.
 *
 * Groups may be members of groups. To cancel or destroy the outer one takes no more C stack for many inside each other;
 * a poll goes through as many calls as they are deep.
 */
#ifndef CAWAIT_GROUP_H
#define CAWAIT_GROUP_H

#include "cawait/future.h"

typedef struct caw_group caw_group;

typedef struct caw_group_spec {
    size_t limit; /* so many members run at a time, and the others wait for their turn, first come, first served; 0: no
                     limit */

    /* Optional: a member has ended: its result can be read, and it is destroyed afterwards. Returns the status that
     * counts: member->status; or 0 for a failure that is dealt with here, and does not cancel the others. Called by the
     * owner, in its poll; it may add members. It is not called for members that never began, or were destroyed before
     * they ended. */
    int (*ended)(void *user, caw_future *member);

    /* Optional: frees `user`. Called once, after the members are destroyed, when the future is. */
    void (*free)(void *user);
    void *user;
} caw_group_spec;

/* A member that has failed. In Python all of them are one exception: caw_py_group (python_await.h). */
typedef struct caw_group_error {
    const char *name; /* of its operation, as long as that table lives */
    int status;
} caw_group_error;

CAW_BEGIN_DECLS

/* A group, with one reference for those who add in *out, and its future in *future.
 *   any-thread · no-gil · borrows(spec), which is copied; takes(user) · returns-new, both · fails(CAW_ENOMEM), both are
 *   then NULL · quiet, calls-user on failure (`free`) */
CAW_API int caw_group_new(const caw_group_spec *spec, caw_group **out, caw_future **future);

/* One more reference of those who add; and one less. NULL is allowed.
 *   any-thread · no-gil · borrows(group) / takes(one reference) · never fails · quiet / wakes */
CAW_API caw_group *caw_group_retain(caw_group *group);
CAW_API void caw_group_release(caw_group *group);

/* Add a member, which runs from the owner's next poll on, or waits for its turn. It may be added before the first poll,
 * by a member, and by `ended`. On failure it is destroyed. NULL, as from a function that had no memory for it, is
 * CAW_ENOMEM.
 *   any-thread · no-gil · takes(member) · fails(CAW_ENOMEM, CAW_ECLOSED, CAW_EFORKED) · wakes */
CAW_API int caw_group_add(caw_group *group, caw_future *member);

/* Add the body: a member that does not count for the limit, and that goes with a reference of the caller's, which is
 * released when the body has ended or is destroyed. If that was the last one, the group is closed then. `ended` is
 * called for it too.
 *   any-thread · no-gil · takes(body, one reference), also on failure · fails(as caw_group_add) · wakes */
CAW_API int caw_group_add_body(caw_group *group, caw_future *body);

/* No more members: adds fail with CAW_ECLOSED, and so do rooms. A second call does nothing.
 *   any-thread · no-gil · borrows(group) · never fails · wakes */
CAW_API void caw_group_close(caw_group *group);

/* A future that is ready when fewer members than the limit have not ended: to add no faster than they end. Those who
 * wait are served in the order of their first polls. It keeps no place: where several tasks wait for room and then add,
 * there may be one more member for each of them, which waits for its turn. Ends with CAW_ECLOSED where a member would
 * not run: the group is closed, cancelled, has failed, or is gone. Cancel-safe. It is no reference: it may outlive the
 * group's.
 *   any-thread · no-gil · borrows(group) · returns-new, NULL when out of memory · quiet */
CAW_API caw_future *caw_group_room(caw_group *group);

/* The members that have failed, in the order of their ends: as `ended` says, and without those that ended with
 * CAW_ECANCELED after a cancel. Fills in at most n of them, and returns how many there are.
 *   poller, once the group's future is ready · no-gil · borrows(future) · never fails · quiet */
CAW_API size_t caw_group_errors(const caw_future *future, caw_group_error *out, size_t n);

CAW_END_DECLS

#endif
