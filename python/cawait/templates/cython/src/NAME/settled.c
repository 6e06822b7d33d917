/* settled.c: what lives across awaits is in the struct. */
#include "settled.h"

#include <stdlib.h>
#include <string.h>

typedef struct settled {
    caw_async async;
    char *path;
    uint64_t interval_ns;
    settled_checksum checksum_of;
    settled_sum_of sum_of;
    uint32_t sum, before;
    bool again;
    caw_future *checksum;
} settled;

CAW_ASYNC_FUNCTION(settled)

static caw_step
settled_run(settled *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        CAW_TRY(self->path ? 0 : CAW_ENOMEM);
        for (;;) {
            CAW_AWAIT_REF(self->checksum = self->checksum_of(self->path));
            self->sum = self->sum_of(self->checksum);
            caw_future_destroy(self->checksum);
            self->checksum = NULL;
            if (self->again && self->sum == self->before) {
                break;
            }
            self->before = self->sum;
            self->again = true;
            CAW_AWAIT(caw_sleep(self->interval_ns));
        }
    }
    CAW_FINALLY /* runs exactly once: at the end, after an error, and when the task is cancelled */
    {
        caw_future_destroy(self->checksum);
        free(self->path);
    }
}

caw_future *
settled_new(const char *path, double seconds, settled_checksum checksum, settled_sum_of sum_of)
{
    return CAW_ASYNC_NEW(settled, .path = strdup(path), .interval_ns = (uint64_t)(seconds * 1e9),
                         .checksum_of = checksum, .sum_of = sum_of);
}

uint32_t
settled_sum(caw_future *f)
{
    return CAW_CONTAINER_OF(f, settled, async.future)->sum;
}
