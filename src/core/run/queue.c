/* queue.c: the queue of a pool. Those that wait for room are the last calls in it: as long as one waits there is no
 * room, so each call that comes waits too, and each that goes lets the first of them in. Tasks stand anywhere. */
#include "core/run/queue.h"

void
caw__queue_append(caw__queue *q, caw_work *w)
{
    w->place = CAW__QUEUE_UNCOUNTED;
    w->next = NULL;
    w->previous = q->last;
    *(q->last ? &q->last->next : &q->first) = w;
    q->last = w;
    q->length++;
}

bool
caw__queue_offer(caw__queue *q, caw_work *w)
{
    bool counted = q->bounded && w->run, waits = counted && q->room == 0;
    if (waits && q->refuses && !w->finishes) {
        return false;
    }
    caw__queue_append(q, w);
    if (waits) {
        w->place = CAW__QUEUE_WAITS;
        q->waiting = q->waiting ? q->waiting : w;
    }
    else if (counted) {
        w->place = CAW__QUEUE_COUNTED;
        q->room--;
    }
    return true;
}

/* The first that waits, from here on. */
static caw_work *
queue_waiting_from(caw_work *w)
{
    while (w && w->place != CAW__QUEUE_WAITS) {
        w = w->next;
    }
    return w;
}

/* One call more may be in. */
static void
queue_give_room(caw__queue *q)
{
    caw_work *w = q->waiting;
    if (w) {
        w->place = CAW__QUEUE_COUNTED;
        q->waiting = queue_waiting_from(w->next);
    }
    else {
        q->room++;
    }
}

void
caw__queue_unlink(caw__queue *q, caw_work *w)
{
    if (q->waiting == w) {
        q->waiting = queue_waiting_from(w->next);
    }
    *(w->previous ? &w->previous->next : &q->first) = w->next;
    *(w->next ? &w->next->previous : &q->last) = w->previous;
    w->next = w->previous = NULL;
    q->length--;
    if (w->place == CAW__QUEUE_COUNTED) {
        queue_give_room(q);
    }
}

bool
caw__queue_has(const caw__queue *q, const caw_work *w)
{
    return w->previous || q->first == w;
}

bool
caw__queue_waits(const caw__queue *q, const caw_work *w)
{
    return caw__queue_has(q, w) && w->place == CAW__QUEUE_WAITS;
}

caw_work *
caw__queue_close(caw__queue *q, bool all)
{
    caw_work *taken = NULL, **end = &taken, *next;
    caw_work *w = all ? q->first : q->waiting;
    q->waiting = NULL; /* nobody is let in by what goes */
    for (; w; w = next) {
        bool goes = w->run && !w->finishes && (all || w->place == CAW__QUEUE_WAITS);
        next = w->next;
        w->place = CAW__QUEUE_UNCOUNTED;
        if (goes) {
            caw__queue_unlink(q, w); /* from here on a cancel does not find it */
            *end = w;
            end = &w->next;
        }
    }
    return taken;
}

caw_work *
caw__queue_take_all(caw__queue *q)
{
    caw_work *all = q->first;
    q->first = q->last = q->waiting = NULL;
    q->length = 0;
    for (caw_work *w = all; w; w = w->next) {
        w->previous = NULL;
    }
    return all;
}
