/* test_file.c: files read and written on workers. */
#include "support/give_up.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

/* A file that is gone with its last reference. */
static caw_file *
file_new(void)
{
    char name[] = "/tmp/caw-test-XXXXXX";
    int fd = mkstemp(name);
    CHECK(fd >= 0);
    CHECK_INT(unlink(name), 0);
    caw_file *file = caw_file_new(fd);
    CHECK(file);
    return file;
}

static caw_bytes_item *
bytes_of(const char *text)
{
    return caw_bytes_new(text, strlen(text));
}

/* Wait for it, destroy it, and return its status. */
static int
end_of(caw_future *f)
{
    CHECK(f);
    int status = caw_block_on(f);
    caw_future_destroy(f);
    return status;
}

static void
write_at(caw_file *file, uint64_t offset, const char *text)
{
    CHECK_INT(end_of(caw_file_write(NULL, file, offset, bytes_of(text))), 0);
}

static void
check_read(caw_file *file, uint64_t offset, size_t size, const char *expected)
{
    caw_future *f = caw_file_read(NULL, file, offset, size);
    CHECK_INT(caw_block_on(f), 0);
    caw_bytes_item *bytes = caw_file_read_take(f);
    CHECK(bytes);
    CHECK(!caw_file_read_take(f));
    caw_future_destroy(f);
    CHECK_INT(bytes->length, strlen(expected));
    CHECK(memcmp(bytes->data, expected, bytes->length) == 0);
    caw_item_destroy(&bytes->item);
}

static void
bytes_are_read_where_they_were_written(void)
{
    caw_file *file = file_new();
    write_at(file, 0, "0123456789");
    write_at(file, 4, "abc");
    check_read(file, 0, 10, "0123abc789");
    check_read(file, 3, 2, "3a");
    check_read(file, 8, 100, "89"); /* the end of the file */
    check_read(file, 10, 4, "");
    check_read(file, 1000000, 4, "");
    check_read(file, 0, 0, "");
    CHECK_INT(end_of(caw_file_sync(NULL, file)), 0);
    CHECK_INT(end_of(caw_file_sync_data(NULL, file)), 0);
    caw_file_release(file);
}

static void
large_file_comes_back_whole(void)
{
    enum { SIZE = 5000000 };
    caw_file *file = file_new();
    caw_bytes_item *bytes = caw_bytes_new(NULL, SIZE);
    CHECK(bytes);
    for (int i = 0; i < SIZE; i++) {
        bytes->data[i] = (char)(i * 7 + i / 251);
    }
    caw_future *f = caw_file_write(NULL, file, 3, bytes), *g = caw_file_read(NULL, file, 3, SIZE);
    CHECK_INT(caw_block_on(f), 0);
    CHECK_INT(caw_file_write_count(f), SIZE);
    CHECK_INT(caw_block_on(g), 0);
    caw_bytes_item *back = caw_file_read_take(g);
    CHECK_INT(back->length, SIZE);
    CHECK(memcmp(bytes->data, back->data, SIZE) == 0); /* the write's are there until it is destroyed */
    caw_item_destroy(&back->item);
    caw_future_destroy(f);
    caw_future_destroy(g);
    caw_file_release(file);
}

static void
offsets_beyond_all_files_are_EINVAL(void)
{
    caw_file *file = file_new();
    const uint64_t beyond[] = {(uint64_t)INT64_MAX - 1, (uint64_t)INT64_MAX + 1, UINT64_MAX};
    for (int i = 0; i < 3; i++) {
        CHECK_INT(end_of(caw_file_read(NULL, file, beyond[i], 2)), CAW_EINVAL);
        CHECK_INT(end_of(caw_file_write(NULL, file, beyond[i], bytes_of("ab"))), CAW_EINVAL);
    }
    caw_file_release(file);
}

static void
file_that_is_not_open_is_EBADF_and_a_pipe_ESPIPE(void)
{
    caw_file *none = caw_file_new(-1);
    CHECK_INT(end_of(caw_file_read(NULL, none, 0, 4)), CAW_EBADF);
    CHECK_INT(end_of(caw_file_write(NULL, none, 0, bytes_of("ab"))), CAW_EBADF);
    CHECK_INT(end_of(caw_file_sync(NULL, none)), CAW_EBADF);
    CHECK_INT(end_of(caw_file_sync_data(NULL, none)), CAW_EBADF);
    caw_file_release(none);
    int fds[2];
    CHECK_INT(pipe(fds), 0);
    caw_file *file = caw_file_new(fds[0]);
    caw_future *f = caw_file_read(NULL, file, 0, 4);
    CHECK_INT(caw_block_on(f), -ESPIPE);
    CHECK(!caw_file_read_take(f));
    caw_future_destroy(f);
    caw_file_release(file);
    close(fds[1]);
}

static void
no_file_or_no_bytes_is_as_no_memory(void)
{
    caw_file *file = file_new();
    CHECK(!caw_file_read(NULL, NULL, 0, 4));
    CHECK(!caw_file_write(NULL, NULL, 0, bytes_of("ab")));
    CHECK(!caw_file_write(NULL, file, 0, NULL));
    CHECK(!caw_file_sync(NULL, NULL));
    CHECK(!caw_file_read(NULL, file, 0, SIZE_MAX));
    CHECK(!caw_file_retain(NULL));
    caw_file_release(NULL);
    caw_file_release(file);
}

