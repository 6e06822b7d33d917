"""What would go wrong in Cython: most of it is refused by the declarations, and the rest can be seen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cython_builds import run, takes_the_gil

REFUSED = {
    "a callback that may raise": (
        "cdef int start(caw_promise *p) nogil: return 0\ncdef caw_promise_ops ops = CAW_PROMISE_OPS('x', start, NULL)",
        "Exception values are incompatible",
    ),
    "a callback that needs the GIL": (
        "cdef int run(void *arg) noexcept: return 0\ndef f(): return <size_t>caw_blocking(NULL, run, NULL, NULL)",
        "Cannot assign type",
    ),
    "a free that needs the GIL": (
        "cdef void done(void *arg) noexcept: (<object>arg).close()\ndef f(): return <size_t>caw_box_new(NULL, done)",
        "Cannot assign type",
    ),
    "a result that is no object": (
        "cdef int result(caw_future *f) noexcept: return 1\ncdef caw_py_spec s = CAW_PY_SPEC('x', result, NULL)",
        "Cannot assign type",
    ),
    "an object of a borrowed reference without a cast": (
        "cdef object result(caw_future *f): return caw_py_ref_get(NULL)",
        "Cannot convert 'PyObject *' to Python object",
    ),
    "a call that needs the GIL where there is none": (
        "cdef void run(caw_future *f) noexcept nogil: caw_py_value(f)",
        "without gil",
    ),
    "an object in a C struct": ("cdef struct job:\n    caw_promise promise\n    object value", "Python object"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_cython_refuses(what: str, tmp_path: Path) -> None:
    code, message = REFUSED[what]
    (tmp_path / "refused.pyx").write_text(f"from cawait cimport *\n{code}\n")
    command = [sys.executable, "-m", "cython", "-3", "refused.pyx"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert message in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("directive", "expression"),
    [("cdivision", "a // b"), ("cdivision", "a % b"), ("boundscheck", "v[a]")],
)
def test_cython_checks_in_a_nogil_function_take_the_gil(directive: str, expression: str, tmp_path: Path) -> None:
    """What `from cawait cimport *` says of them; so a worker's function is compiled without."""
    taken = []
    for value in ("True", "False"):
        header = f"# cython: {directive}={value}, wraparound=False\nfrom cawait cimport *\n"
        function = f"cdef int run(int a, int b, int[:] v) noexcept nogil:\n    return {expression}\n"
        use = "def f(int[:] v):\n    with nogil:\n        run(1, 2, v)\n"
        (tmp_path / "check.pyx").write_text(header + function + use)
        run([sys.executable, "-m", "cython", "-3", "check.pyx"], cwd=tmp_path)
        taken.append(takes_the_gil(tmp_path / "check.c"))
    assert sorted(taken) == [[], ["__pyx_f_5check_run"]]
