/* test_reactor.c: turns, rings, timers, foreign sources, the end; each on both kinds of reactor. */
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/time.h>

#define MILLISECOND INT64_C(1000000)

static bool
is_readable(int fd)
{
    struct pollfd p = {fd, POLLIN, 0};
    return poll(&p, 1, 0) == 1;
}

/* Turns and rings. */

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
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, ring_after_a_while, caw_reactor_retain(r)), 0);
    CHECK_INT(caw_reactor_turn(r, -1), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    end_reactor(r);
}
ON_BOTH_KINDS(ring_from_another_thread_ends_a_sleeping_turn)

static void
late_ringer_may_be_the_last_to_release(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, ring_after_a_while, caw_reactor_retain(r)), 0);
    end_reactor(r);
    CHECK_INT(pthread_join(thread, NULL), 0);
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

/* Timers. */

static void
sleep_is_ready_after_its_time_and_not_before(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    caw_future *f = caw_sleep(20 * (uint64_t)MILLISECOND);
    uint64_t start = caw_now_ns();
    CHECK(poll_at(f, r, &c) == CAW_PENDING);
    CHECK_INT(caw_reactor_turn(r, 0), 0);
    CHECK_INT(c.wakes, 0);
    while (c.wakes == 0) {
        CHECK(poll_at(f, r, &c) == CAW_PENDING);
        CHECK(caw_reactor_turn(r, -1) >= 0);
    }
    CHECK(caw_now_ns() - start >= 20 * (uint64_t)MILLISECOND);
    CHECK(poll_at(f, r, &c) == CAW_READY);
    CHECK_INT(f->status, 0);
    CHECK_INT(c.references, 0);
    caw_future_destroy(f);
    end_reactor(r);
}
ON_BOTH_KINDS(sleep_is_ready_after_its_time_and_not_before)

static void
sleep_of_zero_is_ready_at_once(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    caw_future *f = caw_sleep(0);
    CHECK(poll_at(f, r, &c) == CAW_READY);
    CHECK_INT(f->status, 0);
    CHECK_INT(c.references, 0);
    caw_future_destroy(f);
    end_reactor(r);
}
ON_BOTH_KINDS(sleep_of_zero_is_ready_at_once)

static void
sleep_where_there_is_no_reactor_fails(void)
{
    caw_future *f = caw_sleep(1);
    CHECK(poll_without_waker(f, NULL) == CAW_READY);
    CHECK_INT(f->status, CAW_ENOREACTOR);
    caw_future_destroy(f);
}

static void
sleep_of_centuries_stays_pending_among_short_ones(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0}, d = {0, 0};
    caw_future *ever = caw_sleep(UINT64_MAX), *longish = caw_sleep(UINT64_MAX / 2), *brief = caw_sleep(1000);
    CHECK(poll_at(ever, r, &c) == CAW_PENDING);
    CHECK(poll_at(longish, r, &c) == CAW_PENDING);
    CHECK_INT(turn_until_ready(r, brief, &d), 0);
    CHECK(poll_at(ever, r, &c) == CAW_PENDING);
    CHECK_INT(c.wakes, 0);
    caw_future_destroy(brief);
    caw_future_destroy(ever);
    caw_future_destroy(longish);
    CHECK_INT(c.references, 0);
    end_reactor(r);
}
ON_BOTH_KINDS(sleep_of_centuries_stays_pending_among_short_ones)

