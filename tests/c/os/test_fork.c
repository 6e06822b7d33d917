/* test_fork.c: objects of the parent, used in the child of a fork(). A child's exit code is 0 if all went well; a child
 * that hangs is killed by SIGALRM. */
#include "support/fds.h"
#include "support/fork.h"
#include "support/items.h"
#include "support/threads.h"

#include "core/reactor/wake_queue.h"

#include <poll.h>
#include <stdatomic.h>

#define HOUR (UINT64_C(3600) * (uint64_t)SECOND)

static void
reactor_of_the_parent_is_closed_in_the_child_and_untouched_in_the_parent(caw_reactor_kind kind)
{
    wired w;
    wire_pipe(&w, kind);
    caw_future *sleep = caw_sleep(HOUR), *brief = caw_sleep(1000000), *read = caw_readable(w.fds[0]);
    CHECK(poll_at(sleep, w.r, &w.c) == CAW_PENDING && poll_at(brief, w.r, &w.c) == CAW_PENDING);
    CHECK(poll_at(read, w.r, &w.c) == CAW_PENDING);
    if (in_child()) {
        caw__wake_node node;
        caw_fd_source source = {.ready = NULL};
        CHECK_INT(caw_reactor_turn(w.r, -1), CAW_ECLOSED);
        CHECK(!caw__reactor_push(w.r, &node));
        caw_reactor_ring(w.r);
        caw_reactor_remove(w.r, &source);
        CHECK_INT(status_at(sleep, w.r, &w.c), CAW_ECLOSED);
        caw_future *late = caw_sleep(1);
        CHECK_INT(status_at(late, w.r, &w.c), CAW_ECLOSED);
        caw_future_destroy(late);
        caw_future_cancel(read);
        caw_future_destroy(sleep);
        caw_future_destroy(brief);
        caw_future_destroy(read);
        end_reactor(w.r);
        _exit(0);
    }
    CHECK_INT(w.c.references, 3);
    CHECK_INT(turn_until_ready(w.r, brief, &w.c), 0);
    CHECK_INT(caw_reactor_turn(w.r, 0), 0);
    CHECK(!is_readable(caw_reactor_fd(w.r))); /* the child's ring had no effect here */
    CHECK_INT(write(w.fds[1], "x", 1), 1);
    CHECK_INT(turn_until_ready(w.r, read, &w.c), 0); /* the child took nothing out of the shared epoll instance */
    caw_future_destroy(sleep);
    caw_future_destroy(brief);
    caw_future_destroy(read);
    unwire(&w);
}
ON_BOTH_KINDS(reactor_of_the_parent_is_closed_in_the_child_and_untouched_in_the_parent)

struct hammer {
    caw_reactor *r;
    caw_pool *pool;
    atomic_bool stop;
};

static void *
hammer(void *user)
{
    struct hammer *h = user;
    counter c = {0, 0};
    while (!h->stop) {
        caw_future *f = caw_sleep(HOUR), *g = caw_ready(0);
        (void)poll_at(f, h->r, &c);
        caw_future_destroy(f);
        caw_future_destroy(caw_spawn(h->pool, g));
    }
    return NULL;
}

static void
child_never_waits_for_a_lock_that_another_thread_held(caw_reactor_kind kind)
{
#ifdef __SANITIZE_ADDRESS__
    SKIP("AddressSanitizer's malloc may hang in a child that is forked beside busy threads");
    return;
#endif
    struct hammer h = {.r = new_reactor(kind), .pool = new_pool(2)};
    pthread_t threads[2];
    counter c = {0, 0};
    start_threads(threads, 2, hammer, &h);
    for (int i = 0; i < 100; i++) {
        caw_future *f = caw_sleep(HOUR), *join = caw_spawn(h.pool, caw_sleep(HOUR));
        CHECK(poll_at(f, h.r, &c) == CAW_PENDING);
        if (in_child()) {
            caw_future_cancel(join);
            CHECK(poll_at(join, NULL, &c) == CAW_READY);
            caw_future_destroy(join);
            caw_future_cancel(f);
            caw_future_destroy(f);
            end_reactor(h.r);
            end_pool(h.pool);
            _exit(0);
        }
        caw_future_destroy(f);
        caw_future_destroy(join);
    }
    h.stop = true;
    join_threads(threads, 2);
    end_pool(h.pool);
    end_reactor(h.r);
}
ON_BOTH_KINDS(child_never_waits_for_a_lock_that_another_thread_held)

static int
wait_for_go(void *arg)
{
    while (!*(atomic_bool *)arg) {
        (void)usleep(100);
    }
    return 5 - 9;
}

static int
give_minus_four(void *arg)
{
    (void)arg;
    return -4;
}

