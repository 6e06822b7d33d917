/* test_source.c: foreign sources; each on both kinds of reactor. */
#include "support/fds.h"
#include "support/threads.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#ifdef __linux__
#  include <sys/epoll.h>
#endif

/* --- foreign sources --- */

struct counted_source {
    caw_fd_source source;
    caw_reactor *r;
    int calls, stop_after, fd;
    struct counted_source *victim;
    atomic_bool running;
};

static void
count_call(caw_fd_source *source, unsigned events)
{
    struct counted_source *s = CAW_CONTAINER_OF(source, struct counted_source, source);
    CHECK(events & source->events);
    if (++s->calls == s->stop_after) {
        caw_reactor_remove(s->r, source);
    }
    if (s->victim) {
        caw_reactor_remove(s->r, &s->victim->source);
        memset(&s->victim->source, 0xff, sizeof s->victim->source); /* it may even be gone */
        s->victim = NULL;
    }
}

static struct counted_source
counted(caw_reactor *r, int fd, unsigned events)
{
    return (struct counted_source){.source = {.ready = count_call, .fd = fd, .events = events}, .r = r, .fd = fd};
}

static void
source_is_called_at_each_turn_until_it_is_handled_or_removed(caw_reactor_kind kind)
{
    wired w;
    char byte;
    wire_pipe(&w, kind);
    struct counted_source s = counted(w.r, w.fds[0], CAW_READABLE);
    CHECK_INT(caw_reactor_add(w.r, &s.source), 0);
    CHECK_INT(caw_reactor_turn(w.r, 5 * MILLISECOND), 0);
    CHECK_INT(write(w.fds[1], "x", 1), 1);
    TURN_UNTIL(w.r, s.calls >= 3);
    CHECK_INT(read(w.fds[0], &byte, 1), 1);
    (void)caw_reactor_turn(w.r, 5 * MILLISECOND); /* one more may have been under way */
    int calls = s.calls;
    CHECK_INT(caw_reactor_turn(w.r, 5 * MILLISECOND), 0);
    CHECK_INT(s.calls, calls);
    CHECK_INT(write(w.fds[1], "x", 1), 1);
    caw_reactor_remove(w.r, &s.source);
    caw_reactor_remove(w.r, &s.source);
    CHECK_INT(caw_reactor_turn(w.r, 5 * MILLISECOND), 0);
    CHECK_INT(s.calls, calls);
    unwire(&w);
}
ON_BOTH_KINDS(source_is_called_at_each_turn_until_it_is_handled_or_removed)

#ifdef __linux__

static void
read_byte(caw_fd_source *source, unsigned events)
{
    struct counted_source *s = CAW_CONTAINER_OF(source, struct counted_source, source);
    char byte;
    CHECK(events & CAW_READABLE);
    CHECK_INT(read(source->fd, &byte, 1), 1);
    ++*(int *)s->source.user;
}

/* More fds are ready than one turn handles. */
static void
turn_that_leaves_something_makes_a_new_edge(caw_reactor_kind kind)
{
    enum { N = 150 };
    caw_reactor *r = new_reactor(kind);
    struct epoll_event edges = {.events = EPOLLIN | EPOLLET};
    int outer = epoll_create1(EPOLL_CLOEXEC), handled = 0, fds[N][2];
    struct counted_source sources[N];
    CHECK_INT(epoll_ctl(outer, EPOLL_CTL_ADD, caw_reactor_fd(r), &edges), 0);
    for (int i = 0; i < N; i++) {
        CHECK_INT(pipe(fds[i]), 0);
        CHECK_INT(write(fds[i][1], "x", 1), 1);
        sources[i] = counted(r, fds[i][0], CAW_READABLE);
        sources[i].source.ready = read_byte;
        sources[i].source.user = &handled;
        CHECK_INT(caw_reactor_add(r, &sources[i].source), 0);
    }
    while (handled < N) {
        CHECK_INT(epoll_wait(outer, &edges, 1, 10000), 1);
        CHECK(caw_reactor_turn(r, 0) >= 0);
    }
    for (int i = 0; i < N; i++) {
        caw_reactor_remove(r, &sources[i].source);
        close(fds[i][0]);
        close(fds[i][1]);
    }
    close(outer);
    end_reactor(r);
}
ON_BOTH_KINDS(turn_that_leaves_something_makes_a_new_edge)

#endif

static void
source_may_remove_itself_and_another_in_its_callback(caw_reactor_kind kind)
{
    wired w;
    wire_pipe(&w, kind);
    struct counted_source a = counted(w.r, w.fds[1], CAW_WRITABLE), b = a, c = a;
    a.victim = &b;
    a.stop_after = 1;
    CHECK_INT(caw_reactor_add(w.r, &a.source), 0);
    CHECK_INT(caw_reactor_add(w.r, &b.source), 0);
    CHECK_INT(caw_reactor_add(w.r, &c.source), 0);
    TURN_UNTIL(w.r, c.calls >= 3);
    CHECK_INT(a.calls, 1);
    CHECK_INT(b.calls, 0);
    unwire(&w);
}
ON_BOTH_KINDS(source_may_remove_itself_and_another_in_its_callback)

