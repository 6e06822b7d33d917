/* test_promise.c: the two sides of a promise, in every order. */
#include "cawait/core.h"

#include "support/fork.h"
#include "support/place.h"
#include "support/threads.h"

static atomic_int freed; /* jobs */

typedef struct job {
    caw_promise promise;
    int start_status; /* what start returns */
    bool resolve_in_start;
    bool resolve_in_cancel;
    atomic_int starts, cancels;
    int output;
} job;

static int
job_start(caw_promise *p)
{
    job *j = CAW_CONTAINER_OF(p, job, promise);
    j->starts++;
    if (j->resolve_in_start) {
        j->output = 7;
        caw_promise_resolve(p, 0);
    }
    return j->start_status;
}

static void
job_on_cancel(caw_promise *p)
{
    job *j = CAW_CONTAINER_OF(p, job, promise);
    j->cancels++;
    if (j->resolve_in_cancel) {
        caw_promise_resolve(p, CAW_ECANCELED);
    }
}

static void
job_free(caw_promise *p)
{
    job *j = CAW_CONTAINER_OF(p, job, promise);
    free(j);
    atomic_fetch_add(&freed, 1);
}

static const caw_promise_ops job_ops = CAW_PROMISE_OPS_CANCEL("job", job_start, job_on_cancel, job_free);
static const caw_promise_ops plain_ops = CAW_PROMISE_OPS("plain", job_start, NULL);

static job *
job_new(void)
{
    job *j = calloc(1, sizeof *j);
    CHECK(j);
    caw_promise_init(&j->promise, &job_ops);
    return j;
}

/* Destroy the job, which was the only one. */
static void
job_end(job *j)
{
    caw_future_destroy(&j->promise.future);
    CHECK_INT(atomic_exchange(&freed, 0), 1);
}

static void
nothing_starts_before_the_first_poll(void)
{
    job *j = job_new();
    CHECK_INT(j->starts, 0);
    job_end(j);
}

static void
resolve_wakes_once_and_gives_its_status(void)
{
    counter c = {0, 0};
    job *j = job_new();
    CHECK(poll_at(&j->promise.future, NULL, &c) == CAW_PENDING);
    CHECK_INT(j->starts, 1);
    CHECK_INT(c.references, 1);
    j->output = 42;
    caw_promise_resolve(&j->promise, -EPIPE);
    CHECK_INT(c.wakes, 1);
    CHECK_INT(c.references, 0);
    CHECK_INT(status_at(&j->promise.future, NULL, &c), -EPIPE);
    CHECK_INT(j->output, 42);
    CHECK_INT(j->starts, 1);
    job_end(j);
}

static void
resolve_inside_start_is_ready_at_the_first_poll(void)
{
    counter c = {0, 0};
    job *j = job_new();
    j->resolve_in_start = true;
    CHECK(poll_at(&j->promise.future, NULL, &c) == CAW_READY);
    CHECK_INT(j->output, 7);
    CHECK_INT(c.wakes, 0);
    CHECK_INT(c.references, 0);
    job_end(j);
}

static void
failed_start_ends_with_its_error_and_never_completes(void)
{
    counter c = {0, 0};
    job *j = job_new();
    j->start_status = -EBUSY;
    CHECK_INT(status_at(&j->promise.future, NULL, &c), -EBUSY);
    job_end(j);
    CHECK_INT(c.references, 0);
}

static void
destroy_while_pending_leaves_the_struct_to_the_producer(void)
{
    counter c = {0, 0};
    job *j = job_new();
    CHECK(poll_at(&j->promise.future, NULL, &c) == CAW_PENDING);
    CHECK(!caw_promise_abandoned(&j->promise));
    caw_future_destroy(&j->promise.future);
    CHECK_INT(freed, 0);
    CHECK_INT(c.references, 0); /* the waker is dropped at once */
    CHECK(caw_promise_abandoned(&j->promise));
    j->output = 1; /* law 5: the memory belongs to the operation until it completes */
    caw_promise_resolve(&j->promise, 0);
    CHECK_INT(atomic_exchange(&freed, 0), 1);
    CHECK_INT(c.wakes, 0);
}