static void
work_of_the_parents_pool_ends_with_EFORKED_in_the_child(void)
{
    atomic_bool go = false;
    counter c = {0, 0};
    caw_pool *pool = new_pool(1);
    caw_future *running = caw_blocking(pool, wait_for_go, &go, NULL),
               *queued = caw_blocking(pool, wait_for_go, &go, NULL);
    caw_future *fresh = caw_blocking(pool, give_minus_four, NULL, NULL), *join = caw_spawn(pool, caw_sleep(HOUR));
    CHECK(poll_at(running, NULL, &c) == CAW_PENDING && poll_at(queued, NULL, &c) == CAW_PENDING);
    if (in_child()) {
        caw_future *all[] = {running, queued, fresh, join, caw_spawn(pool, caw_ready(0))};
        for (int i = 0; i < 5; i++) {
            if (i != 2) {
                caw_future_cancel(all[i]);
            }
            CHECK_INT(status_at(all[i], NULL, &c), CAW_EFORKED);
            caw_future_destroy(all[i]);
        }
        end_pool(pool);
        _exit(0);
    }
    go = true;
    CHECK_INT(caw_block_on(running), -4);
    CHECK_INT(caw_block_on(queued), -4);
    CHECK_INT(caw_block_on(fresh), -4);
    caw_future_destroy(running);
    caw_future_destroy(queued);
    caw_future_destroy(fresh);
    caw_future_destroy(join);
    end_pool(pool);
}

static void
use_default_pool(void)
{
    caw_future *f = caw_blocking(NULL, give_minus_four, NULL, NULL), *join = caw_spawn(NULL, caw_sleep(1000));
    CHECK_INT(caw_block_on(f), -4);
    CHECK_INT(caw_block_on(join), 0);
    caw_future_destroy(f);
    caw_future_destroy(join);
}

static void
default_pool_is_new_in_the_child_and_in_its_child(void)
{
    use_default_pool();
    caw_pool *pool = caw_pool_default();
    if (in_child()) {
        caw_pool *mine = caw_pool_default();
        CHECK(mine && mine != pool);
        use_default_pool();
        if (in_child()) {
            CHECK(caw_pool_default() != mine);
            use_default_pool();
            _exit(0);
        }
        CHECK(caw_pool_default() == mine);
        use_default_pool();
        _exit(0);
    }
    CHECK(caw_pool_default() == pool);
    use_default_pool();
}

static void
new_reactors_work_in_the_child(caw_reactor_kind kind)
{
    caw_reactor *before = new_reactor(kind);
    if (in_child()) {
        caw_reactor *r = new_reactor(kind);
        counter c = {0, 0};
        caw_future *f = caw_sleep(1000000);
        CHECK_INT(turn_until_ready(r, f, &c), 0);
        caw_future_destroy(f);
        end_reactor(r);
        end_reactor(before);
        _exit(0);
    }
    end_reactor(before);
}
ON_BOTH_KINDS(new_reactors_work_in_the_child)

static void
fork_in_callback(caw_fd_source *source, unsigned events)
{
    (void)events;
    caw_reactor_remove(source->user, source);
    if (in_child()) {
        source->user = NULL; /* where the test finds the source */
    }
}

static void
callback_that_forks_ends_the_turn_in_the_child(caw_reactor_kind kind)
{
    wired w;
    wire_pipe(&w, kind);
    caw_fd_source source = {.ready = fork_in_callback, .user = w.r, .fd = w.fds[1], .events = CAW_WRITABLE};
    CHECK_INT(caw_reactor_add(w.r, &source), 0);
    while (caw_reactor_turn(w.r, -1) == 0) {
    }
    if (!source.user) {
        CHECK_INT(caw_reactor_turn(w.r, -1), CAW_ECLOSED);
        end_reactor(w.r);
        _exit(0);
    }
    unwire(&w);
}
ON_BOTH_KINDS(callback_that_forks_ends_the_turn_in_the_child)

/* A channel with one item in it, one item that the consumer has taken already, and a send that waits. */
static void
channel_of_the_parent_ends_in_the_child_and_wakes_nobody_there(void)
{
    counter c = {0, 0};
    caw_item *out;
    caw_stream *s, *pending;
    caw_channel *channel = channel_of_size(2, &s), *empty = channel_of_size(2, &pending);
    CHECK_INT(caw_channel_try_send(channel, number_new(0)), 0);
    CHECK_INT(caw_channel_try_send(channel, number_new(1)), 0);
    CHECK_INT(next_number(s, &c), 0);
    CHECK_INT(caw_channel_try_send(channel, number_new(2)), 0);
    caw_send_op send;
    caw_send_init(&send, channel, number_new(3));
    CHECK(poll_at(&send.future, NULL, &c) == CAW_PENDING && is_pending(pending, &c));
    if (in_child()) {
        caw_item *item = number_new(4);
        CHECK_INT(caw_channel_try_send(channel, item), CAW_EFORKED);
        CHECK_INT(caw_channel_send(channel, item), CAW_EFORKED);
        CHECK(!caw_channel_close(channel, 0));
        CHECK_INT(caw_channel_length(channel), 0);
        CHECK_INT(status_at(&send.future, NULL, &c), CAW_EFORKED);
        caw_future_destroy(&send.future);
        CHECK_INT(next_number(s, &c), 1); /* it has that one already */
        CHECK_INT(end_of(s, &c), CAW_EFORKED);
        CHECK_INT(end_of(pending, &c), CAW_EFORKED);
        caw_stream_destroy(s);
        caw_stream_destroy(pending);
        caw_channel_release(channel);
        caw_channel_release(empty);
        CHECK_INT(numbers_alive, 0);
        CHECK_INT(c.wakes, 0); /* these wakers belong to the parent's threads */
        CHECK_INT(c.references, 2);
        _exit(0);
    }
    CHECK_INT(next_number(s, &c), 1);
    CHECK(poll_at(&send.future, NULL, &c) == CAW_READY);
    caw_future_destroy(&send.future);
    CHECK_INT(next_number(s, &c), 2);
    CHECK_INT(next_number(s, &c), 3);
    caw_channel_release(channel);
    caw_channel_release(empty);
    CHECK(poll_next_at(pending, NULL, &c, &out) == CAW_READY && !out);
    caw_stream_destroy(s);
    end_stream(pending, &c);
}

