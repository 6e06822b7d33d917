/* routine.c: what the words of an async function do where that is not usual, and its life.
 *
 * Promise. The body runs at most once, and the final part exactly once; an await that has begun is ended by its child,
 * or by the frame's destroy; a child that is not borrowed is destroyed once.
 *
 * A frame is in one of these states:
 *
 *   point             FINAL   state
 *   NULL              no      has not begun, or the body runs and has not awaited yet
 *   a constant        no      suspended in the body, or the body runs
 *   NULL              yes     the final part is to begin, or runs and has not awaited yet
 *   a constant        yes     suspended in the final part, or the final part runs
 *   caw__async_end     yes     has ended
 *
 * All words are the poller's: a frame has one owner, and poll, cancel and destroy never run at the same time. Who
 * passes it on to another thread orders the two, as for every future; so the flags, which are in the future's word
 * because it is there, are read and written without order.
 *
 * What looks bad: a frame is destroyed while it is suspended in the final part, and nothing may wait any more. Then it
 * goes on at that place with a child that is ready, routine_dropped, as if the real one had ended with CAW_ECANCELED.
 *
 * Where it failed, and what goes with that, is failed.c's.
 */
#include "core/async/routine.h"

#include "core/async/failed.h"
#include "core/async/mistakes.h"
#include "core/base/detail.h"
#include "core/os/compiler.h"

#include <stdlib.h>
#include <string.h>

/* --- an exception that is set --- */

/* Note the exception that is set where the poll happens: its status. 0: there is none, or no poll, as where the final
 * part must not wait; then nobody takes it. */
static int
routine_note_raised(const caw_context *cx)
{
    if (!cx) {
        caw__raised_forget();
        return 0;
    }
    return caw__note_raised(cx);
}

int
caw__async_missing(const caw_context *cx)
{
    int raised = routine_note_raised(cx);
    return raised < 0 ? raised : CAW_ENOMEM;
}

/* --- leaving a part ---
 *
 * What the words call stays out of the bodies, also where these are in the same file (generator.c says why). */

static int
routine_go_on(caw_async *a, int status)
{
    uint32_t flags = caw__async_flags(a);
    a->future.status = status > 0 ? caw_error_from_return(a->future.ops->name, "run", status) : status;
    if (flags & CAW__ASYNC_FINAL) {
        a->point = &caw__async_end;
        return CAW__AT_END;
    }
    a->point = NULL;
    caw__async_set_flags(a, flags | CAW__ASYNC_FINAL);
    return CAW__AT_FINALLY;
}

CAW__APART int
caw__routine_leave(caw_async *a, int status)
{
    if (a->future.status == 0 && (caw__async_flags(a) & CAW__FAILED_KEPT)) {
        caw__failed_forget(a); /* of a child whose error was only stored */
    }
    return routine_go_on(a, status);
}

CAW__APART int
caw__routine_end_block(caw_async *a)
{
    return caw__routine_leave(a, a->future.status);
}

/* A status that says that an exception is set: it is noted, so that what the final part calls finds none set. What was
 * noted for the body before is put aside first. */
static int
routine_take_raised(caw_async *a, int status, const caw_context *cx)
{
    if (status != CAW_EPYTHON) {
        return status;
    }
    if (caw__async_flags(a) & CAW__ASYNC_FINAL) {
        caw__failed_keep_detail(a, cx);
    }
    int raised = routine_note_raised(cx);
    return raised < 0 ? raised : status;
}

CAW__APART int
caw__routine_return(caw_async *a, int status, const caw_context *cx)
{
    return caw__routine_leave(a, routine_take_raised(a, status, cx));
}

CAW__APART bool
caw__routine_fails(caw_async *a, int status, const caw_point *point, const caw_context *cx)
{
    status = routine_take_raised(a, status, cx);
    if (caw__async_flags(a) & CAW__ASYNC_FINAL) {
        if (a->future.status == 0) {
            a->future.status = status;
            caw__failed_at(a, point);
        }
        return false;
    }
    caw__failed_at(a, point);
    (void)routine_go_on(a, status);
    return true;
}

/* --- awaits --- */

/* Stands in for the child of a frame that is destroyed while it is suspended in the final part. */
static caw_poll
routine_dropped_poll(caw_future *f, caw_context *cx)
{
    (void)f; /* its status is there */
    (void)cx;
    return CAW_READY;
}

static void
routine_dropped_destroy(caw_future *f)
{
    (void)f;
}

static const caw_future_ops routine_dropped_ops = {"(dropped)", routine_dropped_poll, NULL, routine_dropped_destroy};
static caw_future routine_dropped = {.ops = &routine_dropped_ops, .status = CAW_ECANCELED}; /* never written */

/* A cancelled body awaits nothing more; nor does a final part that must not wait. */
static int
routine_pass_over(caw_async *a, caw_future *f, const caw_point *point, const caw_context *cx)
{
    if (!f) {
        (void)caw__async_missing(cx); /* nobody else would take the exception */
    }
    if (f && !point->borrows) {
        caw_future_destroy(f);
    }
    if (caw__async_flags(a) & CAW__ASYNC_FINAL) {
        return CAW_ECANCELED;
    }
    (void)caw__routine_leave(a, CAW_ECANCELED);
    return CAW__LEAVES;
}

