/* fetch_heads_in_c.c: the same in a process without Python: one thread, and workers for the names of hosts.
 *
 *     fetch_heads_in_c URL...
 *
 *     tools/amalgamate && cc -std=c11 -D_GNU_SOURCE -O2 -pthread -DCAW_NO_PYTHON -Ibuild/joined build/joined/cawait.c \
 *         examples/fetch_heads/fetch_heads_in_c.c examples/fetch_heads/heads.c -o fetch_heads_in_c
 */
#include "heads.h"

#include <stdio.h>

#define SECOND UINT64_C(1000000000)

int
main(int argc, char **argv)
{
    heads_spec spec = {.limit = 10, .each_ns = 10 * SECOND, .all_ns = 60 * SECOND};
    size_t n = argc > 1 ? (size_t)argc - 1 : 0;
    caw_future *f = heads_new(&spec, n);
    int status = f ? 0 : CAW_ENOMEM;
    for (size_t i = 0; i < n && status == 0; i++) {
        status = heads_set(f, i, argv[i + 1]);
    }
    status = status < 0 ? status : caw_block_on(f);
    const head *one;
    for (size_t i = 0; status == 0 && (one = heads_get(f, i)); i++) {
        (void)printf("%3d %s%s%s\n", one->code, one->url, one->code ? "" : ": ", one->code ? "" : one->reason);
    }
    if (status < 0) {
        (void)fprintf(stderr, "fetch_heads_in_c: %s\n", caw_error_text(status));
    }
    caw_future_destroy(f);
    return status < 0 ? 1 : 0;
}
