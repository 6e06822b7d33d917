/* test_waker.c: wakers, and the wake queue of a reactor. */
#include "support/fds.h"
#include "support/threads.h"

#include "core/reactor/wake_queue.h"

#include <poll.h>
#include <sched.h>
#include <stdatomic.h>

static void
empty_waker_may_be_cloned_woken_and_dropped(void)
{
    caw_waker waker = caw_waker_clone(CAW_WAKER_NONE);
    caw_waker_wake_by_ref(waker);
    caw_waker_drop(caw_waker_clone(waker));
    caw_waker_wake(waker);
}

static void
every_clone_is_used_up_by_a_wake_or_a_drop(void)
{
    counter c = {1, 0};
    caw_waker waker = {&counter_ops, &c}, other = caw_waker_clone(waker);
    CHECK_INT(c.references, 2);
    CHECK(caw_waker_same(waker, other) && !caw_waker_same(waker, CAW_WAKER_NONE));
    caw_waker_wake(other);
    CHECK_INT(c.references, 1);
    CHECK_INT(c.wakes, 1);
    caw_waker_wake_by_ref(waker);
    CHECK_INT(c.references, 1);
    CHECK_INT(c.wakes, 2);
    caw_waker_drop(waker);
    CHECK_INT(c.references, 0);
    CHECK_INT(c.wakes, 2);
}

/* --- the wake queue --- */

struct item {
    caw__wake_node node;
    caw_reactor *r; /* a reference, in some tests */
    int from, number;
};

static struct item *
item_of(caw__wake_node *node)
{
    return CAW_CONTAINER_OF(node, struct item, node);
}

static void
nodes_come_out_in_the_order_they_went_in(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    struct item items[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    CHECK(caw__reactor_take(r) == NULL);
    for (int i = 0; i < 3; i++) {
        CHECK(caw__reactor_push(r, &items[i].node));
    }
    caw__wake_node *node = caw__reactor_take(r);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(item_of(node)->number, i);
        node = node->next;
    }
    CHECK(node == NULL);
    CHECK(caw__reactor_take(r) == NULL);
    end_reactor(r);
}
ON_BOTH_KINDS(nodes_come_out_in_the_order_they_went_in)

static void
push_makes_the_fd_readable_until_the_next_turn(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    struct item items[2] = {{.number = 0}, {.number = 1}};
    CHECK(!is_readable(caw_reactor_fd(r)));
    CHECK(caw__reactor_push(r, &items[0].node));
    CHECK(caw__reactor_push(r, &items[1].node));
    CHECK(is_readable(caw_reactor_fd(r)));
    CHECK_INT(caw_reactor_turn(r, -1), 0);
    CHECK(!is_readable(caw_reactor_fd(r)));
    CHECK(caw__reactor_take(r) == &items[0].node);
    CHECK(caw__reactor_push(r, &items[0].node));
    CHECK(is_readable(caw_reactor_fd(r)));
    CHECK(caw__reactor_take(r) == &items[0].node);
    end_reactor(r);
}
ON_BOTH_KINDS(push_makes_the_fd_readable_until_the_next_turn)

static void
turn_does_not_sleep_while_a_node_is_queued(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    struct item item = {.number = 0};
    CHECK(caw__reactor_push(r, &item.node));
    for (int i = 0; i < 3; i++) {
        CHECK_INT(caw_reactor_turn(r, -1), 0);
    }
    CHECK(caw__reactor_take(r) == &item.node);
    end_reactor(r);
}
ON_BOTH_KINDS(turn_does_not_sleep_while_a_node_is_queued)

struct waking_source {
    caw_fd_source source;
    caw_reactor *r;
    struct item item;
};

static void
push_from_callback(caw_fd_source *source, unsigned events)
{
    struct waking_source *w = CAW_CONTAINER_OF(source, struct waking_source, source);
    CHECK_INT(events, CAW_WRITABLE);
    CHECK(caw__reactor_push(w->r, &w->item.node));
    caw_reactor_remove(w->r, source);
}

static void
wake_during_a_turn_is_not_lost(caw_reactor_kind kind)
{
    wired w;
    wire_pipe(&w, kind);
    struct waking_source s = {.source = {.ready = push_from_callback, .fd = w.fds[1], .events = CAW_WRITABLE},
                              .r = w.r};
    CHECK_INT(caw_reactor_add(w.r, &s.source), 0);
    while (caw_reactor_turn(w.r, -1) == 0) {
    }
    CHECK(is_readable(caw_reactor_fd(w.r)));
    CHECK_INT(caw_reactor_turn(w.r, -1), 0);
    CHECK(caw__reactor_take(w.r) == &s.item.node);
    unwire(&w);
}
ON_BOTH_KINDS(wake_during_a_turn_is_not_lost)

enum { PUSHERS = 4, PUSHES = 100000 };

struct pusher {
    caw_reactor *r;
    int id;
    int refused;
    struct item *items;
};

static void *
push_all(void *user)
{
    struct pusher *p = user;
    for (int i = 0; i < PUSHES; i++) {
        p->items[i].from = p->id;
        p->items[i].number = i;
        p->refused += !caw__reactor_push(p->r, &p->items[i].node);
    }
    return NULL;
}

