/* block.c: what this thread does in calls that sleep, and what stands still meanwhile. */
#include "core/base/block.h"

#include "cawait/error.h"

#include "core/os/compiler.h"
#include "core/os/thread.h"

#include <stdio.h>
#include <stdlib.h>

/* Of the process, without a word of Python in it: the functions of the bridge that this copy of the core is linked
 * with. Release and acquire are not needed, since the table is static. */
static _Atomic(const caw__loop_ops *) block_ops;

/* Of this thread: in how many calls that sleep it is, and the worker that it is, or NULL. */
static CAW__THREAD_LOCAL struct {
    unsigned calls;
    caw__worker *worker;
} block_here;

static const caw__loop_ops *
block_get_ops(void)
{
    return atomic_load_explicit(&block_ops, memory_order_relaxed);
}

void
caw__block_watch(const caw__loop_ops *ops)
{
    atomic_store_explicit(&block_ops, ops, memory_order_relaxed);
}

void
caw__block_set_worker(caw__worker *worker)
{
    block_here.worker = worker;
}

caw__worker *
caw__block_worker(void)
{
    return block_here.worker;
}

void
caw__block_begin(void)
{
    block_here.calls++;
}

void
caw__block_end(void)
{
    block_here.calls--;
}

bool
caw__block_is_inside(void)
{
    return block_here.calls > 0;
}

int
caw__block_sleep(const char *call, caw_waker waker)
{
    const caw__loop_ops *ops = block_get_ops();
    if (ops && ops->lock()) {
#ifndef NDEBUG
        fprintf(stderr,
                "cawait: %s would sleep while its thread holds the GIL, without which no Python runs: "
                "release it (Py_BEGIN_ALLOW_THREADS) around the call\n",
                call);
        abort();
#else
        (void)call;
        return CAW_EDEADLOCK;
#endif
    }
    caw__worker *worker = block_here.worker;
    int error = !worker ? 0 : worker->asleep == 0 ? worker->ops->sleep(worker, waker) : caw__block_sleep_on();
    if (worker && !error) {
        worker->asleep++;
    }
    return error;
}

int
caw__block_sleep_on(void)
{
    const caw__worker *worker = block_here.worker;
    return worker ? atomic_load_explicit(&worker->error, memory_order_relaxed) : 0; /* relaxed: the wake orders it */
}

void
caw__block_go_on(void)
{
    caw__worker *worker = block_here.worker;
    if (worker && --worker->asleep == 0) {
        worker->ops->go_on(worker);
    }
}

void
caw__block_look(caw__held_up *out)
{
    const caw__loop_ops *ops = block_get_ops();
    out->thread = caw__thread_number();
    out->loop = ops ? ops->loop() : NULL;
    out->lock = ops ? ops->lock() : NULL;
}

bool
caw__block_holds_up(const caw__held_up *by, const caw__loop_id *loop)
{
    if (by->lock && by->lock == loop->lock) {
        return true;
    }
    bool there = atomic_load_explicit(&loop->thread, memory_order_relaxed) == by->thread;
    return there && (loop->stays || loop->loop == by->loop);
}

bool
caw__block_is_vain(const caw__loop_id *loop)
{
    const caw__worker *worker = block_here.worker;
    if (block_here.calls > 0 && atomic_load_explicit(&loop->thread, memory_order_relaxed) == caw__thread_number() &&
        (loop->stays || block_get_ops()->loop() == loop->loop)) { /* else the loop stands, and may go on elsewhere */
        return true;
    }
    return worker && worker->ops->is_awaited(worker, loop);
}

bool
caw__block_is_in_loop(void)
{
    const caw__loop_ops *ops = block_get_ops();
    return block_here.calls > 0 && ops && ops->loop();
}
