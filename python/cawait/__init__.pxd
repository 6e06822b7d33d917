# cawait for Cython: `from cawait cimport *` declares what <cawait.h> declares, under the same names.
#
#     from cawait cimport *
#
#     cdef void done(void *arg, int answer) noexcept nogil:          # the library's callback, on a thread of its own
#         (<job *>arg).answer = answer
#         caw_promise_resolve(&(<job *>arg).promise, 0)
#
# The C headers are the manual: what a function does, and what its errors are, stands there. Here stands what is
# different in Cython. Cython 3.0 or newer is needed.
#
#   cawait.core      futures, promises, pools, the reactor, combined futures, groups, locks, files, sockets, children
#   cawait.stream    streams, channels, broadcasts, bytes
#   cawait.python    what Python awaits and iterates, and what C awaits of Python
#   cawait.testing   what is in <cawait_testing.h>; not a part of `from cawait cimport *`
#
# Marks. Above each group stand its thread, GIL and ownership, in the words of the headers (cawait/base.h). A function
# that needs no GIL is declared nogil. It can be called with the GIL too.
#
# Callbacks. The type of each says how it is called, and Cython refuses a function of another kind:
#
#   noexcept nogil      called without the GIL, or perhaps without it, on any thread
#   object (...)        called with the GIL; what it raises goes to Python
#   except -1           likewise, of an int. `except? CAW_EPYTHON` where it may return a status too
#   except *            likewise, of a void function
#
# Six traps that Cython does not see, or sees late:
#
# 1. `cdef int f(void *arg) nogil` may raise by default. Write `noexcept nogil`; then Cython accepts it as a callback.
# 2. `with gil`, in such a function or after its name, compiles. On a thread of a pool or of a library it waits for the
#    GIL, hangs where that is held until this thread has ended, and crashes while the interpreter ends. No callback here
#    needs it: return a status, store what is needed in your struct, and make objects in `result`, `item` and `error`,
#    which have the GIL. To call Python from such a thread there is caw_py_call.
# 3. What Cython checks takes the GIL by itself where the check fails, and the exception is then only printed: a division
#    (write `# cython: cdivision=True`), an index of a memoryview (boundscheck=False), an `assert`, overflowcheck. Without
#    such checks a nogil function has no call of Python in its C code.
# 4. A C struct holds no objects. What an operation needs of an object while a worker runs is held by caw_py_hold or
#    caw_py_hold_buffer; the `free` callback, which has no GIL, releases that with caw_py_ref_release. `self` of a cdef
#    class, and the buffer of a memoryview, may be gone while a worker still runs: an awaiter that was cancelled does
#    not wait for it under CAW_PY_CANCEL_DETACH.
# 5. Tables (caw_promise_ops, caw_py_spec, caw_py_async_def, ...) are filled in at run time, since Cython's names are
#    not those of C: at the module's level, into a `cdef` variable of the module, which lives as long as that. Strings
#    in them are literals, whose memory stays; never the bytes of an object.
# 6. A variable of the module is zero at first; a struct in a function is not: memset(&spec, 0, sizeof(spec)).
from cawait.core cimport *
from cawait.stream cimport *
from cawait.python cimport *