static void
sleeps_wake_in_the_order_of_their_deadlines(caw_reactor_kind kind)
{
    enum { N = 8 };
    caw_reactor *r = new_reactor(kind);
    counter c[N] = {{0, 0}};
    caw_future *f[N];
    for (int i = 0; i < N; i++) {
        f[i] = caw_sleep((uint64_t)((i * 5 % N + 1) * 3 * MILLISECOND));
        CHECK(poll_at(f[i], r, &c[i]) == CAW_PENDING);
    }
    for (int due = 0; due < N;) {
        CHECK(caw_reactor_turn(r, -1) >= 0);
        for (int i = 0; i < N; i++) {
            int rank = i * 5 % N;
            for (int j = 0; j < N && c[i].wakes; j++) {
                CHECK(j * 5 % N > rank || c[j].wakes); /* whoever was due earlier is awake */
            }
        }
        for (due = 0; due < N && c[due].wakes;) {
            due++;
        }
    }
    for (int i = 0; i < N; i++) {
        caw_future_destroy(f[i]);
    }
    end_reactor(r);
}
ON_BOTH_KINDS(sleeps_wake_in_the_order_of_their_deadlines)

static void
sleep_destroyed_while_pending_drops_its_waker(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    caw_future *f = caw_sleep(MILLISECOND), *g = caw_sleep(2 * MILLISECOND), *unpolled = caw_sleep(1);
    CHECK(poll_at(f, r, &c) == CAW_PENDING && poll_at(g, r, &c) == CAW_PENDING);
    CHECK_INT(c.references, 2);
    caw_future_destroy(f);
    caw_future_destroy(unpolled);
    CHECK_INT(c.references, 1);
    CHECK_INT(turn_until_ready(r, g, &c), 0);
    CHECK_INT(c.wakes, 1);
    caw_future_destroy(g);
    CHECK_INT(c.references, 0);
    end_reactor(r);
}
ON_BOTH_KINDS(sleep_destroyed_while_pending_drops_its_waker)

static void
sleep_cancelled_ends_at_once(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    caw_future *f = caw_sleep(UINT64_MAX), *early = caw_sleep(UINT64_MAX), *late = caw_sleep(1);
    CHECK(poll_at(f, r, &c) == CAW_PENDING);
    caw_future_cancel(f);
    CHECK_INT(c.wakes, 1);
    CHECK(poll_at(f, r, &c) == CAW_READY);
    CHECK_INT(f->status, CAW_ECANCELED);
    caw_future_cancel(early);
    CHECK(poll_at(early, r, &c) == CAW_READY);
    CHECK_INT(early->status, CAW_ECANCELED);
    CHECK(poll_at(late, r, &c) == CAW_PENDING);
    while (c.wakes == 1) {
        CHECK(caw_reactor_turn(r, -1) >= 0);
    }
    caw_future_cancel(late); /* its result has won */
    CHECK(poll_at(late, r, &c) == CAW_READY);
    CHECK_INT(late->status, 0);
    CHECK_INT(c.references, 0);
    caw_future_destroy(f);
    caw_future_destroy(early);
    caw_future_destroy(late);
    end_reactor(r);
}
ON_BOTH_KINDS(sleep_cancelled_ends_at_once)

static void
latest_waker_is_the_one_that_is_woken_also_at_another_reactor(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind), *other = new_reactor(kind);
    counter c = {0, 0}, d = {0, 0};
    caw_future *f = caw_sleep(MILLISECOND);
    CHECK(poll_at(f, r, &c) == CAW_PENDING);
    CHECK(poll_at(f, other, &d) == CAW_PENDING);
    CHECK_INT(c.references, 0);
    while (d.wakes == 0) {
        CHECK(caw_reactor_turn(r, -1) >= 0);
    }
    CHECK_INT(c.wakes, 0);
    caw_future_destroy(f);
    end_reactor(r);
    end_reactor(other);
}
ON_BOTH_KINDS(latest_waker_is_the_one_that_is_woken_also_at_another_reactor)

static void
hundred_thousand_sleeps_all_end(caw_reactor_kind kind)
{
    enum { N = 100000 };
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    caw_future **f = calloc(N, sizeof *f);
    CHECK(f);
    for (unsigned i = 0; i < N; i++) {
        f[i] = caw_sleep((uint64_t)(i * 2654435761u % 20000000u + 1));
        CHECK(poll_at(f[i], r, &c) == CAW_PENDING);
    }
    while (c.wakes < N) {
        CHECK(caw_reactor_turn(r, -1) >= 0);
    }
    for (int i = 0; i < N; i++) {
        CHECK(poll_at(f[i], r, &c) == CAW_READY);
        caw_future_destroy(f[i]);
    }
    CHECK_INT(c.wakes, N);
    CHECK_INT(c.references, 0);
    free(f);
    end_reactor(r);
}
ON_BOTH_KINDS(hundred_thousand_sleeps_all_end)