static void
cancel_is_told_once_and_the_promise_still_resolves(void)
{
    counter c = {0, 0};
    job *j = job_new();
    CHECK(poll_at(&j->promise.future, NULL, &c) == CAW_PENDING);
    caw_future_cancel(&j->promise.future);
    caw_future_cancel(&j->promise.future);
    CHECK_INT(j->cancels, 1);
    CHECK(caw_promise_abandoned(&j->promise));
    CHECK(poll_at(&j->promise.future, NULL, &c) == CAW_PENDING);
    caw_promise_resolve(&j->promise, 0); /* the result wins */
    CHECK_INT(status_at(&j->promise.future, NULL, &c), 0);
    caw_future_cancel(&j->promise.future);
    CHECK_INT(j->cancels, 1);
    job_end(j);
}

static void
cancel_may_resolve_synchronously(void)
{
    counter c = {0, 0};
    job *j = job_new();
    j->resolve_in_cancel = true;
    CHECK(poll_at(&j->promise.future, NULL, &c) == CAW_PENDING);
    caw_future_cancel(&j->promise.future);
    CHECK_INT(c.wakes, 1);
    CHECK_INT(status_at(&j->promise.future, NULL, &c), CAW_ECANCELED);
    job_end(j);
}

static void
cancel_before_start_never_starts(void)
{
    counter c = {0, 0};
    job *j = job_new();
    caw_future_cancel(&j->promise.future);
    CHECK_INT(status_at(&j->promise.future, NULL, &c), CAW_ECANCELED);
    CHECK_INT(j->starts, 0);
    CHECK_INT(j->cancels, 0);
    job_end(j);
}

static void
latest_waker_is_woken_and_the_earlier_one_dropped(void)
{
    counter first = {0, 0}, second = {0, 0};
    job *j = job_new();
    CHECK(poll_at(&j->promise.future, NULL, &first) == CAW_PENDING);
    CHECK(poll_at(&j->promise.future, NULL, &first) == CAW_PENDING);
    CHECK_INT(first.references, 1); /* the same waker is not stored twice */
    CHECK(poll_at(&j->promise.future, NULL, &second) == CAW_PENDING);
    CHECK_INT(first.references, 0);
    caw_promise_resolve(&j->promise, 0);
    CHECK_INT(first.wakes, 0);
    CHECK_INT(second.wakes, 1);
    CHECK(poll_at(&j->promise.future, NULL, &second) == CAW_READY);
    job_end(j);
}

static void
table_without_a_free_function_frees_with_free(void)
{
    job *j = calloc(1, sizeof *j);
    CHECK(j);
    caw_promise_init(&j->promise, &plain_ops);
    CHECK(j->promise.future.ops->cancel == NULL);
    counter c = {0, 0};
    CHECK(poll_at(&j->promise.future, NULL, &c) == CAW_PENDING);
    caw_promise_resolve(&j->promise, 0);
    CHECK(poll_at(&j->promise.future, NULL, &c) == CAW_READY);
    caw_future_destroy(&j->promise.future); /* the leak checker reports it if it was not freed */
}

static void
resolve_of_null_is_ignored(void)
{
    caw_promise_resolve(NULL, 0);
}

#ifdef NDEBUG
static void
resolve_twice_is_ignored(void)
{
    counter c = {0, 0};
    job *j = job_new();
    CHECK(poll_at(&j->promise.future, NULL, &c) == CAW_PENDING);
    caw_promise_resolve(&j->promise, -EPIPE);
    caw_promise_resolve(&j->promise, 0);
    CHECK_INT(c.wakes, 1);
    CHECK_INT(status_at(&j->promise.future, NULL, &c), -EPIPE);
    job_end(j);
}
#else
#  include <signal.h>
#  include <sys/wait.h>

