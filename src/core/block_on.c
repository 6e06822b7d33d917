/* block_on.c: a future on this thread, with a reactor of its own. The waker is a reference to that reactor: a wake is
 * a ring, and a late one finds a closed reactor. */
#include "cawait/future.h"
#include "cawait/reactor.h"

static void
block_on_clone(void *data)
{
    (void)caw_reactor_retain(data);
}

static void
block_on_drop(void *data)
{
    caw_reactor_release(data);
}

static void
block_on_wake(void *data)
{
    caw_reactor_ring(data);
    caw_reactor_release(data);
}

static const caw_waker_ops block_on_waker_ops = {block_on_clone, block_on_wake, block_on_drop};

static caw_reactor *
block_on_reactor(const caw_context *cx, int *error)
{
    (void)error;
    return cx->place;
}

static const caw_host block_on_host = {"block_on", block_on_reactor};

int
caw_block_on(caw_future *f)
{
    if (!f) {
        return CAW_EINVAL;
    }
    caw_reactor *r;
    int result = caw_reactor_new(CAW_REACTOR_DEFAULT, &r);
    if (result < 0) {
        return result;
    }
    caw_context cx = {{&block_on_waker_ops, r}, &block_on_host, r};
    for (;;) {
        if (caw_future_poll(f, &cx) == CAW_READY) {
            result = f->status;
            break;
        }
        result = caw_reactor_turn(r, -1);
        if (result < 0) {
            break;
        }
    }
    caw_reactor_close(r);
    caw_reactor_release(r);
    return result;
}
