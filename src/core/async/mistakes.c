/* mistakes.c: what a debug build sees of an async function that is used, or written, wrongly. */
#include "core/async/mistakes.h"

#include "core/os/compiler.h"

#include <stdio.h>
#include <stdlib.h>

const caw_point caw__async_end = {.text = "the end"};

static CAW__SLOW _Noreturn void
mistake_abort(const caw_async *a, const char *what)
{
    const caw_point *point = a->point ? a->point : a->failed;
    if (point && point->file) {
        (void)fprintf(stderr, "cawait: async function \"%s\", at %s:%d, %s\n", a->future.ops->name, point->file,
                      point->line, what);
    }
    else {
        (void)fprintf(stderr, "cawait: async function \"%s\" %s\n", a->future.ops->name, what);
    }
    abort();
}

void
caw__routine_no_such_point(const caw_async *a)
{
    mistake_abort(a, "cannot go on: its await is inside a `switch`");
}

#ifndef NDEBUG

/* The locals of the innermost body that runs on this thread are below this address. */
static CAW__THREAD_LOCAL const char *mistakes_stack;

enum { MISTAKES_RUBBISH = 1024 };

/* Overwrite the stack that a body is about to use: what was meant to live there across an await does not. */
static CAW__APART void
mistakes_spoil_stack(void)
{
    volatile unsigned char rubbish[MISTAKES_RUBBISH];
    for (size_t i = 0; i < sizeof rubbish; i++) {
        rubbish[i] = 0xA5;
    }
}

caw_step
caw__async_run(caw_async *a, caw_context *cx)
{
    char here;
    const char *outer = mistakes_stack;
    mistakes_stack = &here;
    caw__async_add_flags(a, CAW__ASYNC_RUNNING);
    mistakes_spoil_stack();
    caw_step step = caw__async_ops_of(a)->run(a, cx);
    caw__async_set_flags(a, caw__async_flags(a) & ~(uint32_t)CAW__ASYNC_RUNNING);
    mistakes_stack = outer;
    return step;
}

void
caw__async_check(const caw_async *a, const char *running, const char *ended)
{
    if (caw__async_flags(a) & CAW__ASYNC_RUNNING) {
        mistake_abort(a, running);
    }
    if (ended && a->point == &caw__async_end) {
        mistake_abort(a, ended);
    }
}

void
caw__async_check_child(const caw_async *a, const caw_future *f)
{
    char here;
    const char *address = (const char *)f;
    if (address > &here && address < mistakes_stack) {
        mistake_abort(a, "awaits a future that is a local variable");
    }
}

static caw_poll
destroyed_poll(caw_future *f, caw_context *cx)
{
    (void)cx;
    mistake_abort(CAW_CONTAINER_OF(f, caw_async, future), "is polled, and was destroyed");
}

static void
destroyed_destroy(caw_future *f)
{
    mistake_abort(CAW_CONTAINER_OF(f, caw_async, future), "is destroyed twice");
}

void
caw__async_mark_destroyed(caw_async *a)
{
    static const caw_future_ops ops = {"(destroyed)", destroyed_poll, NULL, destroyed_destroy};
    a->future.ops = &ops;
}

#endif
