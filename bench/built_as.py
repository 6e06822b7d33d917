"""How an interpreter was built, as far as it says so itself: figures of one that was optimized hold for no other.

    PYTHON bench/built_as.py           its words as JSON, for tools/bench.py
    PYTHON bench/built_as.py --count   the text that the kept counts of instructions hold for (tools/count.py)
"""

from __future__ import annotations

import json
import os
import platform
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

FLAGS = ("PY_CORE_CFLAGS", "PY_CFLAGS", "PY_CFLAGS_NODIST", "PY_CORE_LDFLAGS", "PY_LDFLAGS_NODIST", "OPT")
PROFILE = ("-fprofile-use", "-fprofile-instr-use")


@dataclass(frozen=True)
class Built:
    """Whether a profile guided the optimization (None: it cannot be told), and the same in words."""

    optimized: bool | None
    text: str


def judge(variables: Mapping[str, object], schemes: Sequence[str], prefix: str) -> Built:
    """From sysconfig's variables, the names of its install schemes, and where the interpreter is installed.

    Debian's rules do it by hand: they do not call configure with --enable-optimizations, and take the flags out of what
    sysconfig says afterwards. But its interpreters have an install scheme of their own. Of another one in /usr only its
    packager knows.
    """
    words = str(variables.get("CONFIG_ARGS") or "")
    flags = " ".join(str(variables.get(name) or "") for name in FLAGS)
    lto = " and link-time optimization" if "--with-lto" in words or "-flto" in flags else ""
    if variables.get("Py_DEBUG"):
        return Built(False, "with Py_DEBUG, not optimized")
    if "--enable-optimizations" in words or any(flag in flags for flag in PROFILE):
        return Built(True, f"with profile-guided optimization{lto}")
    if "deb_system" in schemes:
        return Built(True, "Debian's build, with profile-guided optimization")
    if not words or prefix == "/usr":
        return Built(None, "whether with profile-guided optimization is not known")
    return Built(False, f"without profile-guided optimization{lto.replace(' and', ', with')}")


def this_one() -> Built:
    """This interpreter."""
    return judge(sysconfig.get_config_vars(), sysconfig.get_scheme_names(), sys.base_prefix)


def made_with() -> str:
    """The build of this interpreter. No two with profile-guided optimization are alike, so it has the date of such."""
    flags = (sysconfig.get_config_var("PY_CORE_CFLAGS") or "").split()
    flags = list(dict.fromkeys(flag for flag in flags if flag.startswith(("-O", "-f", "-m", "-D"))))
    args = sysconfig.get_config_var("CONFIG_ARGS") or ""
    parts = [
        f"CPython {platform.python_version()}",
        platform.python_compiler(),
        " ".join(flags),
        "LTO" if "--with-lto" in args else "",
        "shared" if sysconfig.get_config_var("Py_ENABLE_SHARED") else "static",
        "" if this_one().optimized is False else f"PGO of {platform.python_build()[1]}",
        os.confstr("CS_GNU_LIBC_VERSION") if hasattr(os, "confstr") else "",
        platform.machine(),
    ]
    return ", ".join(filter(None, parts))


if __name__ == "__main__":
    print(made_with() if sys.argv[1:] == ["--count"] else json.dumps(asdict(this_one())))