/* In a debug build: abort, in a child process. */
static void
resolve_twice_is_ignored(void)
{
    pid_t child = fork_child();
    CHECK(child >= 0);
    if (child == 0) {
        counter c = {0, 0};
        job *j = job_new();
        (void)!freopen("/dev/null", "w", stderr);
        poll_at(&j->promise.future, NULL, &c);
        caw_promise_resolve(&j->promise, 0);
        caw_promise_resolve(&j->promise, 0);
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
}
#endif

/* --- contention: consumer and producer meet at every point --- */

enum { RACES = 20000 };

typedef struct race {
    job *_Atomic job;
    atomic_bool stop;
} race;

static void *
race_producer(void *arg)
{
    race *r = arg;
    while (!atomic_load(&r->stop)) {
        job *j = atomic_exchange(&r->job, NULL);
        if (j) {
            j->output = 1;
            caw_promise_resolve(&j->promise, 0);
        }
    }
    return NULL;
}

/* Poll a few times, then destroy: before, during, or after the resolve. Two wakers take turns, so that replacing a
 * waker races with the resolve too. */
static void
race_consume(job *j, counter *wakers, int polls)
{
    for (int i = 0; i < polls; i++) {
        if (poll_at(&j->promise.future, NULL, &wakers[i % 2]) == CAW_READY) {
            CHECK_INT(j->output, 1);
            CHECK_INT(j->promise.future.status, 0);
            break;
        }
    }
    caw_future_destroy(&j->promise.future);
}

static void
racing_resolve_and_destroy_free_exactly_once(void)
{
    race r = {NULL, false};
    counter wakers[2] = {{0, 0}, {0, 0}};
    pthread_t thread = start_thread(race_producer, &r);
    for (int i = 0; i < RACES; i++) {
        job *j = job_new();
        poll_at(&j->promise.future, NULL, &wakers[0]);
        atomic_store(&r.job, j);
        race_consume(j, wakers, i % 50);
        while (atomic_load(&r.job)) {
        }
    }
    while (atomic_load(&freed) < RACES) { /* the producer may still be in the last one */
    }
    atomic_store(&r.stop, true);
    join_thread(thread);
    CHECK_INT(atomic_exchange(&freed, 0), RACES);
    CHECK_INT(wakers[0].references, 0);
    CHECK_INT(wakers[1].references, 0);
}

static void
racing_cancel_and_resolve_end_exactly_once(void)
{
    race r = {NULL, false};
    counter c = {0, 0};
    pthread_t thread = start_thread(race_producer, &r);
    for (int i = 0; i < RACES; i++) {
        job *j = job_new();
        poll_at(&j->promise.future, NULL, &c);
        atomic_store(&r.job, j);
        caw_future_cancel(&j->promise.future);
        CHECK(j->cancels <= 1);
        while (poll_at(&j->promise.future, NULL, &c) != CAW_READY) {
        }
        caw_future_destroy(&j->promise.future);
    }
    while (atomic_load(&freed) < RACES) {
    }
    atomic_store(&r.stop, true);
    join_thread(thread);
    CHECK_INT(atomic_exchange(&freed, 0), RACES);
    CHECK_INT(c.references, 0);
}

static void
ready_future_is_ready_with_its_status(void)
{
    counter c = {0, 0};
    caw_future *f = caw_ready(-EIO);
    CHECK(f);
    CHECK_INT(status_at(f, NULL, &c), -EIO);
    caw_future_destroy(f);
    caw_future_destroy(NULL);
}

static void
context_without_a_host_has_no_reactor(void)
{
    caw_context cx = {CAW_WAKER_NONE, NULL, NULL};
    int error = 0;
    CHECK(caw_context_reactor(&cx, &error) == NULL);
    CHECK_INT(error, CAW_ENOREACTOR);
}

TESTS(TEST(nothing_starts_before_the_first_poll), TEST(resolve_wakes_once_and_gives_its_status),
      TEST(resolve_inside_start_is_ready_at_the_first_poll), TEST(failed_start_ends_with_its_error_and_never_completes),
      TEST(destroy_while_pending_leaves_the_struct_to_the_producer),
      TEST(cancel_is_told_once_and_the_promise_still_resolves), TEST(cancel_may_resolve_synchronously),
      TEST(cancel_before_start_never_starts), TEST(latest_waker_is_woken_and_the_earlier_one_dropped),
      TEST(table_without_a_free_function_frees_with_free), TEST(resolve_of_null_is_ignored),
      TEST(resolve_twice_is_ignored), TEST(racing_resolve_and_destroy_free_exactly_once),
      TEST(racing_cancel_and_resolve_end_exactly_once), TEST(ready_future_is_ready_with_its_status),
      TEST(context_without_a_host_has_no_reactor))
