/* running.c: a call of a serial pool begins, ends, and is interrupted meanwhile. */
#include "core/run/running.h"

void
caw__running_begin(caw__running *r, const caw_work *call)
{
    r->call = call;
    r->interrupted = false;
}

void
caw__running_end(caw__running *r, caw__mutex *lock, caw__condition *changed)
{
    caw__mutex_lock(lock);
    r->call = NULL;
    while (r->interrupting) {
        caw__condition_wait(changed, lock);
    }
    caw__mutex_unlock(lock);
}

void
caw__running_interrupt(caw__running *r, caw__mutex *lock, caw__condition *changed, const caw_work *call)
{
    if (!r->interrupt) {
        return;
    }
    caw__mutex_lock(lock);
    bool calls = r->call && (!call || r->call == call) && !r->call->finishes && !r->interrupted;
    if (calls) {
        r->interrupting = r->interrupted = true;
    }
    caw__mutex_unlock(lock);
    if (!calls) {
        return;
    }
    r->interrupt(r->user);
    caw__mutex_lock(lock);
    r->interrupting = false;
    caw__condition_broadcast(changed);
    caw__mutex_unlock(lock);
}
