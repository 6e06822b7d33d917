/* trace.c: async functions that wait for each other, looked at from outside. */
#include "core/async/trace.h"

#include "core/async/routine.h"

#include <stdio.h>

/* Begin at a future, and go on at what it waits for, or has waited for where it failed. False behind the last one. */
static void
trace_begin(caw__async_place *place, const caw_future *f)
{
    const caw_async *a = caw__async_of(f);
    *place = (caw__async_place){.name = f->ops->name,
                                .point = a ? caw__async_point(a) : NULL,
                                .next = a ? a->child : NULL,
                                .below = a ? caw__failed_below(a) : NULL};
}

bool
caw__async_walk(caw__async_place *place, const caw_future *first)
{
    const caw_future *f = first ? first : place->next;
    if (f) {
        trace_begin(place, f);
        return true;
    }
    const caw__failed *below = place->below;
    place->next = NULL;
    if (below) {
        place->below = caw__failed_look(below, &place->name, &place->point);
    }
    return below != NULL;
}

size_t
caw_async_trace(const caw_future *f, char *out, size_t size)
{
    size_t length = 0;
    caw__async_place at;
    if (size > 0) {
        out[0] = '\0';
    }
    for (bool more = f && caw__async_walk(&at, f); more && length + 1 < size; more = caw__async_walk(&at, NULL)) {
        const caw_point *p = at.point;
        int n = p ? snprintf(out + length, size - length, "%s at %s:%d: %s\n", at.name, p->file, p->line, p->text)
                  : snprintf(out + length, size - length, "%s\n", at.name);
        if (n < 0) {
            break;
        }
        length += (size_t)n;
    }
    return length < size ? length : size > 0 ? size - 1 : 0;
}
