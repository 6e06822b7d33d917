/* load.c: the client of the echo servers: load PATH CONNECTIONS REQUESTS SIZE
 *
 * Each connection has one request on the way at a time. The client takes the connections in groups, in turn: it sleeps
 * until the last reply of a group is there, takes the others, and sends the group's next requests. Meanwhile the server
 * has those of the other groups. So the client wakes up once for a group, and a request costs it two system calls and
 * little else.
 *
 * A tenth as many requests come first, and are not measured. Prints one JSON object: ns for each request, percentiles
 * of the time from when one was sent until its reply was taken, and the part of the time that the client computed.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { GROUP = 10 }; /* the connections and the requests are a multiple of it */

typedef struct load {
    int *fds;
    uint64_t *sent; /* when each connection's request was sent */
    uint64_t *took; /* of each request */
    char *request, *reply;
    size_t connections, size;
} load;

static void
fail(const char *what)
{
    (void)fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void *
need(void *memory)
{
    if (!memory) {
        fail("memory");
    }
    return memory;
}

static uint64_t
clock_ns(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void
ask(load *l, size_t i)
{
    l->sent[i] = clock_ns(CLOCK_MONOTONIC);
    if (send(l->fds[i], l->request, l->size, 0) != (ssize_t)l->size) {
        fail("send");
    }
}

/* Returns how long it took. */
static uint64_t
answer(load *l, size_t i)
{
    if (recv(l->fds[i], l->reply, l->size, MSG_WAITALL) != (ssize_t)l->size ||
        memcmp(l->request, l->reply, l->size) != 0) {
        fail("recv");
    }
    return clock_ns(CLOCK_MONOTONIC) - l->sent[i];
}

static void
run(load *l, size_t requests)
{
    for (size_t k = 0; k < requests; k += GROUP) {
        size_t first = k % l->connections;
        for (size_t i = GROUP; i-- > 0;) {
            l->took[k + i] = answer(l, first + i);
        }
        for (size_t i = 0; i < GROUP; i++) {
            ask(l, first + i);
        }
    }
}

static int
connected(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        fail("connect");
    }
    return fd;
}

static load
load_new(const char *path, size_t connections, size_t requests, size_t size)
{
    load l = {.connections = connections, .size = size};
    l.fds = need(calloc(connections, sizeof *l.fds));
    l.sent = need(calloc(connections, sizeof *l.sent));
    l.took = need(calloc(requests, sizeof *l.took));
    l.request = need(malloc(size));
    l.reply = need(malloc(size));
    memset(l.request, 'x', size);
    for (size_t i = 0; i < connections; i++) {
        l.fds[i] = connected(path);
    }
    for (size_t i = 0; i < connections; i++) {
        ask(&l, i);
    }
    return l;
}

static void
load_free(load *l)
{
    for (size_t i = 0; i < l->connections; i++) {
        (void)answer(l, i);
        (void)close(l->fds[i]);
    }
    free(l->fds);
    free(l->sent);
    free(l->took);
    free(l->request);
    free(l->reply);
}

static int
compare(const void *a, const void *b)
{
    const uint64_t *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

int
main(int argc, char **argv)
{
    size_t numbers[3];
    for (int i = 0; i < 3; i++) {
        numbers[i] = argc == 5 ? strtoul(argv[2 + i], NULL, 10) / (i < 2 ? GROUP : 1) * (i < 2 ? GROUP : 1) : 0;
        if (numbers[i] == 0) {
            (void)fprintf(stderr, "load PATH CONNECTIONS REQUESTS SIZE\n");
            return 2;
        }
    }
    size_t requests = numbers[1];
    load l = load_new(argv[1], numbers[0], requests, numbers[2]);
    run(&l, requests / 10);
    uint64_t began = clock_ns(CLOCK_MONOTONIC), computed = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    run(&l, requests);
    computed = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - computed;
    double took = (double)(clock_ns(CLOCK_MONOTONIC) - began);
    qsort(l.took, requests, sizeof *l.took, compare);
    printf("{\"ns\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"busy\": %.3f}\n", took / (double)requests,
           (double)l.took[requests / 2] / 1e3, (double)l.took[requests - requests / 100 - 1] / 1e3,
           (double)computed / took);
    load_free(&l);
    return 0;
}
