/* embedded_server.c: a program whose main is C. A thread of its own serves requests, and an `async def` of Python
 * answers each.
 *
 *     embedded_server <folder with handlers.py> [asyncio | uvloop | trio]
 *
 * It prints the port that it listens on. A request is a line, and so is its answer. The line "quit" ends the program,
 * and so does Ctrl-C.
 */
#include <cawait.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINE_SIZE = 4096 };

typedef struct server {
    int listener;
    _Atomic int connection; /* -1 between two */
    const char *folder;
    caw_py_locals *locals;
    caw_py_ref *handler;
    caw_py_stopper *stopper;
    pthread_t thread;
} server;

/* One request, on the stack of the thread that waits for its answer. */
typedef struct request {
    const server *server;
    const char *line;
    char answer[LINE_SIZE];
} request;

/* [call] */
/* --- in the loop's thread, with the GIL --- */

static PyObject *
request_call(void *arg)
{
    const request *r = arg;
    return PyObject_CallFunction(caw_py_ref_get(r->server->handler), "s", r->line);
}

static int
request_result(void *arg, PyObject *value)
{
    request *r = arg;
    const char *text = PyUnicode_AsUTF8(value);
    if (!text) {
        return CAW_EPYTHON;
    }
    (void)snprintf(r->answer, sizeof r->answer, "%s", text);
    return 0;
}

static const caw_py_call_spec request_spec = {request_call, request_result, NULL};

/* --- in the server's own thread, without the GIL --- */

static void
answer(const server *s, int fd, const char *line)
{
    request r = {.server = s, .line = line};
    caw_future *f = caw_py_call(s->locals, &request_spec, &r);
    int status = f ? caw_block_on(f) : CAW_ENOMEM;
    caw_future_destroy(f); /* it has ended: nobody uses `r` any more */
    (void)dprintf(fd, "%s%s\n", status < 0 ? "error: " : "", status < 0 ? caw_error_text(status) : r.answer);
}

/* [/call] */
/* True: the client has sent "quit". */
static bool
serve_connection(server *s, FILE *stream)
{
    char line[LINE_SIZE];
    while (fgets(line, sizeof line, stream)) {
        line[strcspn(line, "\r\n")] = '\0';
        if (strcmp(line, "quit") == 0) {
            return true;
        }
        answer(s, fileno(stream), line);
    }
    return false;
}

static void *
serve(void *arg)
{
    server *s = arg;
    bool quit = false;
    int fd;
    while (!quit && (fd = accept(s->listener, NULL, NULL)) >= 0) {
        FILE *stream = fdopen(fd, "r"); /* what is written goes to the fd itself */
        s->connection = fd;
        quit = stream && serve_connection(s, stream);
        s->connection = -1;
        (void)(stream ? fclose(stream) : close(fd));
    }
    caw_py_ref_release(s->handler);
    caw_py_locals_release(s->locals);
    caw_py_stopper_stop(s->stopper);
    return NULL;
}

/* --- the program --- */

/* handlers.handle, from the folder. */
static PyObject *
import_handler(const char *folder)
{
    PyObject *path = PySys_GetObject("path"), *entry = PyUnicode_DecodeFSDefault(folder);
    PyObject *module = path && entry && PyList_Insert(path, 0, entry) == 0 ? PyImport_ImportModule("handlers") : NULL;
    PyObject *handler = module ? PyObject_GetAttrString(module, "handle") : NULL;
    Py_XDECREF(module);
    Py_XDECREF(entry);
    return handler;
}

static int
begin(PyObject *module, void *user)
{
    server *s = user;
    PyObject *handler = import_handler(s->folder);
    s->locals = handler ? caw_py_locals_new(module) : NULL;
    s->handler = s->locals ? caw_py_ref_new(s->locals, handler) : NULL;
    Py_XDECREF(handler);
    if (!s->handler) {
        return -1;
    }
    int error = -pthread_create(&s->thread, NULL, serve, s);
    if (error < 0) {
        caw_py_ref_release(s->handler);
        caw_py_locals_release(s->locals);
        s->handler = NULL;
    }
    return error;
}

static int
listen_locally(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 16) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
        perror("listen");
        return -1;
    }
    printf("%d\n", ntohs(address.sin_port));
    (void)fflush(stdout);
    return fd;
}

int
main(int argc, char **argv)
{
    if (argc < 2) {
        (void)fprintf(stderr, "usage: %s <folder with handlers.py> [asyncio | uvloop | trio]\n", argv[0]);
        return 2;
    }
    const char *loop = argc > 2 ? argv[2] : "asyncio";
    caw_py_run_options options = {.argc = argc, .argv = argv};
    options.loop = strcmp(loop, "trio") == 0     ? CAW_PY_TRIO
                   : strcmp(loop, "uvloop") == 0 ? CAW_PY_UVLOOP
                                                 : CAW_PY_ASYNCIO;
    server s = {.listener = listen_locally(), .connection = -1, .folder = argv[1], .stopper = caw_py_stopper_new()};
    if (s.listener < 0 || !s.stopper) {
        return 1;
    }
    int exit_code;
    (void)caw_py_run_forever(&options, begin, &s, s.stopper, &exit_code);
    (void)shutdown(s.listener, SHUT_RDWR); /* wakes the thread, if it is not the one that has ended the run */
    int connection = s.connection;
    if (connection >= 0) {
        (void)shutdown(connection, SHUT_RDWR);
    }
    if (s.handler) {
        (void)pthread_join(s.thread, NULL);
    }
    caw_py_stopper_release(s.stopper);
    (void)close(s.listener);
    return exit_code;
}
