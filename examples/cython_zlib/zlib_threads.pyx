# cython: language_level=3
"""zlib on worker threads: async functions for whole buffers, and a file as a stream of compressed chunks.

What the workers run is `nogil`, and has no check of Cython in it that would take the GIL where it fails.
"""
import os
import sys

from cawait cimport *
from cpython.buffer cimport PyBUF_SIMPLE
from libc.errno cimport EIO, errno
from libc.stdio cimport FILE, fclose, ferror, fopen, fread
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset, strdup

cdef extern from "<zlib.h>" nogil:
    ctypedef struct z_stream:
        unsigned char *next_in
        unsigned int avail_in
        unsigned char *next_out
        unsigned int avail_out
    int Z_BUF_ERROR, Z_DATA_ERROR, Z_DEFLATED, Z_DEFAULT_STRATEGY, Z_FINISH, Z_NO_FLUSH, Z_OK
    unsigned long compressBound(unsigned long size)
    int compress2(unsigned char *out, unsigned long *size, const unsigned char *data, unsigned long length, int level)
    int uncompress(unsigned char *out, unsigned long *size, const unsigned char *data, unsigned long length)
    int deflateInit2(z_stream *z, int level, int method, int window_bits, int memory, int strategy)
    int deflate(z_stream *z, int flush)
    int deflateEnd(z_stream *z)
    const char *zError(int error)

module = sys.modules[__name__]

class ZlibError(Exception):
    """zlib could not do it."""

# --- whole buffers ---

cdef struct packing:  # one call; the worker's while it runs, also when nobody awaits it any more
    caw_py_ref *data  # the caller's buffer, which stays exported until this is freed
    int level
    unsigned long length
    unsigned char *bytes
    int error  # zlib's, where the status is CAW_EFAILED

cdef int pack_end(packing *p, int error) noexcept nogil:
    p.error = error
    return 0 if error == Z_OK else CAW_EFAILED

cdef int compress_run(void *arg) noexcept nogil:  # on a worker
    cdef packing *p = <packing *>arg
    cdef const Py_buffer *data = caw_py_ref_buffer(p.data)
    p.length = compressBound(data.len)
    p.bytes = <unsigned char *>malloc(p.length)
    if p.bytes is NULL:
        return CAW_ENOMEM
    return pack_end(p, compress2(p.bytes, &p.length, <unsigned char *>data.buf, data.len, p.level))

cdef int decompress_run(void *arg) noexcept nogil:  # likewise
    cdef packing *p = <packing *>arg
    cdef const Py_buffer *data = caw_py_ref_buffer(p.data)
    p.bytes = <unsigned char *>malloc(p.length + 1)
    if p.bytes is NULL:
        return CAW_ENOMEM
    return pack_end(p, uncompress(p.bytes, &p.length, <unsigned char *>data.buf, data.len))

cdef void pack_free(void *arg) noexcept nogil:  # on any thread, without the GIL
    cdef packing *p = <packing *>arg
    caw_py_ref_release(p.data)  # a thread that has the GIL gives the buffer back
    free(p.bytes)
    free(p)

cdef packing *pack_new(object data) except NULL:
    cdef caw_py_ref *held = caw_py_hold_buffer(module, data, PyBUF_SIMPLE)
    cdef packing *p = <packing *>calloc(1, sizeof(packing))
    if p is NULL:
        caw_py_ref_release(held)
        raise MemoryError
    p.data = held
    return p

def compress_arguments(data, int level=-1):
    return data, level

def decompress_arguments(data, size_t size):
    return data, size

cdef caw_future *compress_start(object self, object args, PyObject *kwargs) except? NULL:
    data, level = caw_py_parse(compress_arguments, args, kwargs)
    cdef packing *p = pack_new(data)
    p.level = level
    return caw_blocking(NULL, compress_run, p, pack_free)

cdef caw_future *decompress_start(object self, object args, PyObject *kwargs) except? NULL:
    data, size = caw_py_parse(decompress_arguments, args, kwargs)
    cdef packing *p = pack_new(data)
    p.length = size
    return caw_blocking(NULL, decompress_run, p, pack_free)

cdef object pack_result(caw_future *f):  # in the awaiting thread, with the GIL
    cdef packing *p = <packing *>caw_blocking_arg(f)
    return p.bytes[:p.length]

cdef void pack_error(caw_future *f, int status) except *:  # likewise
    cdef packing *p
    if status == CAW_EFAILED:
        p = <packing *>caw_blocking_arg(f)
        raise ZlibError(zError(p.error).decode())
    caw_py_set_error(status)

# --- a file, as a stream ---

cdef enum:
    CHUNK = 64 * 1024  # bytes, of the file and of what is made of it
    AHEAD = 4  # so many chunks are made before they are asked for

