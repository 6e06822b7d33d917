/* cawait/file.h: regular files, read and written by the workers of a pool, so that no loop waits for a disk.
 *
 * A worker that reads or writes goes on when whoever awaits it has gone. So what it works with is counted: the fd is in
 * a caw_file, which each operation holds a reference of, and the bytes are in a caw_bytes_item (stream.h), which is the
 * operation's until it is taken. Neither buffers nor fds of the caller's are used.
 *
 *     caw_file *file = caw_file_new(open(path, O_RDONLY | O_CLOEXEC));      // one reference
 *     caw_future *f = caw_file_read(NULL, file, 0, 65536);                  // await it, then:
 *     caw_bytes_item *bytes = caw_file_read_take(f);                        // ...bytes->data, bytes->length...
 *     caw_future_destroy(f);
 *     caw_item_destroy(&bytes->item);
 *     caw_file_release(file);
 *
 * A cancel takes an operation out of the pool's queue, and does nothing to one that runs: that ends with its own
 * result, so nothing is lost. Each is cancel-safe: where it ends with CAW_ECANCELED, nothing was read or written. In
 * the child of a fork what was made before ends with CAW_EFORKED.
 */
#ifndef CAWAIT_FILE_H
#define CAWAIT_FILE_H

#include "cawait/pool.h"
#include "cawait/stream.h"

typedef struct caw_file caw_file;

CAW_BEGIN_DECLS

/* An open fd, which is closed with the last reference; -1 is allowed, and each operation then ends with CAW_EBADF.
 *   any-thread · no-gil · takes(fd) · returns-new, NULL when out of memory · quiet */
CAW_API caw_file *caw_file_new(int fd);

/* One more reference; and one less. The last one closes the fd, perhaps on a worker. An error of that is lost: await a
 * caw_file_sync before. NULL is allowed.
 *   any-thread · no-gil · borrows(file) / takes(one reference) · never fails · quiet */
CAW_API caw_file *caw_file_retain(caw_file *file);
CAW_API void caw_file_release(caw_file *file);

/* The fd, for what else is to be done with it while a reference is held.
 *   any-thread · no-gil · borrows(file), returns-borrowed · never fails · quiet */
CAW_API int caw_file_fd(const caw_file *file);

/* --- operations. A NULL pool is the default one. They run in no order: one that needs another awaits it. An offset or
 * an end above INT64_MAX is CAW_EINVAL. A NULL file is as if there were no memory, so that what caw_file_new gave need
 * not be looked at before. --- */

/* Read up to `size` bytes at an offset. There are fewer only at the end of the file, and none beyond it.
 *   any-thread · no-gil · borrows(pool, file), which are retained · returns-new, NULL when out
 *   of memory · quiet */
CAW_API caw_future *caw_file_read(caw_pool *pool, caw_file *file, uint64_t offset, size_t size);

/* The bytes, once, after it has ended with 0: the caller's from now on. NULL when there are none, or they were taken.
 *   poller · no-gil · borrows(f), returns-new · never fails · quiet */
CAW_API caw_bytes_item *caw_file_read_take(caw_future *f);

/* Write all of the bytes at an offset, whatever their number. So it is with NULL for bytes: caw_bytes_new may stand in
 * the call. A file that was opened with O_APPEND is written at its end, on Linux, whatever the offset.
 *   any-thread · no-gil · borrows(pool, file), which are retained; takes(bytes) · returns-new,
 *   NULL when out of memory · quiet */
CAW_API caw_future *caw_file_write(caw_pool *pool, caw_file *file, uint64_t offset, caw_bytes_item *bytes);

/* How many bytes it has written: all of them where it ended with 0; else perhaps a part, which is then in the file.
 *   poller, when it has ended · no-gil · borrows(f) · never fails · quiet */
CAW_API size_t caw_file_write_count(const caw_future *f);

/* Have what was written before reach the disk: fsync(), with all that is known of the file, and fdatasync(), with what
 * is needed to read the bytes again. What they promise is the system's. After an error do not try again: what was not
 * written may be gone.
 *   any-thread · no-gil · borrows(pool, file), which are retained · returns-new, NULL when out
 *   of memory · quiet */
CAW_API caw_future *caw_file_sync(caw_pool *pool, caw_file *file);
CAW_API caw_future *caw_file_sync_data(caw_pool *pool, caw_file *file);

CAW_END_DECLS

#endif
