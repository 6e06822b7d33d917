/* addresses.c: getaddrinfo() on a worker.
 *
 * The call belongs to the pool: it is a caw_work, whose struct lives until both the worker and this future are done
 * with it. This future is around it for the sake of the cancel, which does not wait for the worker: it gives the call
 * up, as a destroy does, and the result is freed when it comes. So it needs a waker of its own, to say so. Nothing else
 * is shared between threads.
 */
#include "cawait/io.h"

#include "core/os/socket.h"

#include <stdlib.h>
#include <string.h>

/* The worker's, until its promise is resolved. */
typedef struct lookup {
    caw_work work;
    int hints[4];
    int error;                  /* what getaddrinfo() returned */
    struct addrinfo *found;     /* owned */
    const char *node, *service; /* in `text`, or NULL */
    char text[];
} lookup;

typedef struct address_future {
    caw_future future;
    lookup *lookup;  /* NULL once it is given up */
    caw_waker waker; /* true while it waits */
    bool ended;      /* from then on the call is this side's to read */
} address_future;

static int
lookup_run(caw_work *w)
{
    lookup *l = CAW_CONTAINER_OF(w, lookup, work);
    int number;
    l->error = caw__addresses_of(l->node, l->service, l->hints, &l->found, &number);
    return l->error == 0 ? 0 : number ? -number : CAW_EFAILED;
}

static void
lookup_free(caw_work *w)
{
    lookup *l = CAW_CONTAINER_OF(w, lookup, work);
    caw__addresses_free(l->found);
    free(l);
}

static const char *
lookup_copy(char *to, const char *text, size_t size)
{
    return text ? memcpy(to, text, size) : NULL;
}

static lookup *
lookup_new(caw_pool *pool, const char *node, const char *service, const struct addrinfo *hints)
{
    size_t node_size = node ? strlen(node) + 1 : 0, service_size = service ? strlen(service) + 1 : 0;
    lookup *l = malloc(sizeof *l + node_size + service_size);
    if (!l) {
        return NULL;
    }
    caw_work_init(&l->work, pool, lookup_run, lookup_free);
    caw__addresses_hints(hints, l->hints);
    l->error = 0;
    l->found = NULL;
    l->node = lookup_copy(l->text, node, node_size);
    l->service = lookup_copy(l->text + node_size, service, service_size);
    return l;
}

static address_future *
address_of(caw_future *f)
{
    return CAW_CONTAINER_OF(f, address_future, future);
}

static caw_waker
address_swap_waker(address_future *a, caw_waker waker)
{
    caw_waker old = a->waker;
    a->waker = waker;
    return old;
}

static caw_poll
address_poll(caw_future *f, caw_context *cx)
{
    address_future *a = address_of(f);
    if (!a->lookup) {
        return caw_future_finish(f, CAW_ECANCELED);
    }
    caw_future *call = &a->lookup->work.promise.future;
    if (caw_future_poll(call, cx) == CAW_PENDING) {
        if (!caw_waker_same(a->waker, cx->waker)) {
            caw_waker_drop(address_swap_waker(a, caw_waker_clone(cx->waker)));
        }
        return CAW_PENDING;
    }
    caw_waker_drop(address_swap_waker(a, CAW_WAKER_NONE));
    a->ended = call->status != CAW_EFORKED;
    return caw_future_finish(f, call->status);
}

static void
address_give_up(address_future *a)
{
    lookup *l = a->lookup;
    a->lookup = NULL;
    if (l) {
        caw_future_destroy(&l->work.promise.future);
    }
}

static void
address_cancel(caw_future *f)
{
    address_future *a = address_of(f);
    address_give_up(a);
    caw_waker_wake(address_swap_waker(a, CAW_WAKER_NONE));
}

static void
address_destroy(caw_future *f)
{
    address_future *a = address_of(f);
    address_give_up(a);
    caw_waker_drop(a->waker);
    free(a);
}

static const caw_future_ops address_ops = {"getaddrinfo", address_poll, address_cancel, address_destroy};

caw_future *
caw_getaddrinfo(caw_pool *pool, const char *node, const char *service, const struct addrinfo *hints)
{
    address_future *a = malloc(sizeof *a);
    if (!a) {
        return NULL;
    }
    caw_future_init(&a->future, &address_ops);
    a->waker = CAW_WAKER_NONE;
    a->ended = false;
    a->lookup = lookup_new(pool, node, service, hints);
    if (!a->lookup) {
        free(a);
        return NULL;
    }
    return &a->future;
}

struct addrinfo *
caw_getaddrinfo_take(caw_future *f)
{
    const address_future *a = address_of(f);
    struct addrinfo *found = NULL;
    if (a->lookup && a->ended) {
        found = a->lookup->found;
        a->lookup->found = NULL;
    }
    return found;
}

int
caw_getaddrinfo_error(const caw_future *f)
{
    const address_future *a = CAW_CONTAINER_OF(f, const address_future, future);
    return a->lookup && a->ended ? a->lookup->error : 0;
}
