/* test_fd_stream.c: what can be read from an fd, as a stream. */
#include "support/fds.h"
#include "support/items.h"
#include "support/threads.h"

/* Check that the next item is these bytes. */
static void
gives(caw_stream *s, caw_reactor *r, counter *c, const char *text)
{
    caw_item *item = NULL;
    CHECK(poll_next_at(s, r, c, &item) == CAW_READY);
    CHECK(item);
    const caw_bytes_item *bytes = CAW_CONTAINER_OF(item, const caw_bytes_item, item);
    CHECK_INT(bytes->length, strlen(text));
    CHECK(memcmp(bytes->data, text, bytes->length) == 0);
    caw_item_destroy(item);
}

static void
ends_with(caw_stream *s, caw_reactor *r, counter *c, int status)
{
    caw_item *item = NULL;
    CHECK(poll_next_at(s, r, c, &item) == CAW_READY);
    CHECK(!item);
    CHECK_INT(s->status, status);
}

static void
waits(caw_stream *s, caw_reactor *r, counter *c)
{
    caw_item *item;
    CHECK(poll_next_at(s, r, c, &item) == CAW_PENDING);
}

/* Turn until it is woken. */
static void
turn_until_woken(caw_reactor *r, counter *c)
{
    for (int before = c->wakes; c->wakes == before;) {
        CHECK(caw_reactor_turn(r, SECOND) >= 0);
    }
}

/* A stream of the read end of a pipe. */
static caw_stream *
stream_of_pipe(wired *w, int flags, size_t size)
{
    wire(w, make_pipe, flags, CAW_REACTOR_DEFAULT);
    return caw_stream_from_fd(w->fds[0], size);
}

static void
end_pipe(wired *w, caw_stream *s)
{
    caw_stream_destroy(s);
    unwire(w);
}

static void
end_test(caw_stream *s, caw_reactor *r, counter *c)
{
    caw_stream_destroy(s);
    end_reactor(r);
    CHECK_INT(c->references, 0);
}

static void
pipe_gives_what_is_written_until_it_is_closed(bool non_blocking)
{
    wired w;
    caw_stream *s = stream_of_pipe(&w, non_blocking ? O_NONBLOCK : 0, 4);
    CHECK(s->ops->cancel);
    waits(s, w.r, &w.c);
    CHECK_INT(w.c.wakes, 0);
    write_text(w.fds[1], "abcdef");
    turn_until_woken(w.r, &w.c);
    gives(s, w.r, &w.c, "abcd");
    if (!non_blocking) {
        waits(s, w.r, &w.c); /* once for each time that it is readable */
        turn_until_woken(w.r, &w.c);
    }
    gives(s, w.r, &w.c, "ef");
    waits(s, w.r, &w.c);
    write_text(w.fds[1], "g");
    close_end(&w, 1);
    turn_until_woken(w.r, &w.c);
    gives(s, w.r, &w.c, "g");
    if (!non_blocking) {
        waits(s, w.r, &w.c);
        turn_until_woken(w.r, &w.c);
    }
    ends_with(s, w.r, &w.c, 0);
    end_pipe(&w, s);
}

static void
blocking_pipe_gives_what_is_written_until_it_is_closed(void)
{
    pipe_gives_what_is_written_until_it_is_closed(false);
}

static void
non_blocking_pipe_is_read_until_there_is_no_more(void)
{
    pipe_gives_what_is_written_until_it_is_closed(true);
}

static void
regular_file_is_always_ready(caw_reactor_kind kind)
{
    counter c = {0, 0};
    FILE *file = tmpfile();
    CHECK(file);
    write_text(fileno(file), "0123456789");
    CHECK_INT(lseek(fileno(file), 0, SEEK_SET), 0);
    caw_reactor *r = new_reactor(kind);
    caw_stream *s = caw_stream_from_fd(fileno(file), 4);
    caw_item *item;
    char seen[16] = "";
    while (true) {
        if (poll_next_at(s, r, &c, &item) == CAW_PENDING) { /* only the portable reactor has to check */
            turn_until_woken(r, &c);
            continue;
        }
        if (!item) {
            break;
        }
        const caw_bytes_item *bytes = CAW_CONTAINER_OF(item, const caw_bytes_item, item);
        CHECK(bytes->length <= 4);
        strncat(seen, bytes->data, bytes->length);
        caw_item_destroy(item);
    }
    CHECK_INT(s->status, 0);
    CHECK(strcmp(seen, "0123456789") == 0);
    end_test(s, r, &c);
    (void)fclose(file);
}
ON_BOTH_KINDS(regular_file_is_always_ready)

