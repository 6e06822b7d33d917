# What Python awaits and iterates, and what C awaits of Python. See cawait/__init__.pxd.
#
# Unless a group says something else: any thread, with the GIL; exceptions come as exceptions. References are counted by
# Cython where the type is `object`. A PyObject * is a borrowed reference, or one that may be NULL: `<object>pointer`
# makes a counted one of it. `module` is the extension itself: sys.modules[__name__].
from cpython.ref cimport Py_DECREF, Py_INCREF, PyObject, PyTypeObject
from libc.stdint cimport uint64_t
from libc.string cimport memset
from cawait.core cimport CAW_EPYTHON, _bool, caw_future
from cawait.stream cimport caw_item, caw_reader, caw_stream, caw_writer

cdef extern from "<cawait.h>":
    ctypedef struct caw_py_ref:
        pass
    ctypedef struct caw_py_locals:
        pass

cdef extern from "<cawait.h>" nogil:
    # --- python_await.h, what needs no GIL: any thread. The last release of a reference drops the object on a thread
    # that has the GIL, so it is what a `free` callback calls. NULL is allowed.
    caw_py_locals *caw_py_locals_retain(caw_py_locals *locals)
    void caw_py_locals_release(caw_py_locals *locals)
    _bool caw_py_locals_is_closed(const caw_py_locals *locals)
    caw_py_locals *caw_py_locals_current()  # borrowed
    caw_future *caw_py_scope(caw_py_locals *locals, caw_future *child)
    caw_future *caw_py_scope_child(const caw_future *scope)  # borrowed
    caw_py_ref *caw_py_ref_retain(caw_py_ref *ref)
    void caw_py_ref_release(caw_py_ref *ref)
    const Py_buffer *caw_py_ref_buffer(const caw_py_ref *ref)  # borrowed
    caw_future *caw_py_group(caw_future *group, const char *message)

    # --- how a thread without the GIL calls Python. `call` and `result` have the GIL, in the loop's thread; `free` runs
    # on any thread, with the GIL or without.
    ctypedef struct caw_py_call_spec:
        object (*call)(void *arg)
        int (*result)(void *arg, object value) except? CAW_EPYTHON
        void (*free)(void *arg) noexcept nogil
    caw_future *caw_py_call(caw_py_locals *locals, const caw_py_call_spec *spec, void *arg)