struct destroyer {
    caw_future **futures;
    int n;
};

static void *
destroy_all(void *user)
{
    struct destroyer *d = user;
    for (int i = 0; i < d->n; i++) {
        caw_future_destroy(d->futures[i]);
    }
    return NULL;
}

static void
sleeps_may_be_destroyed_on_other_threads_while_they_end(caw_reactor_kind kind)
{
    enum { N = 40000, THREADS = 2 };
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    struct destroyer d[THREADS];
    pthread_t threads[THREADS];
    for (int t = 0; t < THREADS; t++) {
        d[t] = (struct destroyer){calloc(N, sizeof *d[t].futures), N};
        CHECK(d[t].futures);
        for (int i = 0; i < N; i++) {
            d[t].futures[i] = caw_sleep((uint64_t)i * 1000 + 1);
            CHECK(poll_at(d[t].futures[i], r, &c) == CAW_PENDING);
        }
    }
    for (int t = 0; t < THREADS; t++) {
        CHECK_INT(pthread_create(&threads[t], NULL, destroy_all, &d[t]), 0);
    }
    while (c.references > 0) {
        CHECK(caw_reactor_turn(r, MILLISECOND) >= 0);
    }
    for (int t = 0; t < THREADS; t++) {
        CHECK_INT(pthread_join(threads[t], NULL), 0);
        free(d[t].futures);
    }
    end_reactor(r);
}
ON_BOTH_KINDS(sleeps_may_be_destroyed_on_other_threads_while_they_end)

struct elsewhere {
    caw_reactor *r;
    counter c;
    caw_future *f;
};

static void *
poll_elsewhere(void *user)
{
    struct elsewhere *e = user;
    (void)usleep(5000);
    CHECK(poll_at(e->f, e->r, &e->c) == CAW_PENDING);
    return NULL;
}

static void
sleep_begun_on_another_thread_shortens_a_sleeping_turn(caw_reactor_kind kind)
{
    struct elsewhere e = {.r = new_reactor(kind), .f = caw_sleep(MILLISECOND)};
    caw_future *later = caw_sleep(3600 * (uint64_t)SECOND);
    counter c = {0, 0};
    pthread_t thread;
    CHECK(poll_at(later, e.r, &c) == CAW_PENDING);
    CHECK_INT(pthread_create(&thread, NULL, poll_elsewhere, &e), 0);
    while (e.c.wakes == 0) {
        CHECK(caw_reactor_turn(e.r, -1) >= 0);
    }
    CHECK_INT(pthread_join(thread, NULL), 0);
    caw_future_destroy(e.f);
    caw_future_destroy(later);
    end_reactor(e.r);
}
ON_BOTH_KINDS(sleep_begun_on_another_thread_shortens_a_sleeping_turn)

/* Foreign sources. */

struct counted_source {
    caw_source source;
    caw_reactor *r;
    int calls, stop_after, fd;
    struct counted_source *victim;
    atomic_bool running;
};

