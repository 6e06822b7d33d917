/* test_bytes.c: readers and writers of real fds, and the futures over them, each on both kinds of reactor. */
#include "support/fds.h"
#include "support/threads.h"

#include <errno.h>
#include <signal.h>

enum { BIG = 4 << 20 };

/* The reader of a pipe or of a pair of sockets, and a read from it. */
typedef struct reading {
    wired w;
    caw_reader *reader;
    caw_read_op one;
    char buffer[100];
} reading;

static caw_future *
begin_read(reading *t, size_t size)
{
    caw_read_init(&t->one, t->reader, t->buffer, size);
    return &t->one.future;
}

static void
read_is_pending(reading *t)
{
    CHECK(poll_at(begin_read(t, sizeof t->buffer), t->w.r, &t->w.c) == CAW_PENDING);
}

/* The status with which the read ends. */
static int
finish_read(reading *t)
{
    return turn_until_ready(t->w.r, &t->one.future, &t->w.c);
}

static int
read_at_most(reading *t, size_t size)
{
    (void)begin_read(t, size);
    return finish_read(t);
}

/* Set up with a read that is pending. */
static void
start_reading(reading *t, void (*make)(int fds[2], int flags), int flags, caw_reactor_kind kind)
{
    *t = (reading){.buffer = "untouched"};
    wire(&t->w, make, flags, kind);
    t->reader = caw_reader_from_fd(t->w.fds[0]);
    read_is_pending(t);
}

static void
end_reading(reading *t)
{
    caw_reader_destroy(t->reader);
    unwire(&t->w);
}

static void
read_is_pending_until_there_are_bytes_and_takes_what_is_there(caw_reactor_kind kind)
{
    for (int i = 0; i < 4; i++) { /* pipe and socket; non-blocking and blocking */
        reading t;
        start_reading(&t, i & 1 ? make_pipe : make_sockets, i & 2 ? O_NONBLOCK : 0, kind);
        write_text(t.w.fds[1], "bytes");
        CHECK(strcmp(t.buffer, "untouched") == 0);
        CHECK_INT(finish_read(&t), 0);
        CHECK(t.one.length == 5 && memcmp(t.buffer, "bytesched", 9) == 0);
        caw_future_destroy(&t.one.future);
        write_text(t.w.fds[1], "more");
        CHECK_INT(read_at_most(&t, 3), 0); /* short */
        CHECK(t.one.length == 3 && memcmp(t.buffer, "moresched", 3) == 0);
        CHECK_INT(read_at_most(&t, 3), 0);
        CHECK(t.one.length == 1 && t.buffer[0] == 'e');
        end_reading(&t);
    }
}
ON_BOTH_KINDS(read_is_pending_until_there_are_bytes_and_takes_what_is_there)

static void
end_is_said_as_often_as_it_is_asked_for(caw_reactor_kind kind)
{
    for (int i = 0; i < 2; i++) {
        reading t;
        start_reading(&t, i ? make_pipe : make_sockets, O_NONBLOCK, kind);
        write_text(t.w.fds[1], "x");
        close_end(&t.w, 1);
        for (int j = 0; j < 3; j++) {
            CHECK_INT(finish_read(&t), 0);
            CHECK_INT(t.one.length, j == 0);
            (void)begin_read(&t, sizeof t.buffer);
        }
        end_reading(&t);
    }
}
ON_BOTH_KINDS(end_is_said_as_often_as_it_is_asked_for)

static void
cancelled_read_ends_and_the_next_one_has_the_bytes(caw_reactor_kind kind)
{
    reading t;
    start_reading(&t, make_pipe, O_NONBLOCK, kind);
    caw_future_cancel(&t.one.future);
    CHECK_INT(t.w.c.wakes, 1);
    CHECK_INT(finish_read(&t), CAW_ECANCELED);
    caw_future_cancel(begin_read(&t, sizeof t.buffer)); /* before it began */
    write_text(t.w.fds[1], "x");
    CHECK_INT(finish_read(&t), CAW_ECANCELED);
    CHECK_INT(read_at_most(&t, sizeof t.buffer), 0);
    CHECK_INT(t.one.length, 1);
    end_reading(&t);
}
ON_BOTH_KINDS(cancelled_read_ends_and_the_next_one_has_the_bytes)

