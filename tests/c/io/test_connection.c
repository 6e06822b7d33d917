/* test_connection.c: connections accepted and made, over TCP and Unix sockets; each on both kinds of reactor. */
#include "support/fds.h"
#include "support/give_up.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/un.h>

/* A listening TCP socket, and its address. */
typedef struct listening {
    int fd;
    struct sockaddr_in address;
    caw_reactor *r;
    counter c;
} listening;

static void
listen_tcp(listening *l, caw_reactor_kind kind, int backlog)
{
    *l = (listening){.r = new_reactor(kind)};
    l->address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof l->address;
    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK_INT(bind(l->fd, (struct sockaddr *)&l->address, length), 0);
    CHECK_INT(listen(l->fd, backlog), 0);
    CHECK_INT(getsockname(l->fd, (struct sockaddr *)&l->address, &length), 0);
}

static void
end_listening(listening *l)
{
    CHECK_INT(l->c.references, 0);
    close(l->fd);
    end_reactor(l->r);
}

static int
tcp(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    return fd;
}

static caw_future *
connect_to(const listening *l, int fd)
{
    return caw_connect(fd, (const struct sockaddr *)&l->address, sizeof l->address);
}

/* A client that is connected at once. */
static int
client(const listening *l)
{
    int fd = tcp();
    CHECK_INT(connect(fd, (const struct sockaddr *)&l->address, sizeof l->address), 0);
    return fd;
}

static int
count_fds(void)
{
    int n = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (!folder) {
        return 0;
    }
    while (readdir(folder)) {
        n++;
    }
    CHECK_INT(closedir(folder), 0);
    return n;
}

/* --- accept --- */

static void
accept_waits_for_a_connection_and_gives_it_once(caw_reactor_kind kind)
{
    listening l;
    listen_tcp(&l, kind, 8);
    caw_future *f = caw_accept(l.fd);
    CHECK(poll_at(f, l.r, &l.c) == CAW_PENDING);
    CHECK_INT(caw_accept_take(f), -1);
    int a = client(&l);
    CHECK_INT(turn_until_ready(l.r, f, &l.c), 0);
    int b = caw_accept_take(f);
    CHECK(b >= 0);
    CHECK_INT(caw_accept_take(f), -1);
    caw_future_destroy(f);
    CHECK(fcntl(b, F_GETFL) & O_NONBLOCK);
    CHECK(fcntl(b, F_GETFD) & FD_CLOEXEC);
    char byte;
    write_text(a, "x");
    f = caw_read(b, &byte, 1);
    CHECK_INT(turn_until_ready(l.r, f, &l.c), 0);
    caw_future_destroy(f);
    close(a);
    close(b);
    end_listening(&l);
}
ON_BOTH_KINDS(accept_waits_for_a_connection_and_gives_it_once)

static void
connection_that_nobody_takes_is_closed_with_the_future(caw_reactor_kind kind)
{
    listening l;
    char byte;
    listen_tcp(&l, kind, 8);
    int a = client(&l);
    caw_future *f = caw_accept(l.fd);
    CHECK_INT(turn_until_ready(l.r, f, &l.c), 0);
    caw_future_destroy(f);
    CHECK_INT(read(a, &byte, 1), 0); /* a blocking read: the end, or it hangs */
    close(a);
    end_listening(&l);
}
ON_BOTH_KINDS(connection_that_nobody_takes_is_closed_with_the_future)

static void
each_of_many_connections_goes_to_one_of_many_who_accept(caw_reactor_kind kind)
{
    enum { N = 100 };
    listening l;
    listen_tcp(&l, kind, N);
    caw_future *f[N];
    int clients[N], left = N;
    bool taken[N] = {false};
    for (int i = 0; i < N; i++) {
        f[i] = caw_accept(l.fd);
        CHECK(poll_at(f[i], l.r, &l.c) == CAW_PENDING);
    }
    for (int i = 0; i < N; i++) {
        clients[i] = client(&l);
    }
    while (left > 0) {
        CHECK(caw_reactor_turn(l.r, SECOND) >= 0);
        for (int i = 0; i < N; i++) {
            if (!taken[i] && poll_at(f[i], l.r, &l.c) == CAW_READY) {
                CHECK_INT(f[i]->status, 0);
                taken[i] = true;
                left--;
            }
        }
    }
    CHECK_INT(accept(l.fd, NULL, NULL), -1);
    for (int i = 0; i < N; i++) {
        caw_future_destroy(f[i]);
        close(clients[i]);
    }
    end_listening(&l);
}
ON_BOTH_KINDS(each_of_many_connections_goes_to_one_of_many_who_accept)

static void
accept_given_up_at_any_moment_takes_no_connection(caw_reactor_kind kind)
{
    for (int polls = 0; polls < 3; polls++) {
        for (int way = 0; way < GIVE_UP_WAYS; way++) {
            listening l;
            listen_tcp(&l, kind, 8);
            int status = give_up(caw_accept(l.fd), l.r, polls, way);
            CHECK_INT(status, way == GIVE_UP_CANCEL ? CAW_ECANCELED : 0);
            int a = client(&l);
            caw_future *f = caw_accept(l.fd);
            CHECK_INT(turn_until_ready(l.r, f, &l.c), 0);
            caw_future_destroy(f);
            close(a);
            end_listening(&l);
        }
    }
}
ON_BOTH_KINDS(accept_given_up_at_any_moment_takes_no_connection)

