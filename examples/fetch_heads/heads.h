/* heads.h: the heads of many URLs, fetched at once by HTTP over plain TCP. No Python in it. */
#ifndef EXAMPLE_HEADS_H
#define EXAMPLE_HEADS_H

#include <cawait.h>

typedef struct heads_spec {
    size_t limit;     /* so many connections at a time; 0: no limit */
    uint64_t each_ns; /* so long one may take, from its turn on; then it has failed */
    uint64_t all_ns;  /* so long all may take; then the future ends with CAW_ETIMEDOUT */
} heads_spec;

typedef struct head {
    char *url;
    int code;           /* of HTTP, such as 200; 0: it has failed */
    const char *reason; /* if so: a constant */
    size_t length;
    char text[4096]; /* up to the empty line */
} head;

/* A future for so many heads, which have no URL yet: each is set before the first poll. NULL: out of memory. */
caw_future *heads_new(const heads_spec *spec, size_t n);

/* Copy the URL, http://host[:port][/path][?query][#fragment]. 0 or an error. */
int heads_set(caw_future *heads, size_t i, const char *url);

/* The head of the i-th URL, when the future is ready with 0. NULL: there are no more. */
const head *heads_get(const caw_future *heads, size_t i);

#endif