static void
count_call(caw_source *source, unsigned events)
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
    int fds[2];
    char byte;
    CHECK_INT(pipe(fds), 0);
    caw_reactor *r = new_reactor(kind);
    struct counted_source s = counted(r, fds[0], CAW_READABLE);
    CHECK_INT(caw_reactor_add(r, &s.source), 0);
    CHECK_INT(caw_reactor_turn(r, 5 * MILLISECOND), 0);
    CHECK_INT(write(fds[1], "x", 1), 1);
    while (s.calls < 3) {
        CHECK(caw_reactor_turn(r, -1) >= 0);
    }
    CHECK_INT(read(fds[0], &byte, 1), 1);
    (void)caw_reactor_turn(r, 5 * MILLISECOND); /* one more may have been under way */
    int calls = s.calls;
    CHECK_INT(caw_reactor_turn(r, 5 * MILLISECOND), 0);
    CHECK_INT(s.calls, calls);
    CHECK_INT(write(fds[1], "x", 1), 1);
    caw_reactor_remove(r, &s.source);
    caw_reactor_remove(r, &s.source);
    CHECK_INT(caw_reactor_turn(r, 5 * MILLISECOND), 0);
    CHECK_INT(s.calls, calls);
    end_reactor(r);
    close(fds[0]);
    close(fds[1]);
}
ON_BOTH_KINDS(source_is_called_at_each_turn_until_it_is_handled_or_removed)

static void
source_may_remove_itself_and_another_in_its_callback(caw_reactor_kind kind)
{
    int fds[2];
    CHECK_INT(pipe(fds), 0);
    caw_reactor *r = new_reactor(kind);
    struct counted_source a = counted(r, fds[1], CAW_WRITABLE), b = a, c = a;
    a.victim = &b;
    a.stop_after = 1;
    CHECK_INT(caw_reactor_add(r, &a.source), 0);
    CHECK_INT(caw_reactor_add(r, &b.source), 0);
    CHECK_INT(caw_reactor_add(r, &c.source), 0);
    while (c.calls < 3) {
        CHECK(caw_reactor_turn(r, -1) >= 0);
    }
    CHECK_INT(a.calls, 1);
    CHECK_INT(b.calls, 0);
    end_reactor(r);
    close(fds[0]);
    close(fds[1]);
}
ON_BOTH_KINDS(source_may_remove_itself_and_another_in_its_callback)

static void
source_on_another_fd_removed_by_a_callback_is_not_called(caw_reactor_kind kind)
{
    int fds[2], more[2];
    CHECK_INT(pipe(fds), 0);
    CHECK_INT(pipe(more), 0);
    caw_reactor *r = new_reactor(kind);
    struct counted_source a = counted(r, fds[1], CAW_WRITABLE), b = counted(r, more[1], CAW_WRITABLE);
    a.victim = &b;
    b.victim = &a;
    a.stop_after = b.stop_after = 1;
    CHECK_INT(caw_reactor_add(r, &a.source), 0);
    CHECK_INT(caw_reactor_add(r, &b.source), 0);
    while (a.calls + b.calls == 0) {
        CHECK(caw_reactor_turn(r, -1) >= 0);
    }
    (void)caw_reactor_turn(r, 5 * MILLISECOND);
    CHECK_INT(a.calls + b.calls, 1);
    end_reactor(r);
    close(fds[0]);
    close(fds[1]);
    close(more[0]);
    close(more[1]);
}
ON_BOTH_KINDS(source_on_another_fd_removed_by_a_callback_is_not_called)

/* Two of these, both ready; the one that is called first puts a quiet fd and a quiet source in the place of the other. */
struct usurper {
    caw_source source, quiet;
    caw_reactor *r;
    struct usurper *other;
    int quiet_fd, calls, late_calls;
};

static void
count_late_call(caw_source *source, unsigned events)
{
    (void)events;
    CAW_CONTAINER_OF(source, struct usurper, quiet)->late_calls++;
}

static void
usurp(caw_source *source, unsigned events)
{
    struct usurper *u = CAW_CONTAINER_OF(source, struct usurper, source);
    int fd = u->other->source.fd;
    (void)events;
    u->calls++;
    caw_reactor_remove(u->r, &u->source);
    caw_reactor_remove(u->r, &u->other->source);
    CHECK_INT(dup2(u->quiet_fd, fd), fd);
    u->other->quiet = (caw_source){.ready = count_late_call, .fd = fd, .events = CAW_READABLE};
    CHECK_INT(caw_reactor_add(u->r, &u->other->quiet), 0);
}

