/* fds.h: pipes and pairs of sockets for tests, also together with a reactor that waits for them. */
#ifndef CAWAIT_TEST_FDS_H
#define CAWAIT_TEST_FDS_H

#include "place.h"

#include <fcntl.h>
#include <sys/socket.h>

static inline void
set_both(const int fds[2], int flags)
{
    CHECK_INT(fcntl(fds[0], F_SETFL, flags), 0);
    CHECK_INT(fcntl(fds[1], F_SETFL, flags), 0);
}

/* The flags are O_NONBLOCK or 0. */
static inline void
make_pipe(int fds[2], int flags)
{
    CHECK_INT(pipe(fds), 0);
    set_both(fds, flags);
}

static inline void
make_sockets(int fds[2], int flags)
{
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    set_both(fds, flags);
}

static inline void
close_both(const int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

static inline void
write_text(int fd, const char *text)
{
    CHECK_INT(write(fd, text, strlen(text)), strlen(text));
}

/* What is read from fds[0] was written to fds[1]; a reactor waits for it. */
typedef struct wired {
    int fds[2];
    caw_reactor *r;
    counter c;
} wired;

/* `make` is one of the two functions above. */
static inline void
wire(wired *w, void (*make)(int fds[2], int flags), int flags, caw_reactor_kind kind)
{
    *w = (wired){.r = new_reactor(kind)};
    make(w->fds, flags);
}

static inline void
wire_pipe(wired *w, caw_reactor_kind kind)
{
    wire(w, make_pipe, O_NONBLOCK, kind);
}

static inline void
close_end(wired *w, int end)
{
    close(w->fds[end]);
    w->fds[end] = -1;
}

/* Check that no clone of the waker is left. */
static inline void
unwire(wired *w)
{
    CHECK_INT(w->c.references, 0);
    end_reactor(w->r);
    for (int end = 0; end < 2; end++) {
        if (w->fds[end] >= 0) {
            close(w->fds[end]);
        }
    }
}

#endif