static void
read_after_one_that_was_cancelled_and_given_up_is_not_cancelled(caw_reactor_kind kind)
{
    reading t;
    start_reading(&t, make_sockets, O_NONBLOCK, kind);
    caw_future_cancel(&t.one.future);
    caw_future_destroy(&t.one.future);
    read_is_pending(&t);
    caw_future_destroy(&t.one.future); /* dropped */
    write_text(t.w.fds[1], "x");
    CHECK_INT(read_at_most(&t, sizeof t.buffer), 0);
    CHECK_INT(t.one.length, 1);
    read_is_pending(&t);
    end_reading(&t); /* while it waits */
}
ON_BOTH_KINDS(read_after_one_that_was_cancelled_and_given_up_is_not_cancelled)

static void
bad_fd_and_no_room_are_errors(caw_reactor_kind kind)
{
    char buffer[10];
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    caw_reader *reader = caw_reader_from_fd(-1);
    caw_writer *writer = caw_writer_from_fd(-1);
    caw_read_op one;
    caw_write_op other;
    caw_close_op end;
    caw_read_init(&one, reader, buffer, sizeof buffer);
    CHECK_INT(turn_until_ready(r, &one.future, &c), CAW_EBADF);
    caw_read_init(&one, reader, buffer, 0);
    CHECK_INT(turn_until_ready(r, &one.future, &c), CAW_EINVAL);
    caw_write_init(&other, writer, "text", 4);
    CHECK_INT(turn_until_ready(r, &other.future, &c), CAW_EBADF);
    caw_write_init(&other, writer, NULL, 0); /* there is nothing to do */
    CHECK_INT(turn_until_ready(r, &other.future, &c), 0);
    caw_close_init(&end, writer);
    CHECK_INT(turn_until_ready(r, &end.future, &c), CAW_EBADF);
    caw_reader_destroy(reader);
    caw_writer_destroy(writer);
    caw_reader_destroy(NULL);
    caw_writer_destroy(NULL);
    end_reactor(r);
}
ON_BOTH_KINDS(bad_fd_and_no_room_are_errors)

static void
reader_in_a_place_without_reactor_says_so_only_when_it_has_to_wait(void)
{
    int fds[2];
    char buffer[10];
    make_pipe(fds, O_NONBLOCK);
    counter c = {0, 0};
    caw_reader *reader = caw_reader_from_fd(fds[0]);
    caw_read_op one;
    write_text(fds[1], "x");
    for (int i = 0; i < 2; i++) {
        caw_read_init(&one, reader, buffer, sizeof buffer);
        CHECK_INT(status_at(&one.future, NULL, &c), i == 0 ? 0 : CAW_ENOREACTOR);
    }
    caw_reader_destroy(reader);
    close_both(fds);
}

/* --- writing --- */

struct reading_thread {
    int fd;
    size_t length;
    unsigned sum;
};

static unsigned char
pattern(size_t i)
{
    return (unsigned char)(i * 2654435761u >> 13);
}

static void *
read_slowly(void *arg)
{
    struct reading_thread *t = arg;
    unsigned char block[7001];
    ssize_t n;
    struct pollfd p = {t->fd, POLLIN, 0};
    while (poll(&p, 1, -1) == 1 && (n = read(t->fd, block, sizeof block)) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            t->sum += block[i] == pattern(t->length + (size_t)i);
        }
        t->length += (size_t)n;
    }
    return NULL;
}

/* The writer of a pipe or of a pair of sockets, and a write to it. */
typedef struct writing {
    wired w;
    caw_writer *writer;
    caw_write_op one;
} writing;

static void
start_writing(writing *t, void (*make)(int fds[2], int flags), int flags, caw_reactor_kind kind)
{
    wire(&t->w, make, flags, kind);
    t->writer = caw_writer_from_fd(t->w.fds[1]);
}

