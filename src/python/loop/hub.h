/* hub.h: the bridge's end of one Python loop: a reactor, and the coroutines that are suspended on that loop.
 *
 * Born at the first suspension on a loop. Found again from the loop, not from the thread: a loop may move. Its owner
 * is the loop itself, by the reader callback: when the loop is closed it drops its readers, and with them the hub, at
 * once. (Without add_reader it is a timer, see framework/asyncio.c.) The native half, the inbox, stays as long as
 * wake targets hold it, so a late wake finds a closed reactor and nothing else.
 *
 * The hub holds a reference to every waiter that a task waits for here. Without it a task that nobody else
 * holds would be garbage while its operation is in flight: asyncio itself keeps only weak references to tasks, and
 * the native side must not keep Python objects.
 *
 * Everything is protected by the GIL; only the inbox's reactor is shared with native threads.
 */
#ifndef CAWAIT_PYTHON_LOOP_HUB_H
#define CAWAIT_PYTHON_LOOP_HUB_H

#include "python/loop/framework.h"

#include "core/os/thread.h"

CAW__INTERNAL_BEGIN

/* What else lives on a loop, and ends with it. Part of a bigger struct; in the hub's list from caw__hub_add to
 * caw__hub_remove. */
typedef struct caw__tenant caw__tenant;

typedef struct caw__tenant_ops {
    void (*close)(caw__tenant *tenant); /* the loop is closed: takes itself out of the list */
    int (*traverse)(const caw__tenant *tenant, visitproc visit, void *arg);
} caw__tenant_ops;

struct caw__tenant {
    const caw__tenant_ops *ops;
    caw__hub *hub; /* borrowed; NULL while it is in no list */
    caw__tenant *next, *previous;
};

struct caw__hub {
    PyObject_HEAD
    caw__state *state; /* NULL once the module is gone */
    const caw__framework *framework;
    PyObject *loop;        /* the loop, or the token of a trio run; NULL once the hub is closed */
    caw__inbox *inbox;     /* a reference; inbox->hub is this hub until it is closed */
    caw__wake_node *batch; /* woken targets that the drain has not come to */
    caw__waiter **held;    /* suspended waiters with a callback: references where the framework holds */
    uint32_t n_held, n_room;
    caw_item *free_items; /* memory for Python's values as items: see loop/value.c */
    uint32_t n_free_items;
    void (*free_item)(caw_item *item); /* frees one of them; set with the first */
    caw__tenant *tenants;
    unsigned long thread;   /* the loop's: where it was attached, or drained last */
    PyThreadState *drainer; /* true while a drain runs: whose */
    PyObject *mark;         /* with drainer: the framework's mark when it began */
    void *attached;         /* the framework's: what stands in for add_reader, or NULL */
    bool plain_tasks;       /* asyncio's: tasks may be made as the loop's own create_task makes them, but eager */
    PyObject *reschedule;   /* trio's way to resume a task */
    bool ending;            /* trio's run is over when nobody waits here any more */
    caw__hub *next;         /* in state->hubs */
};

/* A hub of this loop, which nobody owns yet: a new reference, or NULL with an exception. */
caw__hub *caw__hub_new(caw__state *state, const caw__framework *framework, PyObject *loop);

/* The hub that the waiter is suspended on: borrowed. NULL when that is closed, or it waits for no wake. */
static inline caw__hub *
caw__hub_of(const caw__waiter *w)
{
    return w->target && w->target->inbox ? w->target->inbox->hub : NULL;
}

/* The same; NULL with a RuntimeError. */
caw__hub *caw__hub_open(const caw__waiter *w);

/* Whether this thread is the one of the inbox's loop, and has the GIL: then nothing needs to be queued. */
bool caw__hub_is_here(const caw__inbox *inbox);

/* The loop runs in this thread. */
static inline void
caw__hub_note_thread(caw__hub *hub)
{
    hub->thread = PyThread_get_thread_ident();
    /* Relaxed: the word guards nothing. */
    atomic_store_explicit(&hub->inbox->id.thread, caw__thread_number(), memory_order_relaxed);
}

/* Keep a waiter that has a callback, and let go of it (and of its callback) again. */
int caw__hub_hold(caw__waiter *w);
void caw__hub_drop_callback(caw__waiter *w);

/* Take the waiter out of the hub's list: the caller has the reference now, if there was one. */
caw__waiter *caw__hub_let_go(caw__waiter *w);

/* Have the loop resume the awaiter of a suspended waiter, later. On failure the callback stays. */
int caw__hub_resume_soon(caw__waiter *w);

/* Put a tenant into the list, and take one out. */
void caw__hub_add(caw__hub *hub, caw__tenant *tenant);
void caw__hub_remove(caw__tenant *tenant);

/* Close it: no wake arrives any more, what waits on its reactor ends. Twice is once. */
void caw__hub_close(caw__hub *hub);

CAW__INTERNAL_END

#endif
