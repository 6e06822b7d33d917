/* test_transfer.c: bytes read and written, over pipes, sockets and files; each on both kinds of reactor. */
#include "support/fds.h"
#include "support/give_up.h"
#include "support/threads.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/time.h>

static void
read_gives_what_is_there_and_then_the_end(caw_reactor_kind kind)
{
    for (int flags = 0; flags <= O_NONBLOCK; flags += O_NONBLOCK) {
        wired w;
        char buffer[8];
        wire(&w, make_pipe, flags, kind);
        caw_future *f = caw_read(w.fds[0], buffer, sizeof buffer);
        CHECK(poll_at(f, w.r, &w.c) == CAW_PENDING);
        CHECK_INT(caw_reactor_turn(w.r, MILLISECOND), 0);
        CHECK(poll_at(f, w.r, &w.c) == CAW_PENDING);
        write_text(w.fds[1], "abc");
        CHECK_INT(turn_until_ready(w.r, f, &w.c), 0);
        CHECK_INT(caw_io_count(f), 3);
        CHECK(memcmp(buffer, "abc", 3) == 0);
        caw_future_destroy(f);
        close_end(&w, 1);
        f = caw_read(w.fds[0], buffer, sizeof buffer);
        CHECK_INT(turn_until_ready(w.r, f, &w.c), 0);
        CHECK_INT(caw_io_count(f), 0);
        caw_future_destroy(f);
        unwire(&w);
    }
}
ON_BOTH_KINDS(read_gives_what_is_there_and_then_the_end)

static void
read_of_no_bytes_is_EINVAL_and_all_of_none_is_done(caw_reactor_kind kind)
{
    wired w;
    wire_pipe(&w, kind);
    caw_future *f[] = {caw_read(w.fds[0], &w, 0), caw_read_exactly(w.fds[0], &w, 0), caw_write_all(w.fds[1], &w, 0)};
    for (int i = 0; i < 3; i++) {
        CHECK_INT(status_at(f[i], w.r, &w.c), i == 0 ? CAW_EINVAL : 0);
        CHECK_INT(caw_io_count(f[i]), 0);
        caw_future_destroy(f[i]);
    }
    unwire(&w);
}
ON_BOTH_KINDS(read_of_no_bytes_is_EINVAL_and_all_of_none_is_done)

static void
read_exactly_waits_for_all_bytes_and_leaves_the_rest(caw_reactor_kind kind)
{
    wired w;
    char buffer[10] = {0}, rest;
    wire_pipe(&w, kind);
    caw_future *f = caw_read_exactly(w.fds[0], buffer, sizeof buffer);
    for (int i = 0; i < 9; i++) {
        CHECK(poll_at(f, w.r, &w.c) == CAW_PENDING);
        CHECK_INT(caw_io_count(f), i);
        CHECK_INT(write(w.fds[1], &"012345678"[i], 1), 1);
        TURN_UNTIL(w.r, w.c.wakes > i);
    }
    CHECK(poll_at(f, w.r, &w.c) == CAW_PENDING);
    write_text(w.fds[1], "9x");
    CHECK_INT(turn_until_ready(w.r, f, &w.c), 0);
    CHECK_INT(caw_io_count(f), 10);
    CHECK(memcmp(buffer, "0123456789", 10) == 0);
    caw_future_destroy(f);
    CHECK_INT(read(w.fds[0], &rest, 1), 1);
    CHECK_INT(rest, 'x');
    unwire(&w);
}
ON_BOTH_KINDS(read_exactly_waits_for_all_bytes_and_leaves_the_rest)

static void
read_exactly_that_meets_the_end_says_so_and_how_far_it_came(caw_reactor_kind kind)
{
    wired w;
    char buffer[10];
    wire(&w, make_sockets, O_NONBLOCK, kind);
    caw_future *f = caw_read_exactly(w.fds[0], buffer, sizeof buffer);
    write_text(w.fds[1], "abcd");
    CHECK(poll_at(f, w.r, &w.c) == CAW_PENDING);
    close_end(&w, 1);
    CHECK_INT(turn_until_ready(w.r, f, &w.c), CAW_EBROKEN);
    CHECK_INT(caw_io_count(f), 4);
    caw_future_destroy(f);
    unwire(&w);
}
ON_BOTH_KINDS(read_exactly_that_meets_the_end_says_so_and_how_far_it_came)

enum { LARGE = 1 << 20 };