static void
error_of_the_read_ends_it(void)
{
    counter c = {0, 0};
    caw_reactor *r = new_reactor(CAW_REACTOR_DEFAULT);
    int folder = open("/", O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    CHECK(folder >= 0);
    caw_stream *s = caw_stream_from_fd(folder, 4);
    caw_item *item = NULL;
    while (poll_next_at(s, r, &c, &item) == CAW_PENDING) {
        turn_until_woken(r, &c);
    }
    CHECK(!item);
    CHECK_INT(s->status, -EISDIR);
    end_test(s, r, &c);
    close(folder);
}

static void
fd_that_is_not_open_and_size_0_end_it_at_the_first_poll(void)
{
    wired w;
    wire_pipe(&w, CAW_REACTOR_DEFAULT);
    caw_stream *s = caw_stream_from_fd(-1, 4);
    ends_with(s, w.r, &w.c, CAW_EBADF);
    caw_stream_destroy(s);
    write_text(w.fds[1], "abc");
    s = caw_stream_from_fd(w.fds[0], 0);
    ends_with(s, w.r, &w.c, CAW_EINVAL);
    caw_stream_destroy(s);
    s = caw_stream_from_fd(w.fds[0], SIZE_MAX);
    ends_with(s, w.r, &w.c, CAW_ENOMEM);
    end_pipe(&w, s);
}

static void
cancel_while_it_waits_wakes_and_ends_it(void)
{
    wired w;
    caw_stream *s = stream_of_pipe(&w, O_NONBLOCK, 4);
    waits(s, w.r, &w.c);
    caw_stream_cancel(s);
    CHECK_INT(w.c.wakes, 1);
    ends_with(s, w.r, &w.c, CAW_ECANCELED);
    end_pipe(&w, s);
}

static void
cancel_before_the_first_poll_and_between_items_reads_nothing(void)
{
    wired w;
    char rest[8];
    caw_stream *s = stream_of_pipe(&w, O_NONBLOCK, 2);
    write_text(w.fds[1], "abcd");
    caw_stream_cancel(s);
    ends_with(s, w.r, &w.c, CAW_ECANCELED);
    caw_stream_destroy(s);
    s = caw_stream_from_fd(w.fds[0], 2);
    caw_item *item;
    while (poll_next_at(s, w.r, &w.c, &item) == CAW_PENDING) {
        turn_until_woken(w.r, &w.c);
    }
    caw_item_destroy(item);
    caw_stream_cancel(s);
    ends_with(s, w.r, &w.c, CAW_ECANCELED);
    CHECK_INT(read(w.fds[0], rest, sizeof rest), 2);
    end_pipe(&w, s);
}

static void
destroy_while_it_waits_drops_the_waker(void)
{
    wired w;
    caw_stream *s = stream_of_pipe(&w, 0, 4);
    waits(s, w.r, &w.c);
    CHECK_INT(w.c.references, 1);
    caw_stream_destroy(s);
    CHECK_INT(w.c.references, 0);
    CHECK_INT(w.c.wakes, 0);
    unwire(&w);
}

static void
place_without_a_reactor_ends_it(void)
{
    int fds[2];
    counter c = {0, 0};
    make_pipe(fds, O_NONBLOCK);
    caw_stream *s = caw_stream_from_fd(fds[0], 4);
    ends_with(s, NULL, &c, CAW_ENOREACTOR);
    caw_stream_destroy(s);
    close_both(fds);
}

enum { TOTAL = 1000000 };

static void *
write_all(void *user)
{
    int fd = *(int *)user;
    char block[1000];
    for (int i = 0; i < TOTAL; i += (int)sizeof block) {
        memset(block, 'a' + i / (int)sizeof block % 26, sizeof block);
        CHECK_INT(write(fd, block, sizeof block), sizeof block); /* a blocking end */
    }
    close(fd);
    return NULL;
}

/* The consumer waits by caw_block_on, through chunks and a merge of one stream. */
static void
million_bytes_of_another_thread_arrive_in_order(void)
{
    for (int non_blocking = 0; non_blocking < 2; non_blocking++) {
        int fds[2], at = 0;
        make_pipe(fds, 0);
        CHECK_INT(fcntl(fds[0], F_SETFL, non_blocking ? O_NONBLOCK : 0), 0);
        pthread_t thread = start_thread(write_all, &fds[1]);
        caw_stream *s = caw_stream_from_fd(fds[0], 700), *merged = caw_stream_merge(&s, 1);
        CHECK(merged);
        while (true) {
            caw_next_op next;
            caw_next_init(&next, merged);
            CHECK_INT(caw_block_on(&next.future), 0);
            if (!next.item) {
                break;
            }
            const caw_bytes_item *bytes = CAW_CONTAINER_OF(next.item, const caw_bytes_item, item);
            CHECK(bytes->length >= 1 && bytes->length <= 700);
            for (size_t i = 0; i < bytes->length; i++, at++) {
                CHECK_INT(bytes->data[i], 'a' + at / 1000 % 26);
            }
            caw_future_destroy(&next.future);
        }
        CHECK_INT(at, TOTAL);
        caw_stream_destroy(merged);
        join_thread(thread);
        close(fds[0]);
    }
}

TESTS(TEST(blocking_pipe_gives_what_is_written_until_it_is_closed),
      TEST(non_blocking_pipe_is_read_until_there_is_no_more), TEST_BOTH(regular_file_is_always_ready),
      TEST(error_of_the_read_ends_it), TEST(fd_that_is_not_open_and_size_0_end_it_at_the_first_poll),
      TEST(cancel_while_it_waits_wakes_and_ends_it), TEST(cancel_before_the_first_poll_and_between_items_reads_nothing),
      TEST(destroy_while_it_waits_drops_the_waker), TEST(place_without_a_reactor_ends_it),
      TEST(million_bytes_of_another_thread_arrive_in_order))
