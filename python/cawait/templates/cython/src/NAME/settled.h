/* settled.h: an async function in C, for what Cython has no word for. */
#ifndef SETTLED_H
#define SETTLED_H

#include <cawait.h>

typedef caw_future *(*settled_checksum)(const char *path);
typedef uint32_t (*settled_sum_of)(caw_future *checksum);

/* Takes a checksum again and again, until it is the same twice. NULL: out of memory. */
caw_future *settled_new(const char *path, double seconds, settled_checksum checksum, settled_sum_of sum_of);
uint32_t settled_sum(caw_future *f);

#endif