static char *
pattern_new(void)
{
    char *bytes = malloc(LARGE);
    CHECK(bytes);
    for (int i = 0; i < LARGE; i++) {
        bytes[i] = (char)(i * 7 + i / 251);
    }
    return bytes;
}

/* A writer and a reader on one reactor; each goes on when it was woken. */
static void
write_all_waits_for_room_and_every_byte_arrives(caw_reactor_kind kind)
{
    for (int i = 0; i < 4; i++) {
        wired w;
        counter c = {0, 0};
        wire(&w, i % 2 ? make_sockets : make_pipe, i / 2 ? O_NONBLOCK : 0, kind);
        char *out = pattern_new(), *in = malloc(LARGE);
        caw_future *f = caw_write_all(w.fds[1], out, LARGE), *g = caw_read_exactly(w.fds[0], in, LARGE);
        bool written = false, got = false;
        int pending = 0;
        while (!written || !got) {
            written = written || poll_at(f, w.r, &c) == CAW_READY;
            pending += !written;
            got = got || poll_at(g, w.r, &w.c) == CAW_READY;
            CHECK(got || caw_reactor_turn(w.r, SECOND) >= 0);
        }
        CHECK(pending > 0);
        CHECK_INT(f->status, 0);
        CHECK_INT(g->status, 0);
        CHECK_INT(caw_io_count(f), LARGE);
        CHECK(memcmp(in, out, LARGE) == 0);
        caw_future_destroy(f);
        caw_future_destroy(g);
        free(in);
        free(out);
        unwire(&w);
    }
}
ON_BOTH_KINDS(write_all_waits_for_room_and_every_byte_arrives)

static void
socket_whose_other_end_is_gone_is_EPIPE_without_a_signal(caw_reactor_kind kind)
{
    wired w;
    wire(&w, make_sockets, O_NONBLOCK, kind);
    close_end(&w, 0);
    caw_future *f = caw_write_all(w.fds[1], "abc", 3); /* the signal would end this process */
    CHECK_INT(turn_until_ready(w.r, f, &w.c), -EPIPE);
    CHECK_INT(caw_io_count(f), 0);
    caw_future_destroy(f);
    unwire(&w);
}
ON_BOTH_KINDS(socket_whose_other_end_is_gone_is_EPIPE_without_a_signal)

static void
write_that_is_under_way_when_the_other_end_closes_counts_what_went_out(caw_reactor_kind kind)
{
    wired w;
    wire(&w, make_sockets, O_NONBLOCK, kind);
    char *out = pattern_new();
    caw_future *f = caw_write_all(w.fds[1], out, LARGE);
    CHECK(poll_at(f, w.r, &w.c) == CAW_PENDING);
    size_t count = caw_io_count(f);
    CHECK(count > 0 && count < LARGE);
    close_end(&w, 0);
    CHECK_INT(turn_until_ready(w.r, f, &w.c), -EPIPE);
    CHECK_INT(caw_io_count(f), count);
    caw_future_destroy(f);
    free(out);
    unwire(&w);
}
ON_BOTH_KINDS(write_that_is_under_way_when_the_other_end_closes_counts_what_went_out)