cdef extern from "<cawait.h>":
    # --- python_await.h. locals: the loop's thread.
    ctypedef enum caw_py_loop_state:
        CAW_PY_LOOP_CLOSED
        CAW_PY_LOOP_STOPPED
        CAW_PY_LOOP_RUNNING
    caw_py_locals *caw_py_locals_new(object module) except NULL
    caw_py_loop_state caw_py_locals_loop_state(const caw_py_locals *locals)
    caw_py_ref *caw_py_ref_new(caw_py_locals *locals, object object_) except NULL
    caw_py_ref *caw_py_hold(object module, object object_) except NULL
    caw_py_ref *caw_py_hold_buffer(object module, object object_, int flags) except NULL
    PyObject *caw_py_ref_get(const caw_py_ref *ref)  # borrowed
    object caw_py_value(caw_future *f)
    PyObject *_caw_py_exception "caw_py_exception"(caw_future *f)
    caw_future *_caw_py_await "caw_py_await"(caw_py_locals *locals, PyObject *awaitable) except NULL

    # --- python_coroutine.h
    ctypedef enum caw_py_cancel:
        CAW_PY_CANCEL_DEFAULT
        CAW_PY_CANCEL_WAIT
        CAW_PY_CANCEL_DETACH
        CAW_PY_CANCEL_SHIELD
        CAW_PY_CANCEL_KEEP
    ctypedef enum caw_py_checkpoint:
        CAW_PY_CHECKPOINT_DEFAULT
        CAW_PY_CHECKPOINT_BEFORE
        CAW_PY_CHECKPOINT_INSIDE
    # All functions of a spec, and start functions, are called with the GIL. A spec lives as long as the module: it is a
    # variable of the module. `file` and `line` are for tracebacks; `error` sets an exception, by `raise`.
    ctypedef struct caw_py_spec:
        const char *name
        object (*result)(caw_future *f)
        const char *file
        int line
        const char *doc
        const char *qualname
        void (*error)(caw_future *f, int status) except *
        caw_py_cancel cancel
        _bool keep_value
        void (*on_throw)(caw_future *f, object exception) except *
        _bool wrap_in_python
        _bool finish_at_exit
        _bool poll_without_gil
        caw_py_checkpoint checkpoint
        uint64_t cancel_grace_ns
        const char *sync_name
        const char *sync_doc
    ctypedef enum caw_py_convention:
        CAW_PY_VARARGS
        CAW_PY_NOARGS
        CAW_PY_O
        CAW_PY_FASTCALL
    # kwargs and kwnames may be NULL. For VARARGS see caw_py_parse. NULL without an exception is a MemoryError.
    ctypedef union caw_py_start:
        caw_future *(*varargs)(object self, object args, PyObject *kwargs) except? NULL
        caw_future *(*noargs)(object self) except? NULL
        caw_future *(*o)(object self, object arg) except? NULL
        caw_future *(*fastcall)(object self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) except? NULL
    ctypedef struct caw_py_async_def:
        caw_py_convention convention
        caw_py_start start
        caw_py_spec spec
    # A table is an array of the module with one row more than are filled in. Methods are for `class`es and their like;
    # a cdef class has `def` methods instead, which return a caw_py_coroutine. inspect.markcoroutinefunction (Python 3.12)
    # tells of such a function, of a module or a class, what it is; those of tables are async functions already.
    int caw_py_add_functions(object module, const caw_py_async_def *defs) except -1
    int caw_py_add_methods(object module, PyTypeObject *type, const caw_py_async_def *defs) except -1
    object _caw_py_coroutine "caw_py_coroutine"(object module, caw_future *future, const caw_py_spec *spec)
    object _caw_py_block_on "caw_py_block_on"(object module, caw_future *future, const caw_py_spec *spec)
    object caw_py_set_error(int status)  # always raises

    # --- python_stream.h. As above. `item` borrows the item, which is destroyed afterwards.
    ctypedef struct caw_py_stream_spec:
        const char *name
        object (*item)(caw_stream *s, caw_item *item)
        const char *file
        int line
        const char *doc
        const char *qualname
        void (*error)(caw_stream *s, int status) except *
        caw_py_cancel cancel
        size_t batch
        _bool poll_without_gil
        uint64_t cancel_grace_ns
        int (*on_send)(caw_stream *s, object value) except -1
        int (*on_throw)(caw_stream *s, object exception) except? -1
    ctypedef union caw_py_stream_start:
        caw_stream *(*varargs)(object self, object args, PyObject *kwargs) except? NULL
        caw_stream *(*noargs)(object self) except? NULL
        caw_stream *(*o)(object self, object arg) except? NULL
        caw_stream *(*fastcall)(object self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) except? NULL
    ctypedef struct caw_py_stream_def:
        caw_py_convention convention
        caw_py_stream_start start
        caw_py_stream_spec spec
    # `convert` has the GIL, in the loop's thread; `free` runs on any thread, with the GIL or without.
    ctypedef struct caw_py_iterable_spec:
        int (*convert)(void *user, object value, caw_item **out) except? CAW_EPYTHON
        void (*free)(void *user) noexcept nogil
        void *user
        size_t capacity
    int caw_py_add_streams(object module, const caw_py_stream_def *defs) except -1
    int caw_py_add_stream_methods(object module, PyTypeObject *type, const caw_py_stream_def *defs) except -1
    object _caw_py_async_generator "caw_py_async_generator"(object module, caw_stream *stream,
                                                            const caw_py_stream_spec *spec)
    caw_stream *_caw_py_iterate "caw_py_iterate"(caw_py_locals *locals, PyObject *iterable,
                                                 const caw_py_iterable_spec *spec) except NULL
    _bool caw_py_iterate_send(caw_stream *stream, object value)
    _bool caw_py_iterate_throw(caw_stream *stream, object exception)
    object caw_py_item_value(const caw_item *item)

    # --- python_bytes.h. The reader and the writer of a byte stream are taken; either may be NULL.
    caw_reader *caw_py_reader(caw_py_locals *locals, object stream) except NULL
    caw_writer *caw_py_writer(caw_py_locals *locals, object stream) except NULL
    object caw_py_byte_stream(object module, caw_reader *reader, caw_writer *writer)

    # Calls parse(*args, **kwargs) for a start function of CAW_PY_VARARGS, where kwargs may be NULL: a `def` function
    # with the signature, which returns what is needed of the arguments.
    object caw_py_parse "PyObject_Call"(object parse, object args, PyObject *kwargs)

# --- functions that take a reference in C, and get their own here: `awaitable` and `iterable` stay the caller's.
cdef inline caw_future *caw_py_await(caw_py_locals *locals, object awaitable) except NULL:
    Py_INCREF(awaitable)
    return _caw_py_await(locals, <PyObject *>awaitable)

cdef inline caw_stream *caw_py_iterate(caw_py_locals *locals, object iterable,
                                       const caw_py_iterable_spec *spec) except NULL:
    Py_INCREF(iterable)
    return _caw_py_iterate(locals, <PyObject *>iterable, spec)

# The exception, or None.
cdef inline object caw_py_exception(caw_future *f):
    cdef PyObject *exception = _caw_py_exception(f)
    if exception is NULL:
        return None
    found = <object>exception
    Py_DECREF(found)
    return found

# --- functions that take a future or a stream. NULL, of a function that had no memory for it, is a MemoryError. NULL for
# the spec is allowed. caw_py_block_on releases the GIL while it waits.
cdef inline object caw_py_coroutine(object module, caw_future *future, const caw_py_spec *spec):
    if future is NULL:
        raise MemoryError()
    return _caw_py_coroutine(module, future, spec)

