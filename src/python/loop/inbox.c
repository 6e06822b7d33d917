/* inbox.c: the native half of a hub, as memory that is counted. */
#include "python/loop/inbox.h"

#include <stdlib.h>

caw__inbox *
caw__inbox_new(caw__orphans *orphans, int *error)
{
    caw_reactor *reactor;
    *error = caw_reactor_new(CAW_REACTOR_DEFAULT, &reactor);
    if (*error < 0) {
        return NULL;
    }
    caw__inbox *inbox = caw__inbox_of_no_loop(orphans);
    if (!inbox) {
        *error = CAW_ENOMEM;
        caw_reactor_release(reactor);
        return NULL;
    }
    inbox->reactor = reactor;
    return inbox;
}

caw__inbox *
caw__inbox_of_no_loop(caw__orphans *orphans)
{
    caw__inbox *inbox = malloc(sizeof *inbox);
    if (!inbox) {
        return NULL;
    }
    inbox->reactor = NULL;
    atomic_init(&inbox->refs, 1);
    inbox->orphans = caw__orphans_retain(orphans);
    inbox->hub = NULL;
    inbox->id.loop = inbox->id.lock = NULL; /* the hub says it */
    inbox->id.stays = false;
    atomic_init(&inbox->id.thread, 0);
    return inbox;
}

caw__inbox *
caw__inbox_retain(caw__inbox *inbox)
{
    atomic_fetch_add_explicit(&inbox->refs, 1, memory_order_relaxed); /* relaxed: the caller has a reference */
    return inbox;
}

void
caw__inbox_release(caw__inbox *inbox)
{
    /* acq_rel: all uses by others, before their release, come before the free. */
    if (atomic_fetch_sub_explicit(&inbox->refs, 1, memory_order_acq_rel) == 1) {
        if (inbox->reactor) {
            caw_reactor_release(inbox->reactor);
        }
        caw__orphans_release(inbox->orphans);
        free(inbox);
    }
}
