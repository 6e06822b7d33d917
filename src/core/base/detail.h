/* detail.h: what a status stands for beyond its number, as the exception behind CAW_EPYTHON, and how it gets from the
 * operation that ended with the status to the one that passes the status on.
 *
 * A detail is a counted object, of which the core knows only how to count it. Where an operation with a detail ends,
 * its poll notes it, with the status, for the place where the poll happens. If that place ends with the same status the
 * detail is given on with it: to the promise of a call or of a task of a pool, whose consumer notes it in its turn; or
 * to a coroutine, which raises it. A status that was replaced, or that is nobody's end, takes no detail along.
 *
 *   place                                                     its notes
 *   a call or a task of a pool, caw_block_on                  a caw__notes, entered while the thread is in it
 *   a coroutine                                               its own; entered when something is noted, until the end
 *                                                             of the poll
 *   anything else: a thread or an executor of the user's      the thread's
 *
 * caw_promise_resolve and caw_channel_close with CAW_EPYTHON look at the innermost notes of their thread. The thread's
 * own are used up by that: nothing says when they end, and an old detail must not be taken for that of another
 * operation. For the same reason no other status is looked up there: most of these come from elsewhere.
 *
 * On the way of a success nothing is noted, counted or looked up.
 */
#ifndef CAWAIT_CORE_BASE_DETAIL_H
#define CAWAIT_CORE_BASE_DETAIL_H

#include "cawait/error.h"
#include "cawait/future.h"

#include <stdatomic.h>

CAW__INTERNAL_BEGIN

typedef struct caw__detail caw__detail;

/* The first member of what the detail is. */
struct caw__detail {
    _Atomic uint32_t refs;
    /* The last reference is gone: any thread, with or without the GIL. Its address says what kind of detail it is. */
    void (*end)(caw__detail *detail);
};

/* One more reference; and one less. NULL is allowed.
 *   any-thread · no-gil · borrows(detail) / takes(one reference) · never fails · quiet / calls-user */
static inline caw__detail *
caw__detail_retain(caw__detail *detail)
{
    if (detail) {
        atomic_fetch_add_explicit(&detail->refs, 1, memory_order_relaxed); /* relaxed: the caller has a reference */
    }
    return detail;
}

static inline void
caw__detail_release(caw__detail *detail)
{
    /* acq_rel: all uses by others, before their release, come before the end. */
    if (detail && atomic_fetch_sub_explicit(&detail->refs, 1, memory_order_acq_rel) == 1) {
        detail->end(detail);
    }
}

/* The last detail that was noted in a place. Of one thread at a time. */
typedef struct caw__notes caw__notes;
struct caw__notes {
    caw__notes *outer;   /* while it is entered: what was entered before */
    caw__detail *detail; /* a reference, or NULL */
    int status;          /* with detail, or with `make` */
    /* Makes the detail, where that is not done for each: a new reference, or NULL. */
    caw__detail *(*make)(caw__notes *notes);
};

/* A host whose coroutine keeps the notes: its name is caw__noting_name. */
typedef struct caw__noting_host {
    caw_host host;
    void (*note)(const caw_context *cx, caw__detail *detail, int status); /* borrows the detail */
    int (*note_raised)(const caw_context *cx); /* notes the exception that is set: its status; 0: there is none */
} caw__noting_host;
extern const char caw__noting_name[];

/* Where an operation is dropped there is no poll, and so no place: an exception that its cleanup sets is forgotten, so
 * that what follows finds none. The bridge says how, at any time.
 *   any-thread · no-gil · - · never fails · quiet / calls-user */
void caw__raised_watch(void (*forget)(void));
void caw__raised_forget(void);

/* This thread is in that place from now on; and no more. The notes stay.
 *   any-thread · no-gil · borrows(notes) · never fails · quiet */
void caw__notes_enter(caw__notes *notes);
void caw__notes_leave(const caw__notes *notes);

/* Note the detail of a future or stream that has ended with this status, in the place of the poll.
 *   poller · no-gil · borrows(detail) · never fails · calls-user */
void caw__note(const caw_context *cx, caw__detail *detail, int status);

/* Note the exception that is set in the place of the poll: the status that it goes with. 0: there is none.
 *   poller · no-gil · borrows(cx) · never fails · calls-user */
int caw__note_raised(const caw_context *cx);

/* A child has ended with this status, whose poll may have left an exception set: it is noted, for what runs before the
 * status is given on is to find none. Returns the status that counts.
 *   poller · no-gil · borrows(cx) · never fails · calls-user */
static inline int
caw__note_end(const caw_context *cx, int status)
{
    int raised = status == CAW_EPYTHON ? caw__note_raised(cx) : 0;
    return raised < 0 ? raised : status;
}

/* The detail that goes with the status, in the innermost place of this thread: a new reference, or NULL.
 *   any-thread · no-gil · returns-new · never fails · calls-user */
caw__detail *caw__noted(int status);

/* The place ends with this status: its detail, or NULL. Nothing is noted there any more.
 *   any-thread · no-gil · returns-new · never fails · calls-user */
caw__detail *caw__notes_take(caw__notes *notes, int status);

/* The same, and note the detail in the place around it, of this thread.
 *   any-thread · no-gil · - · never fails · calls-user */
void caw__notes_hand_over(caw__notes *notes, int status);

CAW__INTERNAL_END

#endif