static void
write_to_a_full_device_is_ENOSPC(void)
{
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        SKIP("no /dev/full");
        return;
    }
    caw_file *file = caw_file_new(fd);
    caw_future *f = caw_file_write(NULL, file, 0, bytes_of("abc"));
    CHECK_INT(caw_block_on(f), -ENOSPC);
    CHECK_INT(caw_file_write_count(f), 0);
    caw_future_destroy(f);
    caw_file_release(file);
}

static void
write_that_comes_to_a_limit_counts_the_part_that_is_in_the_file(void)
{
    caw_file *file = file_new();
    struct rlimit before, small;
    CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    CHECK_INT(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 5;
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &small), 0);
    caw_future *f = caw_file_write(NULL, file, 0, bytes_of("0123456789"));
    int status = caw_block_on(f);
    size_t count = caw_file_write_count(f);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &before), 0);
    CHECK(signal(SIGXFSZ, SIG_DFL) != SIG_ERR);
    CHECK_INT(status, -EFBIG);
    CHECK_INT(count, 5);
    caw_future_destroy(f);
    check_read(file, 0, 100, "01234");
    caw_file_release(file);
}

/* --- what is given up --- */

static atomic_int holding;

static int
hold(void *arg)
{
    (void)arg;
    holding = 2;
    while (holding) {
        (void)usleep(100);
    }
    return 0;
}

/* A pool whose one worker is busy until holding is 0. */
static caw_pool *
busy_pool(caw_future **call)
{
    caw_pool *pool = new_pool(1);
    holding = 1;
    *call = caw_blocking(pool, hold, NULL, NULL);
    CHECK(poll_without_waker(*call, NULL) == CAW_PENDING);
    while (holding != 2) {
        (void)usleep(100);
    }
    return pool;
}

static void
operation_given_up_in_the_queue_does_nothing_and_releases_its_file(void)
{
    for (int polls = 0; polls < 3; polls++) {
        for (int way = 0; way < GIVE_UP_WAYS; way++) {
            caw_future *call;
            caw_pool *pool = busy_pool(&call);
            caw_reactor *r = new_reactor(CAW_REACTOR_DEFAULT);
            caw_file *file = file_new();
            int fd = caw_file_fd(file), second = dup(fd);
            caw_future *f[] = {caw_file_write(pool, file, 0, bytes_of("abc")), caw_file_read(pool, file, 0, 100),
                               caw_file_sync(pool, file)};
            caw_file_release(file);
            for (int i = 0; i < 3; i++) {
                int status = give_up(f[i], r, polls, way);
                CHECK_INT(status, way == GIVE_UP_CANCEL ? CAW_ECANCELED : 0);
            }
            holding = 0;
            CHECK_INT(end_of(call), 0);
            end_pool(pool);
            CHECK_INT(fcntl(fd, F_GETFD), -1);
            /* One that was destroyed only, after it had been polled, may have run. */
            CHECK(lseek(second, 0, SEEK_END) == 0 || (polls > 0 && way == GIVE_UP_DESTROY));
            close(second);
            end_reactor(r);
        }
    }
}

static void
cancel_of_one_that_runs_or_ran_loses_nothing(void)
{
    for (int i = 0; i < 300; i++) {
        caw_pool *pool = new_pool(1);
        caw_file *file = file_new();
        caw_future *f = caw_file_write(pool, file, 0, bytes_of("abc"));
        counter c = {0, 0};
        bool ready = poll_at(f, NULL, &c) == CAW_READY;
        if (!ready) {
            caw_future_cancel(f);
            (void)caw_block_on(f);
        }
        CHECK(f->status == 0 || f->status == CAW_ECANCELED);
        CHECK_INT(lseek(caw_file_fd(file), 0, SEEK_END), f->status == 0 ? 3 : 0);
        CHECK_INT(caw_file_write_count(f), f->status == 0 ? 3 : 0);
        caw_future_destroy(f);
        end_pool(pool);
        CHECK_INT(c.references, 0);
        caw_file_release(file);
    }
}

static void
thousands_of_operations_at_once_all_end(void)
{
    enum { N = 10000 };
    static caw_future *f[N];
    static bool done[N];
    caw_pool *pool = new_pool(2);
    caw_file *file = file_new();
    for (int i = 0; i < N; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "%04d", i);
        f[i] = caw_file_write(pool, file, (uint64_t)i * 4, bytes_of(text));
        done[i] = poll_without_waker(f[i], NULL) == CAW_READY;
    }
    for (int i = 0; i < N; i++) {
        CHECK_INT(done[i] ? f[i]->status : caw_block_on(f[i]), 0);
        caw_future_destroy(f[i]);
    }
    check_read(file, 4 * 1234, 12, "123412351236");
    CHECK_INT(lseek(caw_file_fd(file), 0, SEEK_END), 4 * N);
    caw_file_release(file);
    end_pool(pool);
}

TESTS(TEST(bytes_are_read_where_they_were_written), TEST(large_file_comes_back_whole),
      TEST(offsets_beyond_all_files_are_EINVAL), TEST(file_that_is_not_open_is_EBADF_and_a_pipe_ESPIPE),
      TEST(no_file_or_no_bytes_is_as_no_memory), TEST(write_to_a_full_device_is_ENOSPC),
      TEST(write_that_comes_to_a_limit_counts_the_part_that_is_in_the_file),
      TEST(operation_given_up_in_the_queue_does_nothing_and_releases_its_file),
      TEST(cancel_of_one_that_runs_or_ran_loses_nothing), TEST(thousands_of_operations_at_once_all_end))
