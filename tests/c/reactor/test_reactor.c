/* test_reactor.c: a reactor's life, turns and rings; each on both kinds of reactor. */
#include "support/place.h"
#include "support/threads.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>

/* --- turns and rings --- */

static void
turn_with_nothing_to_do_waits_for_its_timeout(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    uint64_t start = caw_now_ns();
    CHECK_INT(caw_reactor_turn(r, 20 * MILLISECOND), 0);
    CHECK(caw_now_ns() - start >= 20 * (uint64_t)MILLISECOND);
    CHECK_INT(caw_reactor_turn(r, 0), 0);
    end_reactor(r);
}
ON_BOTH_KINDS(turn_with_nothing_to_do_waits_for_its_timeout)

static void
ring_makes_the_fd_readable_until_a_turn(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    for (int i = 0; i < 3; i++) {
        CHECK(!is_readable(caw_reactor_fd(r)));
        caw_reactor_ring(r);
        caw_reactor_ring(r);
        CHECK(is_readable(caw_reactor_fd(r)));
        CHECK(is_readable(caw_reactor_fd(r))); /* level-triggered, seen from outside */
        CHECK_INT(caw_reactor_turn(r, -1), 0);
    }
    CHECK(!is_readable(caw_reactor_fd(r)));
    end_reactor(r);
}
ON_BOTH_KINDS(ring_makes_the_fd_readable_until_a_turn)

static void *
ring_after_a_while(void *user)
{
    (void)usleep(5000);
    caw_reactor_ring(user);
    caw_reactor_release(user);
    return NULL;
}

static void
ring_from_another_thread_ends_a_sleeping_turn(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    pthread_t thread = start_thread(ring_after_a_while, caw_reactor_retain(r));
    CHECK_INT(caw_reactor_turn(r, -1), 0);
    join_thread(thread);
    end_reactor(r);
}
ON_BOTH_KINDS(ring_from_another_thread_ends_a_sleeping_turn)

static void
late_ringer_may_be_the_last_to_release(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    pthread_t thread = start_thread(ring_after_a_while, caw_reactor_retain(r));
    end_reactor(r);
    join_thread(thread);
}
ON_BOTH_KINDS(late_ringer_may_be_the_last_to_release)

static void
nothing(int signal_number)
{
    (void)signal_number;
}

static void
turn_that_is_interrupted_keeps_its_deadline(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    struct sigaction action = {.sa_handler = nothing}, before;
    struct itimerval often = {{0, 2000}, {0, 2000}}, never = {{0, 0}, {0, 0}};
    CHECK_INT(sigaction(SIGALRM, &action, &before), 0);
    CHECK_INT(setitimer(ITIMER_REAL, &often, NULL), 0);
    uint64_t start = caw_now_ns();
    CHECK_INT(caw_reactor_turn(r, 30 * MILLISECOND), 0);
    CHECK(caw_now_ns() - start >= 30 * (uint64_t)MILLISECOND);
    CHECK_INT(setitimer(ITIMER_REAL, &never, NULL), 0);
    CHECK_INT(sigaction(SIGALRM, &before, NULL), 0);
    end_reactor(r);
}
ON_BOTH_KINDS(turn_that_is_interrupted_keeps_its_deadline)

static void
fd_is_closed_on_exec(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    CHECK(fcntl(caw_reactor_fd(r), F_GETFD) & FD_CLOEXEC);
    end_reactor(r);
}
ON_BOTH_KINDS(fd_is_closed_on_exec)

static void
kind_that_does_not_exist_is_refused(void)
{
    caw_reactor *r;
    CHECK_INT(caw_reactor_new((caw_reactor_kind)77, &r), CAW_EINVAL);
    CHECK(r == NULL);
}

static void
want_of_fds_is_an_error_and_leaks_none(caw_reactor_kind kind)
{
    struct rlimit before, few;
    int free_fd = dup(0);
    CHECK(free_fd >= 0);
    close(free_fd);
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (int n = 0; n < 3; n++) {
        caw_reactor *r;
        few = before;
        few.rlim_cur = (rlim_t)(free_fd + n);
        CHECK_INT(setrlimit(RLIMIT_NOFILE, &few), 0);
        CHECK_INT(caw_reactor_new(kind, &r), -EMFILE);
    }
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &before), 0);
    int again = dup(0);
    CHECK_INT(again, free_fd);
    close(again);
}
ON_BOTH_KINDS(want_of_fds_is_an_error_and_leaks_none)

static void
closed_reactor_takes_nothing_and_its_fd_is_quiet(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    caw_future *f = caw_sleep(1), *g = caw_readable(0);
    caw_reactor_ring(r);
    caw_reactor_close(r);
    caw_reactor_ring(r);
    CHECK(!is_readable(caw_reactor_fd(r)));
    CHECK(poll_at(f, r, &c) == CAW_READY && poll_at(g, r, &c) == CAW_READY);
    CHECK_INT(f->status, CAW_ECLOSED);
    CHECK_INT(g->status, CAW_ECLOSED);
    CHECK_INT(c.references, 0);
    caw_future_destroy(f);
    caw_future_destroy(g);
    caw_reactor_release(r);
}
ON_BOTH_KINDS(closed_reactor_takes_nothing_and_its_fd_is_quiet)

TESTS(TEST_BOTH(turn_with_nothing_to_do_waits_for_its_timeout), TEST_BOTH(ring_makes_the_fd_readable_until_a_turn),
      TEST_BOTH(ring_from_another_thread_ends_a_sleeping_turn), TEST_BOTH(late_ringer_may_be_the_last_to_release),
      TEST_BOTH(turn_that_is_interrupted_keeps_its_deadline), TEST_BOTH(fd_is_closed_on_exec),
      TEST(kind_that_does_not_exist_is_refused), TEST_BOTH(want_of_fds_is_an_error_and_leaks_none),
      TEST_BOTH(closed_reactor_takes_nothing_and_its_fd_is_quiet))