/* Two ends of a TCP connection. */
static void
make_tcp(int fds[2], int flags)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_INT(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_INT(listen(listener, 1), 0);
    CHECK_INT(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    fds[1] = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_INT(connect(fds[1], (struct sockaddr *)&address, sizeof address), 0);
    fds[0] = accept(listener, NULL, NULL);
    CHECK(fds[0] >= 0);
    close(listener);
    set_both(fds, flags);
}

static void
connection_that_is_reset_ends_a_read_with_ECONNRESET(caw_reactor_kind kind)
{
    wired w;
    char buffer[4];
    wire(&w, make_tcp, O_NONBLOCK, kind);
    caw_future *f = caw_read_exactly(w.fds[0], buffer, sizeof buffer);
    CHECK(poll_at(f, w.r, &w.c) == CAW_PENDING);
    struct linger at_once = {1, 0};
    CHECK_INT(setsockopt(w.fds[1], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    close_end(&w, 1);
    CHECK_INT(turn_until_ready(w.r, f, &w.c), -ECONNRESET);
    caw_future_destroy(f);
    unwire(&w);
}
ON_BOTH_KINDS(connection_that_is_reset_ends_a_read_with_ECONNRESET)

static void
regular_file_is_read_and_written_without_waiting(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    char buffer[8];
    FILE *file = tmpfile();
    CHECK(file);
    int fd = fileno(file);
    caw_future *f = caw_write_all(fd, "abcdef", 6);
    CHECK_INT(status_at(f, r, &c), 0);
    caw_future_destroy(f);
    CHECK_INT(lseek(fd, 2, SEEK_SET), 2);
    f = caw_read(fd, buffer, sizeof buffer);
    CHECK_INT(status_at(f, r, &c), 0);
    CHECK_INT(caw_io_count(f), 4);
    CHECK(memcmp(buffer, "cdef", 4) == 0);
    caw_future_destroy(f);
    CHECK_INT(fclose(file), 0);
    end_reactor(r);
}
ON_BOTH_KINDS(regular_file_is_read_and_written_without_waiting)

static void
fd_that_is_not_open_or_is_for_the_other_direction_is_EBADF(caw_reactor_kind kind)
{
    wired w;
    char byte;
    wire_pipe(&w, kind);
    caw_future *f[] = {caw_read(-1, &byte, 1), caw_write_all(1 << 30, "x", 1), caw_write_all(w.fds[0], "x", 1),
                       caw_read_exactly(w.fds[1], &byte, 1)};
    for (size_t i = 0; i < sizeof f / sizeof *f; i++) {
        CHECK_INT(status_at(f[i], w.r, &w.c), CAW_EBADF);
        caw_future_destroy(f[i]);
    }
    unwire(&w);
}
ON_BOTH_KINDS(fd_that_is_not_open_or_is_for_the_other_direction_is_EBADF)

static void
read_that_is_cancelled_reads_nothing(caw_reactor_kind kind)
{
    for (int there = 0; there < 2; there++) {
        for (int polls = 0; polls < 3; polls++) {
            wired w;
            char byte = 0;
            wire_pipe(&w, kind);
            caw_future *f = caw_read(w.fds[0], &byte, 1);
            for (int i = 0; i < polls; i++) {
                CHECK(poll_at(f, w.r, &w.c) == CAW_PENDING);
            }
            if (there) { /* it may have been woken for these, or not */
                write_text(w.fds[1], "x");
                CHECK(caw_reactor_turn(w.r, MILLISECOND) >= 0);
            }
            caw_future_cancel(f);
            CHECK(polls == 0 || w.c.wakes == 1);
            CHECK_INT(status_at(f, w.r, &w.c), CAW_ECANCELED);
            caw_future_destroy(f);
            CHECK_INT(read(w.fds[0], &byte, 1), there ? 1 : -1);
            unwire(&w);
        }
    }
}
ON_BOTH_KINDS(read_that_is_cancelled_reads_nothing)

static void
transfers_given_up_at_any_moment_leave_nothing_and_count(caw_reactor_kind kind)
{
    for (int polls = 0; polls < 4; polls++) {
        for (int way = 0; way < GIVE_UP_WAYS; way++) {
            wired w;
            wire(&w, make_sockets, O_NONBLOCK, kind);
            char *out = pattern_new(), *in = malloc(LARGE), rest[8];
            write_text(w.fds[1], "abc");
            int status = give_up(caw_read_exactly(w.fds[0], in, 10), w.r, polls, way);
            CHECK_INT(status, way == GIVE_UP_CANCEL ? CAW_ECANCELED : 0);
            CHECK_INT(read(w.fds[0], rest, sizeof rest), polls == 0 ? 3 : -1);
            status = give_up(caw_write_all(w.fds[0], out, LARGE), w.r, polls, way);
            CHECK_INT(status, way == GIVE_UP_CANCEL ? CAW_ECANCELED : 0);
            CHECK((recv(w.fds[1], in, LARGE, 0) > 0) == (polls > 0));
            free(in);
            free(out);
            unwire(&w);
        }
    }
}
ON_BOTH_KINDS(transfers_given_up_at_any_moment_leave_nothing_and_count)

static void
reactor_that_is_closed_ends_them(caw_reactor_kind kind)
{
    int fds[2];
    char byte;
    counter c = {0, 0};
    caw_reactor *r = new_reactor(kind);
    make_pipe(fds, O_NONBLOCK);
    caw_future *f = caw_read(fds[0], &byte, 1), *g = caw_read(fds[0], &byte, 1);
    CHECK(poll_at(f, r, &c) == CAW_PENDING);
    caw_reactor_close(r);
    CHECK_INT(c.wakes, 1);
    CHECK_INT(status_at(f, r, &c), CAW_ECLOSED);
    CHECK_INT(status_at(g, r, &c), CAW_ECLOSED);
    caw_future_destroy(f);
    caw_future_destroy(g);
    CHECK_INT(c.references, 0);
    close_both(fds);
    caw_reactor_release(r);
}
ON_BOTH_KINDS(reactor_that_is_closed_ends_them)

static void
ten_thousand_reads_of_one_pipe_get_a_byte_each(caw_reactor_kind kind)
{
    enum { N = 10000 };
    static char bytes[N], text[N];
    wired w;
    wire_pipe(&w, kind);
    caw_future **f = malloc(N * sizeof *f);
    for (int i = 0; i < N; i++) {
        f[i] = caw_read(w.fds[0], &bytes[i], 1);
        CHECK(poll_at(f[i], w.r, &w.c) == CAW_PENDING);
    }
    memset(text, 'x', N);
    CHECK_INT(write(w.fds[1], text, N), N);
    TURN_UNTIL(w.r, w.c.wakes >= N);
    for (int i = 0; i < N; i++) {
        CHECK_INT(status_at(f[i], w.r, &w.c), 0);
        CHECK_INT(caw_io_count(f[i]), 1);
        caw_future_destroy(f[i]);
    }
    CHECK(memcmp(bytes, text, N) == 0);
    free(f);
    unwire(&w);
}
ON_BOTH_KINDS(ten_thousand_reads_of_one_pipe_get_a_byte_each)

/* --- in threads that sleep --- */

static atomic_int interruptions; /* the handler runs on both threads */

static void
count_interruption(int number)
{
    (void)number;
    interruptions++;
}

struct end {
    int fd;
    char *bytes;
};

static void *
write_slowly(void *user)
{
    const struct end *e = user;
    for (int at = 0; at < LARGE; at += LARGE / 64) {
        caw_future *f = caw_write_all(e->fd, e->bytes + at, LARGE / 64);
        CHECK_INT(caw_block_on(f), 0);
        caw_future_destroy(f);
        (void)usleep(500);
    }
    return NULL;
}

/* A handler without SA_RESTART, every quarter of a millisecond. */
static void
signals_that_interrupt_calls_lose_no_byte(void)
{
    int fds[2];
    make_sockets(fds, 0);
    struct sigaction handler = {.sa_handler = count_interruption}, before;
    struct itimerval often = {{0, 250}, {0, 250}}, never = {{0, 0}, {0, 0}};
    CHECK_INT(sigaction(SIGALRM, &handler, &before), 0);
    CHECK_INT(setitimer(ITIMER_REAL, &often, NULL), 0);
    char *out = pattern_new(), *in = malloc(LARGE);
    struct end e = {fds[1], out};
    pthread_t thread = start_thread(write_slowly, &e);
    caw_future *f = caw_read_exactly(fds[0], in, LARGE);
    CHECK_INT(caw_block_on(f), 0);
    caw_future_destroy(f);
    join_thread(thread);
    CHECK_INT(setitimer(ITIMER_REAL, &never, NULL), 0);
    CHECK_INT(sigaction(SIGALRM, &before, NULL), 0);
    CHECK(interruptions > 0);
    CHECK(memcmp(in, out, LARGE) == 0);
    free(in);
    free(out);
    close_both(fds);
}

TESTS(TEST_BOTH(read_gives_what_is_there_and_then_the_end),
      TEST_BOTH(read_of_no_bytes_is_EINVAL_and_all_of_none_is_done),
      TEST_BOTH(read_exactly_waits_for_all_bytes_and_leaves_the_rest),
      TEST_BOTH(read_exactly_that_meets_the_end_says_so_and_how_far_it_came),
      TEST_BOTH(write_all_waits_for_room_and_every_byte_arrives),
      TEST_BOTH(socket_whose_other_end_is_gone_is_EPIPE_without_a_signal),
      TEST_BOTH(write_that_is_under_way_when_the_other_end_closes_counts_what_went_out),
      TEST_BOTH(connection_that_is_reset_ends_a_read_with_ECONNRESET),
      TEST_BOTH(regular_file_is_read_and_written_without_waiting),
      TEST_BOTH(fd_that_is_not_open_or_is_for_the_other_direction_is_EBADF),
      TEST_BOTH(read_that_is_cancelled_reads_nothing),
      TEST_BOTH(transfers_given_up_at_any_moment_leave_nothing_and_count), TEST_BOTH(reactor_that_is_closed_ends_them),
      TEST_BOTH(ten_thousand_reads_of_one_pipe_get_a_byte_each), TEST(signals_that_interrupt_calls_lose_no_byte))
