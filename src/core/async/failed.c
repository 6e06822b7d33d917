/* failed.c: where an async function failed, and what goes with its error: for whoever looks at it, then and after.
 *
 * `failed` of the frame is the constant of the place, or what is kept of it, while there is more:
 *
 *   the detail   The exception, or another detail (core/base/detail.h), that goes with the body's error is noted in the
 *                place of the poll, and another error in the final part would be noted over it. So before that part
 *                waits it is put aside, and noted again at the end.
 *   the child    A function that was awaited there, and has failed itself. It is destroyed, so its place is taken out
 *                of it, with the one below.
 *
 * It stays with the frame, which it is shown of, until that is destroyed. What is kept of a child whose error was only
 * stored goes with the next child, or where the part is left. Nothing of this is on the way of a success.
 */
#include "core/async/failed.h"

#include "core/async/mistakes.h"
#include "core/base/detail.h"

#include <stdlib.h>

/* In place of the point where the body failed, where there is more to say: `failed` is its first member. Of a function
 * that was awaited there, and failed, all that is known is in `below`, since it is destroyed then. */
struct caw__failed {
    caw_point point;
    const caw_point *at; /* the constant that `point` is of */
    const char *name;    /* in a `below`: of the function */
    caw__detail *detail; /* of the body's error, or NULL */
    caw__failed *below;
};

static caw__failed *
failed_of(const caw_async *a)
{
    bool kept = caw__async_flags(a) & CAW__FAILED_KEPT;
    return kept ? CAW_CONTAINER_OF(a->failed, caw__failed, point) : NULL;
}

/* NULL without memory. */
static caw__failed *
failed_make(caw_async *a, const caw_point *point)
{
    caw__failed *kept = calloc(1, sizeof *kept);
    if (kept) {
        kept->point = *point;
        kept->at = point;
        a->failed = &kept->point;
        caw__async_add_flags(a, CAW__FAILED_KEPT);
    }
    return kept;
}

/* Without memory the detail is lost, and the status stands for itself. */
void
caw__failed_keep_detail(caw_async *a, const caw_context *cx)
{
    caw__failed *kept = failed_of(a);
    if (a->future.status >= 0 || !cx || (kept && kept->detail)) {
        return;
    }
    caw__detail *detail = caw__noted(a->future.status);
    if (detail && !kept) {
        kept = failed_make(a, a->failed ? a->failed : &caw__async_end);
    }
    if (kept) {
        kept->detail = detail;
    }
    else {
        caw__detail_release(detail);
    }
}

void
caw__failed_note(const caw_async *a, const caw_context *cx)
{
    const caw__failed *kept = failed_of(a);
    if (kept && kept->detail) {
        caw__note(cx, kept->detail, a->future.status);
    }
}

/* Take it out. */
static caw__failed *
failed_take(caw_async *a)
{
    caw__failed *kept = failed_of(a);
    a->failed = NULL;
    caw__async_set_flags(a, caw__async_flags(a) & ~(uint32_t)CAW__FAILED_KEPT);
    return kept;
}

static void
failed_free(caw__failed *kept)
{
    while (kept) {
        caw__failed *below = kept->below;
        caw__detail_release(kept->detail);
        free(kept);
        kept = below;
    }
}

void
caw__failed_forget(caw_async *a)
{
    if (caw__async_flags(a) & CAW__FAILED_KEPT) {
        failed_free(failed_take(a));
    }
}

/* --- where a function that is awaited has failed --- */

/* Without memory its place is lost. */
void
caw__failed_in(caw_async *a, caw_async *child, const caw_point *point)
{
    if (a->future.status != 0) {
        return;
    }
    caw__failed_forget(a); /* of an earlier child, whose error was only stored */
    const caw_point *failed = child ? caw__async_point(child) : NULL;
    if (!failed) {
        return;
    }
    caw__failed *below = failed_of(child) ? failed_of(child) : failed_make(child, failed);
    caw__failed *kept = below ? failed_make(a, point) : NULL;
    if (kept) {
        caw__detail *detail = below->detail;
        kept->below = failed_take(child);
        below->detail = NULL;      /* the error has gone on by now, and the place is all that is shown */
        child->failed = below->at; /* if it is not destroyed, its owner may look at that */
        below->name = child->future.ops->name;
        caw__detail_release(detail); /* last: may run anything */
    }
}

void
caw__failed_at(caw_async *a, const caw_point *point)
{
    const caw__failed *kept = failed_of(a);
    if (!kept || kept->at != point) {
        caw__failed_forget(a);
        a->failed = point;
    }
}

const caw_point *
caw__async_point(const caw_async *a)
{
    const caw_point *point = a->point == &caw__async_end ? a->failed : a->point;
    return point && point->file ? point : NULL;
}

const caw__failed *
caw__failed_below(const caw_async *a)
{
    const caw__failed *kept = a->point == &caw__async_end ? failed_of(a) : NULL;
    return kept ? kept->below : NULL;
}

const caw__failed *
caw__failed_look(const caw__failed *below, const char **name, const caw_point **point)
{
    *name = below->name;
    *point = &below->point;
    return below->below;
}
