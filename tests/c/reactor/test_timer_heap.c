/* test_timer_heap.c: the heap of timers by itself. */
#include "core/reactor/timer_heap.h"

#include "support/test.h"

enum { TIMERS = 5000 };

static unsigned
next_random(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void
check_order(caw__timer_heap *heap, size_t expected)
{
    uint64_t last = 0;
    caw__timer *timer;
    size_t n = 0;
    for (; (timer = caw__timer_heap_first(heap)) != NULL; n++) {
        CHECK(timer->deadline >= last);
        last = timer->deadline;
        caw__timer_heap_remove(heap, timer);
    }
    CHECK_INT(n, expected);
}

static void
empty_heap_has_no_first(void)
{
    caw__timer_heap heap = {NULL, 0, 0};
    CHECK(caw__timer_heap_first(&heap) == NULL);
    caw__timer_heap_fini(&heap);
}

static void
timers_come_out_by_deadline(void)
{
    static caw__timer timers[TIMERS];
    caw__timer_heap heap = {NULL, 0, 0};
    unsigned random = 1;
    for (int i = 0; i < TIMERS; i++) {
        timers[i].deadline = next_random(&random) % 1000; /* many are equal */
        CHECK_INT(caw__timer_heap_add(&heap, &timers[i]), 0);
    }
    check_order(&heap, TIMERS);
    caw__timer_heap_fini(&heap);
}

static void
timers_taken_from_the_middle_leave_the_order_whole(void)
{
    static caw__timer timers[TIMERS];
    static int in[TIMERS];
    caw__timer_heap heap = {NULL, 0, 0};
    unsigned random = 7;
    size_t length = 0;
    for (int i = 0; i < 20 * TIMERS; i++) {
        unsigned k = next_random(&random) % TIMERS;
        if (in[k]) {
            caw__timer_heap_remove(&heap, &timers[k]);
            length--;
        }
        else {
            timers[k].deadline = next_random(&random);
            CHECK_INT(caw__timer_heap_add(&heap, &timers[k]), 0);
            length++;
        }
        in[k] = !in[k];
        for (size_t j = heap.length; j-- > 1 && i % 1000 == 0;) {
            CHECK(heap.timers[j]->index == j);
            CHECK(heap.timers[(j - 1) / 2]->deadline <= heap.timers[j]->deadline);
        }
    }
    check_order(&heap, length);
    caw__timer_heap_fini(&heap);
}

TESTS(TEST(empty_heap_has_no_first), TEST(timers_come_out_by_deadline),
      TEST(timers_taken_from_the_middle_leave_the_order_whole))
