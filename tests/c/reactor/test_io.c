/* test_io.c: waiting for real fds: pipes, sockets, files; each on both kinds of reactor. */
#include "support/fds.h"
#include "support/threads.h"

#include <errno.h>

static void
readable_is_pending_until_there_are_bytes(caw_reactor_kind kind)
{
    wired w;
    wire_pipe(&w, kind);
    for (int i = 0; i < 3; i++) { /* at the second wait the fd is already registered */
        char byte;
        caw_future *f = caw_readable(w.fds[0]);
        CHECK(poll_at(f, w.r, &w.c) == CAW_PENDING);
        CHECK_INT(caw_reactor_turn(w.r, 2 * MILLISECOND), 0);
        CHECK(poll_at(f, w.r, &w.c) == CAW_PENDING);
        CHECK_INT(w.c.wakes, i);
        CHECK_INT(write(w.fds[1], "x", 1), 1);
        CHECK_INT(turn_until_ready(w.r, f, &w.c), 0);
        CHECK_INT(w.c.wakes, i + 1);
        CHECK_INT(read(w.fds[0], &byte, 1), 1);
        caw_future_destroy(f);
    }
    unwire(&w);
}
ON_BOTH_KINDS(readable_is_pending_until_there_are_bytes)

static void
bytes_that_are_there_already_are_seen(caw_reactor_kind kind)
{
    wired w;
    wire_pipe(&w, kind);
    CHECK_INT(write(w.fds[1], "x", 1), 1);
    for (int i = 0; i < 3; i++) {
        caw_future *f = caw_readable(w.fds[0]);
        CHECK_INT(turn_until_ready(w.r, f, &w.c), 0);
        caw_future_destroy(f);
    }
    unwire(&w);
}
ON_BOTH_KINDS(bytes_that_are_there_already_are_seen)

static void
writable_is_pending_while_the_pipe_is_full(caw_reactor_kind kind)
{
    wired w;
    char block[65536] = {0};
    wire_pipe(&w, kind);
    caw_future *f = caw_writable(w.fds[1]);
    CHECK_INT(turn_until_ready(w.r, f, &w.c), 0);
    caw_future_destroy(f);
    while (write(w.fds[1], block, sizeof block) > 0) {
    }
    f = caw_writable(w.fds[1]);
    CHECK(poll_at(f, w.r, &w.c) == CAW_PENDING);
    CHECK_INT(caw_reactor_turn(w.r, 2 * MILLISECOND), 0);
    while (read(w.fds[0], block, sizeof block) > 0) {
    }
    CHECK_INT(turn_until_ready(w.r, f, &w.c), 0);
    caw_future_destroy(f);
    unwire(&w);
}
ON_BOTH_KINDS(writable_is_pending_while_the_pipe_is_full)

static void
hang_up_is_readable_and_writable(caw_reactor_kind kind)
{
    wired w;
    wire_pipe(&w, kind);
    caw_future *f = caw_readable(w.fds[0]);
    CHECK(poll_at(f, w.r, &w.c) == CAW_PENDING);
    close_end(&w, 1);
    CHECK_INT(turn_until_ready(w.r, f, &w.c), 0);
    caw_future_destroy(f);
    close_end(&w, 0);
    make_pipe(w.fds, O_NONBLOCK);
    close_end(&w, 0);
    f = caw_writable(w.fds[1]);
    CHECK_INT(turn_until_ready(w.r, f, &w.c), 0);
    caw_future_destroy(f);
    unwire(&w);
}
ON_BOTH_KINDS(hang_up_is_readable_and_writable)

static void
regular_file_is_always_ready(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    FILE *file = tmpfile();
    CHECK(file);
    counter c = {0, 0};
    caw_future *f = caw_readable(fileno(file)), *g = caw_writable(fileno(file));
    CHECK(poll_at(f, r, &c) == CAW_READY && poll_at(g, r, &c) == CAW_READY);
    CHECK_INT(f->status, 0);
    CHECK_INT(g->status, 0);
    CHECK_INT(c.references, 0);
    caw_future_destroy(f);
    caw_future_destroy(g);
    CHECK_INT(fclose(file), 0);
    end_reactor(r);
}
ON_BOTH_KINDS(regular_file_is_always_ready)