struct channel_hammer {
    caw_channel *channel;
    atomic_bool stop;
};

static void *
channel_hammer(void *user)
{
    struct channel_hammer *h = user;
    while (!h->stop) {
        caw_item *item = number_new(1);
        if (caw_channel_try_send(h->channel, item) != 0) {
            caw_item_destroy(item);
        }
    }
    return NULL;
}

/* The lock is usually held when the child is forked. */
static void
fork_while_another_thread_sends_does_not_hang(void)
{
    struct channel_hammer h = {.stop = false};
    counter c = {0, 0};
#ifdef __SANITIZE_ADDRESS__
    SKIP("AddressSanitizer's malloc may hang in a child that is forked beside busy threads");
    return;
#endif
    caw_stream *s;
    h.channel = channel_of_size(4, &s);
    caw_stream *merged = caw_stream_merge(&s, 1);
    pthread_t thread = start_thread(channel_hammer, &h);
    for (int i = 0; i < 20; i++) {
        caw_item *item;
        if (poll_next_at(merged, NULL, &c, &item) == CAW_READY) {
            caw_item_destroy(item);
        }
        if (in_child()) {
            CHECK_INT(end_of(merged, &c), CAW_EFORKED);
            caw_stream_destroy(merged);
            caw_channel_release(h.channel);
            _exit(0);
        }
    }
    h.stop = true;
    join_thread(thread);
    end_channel(h.channel, merged, &c);
}

/* A pending merge, whose children can be used in the forked child: it ends there all the same, since its lock may be
 * held. */
static void
merge_of_the_parent_ends_in_the_child_and_wakes_nobody_there(void)
{
    script first, second;
    counter c = {0, 0};
    caw_stream *both[] = {script_init(&first, "p"), script_init(&second, "p")};
    caw_stream *merged = caw_stream_merge(both, 2);
    CHECK(is_pending(merged, &c));
    if (in_child()) {
        script_wake(&first);
        CHECK_INT(end_of(merged, &c), CAW_EFORKED);
        caw_stream_destroy(merged);
        CHECK_INT(first.destroys + second.destroys, 2);
        CHECK_INT(c.wakes, 0);
        CHECK_INT(c.references, 1);
        _exit(0);
    }
    end_stream(merged, &c);
}

static int
start_in_a_child(caw_channel *channel, void *user)
{
    (void)channel;
    *(bool *)user = true;
    return 0;
}

static void
producer_is_not_started_in_the_child(void)
{
    counter c = {0, 0};
    bool started = false;
    caw_channel_spec spec = {.capacity = 1, .start = start_in_a_child, .user = &started};
    caw_stream *s;
    (void)channel_new(&spec, &s); /* the reference is the producer's */
    if (in_child()) {
        CHECK_INT(end_of(s, &c), CAW_EFORKED);
        CHECK(!started);
        caw_stream_destroy(s);
        _exit(0);
    }
    caw_stream_destroy(s);
    CHECK(!started);
    nothing_is_left(&c);
}

TESTS(TEST_BOTH(reactor_of_the_parent_is_closed_in_the_child_and_untouched_in_the_parent),
      TEST_BOTH(child_never_waits_for_a_lock_that_another_thread_held),
      TEST(work_of_the_parents_pool_ends_with_EFORKED_in_the_child),
      TEST(default_pool_is_new_in_the_child_and_in_its_child), TEST_BOTH(new_reactors_work_in_the_child),
      TEST_BOTH(callback_that_forks_ends_the_turn_in_the_child),
      TEST(channel_of_the_parent_ends_in_the_child_and_wakes_nobody_there), TEST(producer_is_not_started_in_the_child),
      TEST(fork_while_another_thread_sends_does_not_hang),
      TEST(merge_of_the_parent_ends_in_the_child_and_wakes_nobody_there))