static void
event_of_an_fd_that_was_replaced_meanwhile_is_dropped(caw_reactor_kind kind)
{
    int quiet[2], fds[2][2];
    struct usurper u[2] = {{.calls = 0}};
    caw_reactor *r = new_reactor(kind);
    CHECK_INT(pipe(quiet), 0);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(pipe(fds[i]), 0);
        CHECK_INT(write(fds[i][1], "x", 1), 1);
        u[i].source = (caw_source){.ready = usurp, .fd = fds[i][0], .events = CAW_READABLE};
        u[i].r = r;
        u[i].other = &u[1 - i];
        u[i].quiet_fd = quiet[0];
        CHECK_INT(caw_reactor_add(r, &u[i].source), 0);
    }
    (void)usleep(5000); /* for the portable one, to see both */
    while (u[0].calls + u[1].calls == 0) {
        CHECK(caw_reactor_turn(r, -1) >= 0);
    }
    CHECK_INT(caw_reactor_turn(r, 5 * MILLISECOND), 0);
    CHECK_INT(u[0].calls + u[1].calls, 1);
    CHECK_INT(u[0].late_calls + u[1].late_calls, 0);
    end_reactor(r);
    for (int i = 0; i < 2; i++) {
        close(quiet[i]);
        close(fds[i][0]);
        close(fds[i][1]);
    }
}
ON_BOTH_KINDS(event_of_an_fd_that_was_replaced_meanwhile_is_dropped)

static void
source_that_cannot_be_watched_is_refused(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    FILE *file = tmpfile();
    int fds[2];
    CHECK(file);
    CHECK_INT(pipe(fds), 0);
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
    while (s.calls == 0) {
        CHECK(caw_reactor_turn(r, -1) >= 0);
    }
    CHECK_INT(caw_reactor_turn(inner, 0), 0);
    (void)caw_reactor_turn(r, 2 * MILLISECOND);
    CHECK_INT(caw_reactor_turn(r, 2 * MILLISECOND), 0);
    caw_reactor_remove(r, &s.source);
    end_reactor(inner);
    end_reactor(r);
}
ON_BOTH_KINDS(source_may_be_the_fd_of_another_reactor)

static void
run_for_a_while(caw_source *source, unsigned events)
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
    int fds[2];
    CHECK_INT(pipe(fds), 0);
    caw_reactor *r = new_reactor(kind);
    struct counted_source s = counted(r, fds[1], CAW_WRITABLE);
    s.source.ready = run_for_a_while;
    CHECK_INT(caw_reactor_add(r, &s.source), 0);
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, remove_while_it_runs, &s), 0);
    while (caw_reactor_turn(r, -1) != 0) {
    }
    CHECK_INT(pthread_join(thread, NULL), 0);
    end_reactor(r);
    close(fds[0]);
    close(fds[1]);
}
ON_BOTH_KINDS(remove_on_another_thread_waits_for_the_callback)

/* The end. */

static void
close_ends_what_waits_and_calls_no_source(caw_reactor_kind kind)
{
    enum { N = 300 };
    int fds[2];
    CHECK_INT(pipe(fds), 0);
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
    caw_reactor_release(r); /* the futures keep it */
    for (int i = 0; i < N; i++) {
        CHECK(poll_at(f[i], r, &c) == CAW_READY);
        CHECK_INT(f[i]->status, CAW_ECLOSED);
        caw_future_destroy(f[i]);
    }
    CHECK_INT(c.references, 0);
    close(fds[0]);
    close(fds[1]);
}
ON_BOTH_KINDS(close_ends_what_waits_and_calls_no_source)

static void
sleep_keeps_its_reactor_until_it_is_destroyed(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    caw_future *f = caw_sleep(3600 * (uint64_t)SECOND);
    CHECK(poll_at(f, r, &c) == CAW_PENDING);
    caw_reactor_release(r);
    CHECK_INT(c.wakes, 0); /* the sleep holds one */
    caw_future_destroy(f);
    CHECK_INT(c.references, 0);
}
ON_BOTH_KINDS(sleep_keeps_its_reactor_until_it_is_destroyed)

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

