/* test_addresses.c: addresses by name. Its source is compiled in here, with a call that the test can hold up. */
#include "support/give_up.h"
#include "support/threads.h"

#include "core/os/socket.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

static atomic_int calls, holding, frees;

static int
held_addresses_of(const char *node, const char *service, const int hints[4], struct addrinfo **out, int *number)
{
    atomic_fetch_add(&calls, 1);
    while (holding) {
        (void)usleep(100);
    }
    return caw__addresses_of(node, service, hints, out, number);
}

static void
counted_addresses_free(struct addrinfo *addresses)
{
    if (addresses) {
        atomic_fetch_add(&frees, 1);
    }
    caw__addresses_free(addresses);
}

#define caw__addresses_of   held_addresses_of
#define caw__addresses_free counted_addresses_free
#include "core/io/addresses.c" /* NOLINT: so that it uses these */
#undef caw__addresses_of
#undef caw__addresses_free

static const struct addrinfo numeric = {
    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_family = AF_INET, .ai_socktype = SOCK_STREAM};

static caw_future *
loopback(caw_pool *pool)
{
    return caw_getaddrinfo(pool, "127.0.0.1", "80", &numeric);
}

static void
addresses_are_given_once_and_are_the_callers(void)
{
    frees = 0;
    caw_future *f = loopback(NULL);
    CHECK(!caw_getaddrinfo_take(f));
    CHECK_INT(caw_block_on(f), 0);
    CHECK_INT(caw_getaddrinfo_error(f), 0);
    struct addrinfo *found = caw_getaddrinfo_take(f);
    CHECK(found);
    CHECK(!caw_getaddrinfo_take(f));
    caw_future_destroy(f);
    CHECK_INT(frees, 0);
    const struct sockaddr_in *address = (const void *)found->ai_addr;
    CHECK_INT(found->ai_socktype, SOCK_STREAM);
    CHECK_INT(ntohs(address->sin_port), 80);
    CHECK_INT(ntohl(address->sin_addr.s_addr), INADDR_LOOPBACK);
    freeaddrinfo(found);
}

static void
addresses_that_nobody_takes_are_freed_with_the_future(void)
{
    frees = 0;
    caw_future *f = loopback(NULL);
    CHECK_INT(caw_block_on(f), 0);
    caw_future_destroy(f);
    CHECK_INT(frees, 1);
}

static void
arguments_are_copied_and_each_may_be_missing(void)
{
    char node[] = "127.0.0.1", service[] = "7";
    struct addrinfo hints = numeric;
    caw_future *f[] = {caw_getaddrinfo(NULL, node, service, &hints), caw_getaddrinfo(NULL, node, NULL, &hints),
                       caw_getaddrinfo(NULL, NULL, service, &hints), caw_getaddrinfo(NULL, node, service, NULL)};
    memset(node, 'x', sizeof node - 1);
    memset(service, 'x', sizeof service - 1);
    memset(&hints, 0xff, sizeof hints);
    for (int i = 0; i < 4; i++) {
        CHECK_INT(caw_block_on(f[i]), 0);
        caw_future_destroy(f[i]);
    }
}

static void
name_that_nobody_knows_fails_and_says_how(void)
{
    caw_future *f = caw_getaddrinfo(NULL, "no number", NULL, &numeric);
    CHECK_INT(caw_block_on(f), CAW_EFAILED);
    CHECK_INT(caw_getaddrinfo_error(f), EAI_NONAME);
    CHECK(!caw_getaddrinfo_take(f));
    caw_future_destroy(f);
    f = caw_getaddrinfo(NULL, NULL, NULL, NULL);
    CHECK_INT(caw_block_on(f), CAW_EFAILED);
    CHECK_INT(caw_getaddrinfo_error(f), EAI_NONAME);
    caw_future_destroy(f);
}

static void
call_that_waits_for_a_worker_or_runs_is_given_up_at_once(void)
{
    for (int polls = 0; polls < 3; polls++) {
        for (int way = 0; way < GIVE_UP_WAYS; way++) {
            caw_pool *pool = new_pool(1);
            counter c = {0, 0};
            frees = calls = 0;
            holding = 1;
            caw_future *running = loopback(pool);
            CHECK(poll_at(running, NULL, &c) == CAW_PENDING);
            while (calls == 0) {
                (void)usleep(100);
            }
            for (int i = 0; i < polls; i++) { /* by another waker too */
                CHECK((i ? poll_without_waker(running, NULL) : poll_at(running, NULL, &c)) == CAW_PENDING);
            }
            caw_reactor *r = new_reactor(CAW_REACTOR_DEFAULT);
            int status = give_up(loopback(pool), r, polls, way); /* queued */
            CHECK_INT(status, way == GIVE_UP_CANCEL ? CAW_ECANCELED : 0);
            status = give_up(running, r, polls, way);
            CHECK_INT(status, way == GIVE_UP_CANCEL ? CAW_ECANCELED : 0);
            CHECK_INT(c.references, 0);
            CHECK_INT(frees, 0);
            holding = 0;
            end_pool(pool);
            CHECK_INT(frees, calls); /* also of one that was destroyed in the queue, if a worker did it */
            end_reactor(r);
        }
    }
}

static void
cancel_wakes_the_latest_poller(void)
{
    caw_pool *pool = new_pool(1);
    counter c = {0, 0}, d = {0, 0};
    holding = 1;
    caw_future *f = loopback(pool);
    CHECK(poll_at(f, NULL, &c) == CAW_PENDING);
    CHECK(poll_at(f, NULL, &d) == CAW_PENDING);
    CHECK_INT(c.references, 0);
    caw_future_cancel(f);
    CHECK_INT(c.wakes, 0);
    CHECK_INT(d.wakes, 1);
    CHECK_INT(status_at(f, NULL, &d), CAW_ECANCELED);
    CHECK_INT(caw_getaddrinfo_error(f), 0);
    CHECK(!caw_getaddrinfo_take(f));
    caw_future_destroy(f);
    CHECK_INT(d.references, 0);
    holding = 0;
    end_pool(pool);
}

static void
closed_pool_ends_it_with_ECLOSED(void)
{
    caw_pool *pool = new_pool(1);
    caw_future *f = loopback(pool);
    caw_pool_close(pool);
    CHECK_INT(caw_block_on(f), CAW_ECLOSED);
    caw_future_destroy(f);
    caw_pool_release(pool);
}

TESTS(TEST(addresses_are_given_once_and_are_the_callers), TEST(addresses_that_nobody_takes_are_freed_with_the_future),
      TEST(arguments_are_copied_and_each_may_be_missing), TEST(name_that_nobody_knows_fails_and_says_how),
      TEST(call_that_waits_for_a_worker_or_runs_is_given_up_at_once), TEST(cancel_wakes_the_latest_poller),
      TEST(closed_pool_ends_it_with_ECLOSED))
