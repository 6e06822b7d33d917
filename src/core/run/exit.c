/* exit.c: the pools of a process, and what exit() does with them.
 *
 * First the calls that are to be finished at exit (caw_finish_at_exit) are: those that are queued run on the thread
 * that exits, since workers may be busy for ever, and it waits for those that run. Then, where this library is linked
 * with C++, the pools stop, since exit() is about to destroy static objects that calls may use. What is queued is
 * cancelled, and exit() waits a while for the workers. One that still uses a processor then will not stop: the process
 * ends at once, with its exit code. One that sleeps is left alone: exit() does not wait for what may never come.
 *
 * The list is one of the process, like the default pool: made for the first pool that is used, never freed. A forked
 * child makes a new one, because the lock of its parent's may be held for ever. Words:
 *
 *   first, and the members' next, previous, seen    under `lock`
 *   calls                                           under `lock`
 *
 * No function of a member but `hold` is called with the lock held.
 */
#include "core/run/exit.h"

#include "cawait/error.h"

#include "core/os/clock.h"
#include "core/os/compiler.h"
#include "core/os/exit.h"
#include "core/os/fork.h"
#include "core/os/mutex.h"
#include "core/os/once.h"

#include <stdatomic.h>
#include <stdlib.h>

struct caw__exit_list {
    unsigned generation; /* unchanged; caw__fork_count() when made */
    caw__mutex lock;
    caw__exit_member *first;
    unsigned long calls;
};

#define EXIT_TURN_NS UINT64_C(1000000) /* how often exit() looks again */

static _Atomic(caw__exit_list *) exit_lists; /* of this process */
static caw__once exit_once = CAW__ONCE_INIT;
static int exit_error; /* true after exit_once, which publishes it */

static CAW__THREAD_LOCAL bool exit_in_call; /* this thread is in one that is to be finished: it cannot wait for that */

static void exit_run(void);

static void
exit_register(void)
{
    exit_error = caw__at_exit(exit_run);
}

static bool
exit_is_parents(const caw__exit_list *list)
{
    return list->generation != caw__fork_count();
}

static caw__exit_list *
exit_list_new(void)
{
    caw__exit_list *list = calloc(1, sizeof *list);
    if (list && caw__mutex_init(&list->lock) != 0) {
        free(list);
        return NULL;
    }
    if (list) {
        list->generation = caw__fork_count();
    }
    return list;
}

/* The list of this process; NULL where there is none. */
static caw__exit_list *
exit_list_seen(void)
{
    /* Acquire: pairs with the exchange below; a list that is seen is whole. */
    caw__exit_list *seen = atomic_load_explicit(&exit_lists, memory_order_acquire);
    return seen && !exit_is_parents(seen) ? seen : NULL;
}

/* The same, made where there is none. */
static caw__exit_list *
exit_list_get(void)
{
    caw__exit_list *seen = atomic_load_explicit(&exit_lists, memory_order_acquire); /* as above */
    while (!seen || exit_is_parents(seen)) {
        caw__exit_list *list = exit_list_new();
        if (!list) {
            return NULL;
        }
        if (atomic_compare_exchange_strong_explicit(&exit_lists, &seen, list, memory_order_acq_rel,
                                                    memory_order_acquire)) {
            return list;
        }
        caw__mutex_fini(&list->lock); /* another thread was first; `seen` is its list */
        free(list);
    }
    return seen;
}

int
caw__exit_add(caw__exit_member *member, const caw__exit_ops *ops)
{
    int error = caw__once_call(&exit_once, exit_register);
    error = error ? error : exit_error;
    caw__exit_list *list = error ? NULL : exit_list_get();
    if (!list) {
        return error ? error : CAW_ENOMEM;
    }
    *member = (caw__exit_member){.ops = ops, .list = list};
    caw__mutex_lock(&list->lock);
    member->next = list->first;
    if (member->next) {
        member->next->previous = member;
    }
    list->first = member;
    caw__mutex_unlock(&list->lock);
    return 0;
}

void
caw__exit_remove(caw__exit_member *member)
{
    caw__exit_list *list = member->list;
    if (exit_is_parents(list)) {
        return;
    }
    caw__mutex_lock(&list->lock);
    *(member->previous ? &member->previous->next : &list->first) = member->next;
    if (member->next) {
        member->next->previous = member->previous;
    }
    caw__mutex_unlock(&list->lock);
}

void
caw__exit_begin_call(caw__exit_list *list)
{
    caw__mutex_lock(&list->lock);
    list->calls++;
    caw__mutex_unlock(&list->lock);
}

void
caw__exit_enter_call(bool enters)
{
    exit_in_call = enters;
}

void
caw__exit_end_call(caw__exit_list *list)
{
    caw__mutex_lock(&list->lock);
    list->calls--;
    caw__mutex_unlock(&list->lock);
}

/* How many calls are to be finished. */
static unsigned long
exit_calls(caw__exit_list *list)
{
    caw__mutex_lock(&list->lock);
    unsigned long calls = list->calls;
    caw__mutex_unlock(&list->lock);
    return calls;
}

/* A member that this round has not seen, held; or NULL. */
static caw__exit_member *
exit_next(caw__exit_list *list)
{
    caw__mutex_lock(&list->lock);
    caw__exit_member *member = list->first;
    while (member && (member->seen || !member->ops->hold(member))) {
        member = member->next;
    }
    if (member) {
        member->seen = true;
    }
    caw__mutex_unlock(&list->lock);
    return member;
}

static void
exit_begin_round(caw__exit_list *list)
{
    caw__mutex_lock(&list->lock);
    for (caw__exit_member *member = list->first; member; member = member->next) {
        member->seen = false;
    }
    caw__mutex_unlock(&list->lock);
}

static void
exit_finish_all(caw__exit_list *list)
{
    exit_begin_round(list);
    for (caw__exit_member *member; (member = exit_next(list)) != NULL;) {
        member->ops->finish(member);
        member->ops->drop(member);
    }
}

bool
caw__exit_finish(uint64_t timeout_ns)
{
    caw__exit_list *list = exit_list_seen();
    if (!list || exit_calls(list) == 0 || exit_in_call) {
        return true;
    }
    uint64_t began = caw__now_ns();
    do {
        exit_finish_all(list);
        if (exit_calls(list) == 0) {
            return true;
        }
        caw__thread_sleep_ns(EXIT_TURN_NS);
    } while (caw__now_ns() - began < timeout_ns);
    return false;
}

static bool
exit_stop_all(caw__exit_list *list)
{
    bool safe = true;
    exit_begin_round(list);
    for (caw__exit_member *member; (member = exit_next(list)) != NULL;) {
        safe = member->ops->stop(member) && safe;
        member->ops->drop(member);
    }
    return safe;
}

static void
exit_run(void)
{
    while (!caw__exit_finish(UINT64_MAX)) {
    }
    caw__exit_list *list = exit_list_seen();
    if (list && caw__has_cpp() && !exit_stop_all(list)) {
        caw__exit_at_once();
    }
}

#undef EXIT_TURN_NS
