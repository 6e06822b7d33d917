/* patience.h: waits that are given up at any moment. */
#ifndef CAWAIT_TEST_PATIENCE_H
#define CAWAIT_TEST_PATIENCE_H

#include "cawait/future.h"

/* A number from 0 to n - 1, at random but every time alike. */
static inline int
under(unsigned *seed, int n)
{
    *seed = *seed * 1103515245u + 12345u;
    return (int)((*seed >> 16) % (unsigned)n);
}

/* End a wait that is not over: by a destroy, or by a cancel, after which it may still have had what it wanted. */
static inline int
give_up(caw_future *f, unsigned *seed)
{
    if (under(seed, 2) == 0) {
        return CAW_ECANCELED;
    }
    caw_future_cancel(f);
    return caw_block_on(f);
}

#endif
