# cython: language_level=3
"""An async function on a thread of its own, a stream, and an async function in C (settled.c).

The threads never touch Python: they need no GIL, and they do not mind if the loop has ended.
"""
import os
import sys

from cawait cimport *
from libc.errno cimport errno
from libc.stdint cimport uint32_t
from libc.stdio cimport FILE, fclose, ferror, fopen, fread
from libc.stdlib cimport calloc, free
from libc.string cimport memset, strdup

cdef extern from "<pthread.h>" nogil:
    ctypedef struct pthread_t:
        pass
    int pthread_create(pthread_t *thread, void *attributes, void *(*function)(void *) noexcept, void *arg)
    int pthread_detach(pthread_t thread)

cdef extern from "settled.h" nogil:
    caw_future *settled_new(const char *path, double seconds, caw_future *(*checksum)(const char *) noexcept,
                            uint32_t (*sum_of)(caw_future *) noexcept)
    uint32_t settled_sum(caw_future *f)

cdef int run_in_a_thread(void *(*function)(void *) noexcept nogil, void *arg) noexcept nogil:
    cdef pthread_t thread
    cdef int error = pthread_create(&thread, NULL, function, arg)
    return -error if error else pthread_detach(thread)

# --- checksum(path): a promise, which the thread keeps ---

cdef struct checksum:
    caw_promise promise  # first: the struct is freed through it
    uint32_t sum
    char *path

cdef int adler32(const char *path, uint32_t *sum) noexcept nogil:  # 0, or an error as a negative number: -ENOENT
    cdef unsigned char[4096] bytes
    cdef uint32_t a = 1, b = 0
    cdef size_t i, length = 1
    cdef FILE *file = fopen(path, "re")
    if file is NULL:
        return -errno
    while length > 0:
        length = fread(bytes, 1, sizeof(bytes), file)
        for i in range(length):
            a = (a + bytes[i]) % <uint32_t>65521
            b = (b + a) % <uint32_t>65521
    cdef int status = -errno if ferror(file) else 0
    fclose(file)
    sum[0] = b << 16 | a
    return status

cdef void *checksum_thread(void *arg) noexcept nogil:
    cdef checksum *c = <checksum *>arg
    cdef int status = adler32(c.path, &c.sum)
    caw_promise_resolve(&c.promise, status)  # once, and the last use of c: it may be freed now
    return NULL

cdef int checksum_begin(caw_promise *p) noexcept nogil:  # at the first poll
    return run_in_a_thread(checksum_thread, p)

cdef void checksum_free(caw_promise *p) noexcept nogil:  # on any thread, when both the awaiter and the thread have ended
    free((<checksum *>p).path)
    free(p)

cdef caw_promise_ops checksum_ops = CAW_PROMISE_OPS("NAME.checksum", checksum_begin, checksum_free)

cdef caw_future *checksum_new(const char *path) noexcept nogil:
    cdef checksum *c = <checksum *>calloc(1, sizeof(checksum))
    if c is NULL:
        return NULL  # a MemoryError
    c.path = strdup(path)
    if c.path is NULL:
        free(c)
        return NULL
    caw_promise_init(&c.promise, &checksum_ops)
    return &c.promise.future

cdef uint32_t checksum_sum(caw_future *f) noexcept nogil:
    return (<checksum *>f).sum

cdef caw_future *checksum_start(object self, object path) except? NULL:
    return checksum_new(os.fsencode(path))

cdef object checksum_result(caw_future *f):
    return checksum_sum(f)

# --- chunks(path, size): a channel between a thread and `async for` ---

cdef enum:
    AHEAD = 16  # at most so many chunks are read ahead; then the thread waits

cdef struct reader:
    caw_channel *channel  # a reference, which the thread gives back
    size_t size
    char *path

cdef int reader_send(reader *r, FILE *file) noexcept nogil:  # CAW_ECLOSED at the end, and when nobody iterates any more
    cdef caw_bytes_item *chunk = caw_bytes_new(NULL, r.size)
    if chunk is NULL:
        return CAW_ENOMEM
    chunk.length = fread(chunk.data, 1, r.size, file)
    if chunk.length > 0:
        return caw_channel_send(r.channel, &chunk.item)  # waits for room; takes the item in any case
    caw_item_destroy(&chunk.item)
    return -errno if ferror(file) else CAW_ECLOSED

cdef void *reader_thread(void *arg) noexcept nogil:
    cdef reader *r = <reader *>arg
    cdef caw_channel *channel = r.channel
    cdef FILE *file = fopen(r.path, "re")
    cdef int status = -errno if file is NULL else 0
    while status == 0:
        status = reader_send(r, file)
    if file is not NULL:
        fclose(file)
    caw_channel_close(channel, 0 if status == CAW_ECLOSED else status)  # what `async for` ends with
    caw_channel_release(channel)
    return NULL

cdef int reader_start(caw_channel *channel, void *user) noexcept nogil:  # by the first step of the iteration
    (<reader *>user).channel = channel
    cdef int status = run_in_a_thread(reader_thread, user)
    if status < 0:
        caw_channel_release(channel)
    return status

cdef void reader_free(void *user) noexcept nogil:
    free((<reader *>user).path)
    free(user)

def chunks_arguments(path, Py_ssize_t size=65536):
    if size <= 0:
        raise ValueError("size must be positive")
    return os.fsencode(path), size

cdef caw_stream *chunks_start(object self, object args, PyObject *kwargs) except? NULL:
    path, size = caw_py_parse(chunks_arguments, args, kwargs)
    cdef reader *r = <reader *>calloc(1, sizeof(reader))
    if r is NULL:
        return NULL
    r.size, r.path = size, strdup(path)
    if r.path is NULL:
        free(r)
        return NULL
    cdef caw_channel *channel = NULL
    cdef caw_channel_spec spec
    memset(&spec, 0, sizeof(spec))
    spec.capacity, spec.start, spec.free, spec.user = AHEAD, reader_start, reader_free, r
    return caw_channel_stream(channel) if caw_channel_new(&spec, &channel) == 0 else NULL

cdef object chunks_item(caw_stream *stream, caw_item *item):
    cdef caw_bytes_item *chunk = <caw_bytes_item *>item
    return chunk.data[:chunk.length]

# --- settled(path, seconds): an async function in C ---

def settled_arguments(path, double seconds=1.0):
    if not 0 <= seconds < 1e9:
        raise ValueError("seconds must be from 0 to a thousand million")
    return os.fsencode(path), seconds

cdef caw_future *settled_start(object self, object args, PyObject *kwargs) except? NULL:
    path, seconds = caw_py_parse(settled_arguments, args, kwargs)
    return settled_new(path, seconds, checksum_new, checksum_sum)

cdef object settled_result(caw_future *f):
    return settled_sum(f)

# --- the module: tables that are filled in when it is imported, with one row more than there are ---

module = sys.modules[__name__]

cdef caw_py_async_def functions[3]
functions[0] = CAW_PY_ASYNC_O("checksum", checksum_start, checksum_result,
                              "checksum(path, /)\n--\n\nThe Adler-32 of a file, computed by a thread of its own.")
functions[1] = CAW_PY_ASYNC("settled", settled_start, settled_result,
                            "settled(path, seconds=1.0)\n--\n\n"
                            "Wait until a file has not changed for a time; return its checksum.")
caw_py_add_functions(module, functions)

cdef caw_py_stream_def streams[2]
streams[0] = CAW_PY_STREAM("chunks", chunks_start, chunks_item,
                           "chunks(path, size=65536)\n--\n\nThe content of a file, read ahead by a thread of its own.")
caw_py_add_streams(module, streams)
