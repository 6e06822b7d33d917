/* test_serial_exit.c: the end of a process, or a fork, while a serial has work. Each test ends processes of its own. */
#include "support/fork.h"
#include "support/serial.h"
#include "support/written.h"

static pthread_t worker;

static int
put(const char *text)
{
    return write(written[1], text, strlen(text)) > 0 ? 0 : -EIO;
}

/* The first call. */
static int
note_thread(void *unused)
{
    (void)unused;
    worker = pthread_self();
    return 0;
}

static int
writes_late(void *text)
{
    (void)usleep(20000);
    return put(pthread_equal(worker, pthread_self()) ? text : "?");
}

static int
write_end(void *unused)
{
    (void)unused;
    return put("E");
}

static caw_serial *
new_writer(size_t capacity, int (*at_end)(void *user))
{
    caw_serial_spec spec = {.capacity = capacity, .at_end = at_end};
    caw_serial *serial = leave(new_serial(&spec));
    CHECK_INT(ended(caw_blocking(serial, note_thread, NULL, NULL)), 0);
    return serial;
}

static int
wait_for_child(pid_t child)
{
    int status;
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void
endless_and_queued(void)
{
    caw_serial *serial = new_writer(1, write_end);
    (void)started(serial, never_ends, NULL, false);
    while (begun == 0) {
        (void)usleep(100); /* else at_end is called where exit() stops pools */
    }
    (void)started(serial, writes_late, "a", false);
    (void)started(serial, writes_late, "b", false); /* which waits for room */
}

static void
exit_does_not_wait_for_calls_in_flight(void)
{
    check_text(written_by(endless_and_queued, exit), "");
    check_text(written_by(endless_and_queued, _exit), "");
}

static void
to_be_finished(void)
{
    caw_serial *serial = new_writer(1, NULL); /* at_end is called where exit() stops pools */
    (void)started(serial, writes_late, "a", true);
    (void)started(serial, writes_late, "b", false);
    (void)started(serial, writes_late, "c", true);
    (void)started(serial, writes_late, "d", true);
}

static void
exit_waits_until_the_thread_has_run_what_is_to_be_finished(void)
{
    check_text(written_by(to_be_finished, exit), "abcd");
}

static void
released_with_calls_to_be_finished(void)
{
    caw_serial *serial = new_writer(1, write_end);
    (void)started(serial, writes_late, "a", true);
    (void)started(serial, writes_late, "b", false);
    (void)started(serial, writes_late, "c", true);
    caw_pool_release(serial);
    (void)usleep(100000); /* at_end is none of what exit() waits for */
}

static void
release_leaves_what_is_to_be_finished_in_the_queue(void)
{
    check_text(written_by(released_with_calls_to_be_finished, exit), "acE");
}

static void
closed_first(void)
{
    caw_serial *serial = new_writer(2, write_end);
    (void)started(serial, writes_late, "a", false);
    (void)started(serial, writes_late, "b", true);
    CHECK_INT(ended(caw_serial_close(serial)), 0);
    caw_pool_release(serial);
    left[0] = NULL;
}

static void
close_before_exit_runs_all_and_at_end(void)
{
    check_text(written_by(closed_first, exit), "abE");
}

static int
exits(void *unused)
{
    (void)unused;
    while (begun == 0) {
        (void)usleep(100);
    }
    (void)put("e");
    exit(3);
}

static void
call_that_exits(void)
{
    caw_serial *serial = new_writer(5, write_end);
    (void)started(serial, exits, NULL, false);
    (void)started(serial, writes_late, "a", false);
    (void)started(serial, writes_late, "b", true); /* exit() runs it, on the thread of the serial */
    begun = 1;
    (void)pause();
}

static void
call_that_exits_finishes_the_others_itself(void)
{
    check_text(written_by(call_that_exits, exit), "eb");
}

/* --- fork --- */

static void
in_the_child_of_a_fork(caw_serial *serial, caw_future *running, caw_future *waiting, caw_future *close)
{
    CHECK_INT(caw_block_on(running), CAW_EFORKED);
    caw_future_cancel(waiting);
    CHECK_INT(caw_block_on(waiting), CAW_EFORKED);
    CHECK_INT(caw_block_on(close), CAW_EFORKED);
    caw_future_cancel(close);
    CHECK_INT(ended(caw_blocking(serial, write_end, NULL, NULL)), CAW_EFORKED);
    CHECK_INT(ended(caw_serial_close(serial)), CAW_EFORKED);
    CHECK_INT(caw_spawn_detached(serial, caw_ready(0)), CAW_EFORKED);
    caw_future_destroy(running);
    caw_future_destroy(waiting);
    caw_future_destroy(close);
    caw_pool_close(serial);
    caw_pool_release(serial);
    serial = new_writer(1, write_end); /* one of its own */
    CHECK_INT(ended(caw_blocking(serial, writes_late, (void *)(uintptr_t) "c", NULL)), 0);
    CHECK_INT(ended(caw_serial_close(serial)), 0);
    _exit(0);
}

static void
fork_with_work(void)
{
    caw_serial *serial = new_writer(1, write_end);
    (void)started(serial, never_ends, NULL, false);
    while (begun == 0) {
        (void)usleep(100);
    }
    caw_future *queued = started(serial, writes_late, "a", false), *waiting = started(serial, writes_late, "b", false);
    caw_future *close = leave(caw_serial_close(serial));
    CHECK(poll_without_waker(close, NULL) == CAW_PENDING);
    CHECK(poll_without_waker(waiting, NULL) == CAW_READY); /* CAW_ECLOSED */
    (void)fflush(NULL);
    pid_t child = fork_child();
    CHECK(child >= 0);
    if (child == 0) {
        in_the_child_of_a_fork(serial, left[1], queued, close);
    }
    CHECK_INT(wait_for_child(child), 0);
}

static void
child_of_a_fork_ends_all_with_EFORKED_and_calls_nothing(void)
{
    check_text(written_by(fork_with_work, _exit), "cE");
}

TESTS(TEST(exit_does_not_wait_for_calls_in_flight), TEST(exit_waits_until_the_thread_has_run_what_is_to_be_finished),
      TEST(release_leaves_what_is_to_be_finished_in_the_queue), TEST(close_before_exit_runs_all_and_at_end),
      TEST(call_that_exits_finishes_the_others_itself), TEST(child_of_a_fork_ends_all_with_EFORKED_and_calls_nothing))