static void
accept_cancelled_after_its_wake_leaves_the_connection_to_the_next(caw_reactor_kind kind)
{
    listening l;
    listen_tcp(&l, kind, 8);
    caw_future *f = caw_accept(l.fd), *g = caw_accept(l.fd);
    CHECK(poll_at(f, l.r, &l.c) == CAW_PENDING);
    int a = client(&l);
    TURN_UNTIL(l.r, l.c.wakes > 0);
    caw_future_cancel(f);
    CHECK_INT(status_at(f, l.r, &l.c), CAW_ECANCELED);
    CHECK_INT(caw_accept_take(f), -1);
    caw_future_destroy(f);
    CHECK_INT(status_at(g, l.r, &l.c), 0);
    caw_future_destroy(g);
    close(a);
    end_listening(&l);
}
ON_BOTH_KINDS(accept_cancelled_after_its_wake_leaves_the_connection_to_the_next)

static void
accept_of_what_does_not_listen_fails(caw_reactor_kind kind)
{
    wired w;
    wire(&w, make_sockets, O_NONBLOCK, kind);
    caw_future *f[] = {caw_accept(w.fds[0]), caw_accept(-1), caw_accept(w.fds[1])};
    const int expected[] = {-EINVAL, CAW_EBADF, CAW_EINVAL};
    CHECK_INT(fcntl(w.fds[1], F_SETFL, 0), 0);
    CHECK_INT(listen(w.fds[1], 1), -1);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(status_at(f[i], w.r, &w.c), expected[i]);
        CHECK_INT(caw_accept_take(f[i]), -1);
        caw_future_destroy(f[i]);
    }
    unwire(&w);
}
ON_BOTH_KINDS(accept_of_what_does_not_listen_fails)

static void
accept_of_a_blocking_listener_is_EINVAL(caw_reactor_kind kind)
{
    listening l;
    listen_tcp(&l, kind, 8);
    CHECK_INT(fcntl(l.fd, F_SETFL, 0), 0);
    caw_future *f = caw_accept(l.fd);
    CHECK_INT(status_at(f, l.r, &l.c), CAW_EINVAL);
    caw_future_destroy(f);
    end_listening(&l);
}
ON_BOTH_KINDS(accept_of_a_blocking_listener_is_EINVAL)

static void
accept_without_an_fd_to_be_had_is_EMFILE_and_the_connection_stays(caw_reactor_kind kind)
{
    listening l;
    listen_tcp(&l, kind, 8);
    caw_future *warm = caw_readable(l.fd); /* the reactor grows its tables now */
    CHECK(poll_at(warm, l.r, &l.c) == CAW_PENDING);
    int a = client(&l);
    int next = dup(l.fd); /* the lowest number that is free */
    close(next);
    struct rlimit before, few;
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = (rlim_t)next;
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &few), 0);
    caw_future *f = caw_accept(l.fd);
    CHECK_INT(turn_until_ready(l.r, f, &l.c), -EMFILE);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &before), 0);
    caw_future_destroy(f);
    f = caw_accept(l.fd);
    CHECK_INT(turn_until_ready(l.r, f, &l.c), 0);
    caw_future_destroy(f);
    caw_future_destroy(warm);
    close(a);
    end_listening(&l);
}
ON_BOTH_KINDS(accept_without_an_fd_to_be_had_is_EMFILE_and_the_connection_stays)

/* --- connect --- */

static void
connect_gives_the_socket_once_it_is_connected(caw_reactor_kind kind)
{
    listening l;
    char byte;
    listen_tcp(&l, kind, 8);
    int fd = tcp();
    caw_future *f = connect_to(&l, fd);
    CHECK_INT(turn_until_ready(l.r, f, &l.c), 0);
    CHECK_INT(caw_connect_take(f), fd);
    CHECK_INT(caw_connect_take(f), -1);
    caw_future_destroy(f);
    CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    f = caw_accept(l.fd);
    CHECK_INT(turn_until_ready(l.r, f, &l.c), 0);
    int b = caw_accept_take(f);
    caw_future_destroy(f);
    write_text(b, "x");
    f = caw_read(fd, &byte, 1);
    CHECK_INT(turn_until_ready(l.r, f, &l.c), 0);
    caw_future_destroy(f);
    close(b);
    close(fd);
    end_listening(&l);
}
ON_BOTH_KINDS(connect_gives_the_socket_once_it_is_connected)