static void *
sleep_until_closed(void *user)
{
    struct elsewhere *e = user;
    for (;;) {
        caw_future *f = caw_sleep(UINT64_MAX);
        bool ready = poll_at(f, e->r, &e->c) == CAW_READY;
        int status = f->status;
        caw_future_destroy(f);
        if (ready) {
            CHECK_INT(status, CAW_ECLOSED);
            caw_reactor_ring(e->r);
            caw_reactor_release(e->r);
            return NULL;
        }
    }
}

static void
close_while_other_threads_begin_sleeps_and_ring_loses_none(caw_reactor_kind kind)
{
    for (int round = 0; round < 50; round++) {
        caw_reactor *r = new_reactor(kind);
        struct elsewhere e[2];
        pthread_t threads[2];
        for (int i = 0; i < 2; i++) {
            e[i] = (struct elsewhere){.r = caw_reactor_retain(r)};
            CHECK_INT(pthread_create(&threads[i], NULL, sleep_until_closed, &e[i]), 0);
        }
        CHECK(caw_reactor_turn(r, round * MILLISECOND / 10) >= 0);
        end_reactor(r);
        for (int i = 0; i < 2; i++) {
            CHECK_INT(pthread_join(threads[i], NULL), 0);
            CHECK_INT(e[i].c.references, 0);
        }
    }
}
ON_BOTH_KINDS(close_while_other_threads_begin_sleeps_and_ring_loses_none)

TESTS(TEST_BOTH(turn_with_nothing_to_do_waits_for_its_timeout), TEST_BOTH(ring_makes_the_fd_readable_until_a_turn),
      TEST_BOTH(ring_from_another_thread_ends_a_sleeping_turn), TEST_BOTH(late_ringer_may_be_the_last_to_release),
      TEST_BOTH(turn_that_is_interrupted_keeps_its_deadline), TEST_BOTH(fd_is_closed_on_exec),
      TEST(kind_that_does_not_exist_is_refused), TEST_BOTH(want_of_fds_is_an_error_and_leaks_none),
      TEST_BOTH(sleep_is_ready_after_its_time_and_not_before), TEST_BOTH(sleep_of_zero_is_ready_at_once),
      TEST(sleep_where_there_is_no_reactor_fails), TEST_BOTH(sleep_of_centuries_stays_pending_among_short_ones),
      TEST_BOTH(sleeps_wake_in_the_order_of_their_deadlines), TEST_BOTH(sleep_destroyed_while_pending_drops_its_waker),
      TEST_BOTH(sleep_cancelled_ends_at_once), TEST_BOTH(latest_waker_is_the_one_that_is_woken_also_at_another_reactor),
      TEST_BOTH(hundred_thousand_sleeps_all_end), TEST_BOTH(sleeps_may_be_destroyed_on_other_threads_while_they_end),
      TEST_BOTH(sleep_begun_on_another_thread_shortens_a_sleeping_turn),
      TEST_BOTH(source_is_called_at_each_turn_until_it_is_handled_or_removed),
      TEST_BOTH(source_may_remove_itself_and_another_in_its_callback),
      TEST_BOTH(source_on_another_fd_removed_by_a_callback_is_not_called),
      TEST_BOTH(event_of_an_fd_that_was_replaced_meanwhile_is_dropped),
      TEST_BOTH(source_that_cannot_be_watched_is_refused), TEST_BOTH(source_may_be_the_fd_of_another_reactor),
      TEST_BOTH(remove_on_another_thread_waits_for_the_callback), TEST_BOTH(close_ends_what_waits_and_calls_no_source),
      TEST_BOTH(sleep_keeps_its_reactor_until_it_is_destroyed),
      TEST_BOTH(closed_reactor_takes_nothing_and_its_fd_is_quiet),
      TEST_BOTH(close_while_other_threads_begin_sleeps_and_ring_loses_none))
