/* test_exit.c: calls that are to be finished before the process ends. Each test ends processes of its own. */
#include "support/fork.h"
#include "support/written.h"

static int
writes_late(void *text)
{
    (void)usleep(20000);
    return write(written[1], text, 1) == 1 ? 0 : -EIO;
}

static int
writes_at_last(void *text)
{
    return never_ends(NULL) < 0 || write(written[1], text, 1) != 1;
}

static void
three_calls(void)
{
    for (int i = 0; i < 3; i++) {
        (void)started(NULL, writes_late, "x", true);
    }
}

static void
exit_waits_for_what_runs(void)
{
    check_text(written_by(three_calls, exit), "xxx");
}

static void
call_without_end(void)
{
    (void)started(NULL, writes_at_last, "x", true);
}

static void
underscore_exit_does_not_wait(void)
{
    check_text(written_by(call_without_end, _exit), "");
}

static void
endless_calls(void)
{
    for (int i = 0; i < 3; i++) {
        (void)started(NULL, never_ends, NULL, false);
    }
}

static void
exit_does_not_wait_for_other_calls(void)
{
    check_text(written_by(endless_calls, exit), "");
}

static void
calls_behind_an_endless_one(void)
{
    caw_pool *pool = leave(new_pool(1));
    (void)started(pool, never_ends, NULL, false);
    while (begun == 0) {
        (void)usleep(100);
    }
    (void)started(pool, writes_late, "a", true);
    (void)started(pool, writes_late, "b", false);
    (void)started(pool, writes_late, "c", true);
}

static void
exit_runs_what_is_queued_behind_busy_workers(void)
{
    check_text(written_by(calls_behind_an_endless_one, exit), "ac");
}

static void
cancelled_and_dropped(void)
{
    caw_pool *pool = leave(new_pool(1));
    (void)started(pool, writes_late, "a", false);
    caw_future *cancelled = started(pool, writes_late, "b", true), *dropped = started(pool, writes_late, "c", true);
    caw_future *other = started(pool, writes_late, "d", false);
    caw_future_cancel(other);
    caw_future_cancel(cancelled);
    caw_future_destroy(dropped);
    caw_pool_release(pool);
}

static void
cancel_and_release_take_it_out_of_no_queue(void)
{
    const char *text = written_by(cancelled_and_dropped, exit);
    CHECK(strchr(text, 'b') && strchr(text, 'c') && !strchr(text, 'd'));
}

static void
closed_pool(void)
{
    caw_pool *pool = leave(new_pool(1));
    (void)started(pool, writes_late, "a", true);
    (void)started(pool, writes_late, "b", false);
    (void)started(pool, writes_late, "c", true);
    caw_pool_close(pool);
    (void)!write(written[1], ".", 1);
    caw_pool_release(pool);
}

static void
close_finishes_them_too(void)
{
    const char *text = written_by(closed_pool, exit);
    CHECK(strstr(text, "c.") && !strchr(text, 'b'));
}

static void
fork_with_calls(void)
{
    caw_pool *pool = leave(new_pool(1));
    (void)started(pool, writes_late, "a", true);
    (void)started(pool, writes_late, "b", true);
    pid_t child = fork_child();
    CHECK(child >= 0);
    if (child == 0) {
        (void)started(NULL, writes_late, "c", true);
        exit(0);
    }
    int status;
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
}

static void
child_of_a_fork_finishes_its_own_calls_only(void)
{
    const char *text = written_by(fork_with_calls, exit);
    CHECK_INT((int)strlen(text), 3);
    CHECK(strchr(text, 'a') && strchr(text, 'b') && strchr(text, 'c'));
}

static int
exits(void *unused)
{
    (void)unused;
    (void)!write(written[1], "e", 1);
    exit(3);
}

static void
call_that_exits(void)
{
    (void)started(NULL, exits, NULL, true);
    (void)pause();
}

static void
call_that_exits_does_not_wait_for_itself(void)
{
    check_text(written_by(call_that_exits, exit), "e");
}

/* --- what is deferred, in a child of a fork --- */

static atomic_int deferred;

static void
deferred_run(caw_deferred *d)
{
    free(d);
    atomic_fetch_add(&deferred, 1);
}

static void
defer_one(caw_pool *pool)
{
    caw_deferred *d = malloc(sizeof *d);
    CHECK(d);
    caw_defer(pool, d, deferred_run);
}

static void
defer_in_a_child(void)
{
    caw_pool *pool = leave(new_pool(1));
    defer_one(pool);
    while (deferred < 1) {
        (void)usleep(100);
    }
    (void)fflush(NULL);
    pid_t child = fork_child();
    CHECK(child >= 0);
    if (child == 0) {
        defer_one(pool); /* the parent's: so it goes to the child's default one */
        defer_one(NULL);
        while (deferred < 3) {
            (void)usleep(100);
        }
        (void)!write(written[1], "d", 1);
        _exit(0);
    }
    int status;
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
}

static void
child_of_a_fork_defers_to_a_pool_of_its_own(void)
{
    check_text(written_by(defer_in_a_child, _exit), "d");
}

TESTS(TEST(exit_waits_for_what_runs), TEST(underscore_exit_does_not_wait), TEST(exit_does_not_wait_for_other_calls),
      TEST(exit_runs_what_is_queued_behind_busy_workers), TEST(cancel_and_release_take_it_out_of_no_queue),
      TEST(close_finishes_them_too), TEST(child_of_a_fork_finishes_its_own_calls_only),
      TEST(call_that_exits_does_not_wait_for_itself), TEST(child_of_a_fork_defers_to_a_pool_of_its_own))