static void
what_is_not_an_open_fd_ends_with_EBADF(caw_reactor_kind kind)
{
    int fds[2];
    caw_reactor *r = new_reactor(kind);
    make_pipe(fds, O_NONBLOCK);
    close_both(fds);
    const int bad[] = {-1, fds[0], 1 << 30};
    counter c = {0, 0};
    for (int i = 0; i < 3; i++) {
        caw_future *f = caw_readable(bad[i]);
        CHECK_INT(status_at(f, r, &c), CAW_EBADF);
        caw_future_destroy(f);
    }
    CHECK_INT(c.references, 0);
    end_reactor(r);
}
ON_BOTH_KINDS(what_is_not_an_open_fd_ends_with_EBADF)

static void
two_directions_of_one_socket_are_separate(caw_reactor_kind kind)
{
    wired w;
    wire(&w, make_sockets, 0, kind);
    counter writing = {0, 0};
    caw_future *f = caw_readable(w.fds[0]), *g = caw_writable(w.fds[0]);
    CHECK(poll_at(f, w.r, &w.c) == CAW_PENDING);
    CHECK_INT(turn_until_ready(w.r, g, &writing), 0);
    CHECK_INT(w.c.wakes, 0);
    CHECK_INT(write(w.fds[1], "x", 1), 1);
    CHECK_INT(turn_until_ready(w.r, f, &w.c), 0);
    caw_future_destroy(f);
    caw_future_destroy(g);
    CHECK_INT(writing.references, 0);
    unwire(&w);
}
ON_BOTH_KINDS(two_directions_of_one_socket_are_separate)

static void
all_who_wait_for_one_fd_are_woken(caw_reactor_kind kind)
{
    enum { N = 200 };
    wired w;
    wire_pipe(&w, kind);
    caw_future *f[N];
    for (int i = 0; i < N; i++) {
        f[i] = caw_readable(w.fds[0]);
        CHECK(poll_at(f[i], w.r, &w.c) == CAW_PENDING);
    }
    caw_future_destroy(f[0]);
    caw_future_destroy(f[N / 2]);
    CHECK_INT(write(w.fds[1], "x", 1), 1);
    TURN_UNTIL(w.r, w.c.wakes >= N - 2);
    for (int i = 0; i < N; i++) {
        if (i != 0 && i != N / 2) {
            CHECK(poll_at(f[i], w.r, &w.c) == CAW_READY);
            caw_future_destroy(f[i]);
        }
    }
    CHECK_INT(w.c.wakes, N - 2);
    unwire(&w);
}
ON_BOTH_KINDS(all_who_wait_for_one_fd_are_woken)

static void
wait_cancelled_ends_at_once(caw_reactor_kind kind)
{
    wired w;
    wire_pipe(&w, kind);
    caw_future *f = caw_readable(w.fds[0]);
    CHECK(poll_at(f, w.r, &w.c) == CAW_PENDING);
    caw_future_cancel(f);
    CHECK_INT(w.c.wakes, 1);
    CHECK_INT(status_at(f, w.r, &w.c), CAW_ECANCELED);
    caw_future_destroy(f);
    CHECK_INT(write(w.fds[1], "x", 1), 1);
    CHECK(!is_readable(caw_reactor_fd(w.r)));
    CHECK_INT(caw_reactor_turn(w.r, 2 * MILLISECOND), 0);
    unwire(&w);
}
ON_BOTH_KINDS(wait_cancelled_ends_at_once)

static void
fd_number_used_again_is_a_new_fd(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    int numbers[2] = {-1, -1};
    for (int i = 0; i < 6; i++) { /* ready, then closed; or destroyed while pending, then closed */
        int fds[2];
        make_pipe(fds, O_NONBLOCK);
        CHECK(i == 0 || (fds[0] == numbers[0] && fds[1] == numbers[1]));
        memcpy(numbers, fds, sizeof fds);
        caw_future *f = caw_readable(fds[0]);
        CHECK(poll_at(f, r, &c) == CAW_PENDING);
        CHECK_INT(caw_reactor_turn(r, MILLISECOND), 0);
        if (i % 2) {
            CHECK_INT(write(fds[1], "x", 1), 1);
            CHECK_INT(turn_until_ready(r, f, &c), 0);
        }
        caw_future_destroy(f);
        close_both(fds);
    }
    CHECK_INT(c.references, 0);
    end_reactor(r);
}
ON_BOTH_KINDS(fd_number_used_again_is_a_new_fd)

