/* test_semaphore.c: permits for as many at a time, polled by hand on one thread. */
#include "support/place.h"

static bool
waits(caw_future *f, counter *c)
{
    return poll_at(f, NULL, c) == CAW_PENDING;
}

static void
acquire_now(caw_permit *permit, caw_semaphore *s, size_t n)
{
    counter c = {0, 0};
    CHECK_INT(status_at(caw_semaphore_acquire(permit, s, n), NULL, &c), 0);
}

static void
permits_are_had_at_once_and_come_back(void)
{
    caw_semaphore s = CAW_SEMAPHORE_INIT(3);
    caw_permit a, b, c;
    acquire_now(&a, &s, 2);
    CHECK_INT(caw_semaphore_available(&s), 1);
    CHECK_INT(caw_semaphore_try_acquire(&b, &s, 2), -EAGAIN);
    caw_permit_release(&b);
    CHECK_INT(caw_semaphore_try_acquire(&b, &s, 1), 0);
    acquire_now(&c, &s, 0);
    CHECK_INT(caw_semaphore_available(&s), 0);
    caw_permit_release(&a);
    caw_permit_release(&a);
    CHECK_INT(caw_semaphore_available(&s), 2);
    caw_future_destroy(&b.future);
    caw_future_destroy(&c.future);
    CHECK_INT(caw_semaphore_available(&s), 3);
}

static void
release_of_a_zeroed_permit_is_nothing(void)
{
    caw_permit permit;
    memset(&permit, 0, sizeof permit);
    caw_permit_release(&permit);
    caw_permit_forget(&permit);
}

/* Small requests that could be met do not overtake a big one. */
static void
big_request_is_not_starved_by_small_ones(void)
{
    caw_semaphore s = CAW_SEMAPHORE_INIT(4);
    caw_permit held[4], big, small[3];
    counter c_big = {0, 0}, c[3] = {{0}};
    for (int i = 0; i < 4; i++) {
        acquire_now(&held[i], &s, 1);
    }
    CHECK(waits(caw_semaphore_acquire(&big, &s, 3), &c_big));
    for (int i = 0; i < 3; i++) {
        CHECK(waits(caw_semaphore_acquire(&small[i], &s, 1), &c[i]));
    }
    for (int i = 0; i < 3; i++) {
        CHECK_INT(c_big.wakes, 0);
        caw_permit_release(&held[i]);
        CHECK_INT(caw_semaphore_available(&s), i < 2 ? i + 1 : 0);
        CHECK_INT(c[0].wakes, 0);
    }
    CHECK_INT(c_big.wakes, 1);
    CHECK_INT(status_at(&big.future, NULL, &c_big), 0);
    caw_permit_release(&held[3]);
    CHECK_INT(c[0].wakes, 1);
    caw_permit_release(&big);
    CHECK_INT(c[1].wakes + c[2].wakes, 2);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(status_at(&small[i].future, NULL, &c[i]), 0);
        caw_permit_release(&small[i]);
        CHECK_INT(c[i].references, 0);
    }
    CHECK_INT(caw_semaphore_available(&s), 4);
}

/* It waits for 3 of 2, with one behind it that could go; then it leaves: before, during and after. */
static void
big_request_that_leaves_lets_those_behind_it_go(void)
{
    for (int cancels = 0; cancels < 2; cancels++) {
        for (int given = 0; given < 2; given++) {
            caw_semaphore s = CAW_SEMAPHORE_INIT(2);
            caw_permit big, small;
            counter c[2] = {{0}};
            CHECK(waits(caw_semaphore_acquire(&big, &s, 3), &c[0]));
            CHECK(waits(caw_semaphore_acquire(&small, &s, 2), &c[1]));
            if (given) {
                caw_semaphore_add(&s, 1);
                CHECK_INT(c[0].wakes, 1);
                CHECK_INT(caw_semaphore_available(&s), 0);
            }
            if (cancels) {
                caw_future_cancel(&big.future);
                CHECK_INT(status_at(&big.future, NULL, &c[0]), CAW_ECANCELED);
            }
            caw_future_destroy(&big.future);
            CHECK_INT(c[1].wakes, 1);
            CHECK_INT(status_at(&small.future, NULL, &c[1]), 0);
            CHECK_INT(caw_semaphore_available(&s), given);
            caw_permit_release(&small);
            CHECK_INT(caw_semaphore_available(&s), 2 + given);
            CHECK_INT(c[0].references + c[1].references, 0);
        }
    }
}

