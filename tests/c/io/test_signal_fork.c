/* test_signal_fork.c: signals that come in the child of a fork. */
#include "support/fork.h"
#include "support/signals.h"

#include <fcntl.h>

enum { FDS = 64 }; /* those that are looked at */

static int
open_fds(void)
{
    int n = 0;
    for (int fd = 0; fd < FDS; fd++) {
        n += fcntl(fd, F_GETFD) >= 0;
    }
    return n;
}

static void
make_a_stream(void)
{
    counter c = {0, 0};
    caw_stream *s = begin(SIGUSR1, &c);
    CHECK_INT(raise(SIGUSR1), 0);
    wait_for_wakes(&c, 1);
    CHECK_INT(next_count(s, &c, SIGUSR1), 1);
    caw_stream_destroy(s);
}

/* Each generation makes one. */
static void
forked_children_keep_no_fds_of_their_parents(void)
{
    make_a_stream();
    if (in_child()) {
        int before = open_fds();
        make_a_stream();
        if (in_child()) {
            make_a_stream();
            CHECK_INT(open_fds(), before);
            _exit(0);
        }
        CHECK_INT(open_fds(), before);
        _exit(0);
    }
}

/* In the child all fds are closed, as a daemon may do, and their numbers used again. */
static void
forked_child_closes_nothing_that_took_the_place_of_the_pipe(void)
{
    make_a_stream();
    if (in_child()) {
        int null = open("/dev/null", O_RDWR);
        CHECK(null >= 0);
        for (int fd = 3; fd < FDS; fd++) {
            CHECK(fd == null || dup2(null, fd) == fd);
        }
        make_a_stream();
        CHECK_INT(open_fds(), FDS);
        _exit(0);
    }
}

static void
forked_child_has_the_former_handler_and_may_make_streams(void)
{
    counter c = {0, 0};
    former_calls = 0;
    set_handler(SIGUSR1, former_handler);
    caw_stream *s = begin(SIGUSR1, &c);
    int pid = fork_child();
    CHECK(pid >= 0);
    if (pid == 0) {
        CHECK_INT(raise(SIGUSR1), 0);
        wait_for_former(1);
        CHECK_INT(end_of(s, &c), CAW_EFORKED);
        caw_stream_destroy(s);
        CHECK(handler_of(SIGUSR1) == former_handler);
        counter d = {0, 0};
        caw_stream *t = begin(SIGUSR1, &d);
        CHECK_INT(raise(SIGUSR1), 0);
        wait_for_wakes(&d, 1);
        CHECK_INT(next_count(t, &d, SIGUSR1), 1);
        caw_stream_destroy(t);
        CHECK(handler_of(SIGUSR1) == former_handler);
        _exit(7);
    }
    int status;
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 7);
    CHECK(is_pending(s, &c));
    CHECK_INT(c.wakes, 0);
    CHECK_INT(raise(SIGUSR1), 0);
    CHECK_INT(next_count(s, &c, SIGUSR1), 1);
    caw_stream_destroy(s);
    set_handler(SIGUSR1, SIG_DFL);
    no_clone_is_left(&c);
}

static void
signal_of_a_child_that_was_forked_ends_it_by_default(void)
{
    counter c = {0, 0};
    caw_stream *s = begin(SIGTERM, &c);
    int pid = fork_child(), status;
    CHECK(pid >= 0);
    if (pid == 0) {
        (void)raise(SIGTERM);
        for (;;) {
            (void)usleep(1000);
        }
    }
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status));
    CHECK_INT(WTERMSIG(status), SIGTERM);
    caw_stream_destroy(s);
    no_clone_is_left(&c);
}

TESTS(TEST(forked_child_has_the_former_handler_and_may_make_streams),
      TEST(signal_of_a_child_that_was_forked_ends_it_by_default), TEST(forked_children_keep_no_fds_of_their_parents),
      TEST(forked_child_closes_nothing_that_took_the_place_of_the_pipe))