static void
source_on_another_fd_removed_by_a_callback_is_not_called(caw_reactor_kind kind)
{
    wired w;
    int more[2];
    wire_pipe(&w, kind);
    make_pipe(more, 0);
    struct counted_source a = counted(w.r, w.fds[1], CAW_WRITABLE), b = counted(w.r, more[1], CAW_WRITABLE);
    a.victim = &b;
    b.victim = &a;
    a.stop_after = b.stop_after = 1;
    CHECK_INT(caw_reactor_add(w.r, &a.source), 0);
    CHECK_INT(caw_reactor_add(w.r, &b.source), 0);
    TURN_UNTIL(w.r, a.calls + b.calls > 0);
    (void)caw_reactor_turn(w.r, 5 * MILLISECOND);
    CHECK_INT(a.calls + b.calls, 1);
    unwire(&w);
    close_both(more);
}
ON_BOTH_KINDS(source_on_another_fd_removed_by_a_callback_is_not_called)

/* Two of these, both ready; the one that is called first replaces the fd and the source of the other by quiet ones. */
struct usurper {
    caw_fd_source source, quiet;
    caw_reactor *r;
    struct usurper *other;
    int quiet_fd, calls, late_calls;
};

static void
count_late_call(caw_fd_source *source, unsigned events)
{
    (void)events;
    CAW_CONTAINER_OF(source, struct usurper, quiet)->late_calls++;
}

static void
usurp(caw_fd_source *source, unsigned events)
{
    struct usurper *u = CAW_CONTAINER_OF(source, struct usurper, source);
    int fd = u->other->source.fd;
    (void)events;
    u->calls++;
    caw_reactor_remove(u->r, &u->source);
    caw_reactor_remove(u->r, &u->other->source);
    CHECK_INT(dup2(u->quiet_fd, fd), fd);
    u->other->quiet = (caw_fd_source){.ready = count_late_call, .fd = fd, .events = CAW_READABLE};
    CHECK_INT(caw_reactor_add(u->r, &u->other->quiet), 0);
}

static void
event_of_an_fd_that_was_replaced_meanwhile_is_dropped(caw_reactor_kind kind)
{
    int quiet[2], fds[2][2];
    struct usurper u[2] = {{.calls = 0}};
    caw_reactor *r = new_reactor(kind);
    make_pipe(quiet, 0);
    for (int i = 0; i < 2; i++) {
        make_pipe(fds[i], 0);
        CHECK_INT(write(fds[i][1], "x", 1), 1);
        u[i].source = (caw_fd_source){.ready = usurp, .fd = fds[i][0], .events = CAW_READABLE};
        u[i].r = r;
        u[i].other = &u[1 - i];
        u[i].quiet_fd = quiet[0];
        CHECK_INT(caw_reactor_add(r, &u[i].source), 0);
    }
    (void)usleep(5000); /* for the portable one, to see both */
    TURN_UNTIL(r, u[0].calls + u[1].calls > 0);
    CHECK_INT(caw_reactor_turn(r, 5 * MILLISECOND), 0);
    CHECK_INT(u[0].calls + u[1].calls, 1);
    CHECK_INT(u[0].late_calls + u[1].late_calls, 0);
    end_reactor(r);
    for (int i = 0; i < 2; i++) {
        close_both(fds[i]);
    }
    close_both(quiet);
}
ON_BOTH_KINDS(event_of_an_fd_that_was_replaced_meanwhile_is_dropped)

static void
source_that_cannot_be_watched_is_refused(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    FILE *file = tmpfile();
    int fds[2];
    CHECK(file);
    make_pipe(fds, 0);
    struct counted_source s = counted(r, fileno(file), CAW_READABLE);
    CHECK_INT(caw_reactor_add(r, &s.source), CAW_EINVAL);
    s = counted(r, fds[0], 0);
    CHECK_INT(caw_reactor_add(r, &s.source), CAW_EINVAL);
    s = counted(r, fds[0], 8);
    CHECK_INT(caw_reactor_add(r, &s.source), CAW_EINVAL);
    s = counted(r, -1, CAW_READABLE);
    CHECK_INT(caw_reactor_add(r, &s.source), CAW_EBADF);
    caw_reactor_remove(r, &s.source);
    s = counted(r, fds[0], CAW_READABLE);
    CHECK_INT(caw_reactor_add(r, &s.source), 0);
    CHECK_INT(caw_reactor_add(r, &s.source), -EEXIST);
    caw_reactor_close(r);
    CHECK_INT(caw_reactor_add(r, &s.source), CAW_ECLOSED);
    caw_reactor_release(r);
    CHECK_INT(fclose(file), 0);
    close(fds[0]);
    struct counted_source gone = counted(r = new_reactor(kind), fds[0], CAW_READABLE);
    CHECK_INT(caw_reactor_add(r, &gone.source), CAW_EBADF);
    end_reactor(r);
    close(fds[1]);
}
ON_BOTH_KINDS(source_that_cannot_be_watched_is_refused)

