/* test_echo.c: the example echo without Python: its server and its client, cancelled and destroyed at each of their
 * suspension points. */
#include "echo/echo_core.h"

#include "support/loopback.h"
#include "support/points.h"

static int fds_before;

static caw_future *
server_with_load(void)
{
    echo_load load = {.connections = 2, .requests = 2};
    int fd = listen_on_loopback(&load.port);
    return caw_race(echo_serve(fd), echo_load_new(&load));
}

static void
check_closed(enum interruption how, int n, int status)
{
    (void)n;
    CHECK(how != NOT_AT_ALL || status == 0);
    CHECK(status == 0 || status == CAW_ECANCELED || status == -EINPROGRESS);
    CHECK_INT(open_fds(), fds_before);
}

static void
server_and_client_that_are_interrupted_anywhere_close_all(void)
{
    fds_before = open_fds();
    interrupt_everywhere(server_with_load, check_closed);
}

static void
load_is_served_on_a_thread_and_measured(void)
{
    caw_future *both = server_with_load();
    CHECK_INT(caw_block_on(both), 0);
    const echo_report *report = echo_load_report(caw_child(both, 1));
    CHECK(report->seconds > 0 && report->p50_us > 0 && report->p99_us >= report->p50_us);
    caw_future_destroy(both);
}

static void
load_without_a_server_is_refused(void)
{
    echo_load load = {.connections = 3, .requests = 1};
    close(listen_on_loopback(&load.port));
    caw_future *f = echo_load_new(&load);
    CHECK_INT(caw_block_on(f), -ECONNREFUSED);
    caw_future_destroy(f);
    load.requests = 0;
    f = echo_load_new(&load);
    CHECK_INT(caw_block_on(f), CAW_EINVAL);
    caw_future_destroy(f);
}

static void
load_of_more_requests_than_can_be_counted_is_refused(void)
{
    echo_load load = {.connections = 2, .requests = SIZE_MAX / 2 + 1};
    close(listen_on_loopback(&load.port));
    caw_future *f = echo_load_new(&load);
    CHECK_INT(caw_block_on(f), CAW_EINVAL);
    caw_future_destroy(f);
}

TESTS(TEST(server_and_client_that_are_interrupted_anywhere_close_all), TEST(load_is_served_on_a_thread_and_measured),
      TEST(load_without_a_server_is_refused), TEST(load_of_more_requests_than_can_be_counted_is_refused))