static caw_future *
begin_write(writing *t, const void *data, size_t size)
{
    caw_write_init(&t->one, t->writer, data, size);
    return &t->one.future;
}

static void
write_is_pending(writing *t)
{
    CHECK(poll_at(&t->one.future, t->w.r, &t->w.c) == CAW_PENDING);
}

/* The status with which the write ends. */
static int
finish_write(writing *t)
{
    return turn_until_ready(t->w.r, &t->one.future, &t->w.c);
}

static void
end_writing(writing *t)
{
    caw_writer_destroy(t->writer);
    unwire(&t->w);
}

static unsigned char *
new_pattern(void)
{
    unsigned char *much = malloc(BIG);
    CHECK(much);
    for (size_t i = 0; i < BIG; i++) {
        much[i] = pattern(i);
    }
    return much;
}

static void
write_of_much_is_taken_as_fast_as_the_other_end_reads(caw_reactor_kind kind)
{
    unsigned char *much = new_pattern();
    for (int i = 0; i < 4; i++) {
        writing t;
        start_writing(&t, i & 1 ? make_pipe : make_sockets, i & 2 ? O_NONBLOCK : 0, kind);
        (void)begin_write(&t, much, BIG);
        write_is_pending(&t);
        for (int turn = 0; turn < 400 && caw_reactor_turn(t.w.r, MILLISECOND) > 0; turn++) {
            write_is_pending(&t);
        }
        CHECK(t.one.length < BIG); /* there is no room left */
        struct reading_thread reader = {.fd = t.w.fds[0]};
        pthread_t thread = start_thread(read_slowly, &reader);
        CHECK_INT(finish_write(&t), 0);
        CHECK_INT(t.one.length, BIG);
        caw_close_op end;
        caw_close_init(&end, t.writer);
        CHECK_INT(turn_until_ready(t.w.r, &end.future, &t.w.c), 0);
        if (i & 1) {
            close_end(&t.w, 1); /* a pipe's end is the fd's */
        }
        join_thread(thread);
        CHECK_INT(reader.length, BIG);
        CHECK_INT(reader.sum, BIG);
        end_writing(&t);
    }
    free(much);
}
ON_BOTH_KINDS(write_of_much_is_taken_as_fast_as_the_other_end_reads)

static void
write_to_nobody_is_a_broken_pipe_and_a_socket_sends_no_signal(caw_reactor_kind kind)
{
    for (int i = 0; i < 2; i++) {
        writing t;
        start_writing(&t, i ? make_pipe : make_sockets, O_NONBLOCK, kind);
        void (*before)(int) = signal(SIGPIPE, i ? SIG_IGN : SIG_DFL);
        close_end(&t.w, 0);
        (void)begin_write(&t, "text", 4);
        CHECK_INT(finish_write(&t), -EPIPE);
        CHECK_INT(t.one.length, 0);
        end_writing(&t);
        signal(SIGPIPE, before);
    }
}
ON_BOTH_KINDS(write_to_nobody_is_a_broken_pipe_and_a_socket_sends_no_signal)

static void
cancelled_write_says_how_much_was_taken_and_can_be_gone_on_with(caw_reactor_kind kind)
{
    unsigned char *much = new_pattern();
    writing t;
    start_writing(&t, make_sockets, O_NONBLOCK, kind);
    caw_future_cancel(begin_write(&t, much, BIG)); /* before it began: nothing is written */
    CHECK_INT(finish_write(&t), CAW_ECANCELED);
    CHECK(t.one.length == 0 && !is_readable(t.w.fds[0]));
    (void)begin_write(&t, much, BIG);
    write_is_pending(&t);
    caw_future_cancel(&t.one.future);
    CHECK_INT(finish_write(&t), CAW_ECANCELED);
    size_t length = t.one.length;
    CHECK(length > 0 && length < BIG);
    (void)begin_write(&t, much + length, BIG - length);
    write_is_pending(&t);
    caw_future_cancel(&t.one.future);
    caw_future_destroy(&t.one.future); /* and dropped: that does not cancel the next one */
    length += t.one.length;
    struct reading_thread reader = {.fd = t.w.fds[0]};
    pthread_t thread = start_thread(read_slowly, &reader);
    (void)begin_write(&t, much + length, BIG - length);
    CHECK_INT(finish_write(&t), 0);
    CHECK_INT(shutdown(t.w.fds[1], SHUT_WR), 0);
    join_thread(thread);
    CHECK_INT(reader.sum, BIG);
    end_writing(&t);
    free(much);
}
ON_BOTH_KINDS(cancelled_write_says_how_much_was_taken_and_can_be_gone_on_with)

