# <cawait_testing.h>: for the unit tests of your own futures, and tests that the pytest plugin runs. It needs
# cawait_testing.c beside cawait.c. Marks: see cawait/__init__.pxd.
from libc.stdint cimport uint64_t
from cawait.core cimport _bool, caw_future, caw_poll, caw_waker
from cawait.python cimport caw_py_spec

cdef extern from "<cawait_testing.h>" nogil:
    # --- testing_tools.h: any thread, no GIL. A counting waker is in your memory, and does not move.
    ctypedef struct caw_test_waker:
        pass
    ctypedef struct caw_test_reactor:
        pass
    void caw_test_waker_init(caw_test_waker *w)
    caw_waker caw_test_waker_get(caw_test_waker *w)
    int caw_test_waker_wakes(const caw_test_waker *w)
    int caw_test_waker_references(const caw_test_waker *w)
    caw_future *caw_test_yield(unsigned n)
    void *caw_test_malloc(size_t size)
    void *caw_test_calloc(size_t count, size_t size)
    void *caw_test_realloc(void *block, size_t size)
    void caw_test_fail_allocation(unsigned n)
    _bool caw_test_allocation_failed()
    int caw_test_reactor_new(caw_test_reactor **out)
    void caw_test_reactor_free(caw_test_reactor *r)
    caw_poll caw_test_reactor_poll(caw_test_reactor *r, caw_future *f, caw_test_waker *waker)
    uint64_t caw_test_reactor_now(const caw_test_reactor *r)
    uint64_t caw_test_reactor_until_timer(const caw_test_reactor *r)
    int caw_test_reactor_advance(caw_test_reactor *r, uint64_t duration_ns)
    int caw_test_reactor_run(caw_test_reactor *r, caw_future *f, caw_test_waker *waker)

    # --- python_testing.h: checks, on any thread, without the GIL
    void caw_test_fail(const char *file, int line, const char *function, const char *text)
    _bool caw_test_check(_bool condition, const char *file, int line, const char *function, const char *text)

cdef extern from "<cawait_testing.h>":
    # A row has a name, spec.name, and one of the three functions. The table is an array of the module with one row more
    # than are filled in. `blocking` runs in a thread of its own, without the GIL; the others have it.
    ctypedef struct caw_test:
        caw_py_spec spec
        caw_future *(*async_ "async")(object module) except? NULL
        int (*blocking)() noexcept nogil
        object (*coroutine)(object module)
    int caw_test_add(object module, const caw_test *tests) except -1
