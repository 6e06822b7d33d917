/* test_bytes.c: readers and writers of real fds, each on both kinds of reactor, and the futures over them. */
#include "support/place.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

enum { BIG = 4 << 20 };

static void
make_pipe(int fds[2], int flags)
{
    CHECK_INT(pipe(fds), 0);
    CHECK_INT(fcntl(fds[0], F_SETFL, flags), 0);
    CHECK_INT(fcntl(fds[1], F_SETFL, flags), 0);
}

static void
make_sockets(int fds[2], int flags)
{
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    CHECK_INT(fcntl(fds[0], F_SETFL, flags), 0);
    CHECK_INT(fcntl(fds[1], F_SETFL, flags), 0);
}

static void
close_both(int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

static void
read_is_pending_until_there_are_bytes_and_takes_what_is_there(caw_reactor_kind kind)
{
    for (int i = 0; i < 4; i++) { /* pipe and socket; non-blocking and blocking */
        int fds[2];
        char buffer[100] = "untouched";
        (i & 1 ? make_pipe : make_sockets)(fds, i & 2 ? O_NONBLOCK : 0);
        caw_reactor *r = new_reactor(kind);
        counter c = {0, 0};
        caw_reader *reader = caw_reader_from_fd(fds[0]);
        caw_read_op one;
        caw_read_init(&one, reader, buffer, sizeof buffer);
        CHECK(poll_at(&one.future, r, &c) == CAW_PENDING);
        CHECK_INT(write(fds[1], "bytes", 5), 5);
        CHECK(strcmp(buffer, "untouched") == 0);
        CHECK_INT(turn_until_ready(r, &one.future, &c), 0);
        CHECK(one.length == 5 && memcmp(buffer, "bytesched", 9) == 0);
        caw_future_destroy(&one.future);
        CHECK_INT(write(fds[1], "more", 4), 4);
        caw_read_init(&one, reader, buffer, 3); /* short */
        CHECK_INT(turn_until_ready(r, &one.future, &c), 0);
        CHECK(one.length == 3 && memcmp(buffer, "moresched", 3) == 0);
        caw_read_init(&one, reader, buffer, 3);
        CHECK_INT(turn_until_ready(r, &one.future, &c), 0);
        CHECK(one.length == 1 && buffer[0] == 'e');
        caw_reader_destroy(reader);
        CHECK_INT(c.references, 0);
        end_reactor(r);
        close_both(fds);
    }
}
ON_BOTH_KINDS(read_is_pending_until_there_are_bytes_and_takes_what_is_there)

static void
end_is_said_as_often_as_it_is_asked_for(caw_reactor_kind kind)
{
    for (int i = 0; i < 2; i++) {
        int fds[2];
        char buffer[10];
        (i ? make_pipe : make_sockets)(fds, O_NONBLOCK);
        caw_reactor *r = new_reactor(kind);
        counter c = {0, 0};
        caw_reader *reader = caw_reader_from_fd(fds[0]);
        caw_read_op one;
        caw_read_init(&one, reader, buffer, sizeof buffer);
        CHECK(poll_at(&one.future, r, &c) == CAW_PENDING);
        CHECK_INT(write(fds[1], "x", 1), 1);
        close(fds[1]);
        for (int j = 0; j < 3; j++) {
            CHECK_INT(turn_until_ready(r, &one.future, &c), 0);
            CHECK_INT(one.length, j == 0);
            caw_read_init(&one, reader, buffer, sizeof buffer);
        }
        caw_reader_destroy(reader);
        CHECK_INT(c.references, 0);
        end_reactor(r);
        close(fds[0]);
    }
}
ON_BOTH_KINDS(end_is_said_as_often_as_it_is_asked_for)

static void
cancelled_read_ends_and_the_next_one_has_the_bytes(caw_reactor_kind kind)
{
    int fds[2];
    char buffer[10];
    make_pipe(fds, O_NONBLOCK);
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    caw_reader *reader = caw_reader_from_fd(fds[0]);
    caw_read_op one;
    caw_read_init(&one, reader, buffer, sizeof buffer);
    CHECK(poll_at(&one.future, r, &c) == CAW_PENDING);
    caw_future_cancel(&one.future);
    CHECK_INT(c.wakes, 1);
    CHECK_INT(turn_until_ready(r, &one.future, &c), CAW_ECANCELED);
    caw_read_init(&one, reader, buffer, sizeof buffer);
    caw_future_cancel(&one.future); /* before it began */
    CHECK_INT(write(fds[1], "x", 1), 1);
    CHECK_INT(turn_until_ready(r, &one.future, &c), CAW_ECANCELED);
    caw_read_init(&one, reader, buffer, sizeof buffer);
    CHECK_INT(turn_until_ready(r, &one.future, &c), 0);
    CHECK_INT(one.length, 1);
    caw_reader_destroy(reader);
    CHECK_INT(c.references, 0);
    end_reactor(r);
    close_both(fds);
}
ON_BOTH_KINDS(cancelled_read_ends_and_the_next_one_has_the_bytes)

static void
read_after_one_that_was_cancelled_and_given_up_is_not_cancelled(caw_reactor_kind kind)
{
    int fds[2];
    char buffer[10];
    make_sockets(fds, O_NONBLOCK);
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    caw_reader *reader = caw_reader_from_fd(fds[0]);
    caw_read_op one;
    caw_read_init(&one, reader, buffer, sizeof buffer);
    CHECK(poll_at(&one.future, r, &c) == CAW_PENDING);
    caw_future_cancel(&one.future);
    caw_future_destroy(&one.future);
    caw_read_init(&one, reader, buffer, sizeof buffer);
    CHECK(poll_at(&one.future, r, &c) == CAW_PENDING);
    caw_future_destroy(&one.future); /* given up */
    CHECK_INT(write(fds[1], "x", 1), 1);
    caw_read_init(&one, reader, buffer, sizeof buffer);
    CHECK_INT(turn_until_ready(r, &one.future, &c), 0);
    CHECK_INT(one.length, 1);
    caw_read_init(&one, reader, buffer, sizeof buffer);
    CHECK(poll_at(&one.future, r, &c) == CAW_PENDING);
    caw_reader_destroy(reader); /* while it waits */
    CHECK_INT(c.references, 0);
    end_reactor(r);
    close_both(fds);
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
    caw_write_init(&other, writer, NULL, 0); /* nothing is to be done */
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
    CHECK_INT(write(fds[1], "x", 1), 1);
    for (int i = 0; i < 2; i++) {
        caw_read_init(&one, reader, buffer, sizeof buffer);
        CHECK(poll_at(&one.future, NULL, &c) == CAW_READY);
        CHECK_INT(one.future.status, i == 0 ? 0 : CAW_ENOREACTOR);
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

static void
write_of_much_is_taken_as_fast_as_the_other_end_reads(caw_reactor_kind kind)
{
    unsigned char *much = malloc(BIG);
    for (size_t i = 0; i < BIG; i++) {
        much[i] = pattern(i);
    }
    for (int i = 0; i < 4; i++) {
        int fds[2];
        (i & 1 ? make_pipe : make_sockets)(fds, i & 2 ? O_NONBLOCK : 0);
        caw_reactor *r = new_reactor(kind);
        counter c = {0, 0};
        caw_writer *writer = caw_writer_from_fd(fds[1]);
        caw_write_op write;
        caw_write_init(&write, writer, much, BIG);
        CHECK(poll_at(&write.future, r, &c) == CAW_PENDING);
        for (int turn = 0; turn < 400 && caw_reactor_turn(r, MILLISECOND) > 0; turn++) {
            CHECK(poll_at(&write.future, r, &c) == CAW_PENDING);
        }
        CHECK(write.length < BIG); /* there is no room left */
        struct reading_thread t = {.fd = fds[0]};
        pthread_t thread;
        CHECK_INT(pthread_create(&thread, NULL, read_slowly, &t), 0);
        CHECK_INT(turn_until_ready(r, &write.future, &c), 0);
        CHECK_INT(write.length, BIG);
        caw_close_op end;
        caw_close_init(&end, writer);
        CHECK_INT(turn_until_ready(r, &end.future, &c), 0);
        if (i & 1) {
            close(fds[1]); /* a pipe's end is the fd's */
        }
        CHECK_INT(pthread_join(thread, NULL), 0);
        CHECK_INT(t.length, BIG);
        CHECK_INT(t.sum, BIG);
        caw_writer_destroy(writer);
        CHECK_INT(c.references, 0);
        end_reactor(r);
        close(fds[0]);
        if (!(i & 1)) {
            close(fds[1]);
        }
    }
    free(much);
}
ON_BOTH_KINDS(write_of_much_is_taken_as_fast_as_the_other_end_reads)

static void
write_to_nobody_is_a_broken_pipe_and_a_socket_sends_no_signal(caw_reactor_kind kind)
{
    for (int i = 0; i < 2; i++) {
        int fds[2];
        (i ? make_pipe : make_sockets)(fds, O_NONBLOCK);
        void (*before)(int) = signal(SIGPIPE, i ? SIG_IGN : SIG_DFL);
        caw_reactor *r = new_reactor(kind);
        counter c = {0, 0};
        caw_writer *writer = caw_writer_from_fd(fds[1]);
        caw_write_op write;
        close(fds[0]);
        caw_write_init(&write, writer, "text", 4);
        CHECK_INT(turn_until_ready(r, &write.future, &c), -EPIPE);
        CHECK_INT(write.length, 0);
        caw_writer_destroy(writer);
        end_reactor(r);
        close(fds[1]);
        signal(SIGPIPE, before);
    }
}
ON_BOTH_KINDS(write_to_nobody_is_a_broken_pipe_and_a_socket_sends_no_signal)

static void
cancelled_write_says_how_much_was_taken_and_can_be_gone_on_with(caw_reactor_kind kind)
{
    int fds[2];
    unsigned char *much = malloc(BIG);
    for (size_t i = 0; i < BIG; i++) {
        much[i] = pattern(i);
    }
    make_sockets(fds, O_NONBLOCK);
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    caw_writer *writer = caw_writer_from_fd(fds[1]);
    caw_write_op write;
    caw_write_init(&write, writer, much, BIG);
    caw_future_cancel(&write.future); /* before it began: nothing is written */
    CHECK_INT(turn_until_ready(r, &write.future, &c), CAW_ECANCELED);
    CHECK(write.length == 0 && !is_readable(fds[0]));
    caw_write_init(&write, writer, much, BIG);
    CHECK(poll_at(&write.future, r, &c) == CAW_PENDING);
    caw_future_cancel(&write.future);
    CHECK_INT(turn_until_ready(r, &write.future, &c), CAW_ECANCELED);
    size_t length = write.length;
    CHECK(length > 0 && length < BIG);
    caw_write_init(&write, writer, much + length, BIG - length);
    CHECK(poll_at(&write.future, r, &c) == CAW_PENDING);
    caw_future_cancel(&write.future);
    caw_future_destroy(&write.future); /* and given up: the next one is not cancelled by that */
    length += write.length;
    struct reading_thread t = {.fd = fds[0]};
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, read_slowly, &t), 0);
    caw_write_init(&write, writer, much + length, BIG - length);
    CHECK_INT(turn_until_ready(r, &write.future, &c), 0);
    CHECK_INT(shutdown(fds[1], SHUT_WR), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(t.sum, BIG);
    caw_writer_destroy(writer);
    CHECK_INT(c.references, 0);
    end_reactor(r);
    close_both(fds);
    free(much);
}
ON_BOTH_KINDS(cancelled_write_says_how_much_was_taken_and_can_be_gone_on_with)

static void
writer_may_be_destroyed_while_it_waits(caw_reactor_kind kind)
{
    int fds[2];
    char block[1 << 16] = {0};
    make_pipe(fds, O_NONBLOCK);
    while (write(fds[1], block, sizeof block) > 0) {
    }
    caw_reactor *r = new_reactor(kind);
    counter c = {0, 0};
    caw_writer *writer = caw_writer_from_fd(fds[1]);
    caw_write_op write;
    caw_write_init(&write, writer, block, sizeof block);
    CHECK(poll_at(&write.future, r, &c) == CAW_PENDING);
    caw_future_destroy(&write.future);
    caw_writer_destroy(writer);
    CHECK_INT(c.references, 0);
    end_reactor(r);
    close_both(fds);
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

/* A reader that nobody can ask to stop: neither can a read of it. */
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