static void
source_may_be_the_fd_of_another_reactor(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind), *inner = new_reactor(kind);
    struct counted_source s = counted(r, caw_reactor_fd(inner), CAW_READABLE);
    CHECK_INT(caw_reactor_add(r, &s.source), 0);
    CHECK_INT(caw_reactor_turn(r, 2 * MILLISECOND), 0);
    caw_reactor_ring(inner);
    TURN_UNTIL(r, s.calls > 0);
    CHECK_INT(caw_reactor_turn(inner, 0), 0);
    (void)caw_reactor_turn(r, 2 * MILLISECOND);
    CHECK_INT(caw_reactor_turn(r, 2 * MILLISECOND), 0);
    caw_reactor_remove(r, &s.source);
    end_reactor(inner);
    end_reactor(r);
}
ON_BOTH_KINDS(source_may_be_the_fd_of_another_reactor)

static void
run_for_a_while(caw_fd_source *source, unsigned events)
{
    struct counted_source *s = CAW_CONTAINER_OF(source, struct counted_source, source);
    (void)events;
    s->running = true;
    (void)usleep(20000);
    s->calls++;
    s->running = false;
}

static void *
remove_while_it_runs(void *user)
{
    struct counted_source *s = user;
    while (!s->running) {
        (void)sched_yield();
    }
    caw_reactor_remove(s->r, &s->source);
    CHECK(!s->running);
    caw_reactor_ring(s->r);
    return NULL;
}

static void
remove_on_another_thread_waits_for_the_callback(caw_reactor_kind kind)
{
    wired w;
    wire_pipe(&w, kind);
    struct counted_source s = counted(w.r, w.fds[1], CAW_WRITABLE);
    s.source.ready = run_for_a_while;
    CHECK_INT(caw_reactor_add(w.r, &s.source), 0);
    pthread_t thread = start_thread(remove_while_it_runs, &s);
    while (caw_reactor_turn(w.r, -1) != 0) {
    }
    join_thread(thread);
    unwire(&w);
}
ON_BOTH_KINDS(remove_on_another_thread_waits_for_the_callback)

static void
close_ends_what_waits_and_calls_no_source(caw_reactor_kind kind)
{
    enum { N = 300 };
    int fds[2];
    make_pipe(fds, 0);
    caw_reactor *r = new_reactor(kind);
    struct counted_source s = counted(r, fds[1], CAW_WRITABLE);
    counter c = {0, 0};
    caw_future *f[N];
    for (int i = 0; i < N; i++) {
        f[i] = i % 2 ? caw_sleep(3600 * (uint64_t)SECOND) : caw_readable(fds[0]);
        CHECK(poll_at(f[i], r, &c) == CAW_PENDING);
    }
    CHECK_INT(caw_reactor_add(r, &s.source), 0);
    caw_reactor_close(r);
    caw_reactor_close(r);
    CHECK_INT(c.wakes, N);
    CHECK_INT(s.calls, 0);
    CHECK_INT(caw_reactor_turn(r, -1), CAW_ECLOSED);
    caw_reactor_release(r); /* the futures keep the reactor alive */
    for (int i = 0; i < N; i++) {
        CHECK_INT(status_at(f[i], r, &c), CAW_ECLOSED);
        caw_future_destroy(f[i]);
    }
    CHECK_INT(c.references, 0);
    close_both(fds);
}
ON_BOTH_KINDS(close_ends_what_waits_and_calls_no_source)

#ifdef __linux__
#  define TESTS_OF_EDGES TEST_BOTH(turn_that_leaves_something_makes_a_new_edge),
#else
#  define TESTS_OF_EDGES
#endif

TESTS(TESTS_OF_EDGES TEST_BOTH(source_is_called_at_each_turn_until_it_is_handled_or_removed),
      TEST_BOTH(source_may_remove_itself_and_another_in_its_callback),
      TEST_BOTH(source_on_another_fd_removed_by_a_callback_is_not_called),
      TEST_BOTH(event_of_an_fd_that_was_replaced_meanwhile_is_dropped),
      TEST_BOTH(source_that_cannot_be_watched_is_refused), TEST_BOTH(source_may_be_the_fd_of_another_reactor),
      TEST_BOTH(remove_on_another_thread_waits_for_the_callback), TEST_BOTH(close_ends_what_waits_and_calls_no_source))
