/* file.c: regular files on the workers of a pool.
 *
 * An operation is a caw_work. The worker has all of its struct from the first poll until the promise is resolved, whose
 * end publishes what was written here to whoever awaits it (promise.c). The struct is freed by the side that ends last,
 * and with it go the bytes that nobody took, and the reference of the file.
 */
#include "cawait/file.h"

#include "core/os/fd.h"

#include <stdatomic.h>
#include <stdlib.h>

struct caw_file {
    atomic_uint references;
    int fd; /* unchanged */
};

typedef struct file_call {
    caw_work work;
    caw_file *file; /* retained */
    uint64_t offset;
    caw_bytes_item *bytes; /* owned; NULL for a sync */
    size_t count;          /* written */
} file_call;

caw_file *
caw_file_new(int fd)
{
    caw_file *file = malloc(sizeof *file);
    if (!file) {
        caw__fd_close(fd);
        return NULL;
    }
    atomic_init(&file->references, 1);
    file->fd = fd;
    return file;
}

caw_file *
caw_file_retain(caw_file *file)
{
    if (file) {
        atomic_fetch_add_explicit(&file->references, 1, memory_order_relaxed); /* relaxed: the caller has one */
    }
    return file;
}

void
caw_file_release(caw_file *file)
{
    /* acq_rel: all uses by others, before their release, come before the close. */
    if (file && atomic_fetch_sub_explicit(&file->references, 1, memory_order_acq_rel) == 1) {
        caw__fd_close(file->fd);
        free(file);
    }
}

int
caw_file_fd(const caw_file *file)
{
    return file->fd;
}

/* --- operations --- */

static file_call *
file_call_of(const caw_future *f)
{
    const caw_promise *p = CAW_CONTAINER_OF(f, const caw_promise, future);
    return CAW_CONTAINER_OF(p, file_call, work.promise);
}

static int
file_run_read(caw_work *w)
{
    file_call *call = CAW_CONTAINER_OF(w, file_call, work);
    size_t length;
    int error = caw__fd_read_at(call->file->fd, call->bytes->data, call->bytes->length, call->offset, &length);
    call->bytes->length = length;
    return error;
}

static int
file_run_write(caw_work *w)
{
    file_call *call = CAW_CONTAINER_OF(w, file_call, work);
    return caw__fd_write_at(call->file->fd, call->bytes->data, call->bytes->length, call->offset, &call->count);
}

static int
file_run_sync(caw_work *w)
{
    return caw__fd_sync(CAW_CONTAINER_OF(w, file_call, work)->file->fd);
}

static int
file_run_sync_data(caw_work *w)
{
    return caw__fd_sync_data(CAW_CONTAINER_OF(w, file_call, work)->file->fd);
}

static void
file_call_free(caw_work *w)
{
    file_call *call = CAW_CONTAINER_OF(w, file_call, work);
    if (call->bytes) {
        caw_item_destroy(&call->bytes->item);
    }
    caw_file_release(call->file);
    free(call);
}

static file_call *
file_call_new(caw_pool *pool, caw_file *file, int (*run)(caw_work *w))
{
    file_call *call = file ? malloc(sizeof *call) : NULL;
    if (call) {
        caw_work_init(&call->work, pool, run, file_call_free);
        call->file = caw_file_retain(file);
        call->offset = 0;
        call->bytes = NULL;
        call->count = 0;
    }
    return call;
}

/* With bytes, which it takes. */
static caw_future *
file_transfer(caw_pool *pool, caw_file *file, int (*run)(caw_work *w), uint64_t offset, caw_bytes_item *bytes)
{
    file_call *call = bytes ? file_call_new(pool, file, run) : NULL;
    if (!call) {
        if (bytes) {
            caw_item_destroy(&bytes->item);
        }
        return NULL;
    }
    call->offset = offset;
    call->bytes = bytes;
    return &call->work.promise.future;
}

caw_future *
caw_file_read(caw_pool *pool, caw_file *file, uint64_t offset, size_t size)
{
    return file_transfer(pool, file, file_run_read, offset, caw_bytes_new(NULL, size));
}

caw_bytes_item *
caw_file_read_take(caw_future *f)
{
    file_call *call = file_call_of(f);
    caw_bytes_item *bytes = f->status == 0 ? call->bytes : NULL;
    if (bytes) {
        call->bytes = NULL;
    }
    return bytes;
}

caw_future *
caw_file_write(caw_pool *pool, caw_file *file, uint64_t offset, caw_bytes_item *bytes)
{
    return file_transfer(pool, file, file_run_write, offset, bytes);
}

size_t
caw_file_write_count(const caw_future *f)
{
    return file_call_of(f)->count;
}

static caw_future *
file_sync(caw_pool *pool, caw_file *file, int (*run)(caw_work *w))
{
    file_call *call = file_call_new(pool, file, run);
    return call ? &call->work.promise.future : NULL;
}

caw_future *
caw_file_sync(caw_pool *pool, caw_file *file)
{
    return file_sync(pool, file, file_run_sync);
}

caw_future *
caw_file_sync_data(caw_pool *pool, caw_file *file)
{
    return file_sync(pool, file, file_run_sync_data);
}