CAW__APART int
caw__await_begin_slow(caw_async *a, caw_future *f, const caw_point *point, const caw_context *cx)
{
    uint32_t flags = caw__async_flags(a);
    bool is_final = flags & CAW__ASYNC_FINAL;
    if (flags & (is_final ? CAW__ASYNC_DROPPED : CAW__ASYNC_CANCELLED)) {
        return routine_pass_over(a, f, point, cx);
    }
    if (is_final) {
        caw__failed_keep_detail(a, cx);
    }
    if (!f) {
        return caw__async_missing(cx);
    }
    caw__async_check_child(a, f);
    a->point = point;
    a->child = f;
    return 0;
}

CAW__APART int
caw__await_ended(caw_async *a, const caw_point *point, int poll, const caw_context *cx)
{
    caw_future *f = a->child;
    if (poll != CAW_READY) { /* as caw_future_poll */
        f->status = caw_error_from_return(f->ops->name, "poll", poll);
    }
    int status = f->status;
    if (status > 0) {
        status = caw_error_from_return(f->ops->name, "poll", status);
    }
    a->child = NULL;
    status = routine_take_raised(a, status, cx);
    if (status < 0) {
        caw__failed_in(a, (caw_async *)caw__async_of(f), point);
    }
    if (!point->borrows) {
        f->ops->destroy(f);
    }
    bool leaves = (caw__async_flags(a) & (CAW__ASYNC_CANCELLED | CAW__ASYNC_FINAL)) == CAW__ASYNC_CANCELLED;
    if (status == CAW_ECANCELED && leaves) {
        (void)caw__routine_leave(a, status);
        return CAW__LEAVES;
    }
    return status;
}

/* --- the table --- */

caw_poll
caw_async_poll(caw_future *f, caw_context *cx)
{
    caw_async *a = CAW_CONTAINER_OF(f, caw_async, future);
    caw__async_check(a, "is polled while it runs", "is polled after its end");
    if (!a->point && (caw__async_flags(a) & (CAW__ASYNC_CANCELLED | CAW__ASYNC_FINAL)) == CAW__ASYNC_CANCELLED) {
        (void)caw__routine_leave(a, CAW_ECANCELED); /* before its first poll */
    }
    if (!caw__async_run(a, cx).ended) {
        return CAW_PENDING;
    }
    caw__failed_note(a, cx);
    return CAW_READY;
}

void
caw_async_cancel(caw_future *f)
{
    caw_async *a = CAW_CONTAINER_OF(f, caw_async, future);
    caw__async_check(a, "is cancelled while it runs", NULL);
    if (caw__async_flags(a) & (CAW__ASYNC_FINAL | CAW__ASYNC_CANCELLED)) {
        return; /* the final part is shielded */
    }
    caw__async_add_flags(a, CAW__ASYNC_CANCELLED);
    if (a->child) {
        caw_future_cancel(a->child);
    }
}

/* The final part, or the rest of it, without waiting. */
static void
routine_drop(caw_async *a)
{
    caw_future *child = a->child;
    a->child = NULL;
    if (child && !a->point->borrows) {
        caw_future_destroy(child);
    }
    caw__async_add_flags(a, CAW__ASYNC_DROPPED | CAW__ASYNC_CANCELLED);
    if (!(caw__async_flags(a) & CAW__ASYNC_FINAL)) {
        (void)caw__routine_leave(a, CAW_ECANCELED);
    }
    else if (child) {
        a->child = &routine_dropped;
    }
    (void)caw__async_run(a, NULL);
}

void
caw_async_destroy(caw_future *f)
{
    caw_async *a = CAW_CONTAINER_OF(f, caw_async, future);
    caw__async_check(a, "is destroyed while it runs", NULL);
    if (a->point != &caw__async_end) {
        routine_drop(a);
    }
    caw__failed_forget(a);
    if (caw__async_ops_of(a)->fini) {
        caw__async_ops_of(a)->fini(a);
    }
    if (caw__async_flags(a) & CAW__ASYNC_HEAP) {
        free(a);
    }
    else {
        caw__async_mark_destroyed(a);
    }
}

/* --- frames on the heap --- */

caw_async *
caw_async_alloc(const caw_async_ops *ops)
{
    caw_async *a = calloc(1, ops->size);
    if (a) {
        caw_future_init(&a->future, &ops->future);
        caw__async_set_flags(a, CAW__ASYNC_HEAP);
    }
    return a;
}

/* Taken from `frame`: where there is no memory, it is ended there. */
caw_async *
caw__async_copy(const caw_async *frame)
{
    const caw_async_ops *ops = caw__async_ops_of(frame);
    caw_async *a = malloc(ops->size);
    if (!a) {
        caw_async_destroy(&((caw_async *)frame)->future);
        return NULL;
    }
    memcpy((void *)a, (const void *)frame, ops->size);
    caw__async_set_flags(a, CAW__ASYNC_HEAP);
    return a;
}

caw_future *
caw_async_new(const caw_async *frame)
{
    caw_async *a = caw__async_copy(frame);
    return a ? &a->future : NULL;
}

/* --- looking at it --- */

bool
caw_async_cancelled(const caw_async *a)
{
    return caw__async_flags(a) & CAW__ASYNC_CANCELLED;
}

const caw_async *
caw__async_of(const caw_future *f)
{
    return f && f->ops->poll == caw_async_poll ? CAW_CONTAINER_OF(f, const caw_async, future) : NULL;
}
