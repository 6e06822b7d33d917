/* exit.h: what exit() does with the pools of this process; see exit.c. */
#ifndef CAWAIT_CORE_RUN_EXIT_H
#define CAWAIT_CORE_RUN_EXIT_H

#include "cawait/base.h"

CAW__INTERNAL_BEGIN

typedef struct caw__exit_list caw__exit_list;
typedef struct caw__exit_member caw__exit_member;

typedef struct caw__exit_ops {
    /* Another reference, unless the last one is gone already; and one less. hold: under the list's lock. */
    bool (*hold)(caw__exit_member *member);
    void (*drop)(caw__exit_member *member);
    /* Run what is to be finished and has not begun, on this thread; cancel the rest, and wait a while for what runs.
     * True: it is safe to destroy what that uses. */
    void (*finish)(caw__exit_member *member);
    bool (*stop)(caw__exit_member *member);
} caw__exit_ops;

/* A pool's place in the list; guarded by the list's lock. */
struct caw__exit_member {
    const caw__exit_ops *ops; /* unchanged */
    caw__exit_list *list;     /* unchanged */
    caw__exit_member *next, *previous;
    bool seen; /* by this round of exit() */
};

/* Put a pool into the list of this process; and take it out.
 *   any-thread · no-gil · borrows(member) · fails(CAW_ENOMEM, -errno) / never fails · quiet */
int caw__exit_add(caw__exit_member *member, const caw__exit_ops *ops);
void caw__exit_remove(caw__exit_member *member);

/* One more call is to be finished at exit; and one of them has ended.
 *   any-thread · no-gil · borrows(list) · never fails · quiet */
void caw__exit_begin_call(caw__exit_list *list);
void caw__exit_end_call(caw__exit_list *list);

/* This thread is in such a call from now on, or no more: where it calls exit(), that does not wait.
 *   any-thread · no-gil · - · never fails · quiet */
void caw__exit_enter_call(bool enters);

/* Finish all calls that are to be finished at exit: wait for at most so long. False: there are more.
 *   any-thread but a worker · no-gil · - · never fails · calls-user, wakes */
bool caw__exit_finish(uint64_t timeout_ns);

CAW__INTERNAL_END

#endif