struct reading_source {
    caw_fd_source source;
    int bytes;
};

static void
read_one(caw_fd_source *source, unsigned events)
{
    char byte;
    CHECK_INT(events, CAW_READABLE);
    CHECK_INT(read(source->fd, &byte, 1), 1);
    CAW_CONTAINER_OF(source, struct reading_source, source)->bytes++;
}

static void
future_and_source_may_wait_for_the_same_fd(caw_reactor_kind kind)
{
    wired w;
    wire_pipe(&w, kind);
    struct reading_source s = {.source = {.ready = read_one, .fd = w.fds[0], .events = CAW_READABLE}};
    CHECK_INT(caw_reactor_add(w.r, &s.source), 0);
    caw_future *f = caw_readable(w.fds[0]);
    CHECK(poll_at(f, w.r, &w.c) == CAW_PENDING);
    CHECK_INT(write(w.fds[1], "xyz", 3), 3);
    CHECK_INT(turn_until_ready(w.r, f, &w.c), 0);
    TURN_UNTIL(w.r, s.bytes >= 3);
    CHECK_INT(caw_reactor_turn(w.r, 2 * MILLISECOND), 0); /* the source would fail on an empty pipe */
    caw_future_destroy(f);
    caw_reactor_remove(w.r, &s.source);
    unwire(&w);
}
ON_BOTH_KINDS(future_and_source_may_wait_for_the_same_fd)

static void
many_ready_fds_are_all_served(caw_reactor_kind kind)
{
    enum { N = 150 }; /* more than one turn takes */
    int fds[N][2];
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    caw_future *f[N];
    for (int i = 0; i < N; i++) {
        make_pipe(fds[i], O_NONBLOCK);
        f[i] = caw_readable(fds[i][0]);
        CHECK(poll_at(f[i], r, &c) == CAW_PENDING);
        CHECK_INT(write(fds[i][1], "x", 1), 1);
    }
    TURN_UNTIL(r, c.wakes >= N);
    for (int i = 0; i < N; i++) {
        CHECK(poll_at(f[i], r, &c) == CAW_READY);
        caw_future_destroy(f[i]);
        close_both(fds[i]);
    }
    end_reactor(r);
}
ON_BOTH_KINDS(many_ready_fds_are_all_served)

struct ponger {
    int fd, rounds;
    caw_reactor *r;
};

static void *
wait_and_destroy(void *user)
{
    struct ponger *p = user;
    counter c = {0, 0};
    for (int i = 0; i < p->rounds; i++) {
        caw_future *f = caw_readable(p->fd);
        (void)poll_at(f, p->r, &c);
        caw_future_destroy(f);
    }
    CHECK_INT(c.references, 0);
    caw_reactor_ring(p->r);
    return NULL;
}

static void
waits_may_be_destroyed_on_other_threads_while_they_end(caw_reactor_kind kind)
{
    wired w;
    wire_pipe(&w, kind);
    struct ponger p = {w.fds[0], 20000, w.r};
    pthread_t threads[2];
    CHECK_INT(write(w.fds[1], "x", 1), 1);
    start_threads(threads, 2, wait_and_destroy, &p);
    for (int i = 0; i < 20000; i++) {
        CHECK(caw_reactor_turn(w.r, 0) >= 0);
    }
    join_threads(threads, 2);
    unwire(&w);
}
ON_BOTH_KINDS(waits_may_be_destroyed_on_other_threads_while_they_end)

TESTS(TEST_BOTH(readable_is_pending_until_there_are_bytes), TEST_BOTH(bytes_that_are_there_already_are_seen),
      TEST_BOTH(writable_is_pending_while_the_pipe_is_full), TEST_BOTH(hang_up_is_readable_and_writable),
      TEST_BOTH(regular_file_is_always_ready), TEST_BOTH(what_is_not_an_open_fd_ends_with_EBADF),
      TEST_BOTH(two_directions_of_one_socket_are_separate), TEST_BOTH(all_who_wait_for_one_fd_are_woken),
      TEST_BOTH(wait_cancelled_ends_at_once), TEST_BOTH(fd_number_used_again_is_a_new_fd),
      TEST_BOTH(future_and_source_may_wait_for_the_same_fd), TEST_BOTH(many_ready_fds_are_all_served),
      TEST_BOTH(waits_may_be_destroyed_on_other_threads_while_they_end))
