/* test_signal_fork.c: signals that come in the child of a fork. */
#include "support/signals.h"

#include <sys/wait.h>

static void
forked_child_has_the_former_handler_and_may_make_streams(void)
{
    counter c = {0, 0};
    former_calls = 0;
    set_handler(SIGUSR1, former_handler);
    caw_stream *s = begin(SIGUSR1, &c);
    int pid = fork();
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
    int pid = fork(), status;
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
      TEST(signal_of_a_child_that_was_forked_ends_it_by_default))
