/* inbox.h: the native half of a hub: what wake targets and jobs hold of a loop. It lives as long as one of them holds
 * it, so a late wake finds a closed reactor and nothing else. */
#ifndef CAWAIT_PYTHON_LOOP_INBOX_H
#define CAWAIT_PYTHON_LOOP_INBOX_H

#include "python/loop/orphans.h"

#include "core/base/block.h"

CAW__INTERNAL_BEGIN

struct caw__inbox {
    _Atomic uint32_t refs;
    caw__loop_id id;       /* for a thread that waits for the loop */
    caw_reactor *reactor;  /* a reference, closed when the hub goes; NULL where there is no loop */
    caw__orphans *orphans; /* a reference */
    caw__hub *hub;         /* protected by the GIL; borrowed; NULL when the loop is closed or gone */
};

/* With one reference; NULL with a status in *error. */
caw__inbox *caw__inbox_new(caw__orphans *orphans, int *error);

/* One that no loop ever looks into: what is put in is an orphan at once. NULL when out of memory. */
caw__inbox *caw__inbox_of_no_loop(caw__orphans *orphans);
caw__inbox *caw__inbox_retain(caw__inbox *inbox);
void caw__inbox_release(caw__inbox *inbox);

CAW__INTERNAL_END

#endif
