/* waiters.h: a line of futures that wait for the same thing, and those that have it.
 *
 * Promise. Who comes first is let go first. Each that is let go is woken once, after what it waits for is there to be
 * seen, and without a lock. One that leaves, by a cancel or a destroy, is not touched any more by anybody.
 *
 * Words and who may touch them. All members of a caw_waiters and of its object, and of a caw_waiter that is in use, are
 * guarded by the lock of the object's address (address_lock.h). Two of a waiter are its owner's alone: `waits`, the
 * object, and `forks`, in which process it was made; both are constant while it is in use.
 *
 *   state     is in           what it means
 *   NEW       -               not polled yet
 *   WAITING   waiting         it has a waker
 *   GIVEN     given           it has what it waited for, and has to give it back
 *   ENDED     -               its wait is over, with `status`
 *
 * One that is let go by another thread is in a `batch` too, until its waker was taken out to be called. The batch is on
 * the stack of who lets it go.
 *
 * The race that looks bad: many are let go at once. Their wakers cannot be called under the lock, and after the lock
 * any of them may be polled for another reason, end, and go with its memory, and the object with it. So who lets them
 * go takes a few wakers out of its batch, gives the lock back, calls them, and takes the lock again for the next few.
 * It finds in the batch only those that are still there, since one that is polled or destroyed leaves it under the same
 * lock. For that lock it needs the address of the object, and not its memory.
 *
 * The end of an object sets all that are in its lines to ENDED, under the lock. What is ENDED never looks at the object
 * again, so that may be gone.
 *
 * In a forked child the lines may lead to stacks of threads that are not there. So whoever first uses an object there
 * empties its lines without a look at who was in them; these in their turn find that they are of another process, and
 * look neither at the object, nor at who was beside them, nor at their wakers.
 */
#ifndef CAWAIT_CORE_SYNC_WAITERS_H
#define CAWAIT_CORE_SYNC_WAITERS_H

#include "cawait/sync.h"

#include "core/os/address_lock.h"
#include "core/os/fork.h"

CAW__INTERNAL_BEGIN

enum { CAW__WAITER_IDLE, CAW__WAITER_NEW, CAW__WAITER_WAITING, CAW__WAITER_GIVEN, CAW__WAITER_ENDED };

/* What a wait begins with: it is over, with status 0; it has to wait; or it has the thing, and will give it back. Or an
 * error. */
enum { CAW__BEGIN_OVER, CAW__BEGIN_WAITS, CAW__BEGIN_HAS };

/* What one kind of object does. Both are called under the lock, and put who may go on now into `woken`. */
typedef struct caw__waiter_ops {
    int (*begin)(caw_waiter *w, caw_line *woken); /* at the first poll, of an object that has not ended */
    /* Optional: it has left the line it was in, and will never have the thing, or has it no more. Its state still says
     * which of the two. */
    void (*left)(caw_waiter *w, caw_line *woken);
} caw__waiter_ops;

/* No one, to begin with. */
#define CAW__LINE_EMPTY ((caw_line){NULL, NULL, 0})

/* --- any-thread · no-gil · borrows(all) · never fails · quiet, but for those that wake --- */

/* Take the lock of an object. And give it back, and wake who is in `woken`: from the return on the object may be gone.
 */
void caw__waiters_lock(caw_waiters *waits);
void caw__waiters_unlock(const caw_waiters *waits, caw_line *woken);

/* Who waits longest, or NULL: under the lock. */
static inline caw_waiter *
caw__waiters_first(const caw_waiters *waits)
{
    return waits->waiting.first ? CAW_CONTAINER_OF(waits->waiting.first, caw_waiter, place) : NULL;
}

/* Let one that waits go on: it has the thing now; or its wait is over. And all of them. Under the lock. */
void caw__waiters_give(caw_waiter *w, caw_line *woken);
void caw__waiters_end(caw_waiter *w, int status, caw_line *woken);
void caw__waiters_end_all(caw_waiters *waits, int status, caw_line *woken);

/* Give it to who waits longest, if anybody does: under the lock. It is `left`, of things that one has at a time. */
void caw__waiters_pass_on(caw_waiter *w, caw_line *woken);

/* What it has is not to be given back any more: under the lock. False: it had nothing, or the object has ended. */
bool caw__waiters_keep(caw_waiter *w);

/* Make an object; and end it. */
void caw__waiters_init(caw_waiters *waits);
void caw__waiters_fini(caw_waiters *waits);

/* --- one wait, by its owner --- */

/* Whether it was made before a fork() that this process is the child of. */
static inline bool
caw__waiter_is_foreign(const caw_waiter *w)
{
    return w->forks != caw__fork_count();
}

/* Make it. */
void caw__waiter_init(caw_waiter *w, caw_waiters *waits);

/* Poll it; once it is ready its status is in *status. Try it: as the first poll, and -EAGAIN where it would wait. */
caw_poll caw__waiter_poll(caw_waiter *w, const caw_context *cx, const caw__waiter_ops *ops, int *status);
int caw__waiter_try(caw_waiter *w, const caw__waiter_ops *ops);

/* Cancel it. What it has been given and was not seen by a poll yet is given back. */
void caw__waiter_cancel(caw_waiter *w, const caw__waiter_ops *ops);

/* It is over: it leaves the line, or gives back what it has. Of an idle one: nothing. */
void caw__waiter_leave(caw_waiter *w, const caw__waiter_ops *ops);

/* What it has is not to be given back any more. */
void caw__waiter_keep(caw_waiter *w);

/* Whether it has what it waited for. */
bool caw__waiter_has(const caw_waiter *w);

CAW__INTERNAL_END

#endif
