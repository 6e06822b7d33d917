/* echo.c: a server that sends back what it is sent: our side of the rows of rows_echo.py. All of it is async functions
 * in C, which run on Python's loop: one accepts, and one is there for each connection.
 */
#include "bench.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- a connection --- */

typedef struct connection {
    caw_async async;
    int fd;
    ssize_t length;
    char buffer[4096];
} connection;

CAW_ASYNC_FUNCTION(connection)

/* A client sends its next request when it has the reply. So each request is waited for first: to read at once would be
 * one more system call, which finds nothing. */
static caw_step
connection_run(connection *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        do {
            CAW_AWAIT(caw_readable(self->fd));
            self->length = recv(self->fd, self->buffer, sizeof self->buffer, 0);
            CAW_TRY(self->length < 0 ? -errno : 0);
            CAW_AWAIT(caw_write_all(self->fd, self->buffer, (size_t)self->length));
        } while (self->length > 0);
    }
    CAW_FINALLY
    {
        (void)close(self->fd);
    }
}

static int
connection_ended(void *Py_UNUSED(user), caw_future *Py_UNUSED(member))
{
    return 0; /* whatever becomes of one connection, the others go on */
}

/* --- the server: the body of the group that the connections are in --- */

typedef struct server {
    caw_async async;
    int fd;           /* borrowed: it listens */
    caw_group *group; /* the body's reference */
    caw_future *accepting;
} server;

CAW_ASYNC_FUNCTION(server)

static caw_step
server_run(server *self, caw_context *cx)
{
    CAW_ROUTINE (&self->async, cx) {
        for (;;) {
            self->accepting = caw_accept(self->fd);
            CAW_AWAIT_REF(self->accepting);
            CAW_TRY(caw_group_add(self->group, CAW_ASYNC_NEW(connection, .fd = caw_accept_take(self->accepting))));
            caw_future_destroy(self->accepting);
            self->accepting = NULL;
        }
    }
    CAW_FINALLY
    {
        caw_future_destroy(self->accepting);
    }
}

static caw_future *
echo_start(PyObject *Py_UNUSED(module), PyObject *arg)
{
    int fd = PyObject_AsFileDescriptor(arg);
    caw_group_spec spec = {.ended = connection_ended};
    caw_group *group;
    caw_future *all;
    int error = fd < 0 ? CAW_EPYTHON : caw_group_new(&spec, &group, &all);
    if (error) {
        return (caw_future *)caw_py_set_error(error);
    }
    error = caw_group_add_body(group, CAW_ASYNC_NEW(server, .fd = fd, .group = group));
    if (error) {
        caw_future_destroy(all);
        return (caw_future *)caw_py_set_error(error);
    }
    return all;
}

const caw_py_async_def bench_echo[] = {
    CAW_PY_ASYNC_O("echo_server", echo_start, NULL, "echo_server(listener)\n--\n\nServe until it is cancelled."),
    CAW_PY_ASYNC_END,
};
