/* locals.c: see locals.h. */
#include "python/loop/locals.h"

#include "python/loop/hub.h"
#include "python/loop/ref.h"

#include "core/os/compiler.h"
#include "core/run/spawn.h"

#include <stdlib.h>

/* --- locals --- */

static caw_py_locals *
locals_new(caw__inbox *inbox)
{
    PyObject *context = PyContext_CopyCurrent();
    if (!context) {
        return NULL;
    }
    caw_py_locals *locals = malloc(sizeof *locals);
    caw_py_ref *ref = locals ? caw__ref_new(inbox, context) : NULL;
    if (!ref) {
        free(locals);
        Py_DECREF(context);
        PyErr_NoMemory();
        return NULL;
    }
    atomic_init(&locals->refs, 1);
    locals->inbox = caw__inbox_retain(inbox);
    locals->context = ref;
    return locals;
}

caw_py_locals *
caw__locals_capture(caw__state *state, const caw__coroutine *c, int *status)
{
    caw__hub *hub = caw__hub_current(state, c, status);
    caw_py_locals *locals = hub ? locals_new(hub->inbox) : NULL;
    if (hub && !locals) {
        *status = CAW_ENOMEM;
    }
    return locals;
}

caw_py_locals *
caw_py_locals_retain(caw_py_locals *locals)
{
    if (locals) {
        atomic_fetch_add_explicit(&locals->refs, 1, memory_order_relaxed); /* relaxed: the caller has a reference */
    }
    return locals;
}

void
caw_py_locals_release(caw_py_locals *locals)
{
    /* acq_rel: all uses by others, before their release, come before the free. */
    if (locals && atomic_fetch_sub_explicit(&locals->refs, 1, memory_order_acq_rel) == 1) {
        caw_py_ref_release(locals->context);
        caw__inbox_release(locals->inbox);
        free(locals);
    }
}

caw_py_ref *
caw_py_ref_new(caw_py_locals *locals, PyObject *object)
{
    caw_py_ref *ref = caw__ref_new(locals->inbox, object);
    if (!ref) {
        PyErr_NoMemory();
        return NULL;
    }
    Py_INCREF(object);
    return ref;
}

/* --- scopes --- */

typedef struct caw__scope {
    caw_future future;
    caw_future *child;
    caw_py_locals *locals;    /* a reference */
    struct caw__scope *outer; /* while it is polled: the scope around that poll */
    caw_py_ref *raised;       /* the exception that a Python awaitable in here ended with last, or NULL: a reference */
    int raised_status;
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
    caw_py_ref_release(s->raised);
    caw_py_locals_release(s->locals);
    free(s);
}

static const caw_future_ops scope_ops = {"python.scope", scope_poll, scope_cancel, scope_destroy};

/* Where the child cannot be asked to stop, neither can the scope: a coroutine's policy goes by that. */
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

static void
locals_tell_coroutine(const caw__poll_place *place, caw_py_ref *error, int status)
{
    caw__coroutine *c = (caw__coroutine *)place->coroutine;
    caw__gil_take(place->released);
    if (caw__coroutine_extras_get(c)) {
        c->extras->raised_status = status;
        Py_XSETREF(c->extras->raised, Py_NewRef(caw_py_ref_get(error)));
    }
    PyErr_Clear();
    caw__gil_give(place->released);
}

void
caw__note_raised(const caw_context *cx, caw_py_ref *error, int status)
{
    caw__scope *s = scope_current;
    if (cx->host == &caw__poll_host) {
        locals_tell_coroutine(cx->place, error, status);
    }
    else if (s) {
        caw_py_ref *old = s->raised;
        s->raised = caw_py_ref_retain(error);
        s->raised_status = status;
        caw_py_ref_release(old);
    }
}

PyObject *
caw__scope_raised(const caw_future *future, int status)
{
    if (caw__is_spawned(future)) {
        future = caw_spawn_child(future);
    }
    const caw__scope *s = scope_of(future);
    return s && s->raised && s->raised_status == status ? caw_py_ref_get(s->raised) : NULL;
}
