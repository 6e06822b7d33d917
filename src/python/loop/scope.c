/* scope.c: a future around another one, which says where the Python of that one runs. */
#include "python/loop/locals.h"

#include "core/os/compiler.h"

#include <stdlib.h>

typedef struct caw__scope {
    caw_future future;
    caw_future *child;
    caw_py_locals *locals;    /* a reference */
    struct caw__scope *outer; /* while it is polled: the scope around that poll */
} caw__scope;

/* The scope whose child this thread is in. Set while a function of the child runs, by that thread alone. */
static CAW__THREAD_LOCAL caw__scope *scope_current;

static void
scope_enter(caw__scope *s)
{
    s->outer = scope_current;
    scope_current = s;
}

static void
scope_leave(const caw__scope *s)
{
    scope_current = s->outer;
}

static caw_poll
scope_poll(caw_future *f, caw_context *cx)
{
    caw__scope *s = CAW_CONTAINER_OF(f, caw__scope, future);
    scope_enter(s);
    caw_poll poll = caw_future_poll(s->child, cx);
    scope_leave(s);
    return poll == CAW_READY ? caw_future_finish(f, s->child->status) : CAW_PENDING;
}

static void
scope_cancel(caw_future *f)
{
    caw__scope *s = CAW_CONTAINER_OF(f, caw__scope, future);
    scope_enter(s);
    caw_future_cancel(s->child);
    scope_leave(s);
}

static void
scope_destroy(caw_future *f)
{
    caw__scope *s = CAW_CONTAINER_OF(f, caw__scope, future);
    scope_enter(s);
    caw_future_destroy(s->child);
    scope_leave(s);
    caw_py_locals_release(s->locals);
    free(s);
}

static const caw_future_ops scope_ops = {"python.scope", scope_poll, scope_cancel, scope_destroy};

/* Where the child has no cancel, the scope has none either: a coroutine's default policy depends on that. */
static const caw_future_ops scope_ops_without_cancel = {"python.scope", scope_poll, NULL, scope_destroy};

caw_future *
caw_py_scope(caw_py_locals *locals, caw_future *child)
{
    caw__scope *s = child ? malloc(sizeof *s) : NULL;
    if (!s) {
        caw_future_destroy(child);
        return NULL;
    }
    *s = (caw__scope){.child = child, .locals = caw_py_locals_retain(locals)};
    caw_future_init(&s->future, child->ops->cancel ? &scope_ops : &scope_ops_without_cancel);
    return &s->future;
}

static caw__scope *
scope_of(const caw_future *future)
{
    bool is = future && (future->ops == &scope_ops || future->ops == &scope_ops_without_cancel);
    return is ? (caw__scope *)CAW_CONTAINER_OF(future, caw__scope, future) : NULL;
}

caw_future *
caw_py_scope_child(const caw_future *scope)
{
    const caw__scope *s = scope_of(scope);
    return s ? s->child : NULL;
}

caw_py_locals *
caw_py_locals_current(void)
{
    return scope_current ? scope_current->locals : NULL;
}
