/* test_process.c: the end of child processes; on both kinds of reactor, each with pidfds and without. The source is
 * compiled in here a second time, for a system that has none. */
#include "support/fork.h"
#include "support/give_up.h"

#include "cawait/process.h"
#include "cawait/testing_tools.h"

#include "core/os/process.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

caw_future *wait_without_pidfd(int pid);
int exit_code_without_pidfd(const caw_future *f);
int signal_without_pidfd(const caw_future *f);

static int
no_process_fd(int pid)
{
    (void)pid;
    return -ENOSYS;
}

#define caw__process_fd       no_process_fd
#define caw_process_wait      wait_without_pidfd
#define caw_process_exit_code exit_code_without_pidfd
#define caw_process_signal    signal_without_pidfd
#include "core/io/process.c" /* NOLINT: so that it uses these */
#undef caw__process_fd
#undef caw_process_wait
#undef caw_process_exit_code
#undef caw_process_signal

/* Each test runs with both. */
static caw_future *(*wait_for_child)(int pid);

/* A child that waits for the end of what it can read from the pipe, and then ends: by this signal, or with this
 * code. */
typedef struct children {
    int pipe[2];
} children;

static void
hold_children(children *c)
{
    CHECK_INT(pipe(c->pipe), 0);
}

static void
let_children_go(children *c)
{
    close(c->pipe[1]);
}

static int
child(const children *c, int code, int number)
{
    int pid = fork_child();
    CHECK(pid >= 0);
    if (pid == 0) {
        char byte;
        if (c) {
            close(c->pipe[1]);
            (void)!read(c->pipe[0], &byte, 1);
        }
        if (number) {
            (void)signal(number, SIG_DFL);
            (void)raise(number);
        }
        _exit(code);
    }
    return pid;
}

