/* test_io_memory.c: each allocation of each operation fails once. Their sources are compiled in here, with an allocator
 * that fails on demand. */
#include "support/fds.h"
#include "support/fork.h"

#include "cawait/testing_tools.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/wait.h>

#define malloc  caw_test_malloc
#define calloc  caw_test_calloc
#define realloc caw_test_realloc

/* NOLINTBEGIN: so that they use this allocator */
#include "core/bytes/byte_fd.c"
#include "core/io/addresses.c"
#include "core/io/connection.c"
#include "core/io/file.c"
#include "core/io/interval.c"
#include "core/io/process.c"
#include "core/io/signals.c"
#include "core/io/transfer.c"
#include "core/reactor/fd_table.c"
#include "core/reactor/readiness.c"
#include "core/reactor/sleep.c"
#include "core/reactor/timer_heap.c"
#include "core/stream/stream.c"
/* NOLINTEND */

#undef malloc
#undef calloc
#undef realloc

static caw_reactor *r;
static caw_pool *pool;
static counter c;
static int fds[2], listener, file_fd;

/* Poll it to its end, and destroy it. */
static int
run(caw_future *f)
{
    if (!f) {
        return CAW_ENOMEM;
    }
    while (poll_at(f, r, &c) == CAW_PENDING) {
        CHECK(caw_reactor_turn(r, MILLISECOND) >= 0);
    }
    int status = f->status;
    caw_future_destroy(f);
    return status;
}

/* The first item, and then the end after a cancel. */
static int
run_stream(caw_stream *s, void (*meanwhile)(void))
{
    if (!s) {
        return CAW_ENOMEM;
    }
    caw_context cx = {{&counter_ops, &c}, &place_host, r};
    caw_item *item = NULL;
    while (caw_stream_poll_next(s, &cx, &item) == CAW_PENDING) {
        meanwhile();
        CHECK(caw_reactor_turn(r, MILLISECOND) >= 0);
    }
    int status = item ? 0 : s->status;
    caw_item_destroy(item);
    caw_stream_destroy(s);
    return status;
}

static int
run_read(void)
{
    char bytes[4];
    caw_future *f = caw_read_exactly(fds[0], bytes, sizeof bytes);
    bool pending = f && poll_at(f, r, &c) == CAW_PENDING;
    write_text(fds[1], "abcd");
    int status = pending || !f ? run(f) : f->status;
    if (f && !pending) {
        caw_future_destroy(f);
    }
    while (read(fds[0], bytes, sizeof bytes) > 0) {
    }
    return status;
}

static int
run_write(void)
{
    static char bytes[1 << 20], rest[1 << 20];
    caw_future *f = caw_write_all(fds[1], bytes, sizeof bytes);
    int status = CAW_ENOMEM;
    if (f) {
        while (poll_at(f, r, &c) == CAW_PENDING) {
            (void)!read(fds[0], rest, sizeof rest);
            CHECK(caw_reactor_turn(r, MILLISECOND) >= 0);
        }
        status = f->status;
        caw_future_destroy(f);
    }
    while (read(fds[0], rest, sizeof rest) > 0) {
    }
    return status;
}

/* Both ends: the client first, so that the accept has to wait in some runs only. */
static int
run_connect_and_accept(void)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    CHECK_INT(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    caw_future *g = caw_accept(listener);
    bool ready = g && poll_at(g, r, &c) == CAW_READY;
    int status = run(caw_connect(socket(AF_INET, SOCK_STREAM, 0), (const struct sockaddr *)&address, length));
    if (ready || (g && status)) {
        status = status ? status : g->status;
        caw_future_destroy(g);
        return status;
    }
    return status ? status : run(g);
}

static int
run_getaddrinfo(void)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST};
    return run(caw_getaddrinfo(pool, "127.0.0.1", NULL, &hints));
}

static int
run_file(void)
{
    caw_file *file = caw_file_new(dup(file_fd));
    int status = run(caw_file_write(pool, file, 0, caw_bytes_new("abc", 3)));
    status = status ? status : run(caw_file_read(pool, file, 0, 3));
    status = status ? status : run(caw_file_sync(pool, file));
    caw_file_release(file);
    return status;
}

static int
run_process(void)
{
    int pid = fork_child();
    CHECK(pid >= 0);
    if (pid == 0) {
        (void)usleep(1000);
        _exit(0);
    }
    int status = run(caw_process_wait(pid));
    if (status) {
        CHECK_INT(waitpid(pid, NULL, 0), pid); /* it was left */
    }
    return status;
}

static void
nothing(void)
{
}

static void
raise_one(void)
{
    CHECK_INT(raise(SIGUSR1), 0);
}

static int
run_signal(void)
{
    int status = run_stream(caw_signal(SIGUSR1), raise_one);
    struct sigaction now;
    CHECK_INT(sigaction(SIGUSR1, NULL, &now), 0);
    CHECK(now.sa_handler == SIG_DFL);
    return status;
}

static int
run_interval(void)
{
    return run_stream(caw_interval_at(caw_now_ns() + MILLISECOND, MILLISECOND, CAW_TICKS_SKIP), nothing);
}

static int
run_sleep_until(void)
{
    return run(caw_sleep_until(caw_now_ns() + MILLISECOND));
}

static void
begin(caw_reactor_kind kind)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    FILE *file = tmpfile();
    CHECK(file);
    file_fd = dup(fileno(file));
    CHECK_INT(fclose(file), 0);
    r = new_reactor(kind);
    pool = new_pool(1);
    make_pipe(fds, O_NONBLOCK);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK_INT(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_INT(listen(listener, 64), 0);
}

static void
end(void)
{
    while (c.references > 0) { /* the thread for signals may be about to wake */
        (void)usleep(100);
    }
    CHECK_INT(c.references, 0);
    end_reactor(r);
    end_pool(pool);
    close_both(fds);
    close(listener);
    close(file_fd);
}

static void
each_allocation_that_fails_ends_it_with_ENOMEM_and_leaves_nothing(caw_reactor_kind kind)
{
    int (*const runs[])(void) = {run_read,    run_write,  run_connect_and_accept, run_getaddrinfo, run_file,
                                 run_process, run_signal, run_interval,           run_sleep_until};
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        unsigned failures = 0;
        bool failed = true;
        for (unsigned n = 1; failed; n++) {
            begin(kind);
            caw_test_fail_allocation(n);
            int status = runs[i]();
            failed = caw_test_allocation_failed();
            caw_test_fail_allocation(0);
            CHECK_INT(status, failed ? CAW_ENOMEM : 0);
            failures += failed;
            end();
        }
        CHECK(failures > 0);
    }
}
ON_BOTH_KINDS(each_allocation_that_fails_ends_it_with_ENOMEM_and_leaves_nothing)

TESTS(TEST_BOTH(each_allocation_that_fails_ends_it_with_ENOMEM_and_leaves_nothing))
