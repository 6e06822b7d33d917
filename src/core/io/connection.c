/* connection.c: connections that are accepted, and one that is made.
 *
 * Nothing here is shared between threads. A connection is accepted in the poll that ends the future, and in no other:
 * so a future that is cancelled or destroyed while it waits has taken none.
 */
#include "cawait/io.h"

#include "cawait/reactor.h"

#include "core/base/future.h"
#include "core/os/fd.h"
#include "core/os/socket.h"

#include <stdlib.h>
#include <string.h>

/* What both share. */
typedef struct connection {
    caw_future future;
    caw_future *wait; /* owned: while the fd is waited for */
    int result;       /* the fd to be taken; true once it has ended with 0, else -1 */
    bool cancelled;
} connection;

typedef struct accepting {
    connection c;
    int fd; /* borrowed */
} accepting;

typedef struct connecting {
    connection c;
    int fd; /* owned; -1 once it is the result */
    bool begun;
    bool is_valid; /* the address is */
    size_t length;
    unsigned char address[CAW__ADDRESS_MAX];
} connecting;

static connection *
connection_of(caw_future *f)
{
    return CAW_CONTAINER_OF(f, connection, future);
}

static void
connection_init(connection *c, const caw_future_ops *ops)
{
    *c = (connection){.result = -1};
    caw_future_init(&c->future, ops);
}

/* 0: it does not wait, or does so no more; 1: pending; below 0: an error. */
static int
connection_wait(connection *c, caw_context *cx)
{
    return c->cancelled ? CAW_ECANCELED : caw__future_wait(&c->wait, cx);
}

static void
connection_cancel(caw_future *f)
{
    connection *c = connection_of(f);
    c->cancelled = true;
    if (c->wait) {
        caw_future_cancel(c->wait);
    }
}

static void
connection_fini(connection *c)
{
    caw_future_destroy(c->wait);
    caw__fd_close(c->result);
}

static int
connection_take(connection *c)
{
    int fd = c->result;
    c->result = -1;
    return fd;
}

/* --- accept --- */

/* 0: c.result is the connection. -EAGAIN: there is none. */
static int
accept_try(accepting *a)
{
    int is_non_blocking = caw__fd_is_non_blocking(a->fd);
    if (is_non_blocking <= 0) {
        return is_non_blocking < 0 ? is_non_blocking : CAW_EINVAL;
    }
    int fd = caw__socket_accept(a->fd);
    if (fd < 0) {
        return fd;
    }
    a->c.result = fd;
    return 0;
}

static caw_poll
accept_poll(caw_future *f, caw_context *cx)
{
    accepting *a = CAW_CONTAINER_OF(connection_of(f), accepting, c);
    for (;;) {
        int status = connection_wait(&a->c, cx);
        if (status > 0) {
            return CAW_PENDING;
        }
        status = status ? status : accept_try(a);
        if (status != -EAGAIN) {
            return caw_future_finish(f, status);
        }
        a->c.wait = caw_readable(a->fd);
        if (!a->c.wait) {
            return caw_future_finish(f, CAW_ENOMEM);
        }
    }
}

static void
accept_destroy(caw_future *f)
{
    connection_fini(connection_of(f));
    free(CAW_CONTAINER_OF(connection_of(f), accepting, c));
}

static const caw_future_ops accept_ops = {"accept", accept_poll, connection_cancel, accept_destroy};

caw_future *
caw_accept(int fd)
{
    accepting *a = malloc(sizeof *a);
    if (!a) {
        return NULL;
    }
    connection_init(&a->c, &accept_ops);
    a->fd = fd;
    return &a->c.future;
}

int
caw_accept_take(caw_future *f)
{
    return connection_take(connection_of(f));
}

/* --- connect --- */

/* 0: connected. 1: it waits from now on. */
static int
connect_begin(connecting *k)
{
    if (!k->is_valid) {
        return CAW_EINVAL;
    }
    int error = caw__fd_set_non_blocking(k->fd);
    int begun = error ? error : caw__socket_connect(k->fd, k->address, k->length);
    if (begun > 0) {
        k->c.wait = caw_writable(k->fd);
        return k->c.wait ? 1 : CAW_ENOMEM;
    }
    return begun;
}

static caw_poll
connect_poll(caw_future *f, caw_context *cx)
{
    connecting *k = CAW_CONTAINER_OF(connection_of(f), connecting, c);
    int status = k->c.cancelled ? CAW_ECANCELED : 0;
    if (!status && !k->begun) {
        k->begun = true;
        status = connect_begin(k);
    }
    if (k->c.wait) {
        status = connection_wait(&k->c, cx);
        if (status > 0) {
            return CAW_PENDING;
        }
        status = status ? status : caw__socket_connected(k->fd);
    }
    if (status == 0) {
        k->c.result = k->fd;
        k->fd = -1;
    }
    return caw_future_finish(f, status);
}

static void
connect_destroy(caw_future *f)
{
    connecting *k = CAW_CONTAINER_OF(connection_of(f), connecting, c);
    connection_fini(&k->c); /* before the close: the reactor forgets the fd */
    caw__fd_close(k->fd);
    free(k);
}

static const caw_future_ops connect_ops = {"connect", connect_poll, connection_cancel, connect_destroy};

caw_future *
caw_connect(int fd, const struct sockaddr *address, size_t length)
{
    connecting *k = malloc(sizeof *k);
    if (!k) {
        caw__fd_close(fd);
        return NULL;
    }
    connection_init(&k->c, &connect_ops);
    k->fd = fd;
    k->begun = false;
    k->is_valid = address && length <= sizeof k->address;
    k->length = k->is_valid ? length : 0;
    if (k->is_valid) {
        memcpy(k->address, address, length);
    }
    return &k->c.future;
}

int
caw_connect_take(caw_future *f)
{
    return connection_take(connection_of(f));
}
