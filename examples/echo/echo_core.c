/* echo_core.c: the server and the client, wholly of async functions in C: they run on Python's loop, or on a thread. */
#include "echo_core.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS UINT64_C(1000000)

/* --- the server --- */

/* [connection] */
typedef struct connection {
    caw_async async;
    int fd;
    ssize_t n;
    char buffer[4096];
} connection;

CAW_ASYNC_FUNCTION(connection)

/* A client sends its next request when it has the reply. So each is waited for first: caw_read would try to read at
 * once, which finds nothing. */
static caw_step
connection_run(connection *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        do {
            CAW_AWAIT(caw_readable(self->fd));
            self->n = recv(self->fd, self->buffer, sizeof self->buffer, 0);
            if (self->n > 0) {
                CAW_AWAIT(caw_write_all(self->fd, self->buffer, (size_t)self->n));
            }
        } while (self->n > 0 || (self->n < 0 && errno == EAGAIN));
    }
    CAW_FINALLY
    {
        close(self->fd);
    }
}

typedef struct server {
    caw_async async;
    int fd, status;
    caw_group *group; /* the reference that goes with the body of a group */
    caw_future *accept;
} server;

CAW_ASYNC_FUNCTION(server)

static caw_step
server_run(server *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        for (;;) {
            self->accept = caw_accept(self->fd);
            CAW_AWAIT_REF_STATUS(self->status, self->accept);
            if (self->status == -EMFILE || self->status == -ENFILE) {
                CAW_AWAIT(caw_sleep(10 * MS)); /* the connection stays queued until others have ended */
            }
            else {
                CAW_TRY(self->status);
                CAW_TRY(caw_group_add(self->group, CAW_ASYNC_NEW(connection, .fd = caw_accept_take(self->accept))));
            }
            caw_future_destroy(self->accept);
            self->accept = NULL;
        }
    }
    CAW_FINALLY
    {
        caw_future_destroy(self->accept);
        close(self->fd);
    }
}
/* [/connection] */

static int
member_ended(void *user, caw_future *member)
{
    (void)user;
    return member->ops == &connection_ops.future ? 0 : member->status; /* a connection that fails ends no other */
}

caw_future *
echo_serve(int fd)
{
    caw_group_spec spec = {.ended = member_ended};
    caw_group *group;
    caw_future *all;
    if (caw_group_new(&spec, &group, &all) < 0) {
        close(fd);
        return NULL;
    }
    if (caw_group_add_body(group, CAW_ASYNC_NEW(server, .fd = fd, .group = group)) < 0) {
        caw_future_destroy(all);
        return NULL;
    }
    return all;
}

/* --- the client --- */

static const char MESSAGE[64] = "a request of 64 bytes, which the server sends back as they are";

typedef struct client {
    caw_async async;
    struct sockaddr_in to;
    int fd;
    size_t requests;
    uint64_t *latencies; /* borrowed: of the load */
    uint64_t began;
    caw_future *connect;
    char reply[sizeof MESSAGE];
} client;

CAW_ASYNC_FUNCTION(client)

static caw_step
client_run(client *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        self->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        CAW_TRY(self->fd < 0 ? -errno : 0);
        self->connect = caw_connect(self->fd, (struct sockaddr *)&self->to, sizeof self->to);
        self->fd = -1; /* that future's, until it is taken */
        CAW_AWAIT_REF(self->connect);
        self->fd = caw_connect_take(self->connect);
        for (; self->requests > 0; self->requests--) {
            self->began = caw_now_ns();
            CAW_AWAIT(caw_write_all(self->fd, MESSAGE, sizeof MESSAGE));
            CAW_AWAIT(caw_read_exactly(self->fd, self->reply, sizeof self->reply));
            CAW_TRY(memcmp(self->reply, MESSAGE, sizeof MESSAGE) == 0 ? 0 : -EBADMSG);
            *self->latencies++ = caw_now_ns() - self->began;
        }
    }
    CAW_FINALLY
    {
        caw_future_destroy(self->connect);
        if (self->fd >= 0) {
            close(self->fd);
        }
    }
}

typedef struct load {
    caw_async async;
    echo_load spec;
    echo_report report;
    uint64_t *latencies;
    uint64_t began;
    caw_future *all;
} load;

CAW_ASYNC_FUNCTION(load)

/* All clients, in a group. */
static int
load_begin(load *self)
{
    const echo_load *spec = &self->spec;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(spec->port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    caw_group *group;
    int error = caw_group_new(&(caw_group_spec){.limit = 0}, &group, &self->all);
    for (size_t i = 0; i < spec->connections && error == 0; i++) {
        error = caw_group_add(group, CAW_ASYNC_NEW(client, .to = to, .fd = -1, .requests = spec->requests,
                                                   .latencies = self->latencies + i * spec->requests));
    }
    caw_group_release(group); /* the last reference: no more come */
    return error;
}

static int
compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static void
load_measure(load *self)
{
    size_t n = self->spec.connections * self->spec.requests;
    self->report.seconds = (double)(caw_now_ns() - self->began) / 1e9;
    qsort(self->latencies, n, sizeof *self->latencies, compare);
    self->report.p50_us = (double)self->latencies[n / 2] / 1e3;
    self->report.p99_us = (double)self->latencies[n * 99 / 100] / 1e3;
}

static caw_step
load_run(load *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        CAW_TRY(self->spec.connections && self->spec.requests ? 0 : CAW_EINVAL);
        CAW_TRY(self->spec.requests <= SIZE_MAX / self->spec.connections ? 0 : CAW_EINVAL);
        self->latencies = calloc(self->spec.connections * self->spec.requests, sizeof *self->latencies);
        CAW_TRY(self->latencies ? 0 : CAW_ENOMEM);
        CAW_TRY(load_begin(self));
        self->began = caw_now_ns();
        CAW_AWAIT_REF(self->all);
        load_measure(self);
    }
    CAW_FINALLY
    {
        caw_future_destroy(self->all); /* first: its members write to the latencies */
        free(self->latencies);
    }
}

caw_future *
echo_load_new(const echo_load *spec)
{
    return CAW_ASYNC_NEW(load, .spec = *spec);
}

const echo_report *
echo_load_report(const caw_future *f)
{
    return &CAW_CONTAINER_OF(f, const load, async.future)->report;
}