static void
try_does_not_overtake_who_waits(void)
{
    caw_semaphore s = CAW_SEMAPHORE_INIT(1);
    caw_permit big, small;
    counter c = {0, 0};
    CHECK(waits(caw_semaphore_acquire(&big, &s, 2), &c));
    CHECK_INT(caw_semaphore_try_acquire(&small, &s, 1), -EAGAIN);
    CHECK_INT(caw_semaphore_try_acquire(&small, &s, 0), 0);
    caw_permit_release(&small);
    caw_permit_release(&big);
    CHECK_INT(caw_semaphore_try_acquire(&small, &s, 1), 0);
    caw_permit_release(&small);
    CHECK_INT(c.references, 0);
}

static void
forgotten_permits_are_gone_and_added_ones_serve_many(void)
{
    caw_semaphore s = CAW_SEMAPHORE_INIT(0);
    caw_permit permits[5];
    counter c = {0, 0};
    for (int i = 0; i < 5; i++) {
        CHECK(waits(caw_semaphore_acquire(&permits[i], &s, 1), &c));
    }
    caw_semaphore_add(&s, 3);
    CHECK_INT(c.wakes, 3);
    caw_permit_forget(&permits[4]); /* it waits */
    for (int i = 0; i < 3; i++) {
        CHECK_INT(status_at(&permits[i].future, NULL, &c), 0);
        caw_permit_forget(&permits[i]);
    }
    CHECK_INT(c.wakes, 3);
    caw_semaphore_add(&s, 1);
    CHECK_INT(status_at(&permits[3].future, NULL, &c), 0);
    caw_permit_forget(&permits[3]);
    CHECK_INT(caw_semaphore_available(&s), 0);
    CHECK_INT(c.references, 0);
}

static void
there_are_never_more_than_can_be_counted(void)
{
    caw_semaphore s;
    caw_permit permit;
    caw_semaphore_init(&s, SIZE_MAX - 1);
    acquire_now(&permit, &s, 1);
    caw_semaphore_add(&s, 5);
    CHECK(caw_semaphore_available(&s) == SIZE_MAX);
    caw_permit_release(&permit);
    CHECK(caw_semaphore_available(&s) == SIZE_MAX);
}

static void
semaphore_that_ends_lets_all_go_and_its_memory_may_be_gone(void)
{
    caw_semaphore *s = malloc(sizeof *s);
    caw_permit held[2], waiting[2];
    counter c = {0, 0};
    CHECK(s);
    caw_semaphore_init(s, 2);
    acquire_now(&held[0], s, 1);
    acquire_now(&held[1], s, 1);
    CHECK(waits(caw_semaphore_acquire(&waiting[0], s, 2), &c) && waits(caw_semaphore_acquire(&waiting[1], s, 1), &c));
    caw_semaphore_fini(s);
    CHECK_INT(caw_semaphore_available(s), 0);
    memset(s, 0xee, sizeof *s);
    free(s);
    CHECK_INT(c.wakes, 2);
    caw_permit_release(&held[0]);
    caw_permit_forget(&held[1]);
    CHECK_INT(status_at(&waiting[0].future, NULL, &c), CAW_ECLOSED);
    caw_permit_release(&waiting[0]);
    caw_permit_release(&waiting[1]);
    CHECK_INT(c.references, 0);
}

TESTS(TEST(permits_are_had_at_once_and_come_back), TEST(release_of_a_zeroed_permit_is_nothing),
      TEST(big_request_is_not_starved_by_small_ones), TEST(big_request_that_leaves_lets_those_behind_it_go),
      TEST(try_does_not_overtake_who_waits), TEST(forgotten_permits_are_gone_and_added_ones_serve_many),
      TEST(there_are_never_more_than_can_be_counted), TEST(semaphore_that_ends_lets_all_go_and_its_memory_may_be_gone))