/* Threads that push, and what was taken. */
struct pushing {
    caw_reactor *r;
    struct pusher pushers[PUSHERS];
    pthread_t threads[PUSHERS];
    int next[PUSHERS]; /* the number of the next entry to be taken, for each thread */
    int got;
};

static void
start_pushing(struct pushing *p, caw_reactor_kind kind)
{
    *p = (struct pushing){.r = new_reactor(kind)};
    for (int i = 0; i < PUSHERS; i++) {
        p->pushers[i] = (struct pusher){.r = p->r, .id = i, .items = calloc(PUSHES, sizeof *p->pushers[i].items)};
        CHECK(p->pushers[i].items);
        p->threads[i] = start_thread(push_all, &p->pushers[i]);
    }
}

/* Count what was taken, and check that the entries of each thread come in order. */
static void
take_pushed(struct pushing *p)
{
    for (caw__wake_node *node = caw__reactor_take(p->r); node; node = node->next, p->got++) {
        struct item *item = item_of(node);
        CHECK(item->number >= p->next[item->from]);
        p->next[item->from] = item->number + 1;
    }
}

static void
take_at_least(struct pushing *p, int n)
{
    while (p->got < n) {
        CHECK_INT(caw_reactor_turn(p->r, -1), 0); /* a lost ring hangs here */
        take_pushed(p);
    }
}

static void
end_pushing(struct pushing *p)
{
    for (int i = 0; i < PUSHERS; i++) {
        free(p->pushers[i].items);
    }
    end_reactor(p->r);
}

static void
four_threads_lose_no_wake(caw_reactor_kind kind)
{
    struct pushing p;
    start_pushing(&p, kind);
    take_at_least(&p, PUSHERS * PUSHES);
    join_threads(p.threads, PUSHERS);
    for (int i = 0; i < PUSHERS; i++) {
        CHECK_INT(p.pushers[i].refused, 0);
        CHECK_INT(p.next[i], PUSHES);
    }
    end_pushing(&p);
}
ON_BOTH_KINDS(four_threads_lose_no_wake)

static void
close_among_pushes_keeps_the_accepted_and_refuses_the_rest(caw_reactor_kind kind)
{
    struct pushing p;
    int refused = 0;
    start_pushing(&p, kind);
    take_at_least(&p, PUSHES);
    caw_reactor_close(p.r);
    take_pushed(&p);
    join_threads(p.threads, PUSHERS);
    for (int i = 0; i < PUSHERS; i++) {
        refused += p.pushers[i].refused;
    }
    CHECK(caw__reactor_take(p.r) == NULL);
    CHECK_INT(p.got + refused, PUSHERS * PUSHES);
    end_pushing(&p);
}
ON_BOTH_KINDS(close_among_pushes_keeps_the_accepted_and_refuses_the_rest)

static void
push_after_close_is_refused(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    struct item before = {.number = 0}, after = {.number = 1};
    CHECK(caw__reactor_push(r, &before.node));
    caw_reactor_close(r);
    CHECK(!caw__reactor_push(r, &after.node));
    CHECK(caw__reactor_take(r) == &before.node);
    CHECK(before.node.next == NULL);
    CHECK(caw__reactor_take(r) == NULL);
    caw_reactor_release(r);
}
ON_BOTH_KINDS(push_after_close_is_refused)

static void *
push_with_the_last_reference(void *user)
{
    struct item *item = user; /* freed by the taker as soon as it is pushed */
    CHECK(caw__reactor_push(item->r, &item->node));
    return NULL;
}

static void
reactor_outlives_the_push_whose_node_held_it(caw_reactor_kind kind)
{
    for (int i = 0; i < 300; i++) {
        caw_reactor *r = new_reactor(kind);
        struct item *item = calloc(1, sizeof *item);
        caw__wake_node *node;
        CHECK(item);
        item->r = r;
        pthread_t thread = start_thread(push_with_the_last_reference, item);
        while ((node = caw__reactor_take(r)) == NULL) {
            (void)sched_yield();
        }
        free(node);
        caw_reactor_release(r); /* often before the ring */
        join_thread(thread);
    }
}
ON_BOTH_KINDS(reactor_outlives_the_push_whose_node_held_it)

TESTS(TEST(empty_waker_may_be_cloned_woken_and_dropped), TEST(every_clone_is_used_up_by_a_wake_or_a_drop),
      TEST_BOTH(nodes_come_out_in_the_order_they_went_in), TEST_BOTH(push_makes_the_fd_readable_until_the_next_turn),
      TEST_BOTH(turn_does_not_sleep_while_a_node_is_queued), TEST_BOTH(wake_during_a_turn_is_not_lost),
      TEST_BOTH(four_threads_lose_no_wake), TEST_BOTH(close_among_pushes_keeps_the_accepted_and_refuses_the_rest),
      TEST_BOTH(push_after_close_is_refused), TEST_BOTH(reactor_outlives_the_push_whose_node_held_it))