static void
connect_that_is_refused_closes_the_socket_with_the_future(caw_reactor_kind kind)
{
    listening l;
    listen_tcp(&l, kind, 8);
    close(l.fd);
    int before = count_fds();
    caw_future *f = connect_to(&l, tcp());
    CHECK_INT(turn_until_ready(l.r, f, &l.c), -ECONNREFUSED);
    CHECK_INT(caw_connect_take(f), -1);
    caw_future_destroy(f);
    CHECK_INT(count_fds(), before);
    l.fd = -1;
    end_listening(&l);
}
ON_BOTH_KINDS(connect_that_is_refused_closes_the_socket_with_the_future)

/* Connections beyond the backlog stay in progress: the kernel drops what they send. */
static void
connect_given_up_while_in_progress_closes_the_socket(caw_reactor_kind kind)
{
    for (int polls = 0; polls < 3; polls++) {
        for (int way = 0; way < GIVE_UP_WAYS; way++) {
            listening l;
            listen_tcp(&l, kind, 0);
            caw_future *fill[4];
            for (int i = 0; i < 4; i++) {
                fill[i] = connect_to(&l, tcp());
                (void)poll_at(fill[i], l.r, &l.c);
            }
            int before = count_fds();
            int status = give_up(connect_to(&l, tcp()), l.r, polls, way);
            CHECK_INT(status, way == GIVE_UP_CANCEL ? CAW_ECANCELED : 0);
            CHECK_INT(count_fds(), before);
            for (int i = 0; i < 4; i++) {
                caw_future_destroy(fill[i]);
            }
            end_listening(&l);
        }
    }
}
ON_BOTH_KINDS(connect_given_up_while_in_progress_closes_the_socket)

static void
connect_to_a_full_unix_socket_is_EAGAIN_and_to_none_ENOENT(caw_reactor_kind kind)
{
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char folder[] = "/tmp/caw-test-XXXXXX";
    CHECK(mkdtemp(folder));
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", folder);
    const struct sockaddr *to = (const struct sockaddr *)&address;
    caw_future *f = caw_connect(socket(AF_UNIX, SOCK_STREAM, 0), to, sizeof address);
    CHECK_INT(status_at(f, r, &c), -ENOENT);
    caw_future_destroy(f);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), status = 0, connected = 0;
    caw_future *all[8];
    CHECK_INT(bind(listener, to, sizeof address), 0);
    CHECK_INT(listen(listener, 1), 0);
    for (int i = 0; i < 8; i++) {
        all[i] = caw_connect(socket(AF_UNIX, SOCK_STREAM, 0), to, sizeof address);
        status = status_at(all[i], r, &c);
        connected += status == 0;
    }
    CHECK_INT(status, -EAGAIN);
    CHECK(connected > 0);
    for (int i = 0; i < 8; i++) {
        caw_future_destroy(all[i]);
    }
    close(listener);
    CHECK_INT(unlink(address.sun_path), 0);
    CHECK_INT(rmdir(folder), 0);
    CHECK_INT(c.references, 0);
    end_reactor(r);
}
ON_BOTH_KINDS(connect_to_a_full_unix_socket_is_EAGAIN_and_to_none_ENOENT)

static void
connect_with_an_address_that_is_none_fails_and_closes(caw_reactor_kind kind)
{
    listening l;
    unsigned char large[256] = {0};
    const struct sockaddr *address = (const void *)large;
    listen_tcp(&l, kind, 8);
    int before = count_fds();
    caw_future *f[] = {caw_connect(tcp(), NULL, 0), caw_connect(tcp(), address, sizeof large),
                       caw_connect(tcp(), address, 1), connect_to(&l, -1)};
    const int expected[] = {CAW_EINVAL, CAW_EINVAL, CAW_EINVAL, CAW_EBADF};
    for (int i = 0; i < 4; i++) {
        CHECK_INT(status_at(f[i], l.r, &l.c), expected[i]);
        CHECK_INT(caw_connect_take(f[i]), -1);
        caw_future_destroy(f[i]);
    }
    CHECK_INT(count_fds(), before);
    end_listening(&l);
}
ON_BOTH_KINDS(connect_with_an_address_that_is_none_fails_and_closes)

TESTS(TEST_BOTH(accept_waits_for_a_connection_and_gives_it_once),
      TEST_BOTH(connection_that_nobody_takes_is_closed_with_the_future),
      TEST_BOTH(each_of_many_connections_goes_to_one_of_many_who_accept),
      TEST_BOTH(accept_given_up_at_any_moment_takes_no_connection),
      TEST_BOTH(accept_cancelled_after_its_wake_leaves_the_connection_to_the_next),
      TEST_BOTH(accept_of_what_does_not_listen_fails), TEST_BOTH(accept_of_a_blocking_listener_is_EINVAL),
      TEST_BOTH(accept_without_an_fd_to_be_had_is_EMFILE_and_the_connection_stays),
      TEST_BOTH(connect_gives_the_socket_once_it_is_connected),
      TEST_BOTH(connect_that_is_refused_closes_the_socket_with_the_future),
      TEST_BOTH(connect_given_up_while_in_progress_closes_the_socket),
      TEST_BOTH(connect_to_a_full_unix_socket_is_EAGAIN_and_to_none_ENOENT),
      TEST_BOTH(connect_with_an_address_that_is_none_fails_and_closes))