static void
sleep_until_it_is_a_zombie(int pid)
{
    siginfo_t info;
    CHECK_INT(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

static bool
is_reaped(int pid)
{
    return waitpid(pid, NULL, WNOHANG) < 0 && errno == ECHILD;
}

/* Both tables have the same struct. */
static void
check_end(const caw_future *f, int code, int number)
{
    CHECK_INT(f->status, 0);
    CHECK_INT(caw_process_exit_code(f), code);
    CHECK_INT(caw_process_signal(f), number);
    CHECK_INT(exit_code_without_pidfd(f), code);
    CHECK_INT(signal_without_pidfd(f), number);
}

static void
end_is_told_by_code_or_signal(caw_reactor_kind kind)
{
    const int codes[] = {0, 1, 255, -1, -1}, numbers[] = {0, 0, 0, SIGTERM, SIGKILL};
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    for (int i = 0; i < 5; i++) {
        children held;
        hold_children(&held);
        int pid = child(&held, codes[i], numbers[i]);
        caw_future *f = wait_for_child(pid);
        CHECK(poll_at(f, r, &c) == CAW_PENDING);
        CHECK(caw_reactor_turn(r, 3 * MILLISECOND) >= 0);
        CHECK(poll_at(f, r, &c) == CAW_PENDING);
        CHECK_INT(caw_process_exit_code(f), -1);
        let_children_go(&held);
        CHECK_INT(turn_until_ready(r, f, &c), 0);
        check_end(f, codes[i], numbers[i]);
        CHECK(is_reaped(pid));
        caw_future_destroy(f);
        close(held.pipe[0]);
    }
    CHECK_INT(c.references, 0);
    end_reactor(r);
}

static void
child_that_has_ended_before_is_ready_at_once(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    int pid = child(NULL, 7, 0);
    sleep_until_it_is_a_zombie(pid);
    caw_future *f = wait_for_child(pid);
    CHECK_INT(status_at(f, r, &c), 0);
    check_end(f, 7, 0);
    caw_future_destroy(f);
    CHECK_INT(c.references, 0);
    end_reactor(r);
}

static void
what_is_no_child_of_this_process_fails(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    int gone = child(NULL, 0, 0);
    CHECK_INT(waitpid(gone, NULL, 0), gone);
    const int pids[] = {0, -1, -gone, gone, (int)getpid(), 1},
              expected[] = {CAW_EINVAL, CAW_EINVAL, CAW_EINVAL, -ECHILD, -ECHILD, -ECHILD};
    for (int i = 0; i < (getpid() == 1 ? 5 : 6); i++) {
        caw_future *f = wait_for_child(pids[i]);
        CHECK_INT(status_at(f, r, &c), expected[i]);
        caw_future_destroy(f);
    }
    CHECK_INT(c.references, 0);
    end_reactor(r);
}

static void
children_of_others_are_left_alone(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    int other = child(NULL, 3, 0), status;
    sleep_until_it_is_a_zombie(other);
    caw_future *f = wait_for_child(child(NULL, 4, 0));
    CHECK_INT(turn_until_ready(r, f, &c), 0);
    check_end(f, 4, 0);
    caw_future_destroy(f);
    CHECK_INT(waitpid(other, &status, WNOHANG), other);
    CHECK_INT(WEXITSTATUS(status), 3);
    end_reactor(r);
}

static void
child_that_somebody_else_reaps_ends_it_with_ECHILD(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    children held;
    hold_children(&held);
    int pid = child(&held, 0, 0);
    caw_future *f = wait_for_child(pid);
    CHECK(poll_at(f, r, &c) == CAW_PENDING);
    let_children_go(&held);
    CHECK_INT(waitpid(pid, NULL, 0), pid);
    CHECK_INT(turn_until_ready(r, f, &c), -ECHILD);
    caw_future_destroy(f);
    close(held.pipe[0]);
    end_reactor(r);
}

static void
wait_given_up_at_any_moment_leaves_the_child_to_the_next(caw_reactor_kind kind)
{
    for (int polls = 0; polls < 4; polls++) {
        for (int way = 0; way < GIVE_UP_WAYS; way++) {
            caw_reactor *r = new_reactor(kind);
            counter c = {0, 0};
            children held;
            hold_children(&held);
            int pid = child(&held, 9, 0);
            int status = give_up(wait_for_child(pid), r, polls, way);
            CHECK_INT(status, way == GIVE_UP_CANCEL ? CAW_ECANCELED : 0);
            caw_future *f = wait_for_child(pid);
            CHECK(poll_at(f, r, &c) == CAW_PENDING);
            let_children_go(&held);
            sleep_until_it_is_a_zombie(pid);
            caw_future_cancel(f); /* it may have been woken for the end as well */
            CHECK_INT(status_at(f, r, &c), CAW_ECANCELED);
            caw_future_destroy(f);
            f = wait_for_child(pid);
            CHECK_INT(status_at(f, r, &c), 0);
            check_end(f, 9, 0);
            caw_future_destroy(f);
            close(held.pipe[0]);
            CHECK_INT(c.references, 0);
            end_reactor(r);
        }
    }
}

static void
many_children_at_once_each_end_as_they_did(caw_reactor_kind kind)
{
    enum { N = 100 };
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    children held;
    caw_future *f[N];
    hold_children(&held);
    for (int i = 0; i < N; i++) {
        f[i] = wait_for_child(child(&held, i, 0));
        CHECK(poll_at(f[i], r, &c) == CAW_PENDING);
    }
    let_children_go(&held);
    for (int i = N - 1; i >= 0; i--) {
        CHECK_INT(turn_until_ready(r, f[i], &c), 0);
        check_end(f[i], i, 0);
        caw_future_destroy(f[i]);
    }
    close(held.pipe[0]);
    CHECK_INT(c.references, 0);
    end_reactor(r);
}

static void
reactor_that_is_closed_ends_the_wait_and_leaves_the_child(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    children held;
    hold_children(&held);
    int pid = child(&held, 0, 0);
    caw_future *f = wait_for_child(pid);
    CHECK(poll_at(f, r, &c) == CAW_PENDING);
    caw_reactor_close(r);
    CHECK_INT(status_at(f, r, &c), CAW_ECLOSED);
    caw_future_destroy(f);
    let_children_go(&held);
    CHECK_INT(waitpid(pid, NULL, 0), pid);
    close(held.pipe[0]);
    caw_reactor_release(r);
}

static void
without_pidfds_it_looks_again_after_times_that_double(void)
{
    caw_test_reactor *r;
    caw_test_waker waker;
    children held;
    caw_test_waker_init(&waker);
    CHECK_INT(caw_test_reactor_new(&r), 0);
    hold_children(&held);
    int pid = child(&held, 5, 0);
    caw_future *f = wait_without_pidfd(pid);
    for (uint64_t ms = 1; ms <= 256; ms *= 2) {
        CHECK(caw_test_reactor_poll(r, f, &waker) == CAW_PENDING);
        uint64_t until = caw_test_reactor_until_timer(r);
        CHECK_INT(until, (ms < 64 ? ms : 64) * 1000000);
        caw_test_reactor_advance(r, until);
    }
    let_children_go(&held);
    sleep_until_it_is_a_zombie(pid);
    CHECK_INT(caw_test_reactor_run(r, f, &waker), 0);
    check_end(f, 5, 0);
    caw_future_destroy(f);
    close(held.pipe[0]);
    CHECK_INT(caw_test_waker_references(&waker), 0);
    caw_test_reactor_free(r);
}

/* One test as four. */
#define IN_BOTH_WAYS(test)                                                                                             \
    static void with_pidfds_##test(caw_reactor_kind kind)                                                              \
    {                                                                                                                  \
        wait_for_child = caw_process_wait;                                                                             \
        test(kind);                                                                                                    \
    }                                                                                                                  \
    static void without_pidfds_##test(caw_reactor_kind kind)                                                           \
    {                                                                                                                  \
        wait_for_child = wait_without_pidfd;                                                                           \
        test(kind);                                                                                                    \
    }                                                                                                                  \
    ON_BOTH_KINDS(with_pidfds_##test)                                                                                  \
    ON_BOTH_KINDS(without_pidfds_##test)
#define TEST_BOTH_WAYS(test) TEST_BOTH(with_pidfds_##test), TEST_BOTH(without_pidfds_##test)

IN_BOTH_WAYS(end_is_told_by_code_or_signal)
IN_BOTH_WAYS(child_that_has_ended_before_is_ready_at_once)
IN_BOTH_WAYS(what_is_no_child_of_this_process_fails)
IN_BOTH_WAYS(children_of_others_are_left_alone)
IN_BOTH_WAYS(child_that_somebody_else_reaps_ends_it_with_ECHILD)
IN_BOTH_WAYS(wait_given_up_at_any_moment_leaves_the_child_to_the_next)
IN_BOTH_WAYS(many_children_at_once_each_end_as_they_did)
IN_BOTH_WAYS(reactor_that_is_closed_ends_the_wait_and_leaves_the_child)

TESTS(TEST_BOTH_WAYS(end_is_told_by_code_or_signal), TEST_BOTH_WAYS(child_that_has_ended_before_is_ready_at_once),
      TEST_BOTH_WAYS(what_is_no_child_of_this_process_fails), TEST_BOTH_WAYS(children_of_others_are_left_alone),
      TEST_BOTH_WAYS(child_that_somebody_else_reaps_ends_it_with_ECHILD),
      TEST_BOTH_WAYS(wait_given_up_at_any_moment_leaves_the_child_to_the_next),
      TEST_BOTH_WAYS(many_children_at_once_each_end_as_they_did),
      TEST_BOTH_WAYS(reactor_that_is_closed_ends_the_wait_and_leaves_the_child),
      TEST(without_pidfds_it_looks_again_after_times_that_double))