static void
writer_may_be_destroyed_while_it_waits(caw_reactor_kind kind)
{
    char block[1 << 16] = {0};
    writing t;
    start_writing(&t, make_pipe, O_NONBLOCK, kind);
    while (write(t.w.fds[1], block, sizeof block) > 0) {
    }
    (void)begin_write(&t, block, sizeof block);
    write_is_pending(&t);
    caw_future_destroy(&t.one.future);
    end_writing(&t);
}
ON_BOTH_KINDS(writer_may_be_destroyed_while_it_waits)

static void
regular_file_is_written_and_read_to_its_end(void)
{
    char buffer[100];
    FILE *file = tmpfile();
    CHECK(file);
    caw_writer *writer = caw_writer_from_fd(fileno(file));
    caw_write_op write;
    caw_write_init(&write, writer, "a file", 6);
    CHECK_INT(caw_block_on(&write.future), 0);
    caw_close_op end;
    caw_close_init(&end, writer);
    CHECK_INT(caw_block_on(&end.future), 0);
    CHECK_INT(lseek(fileno(file), 0, SEEK_SET), 0);
    caw_reader *reader = caw_reader_from_fd(fileno(file));
    caw_read_op read;
    caw_read_init(&read, reader, buffer, sizeof buffer);
    CHECK_INT(caw_block_on(&read.future), 0);
    CHECK(read.length == 6 && memcmp(buffer, "a file", 6) == 0);
    caw_read_init(&read, reader, buffer, sizeof buffer);
    CHECK_INT(caw_block_on(&read.future), 0);
    CHECK_INT(read.length, 0);
    caw_reader_destroy(reader);
    caw_writer_destroy(writer);
    CHECK_INT(fclose(file), 0);
}

/* A reader without cancel: neither can a read from it be cancelled. */
static caw_poll
deaf_poll(caw_reader *r, caw_context *cx, void *buffer, size_t size, size_t *out)
{
    (void)cx, (void)buffer, (void)size;
    return caw_reader_finish(r, -7, out);
}

static void
read_of_a_reader_without_cancel_cannot_be_cancelled(void)
{
    static const caw_reader_ops ops = {"deaf", deaf_poll, NULL, NULL};
    caw_reader reader;
    char byte;
    caw_read_op read;
    caw_reader_init(&reader, &ops);
    caw_read_init(&read, &reader, &byte, 1);
    caw_future_cancel(&read.future);
    caw_reader_cancel(&reader);
    CHECK_INT(caw_block_on(&read.future), -7);
}

TESTS(TEST_BOTH(read_is_pending_until_there_are_bytes_and_takes_what_is_there),
      TEST_BOTH(end_is_said_as_often_as_it_is_asked_for), TEST_BOTH(cancelled_read_ends_and_the_next_one_has_the_bytes),
      TEST_BOTH(read_after_one_that_was_cancelled_and_given_up_is_not_cancelled),
      TEST_BOTH(bad_fd_and_no_room_are_errors),
      TEST(reader_in_a_place_without_reactor_says_so_only_when_it_has_to_wait),
      TEST_BOTH(write_of_much_is_taken_as_fast_as_the_other_end_reads),
      TEST_BOTH(write_to_nobody_is_a_broken_pipe_and_a_socket_sends_no_signal),
      TEST_BOTH(cancelled_write_says_how_much_was_taken_and_can_be_gone_on_with),
      TEST_BOTH(writer_may_be_destroyed_while_it_waits), TEST(regular_file_is_written_and_read_to_its_end),
      TEST(read_of_a_reader_without_cancel_cannot_be_cancelled))