cdef inline object caw_py_block_on(object module, caw_future *future, const caw_py_spec *spec):
    if future is NULL:
        raise MemoryError()
    return _caw_py_block_on(module, future, spec)

cdef inline object caw_py_async_generator(object module, caw_stream *stream, const caw_py_stream_spec *spec):
    if stream is NULL:
        raise MemoryError()
    return _caw_py_async_generator(module, stream, spec)

# --- the macros that make specs and rows, as functions: any thread, no GIL. `name` and `doc` are literals. What else a
# row needs is set afterwards: functions[0].spec.cancel = CAW_PY_CANCEL_SHIELD.
cdef inline caw_py_spec CAW_PY_SPEC(const char *name, object (*result)(caw_future *f),
                                    const char *doc) noexcept nogil:
    cdef caw_py_spec spec
    memset(&spec, 0, sizeof(spec))
    spec.name = name
    spec.result = result
    spec.doc = doc
    return spec

cdef inline caw_py_async_def CAW_PY_ASYNC(
        const char *name, caw_future *(*start)(object self, object args, PyObject *kwargs) except? NULL,
        object (*result)(caw_future *f), const char *doc) noexcept nogil:
    cdef caw_py_async_def row
    row.convention = CAW_PY_VARARGS
    row.start.varargs = start
    row.spec = CAW_PY_SPEC(name, result, doc)
    return row

cdef inline caw_py_async_def CAW_PY_ASYNC_NOARGS(
        const char *name, caw_future *(*start)(object self) except? NULL, object (*result)(caw_future *f),
        const char *doc) noexcept nogil:
    cdef caw_py_async_def row
    row.convention = CAW_PY_NOARGS
    row.start.noargs = start
    row.spec = CAW_PY_SPEC(name, result, doc)
    return row

cdef inline caw_py_async_def CAW_PY_ASYNC_O(
        const char *name, caw_future *(*start)(object self, object arg) except? NULL,
        object (*result)(caw_future *f), const char *doc) noexcept nogil:
    cdef caw_py_async_def row
    row.convention = CAW_PY_O
    row.start.o = start
    row.spec = CAW_PY_SPEC(name, result, doc)
    return row

cdef inline caw_py_async_def CAW_PY_ASYNC_FASTCALL(
        const char *name, caw_future *(*start)(object self, PyObject *const *args, Py_ssize_t nargs,
                                               PyObject *kwnames) except? NULL,
        object (*result)(caw_future *f), const char *doc) noexcept nogil:
    cdef caw_py_async_def row
    row.convention = CAW_PY_FASTCALL
    row.start.fastcall = start
    row.spec = CAW_PY_SPEC(name, result, doc)
    return row

cdef inline caw_py_stream_spec CAW_PY_STREAM_SPEC(const char *name, object (*item)(caw_stream *s, caw_item *item),
                                                  const char *doc) noexcept nogil:
    cdef caw_py_stream_spec spec
    memset(&spec, 0, sizeof(spec))
    spec.name = name
    spec.item = item
    spec.doc = doc
    return spec

cdef inline caw_py_stream_def CAW_PY_STREAM(
        const char *name, caw_stream *(*start)(object self, object args, PyObject *kwargs) except? NULL,
        object (*item)(caw_stream *s, caw_item *item), const char *doc) noexcept nogil:
    cdef caw_py_stream_def row
    row.convention = CAW_PY_VARARGS
    row.start.varargs = start
    row.spec = CAW_PY_STREAM_SPEC(name, item, doc)
    return row

cdef inline caw_py_stream_def CAW_PY_STREAM_NOARGS(
        const char *name, caw_stream *(*start)(object self) except? NULL,
        object (*item)(caw_stream *s, caw_item *item), const char *doc) noexcept nogil:
    cdef caw_py_stream_def row
    row.convention = CAW_PY_NOARGS
    row.start.noargs = start
    row.spec = CAW_PY_STREAM_SPEC(name, item, doc)
    return row

cdef inline caw_py_stream_def CAW_PY_STREAM_O(
        const char *name, caw_stream *(*start)(object self, object arg) except? NULL,
        object (*item)(caw_stream *s, caw_item *item), const char *doc) noexcept nogil:
    cdef caw_py_stream_def row
    row.convention = CAW_PY_O
    row.start.o = start
    row.spec = CAW_PY_STREAM_SPEC(name, item, doc)
    return row

cdef inline caw_py_stream_def CAW_PY_STREAM_FASTCALL(
        const char *name, caw_stream *(*start)(object self, PyObject *const *args, Py_ssize_t nargs,
                                               PyObject *kwnames) except? NULL,
        object (*item)(caw_stream *s, caw_item *item), const char *doc) noexcept nogil:
    cdef caw_py_stream_def row
    row.convention = CAW_PY_FASTCALL
    row.start.fastcall = start
    row.spec = CAW_PY_STREAM_SPEC(name, item, doc)
    return row
