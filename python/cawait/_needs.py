"""What a machine needs to build extensions."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path


def missing() -> list[str]:
    """What an extension needs to be built, and this machine has not."""
    found = []
    words = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()
    if not any(map(shutil.which, [words[0], "cc", "gcc", "clang"])):
        found.append("there is no C compiler: install one (Debian: apt-get install gcc libc6-dev)")
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        found.append(f"the headers of this Python are missing (Debian: apt-get install python{version}-dev)")
    return found
