"""How the tests are built and run under sanitizers; `""` everywhere means none."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

from common import ROOT, environment

ASAN = "detect_leaks=1:abort_on_error=1:strict_string_checks=1:detect_stack_use_after_return=1"
UBSAN = "halt_on_error=1:abort_on_error=1:print_stacktrace=1"
TSAN = "halt_on_error=1:abort_on_error=1:second_deadlock_stack=1"


def options(sanitize: str) -> dict[str, str]:
    """Meson's options."""
    if not sanitize:
        return {}
    kinds = {"address": "address,undefined", "thread": "thread"}[sanitize]
    return {"b_sanitize": kinds, "b_lundef": "false", "c_args": "-fno-omit-frame-pointer -fno-sanitize-recover=all"}


def build_environment(sanitize: str) -> dict[str, str]:
    """ThreadSanitizer is Clang's, the others are GCC's: the runtime must come from the same compiler."""
    return {"thread": {"CC": "clang"}, "address": {"CC": "gcc"}}.get(sanitize, {})


def c_environment(sanitize: str) -> dict[str, str]:
    """Settings for the C tests."""
    return {"ASAN_OPTIONS": ASAN, "UBSAN_OPTIONS": UBSAN, "TSAN_OPTIONS": TSAN} if sanitize else {}


@functools.cache
def preloaded() -> str:
    """What an uninstrumented Python must load before everything else: the compiler's shared library of ASan; and that
    of C++, since ASan looks for the function behind `throw` when it is loaded and never again, and a library that
    throws may come later."""
    found = []
    for library in ("libasan.so", "libstdc++.so.6"):
        command = ["gcc", f"-print-file-name={library}"]
        done = subprocess.run(command, env=environment(), stdout=subprocess.PIPE, text=True, check=True)
        found.append(done.stdout.strip())
    return " ".join(found)


def python_environment(sanitize: str, reports: Path) -> dict[str, str]:
    """Settings for the Python tests: an instrumented module in an interpreter that is not.

    The findings go into files whose names begin with `reports`: leaks are found at the end of a worker process, whose
    output is not shown.
    """
    if sanitize != "address":
        return {}
    # GCC 12's runtime guesses the size of the thread-local memory of a library that was loaded later, at times so
    # wrongly that the search for leaks crashes. Without the interception that memory is found where the loader keeps
    # it.
    address = f"{ASAN}:malloc_context_size=2:intercept_tls_get_addr=0:log_path={reports}"
    leaks = f"suppressions={ROOT / 'tools' / 'lsan.supp'}:print_suppressions=0"
    return {
        "LD_PRELOAD": preloaded(),
        "PYTHONMALLOC": "malloc",
        "ASAN_OPTIONS": address,
        "UBSAN_OPTIONS": f"{UBSAN}:log_path={reports}",
        "LSAN_OPTIONS": leaks,
    }


def take_reports(reports: Path) -> str:
    """The findings, as text; removes the files."""
    found = ""
    for path in sorted(reports.parent.glob(f"{reports.name}.*")):
        found += path.read_text(errors="replace")
        path.unlink()
    return found


def wrapper(sanitize: str) -> list[str]:
    """The command that runs the C tests. Clang 14's ThreadSanitizer handles at most 28 bits of address randomization,
    and ends with "unexpected memory mapping" if the kernel uses more. Then randomization is switched off for the
    run."""
    bits = Path("/proc/sys/vm/mmap_rnd_bits")
    if sanitize != "thread" or not bits.exists() or int(bits.read_text()) <= 28:
        return []
    return ["setarch", "-R"]