cdef struct zipping:
    caw_channel *channel  # the producer's reference
    char *path
    int level
    z_stream z
    unsigned char plain[CHUNK]

# Compress what is in `plain`, and send it. The worker sleeps while the channel is full, and another one takes its place
# in the pool. When the iteration is over the send fails.
cdef int zip_send(zipping *s, int flush) noexcept nogil:
    cdef caw_bytes_item *chunk
    cdef int status
    while True:
        chunk = caw_bytes_new(NULL, CHUNK)
        if chunk is NULL:
            return CAW_ENOMEM
        s.z.next_out, s.z.avail_out = <unsigned char *>chunk.data, CHUNK
        deflate(&s.z, flush)
        if s.z.avail_out == CHUNK:
            caw_item_destroy(&chunk.item)
            return 0
        chunk.length = CHUNK - s.z.avail_out
        status = caw_channel_send(s.channel, &chunk.item)
        if status < 0 or s.z.avail_out > 0:
            return status

cdef int zip_all(zipping *s, FILE *file) noexcept nogil:
    cdef size_t length = CHUNK
    cdef int status = 0
    if deflateInit2(&s.z, s.level, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK:  # 31: the format of gzip
        return CAW_EINVAL
    while status == 0 and length == CHUNK:
        length = fread(s.plain, 1, CHUNK, file)
        s.z.next_in, s.z.avail_in = s.plain, <unsigned int>length
        status = -EIO if ferror(file) else zip_send(s, Z_NO_FLUSH if length == CHUNK else Z_FINISH)
    deflateEnd(&s.z)
    return status

cdef int zip_run(void *arg) noexcept nogil:  # on a worker
    cdef zipping *s = <zipping *>arg
    cdef FILE *file = fopen(s.path, "rb")
    cdef int status = zip_all(s, file) if file is not NULL else -errno
    if file is not NULL:
        fclose(file)
    caw_channel_close(s.channel, status)  # what the iteration ends with
    return 0

cdef void zip_end(void *arg) noexcept nogil:  # after it, or in its place
    cdef zipping *s = <zipping *>arg
    caw_channel_close(s.channel, CAW_EBROKEN)  # for where it never ran: the first close counts
    caw_channel_release(s.channel)  # and with the last reference `zip_free`

cdef void zip_free(void *arg) noexcept nogil:  # when neither side uses it any more
    free((<zipping *>arg).path)
    free(arg)

cdef int zip_begin(caw_channel *channel, void *user) noexcept nogil:  # by the first step of the iteration
    (<zipping *>user).channel = channel
    caw_spawn_detached(NULL, caw_blocking(NULL, zip_run, user, zip_end))  # where this fails, zip_end was called
    return 0

def gzip_file_arguments(path, int level=-1):
    if not -1 <= level <= 9:
        raise ValueError("level must be between -1 and 9")
    return os.fsencode(path), level

cdef caw_stream *gzip_file_start(object self, object args, PyObject *kwargs) except? NULL:
    path, level = caw_py_parse(gzip_file_arguments, args, kwargs)
    cdef caw_channel *channel = NULL
    cdef caw_channel_spec spec
    cdef zipping *s = <zipping *>calloc(1, sizeof(zipping))
    if s is NULL:
        return NULL
    s.path, s.level = strdup(path), level
    if s.path is NULL:
        zip_free(s)
        return NULL
    memset(&spec, 0, sizeof(spec))
    spec.capacity, spec.start, spec.free, spec.user = AHEAD, zip_begin, zip_free, s
    if caw_channel_new(&spec, &channel) < 0:  # which frees it
        return NULL
    return caw_channel_stream(channel)

cdef object gzip_file_item(caw_stream *stream, caw_item *item):  # in the awaiting thread, with the GIL
    cdef caw_bytes_item *chunk = <caw_bytes_item *>item
    return chunk.data[:chunk.length]

# --- the module: tables that are filled in when it is imported, with one row more than there are ---

cdef caw_py_async_def functions[3]
functions[0] = CAW_PY_ASYNC("compress", compress_start, pack_result,
                            "compress(data, level=-1)\n--\n\nThe data, compressed by a worker.")
functions[1] = CAW_PY_ASYNC("decompress", decompress_start, pack_result,
                            "decompress(data, size)\n--\n\nThe data as it was: at most size bytes.")
functions[0].spec.error = functions[1].spec.error = pack_error
caw_py_add_functions(module, functions)

cdef caw_py_stream_def streams[2]
streams[0] = CAW_PY_STREAM("gzip_file", gzip_file_start, gzip_file_item,
                           "gzip_file(path, level=-1)\n--\n\nThe chunks of a file in the format of gzip.")
caw_py_add_streams(module, streams)
