"""What differs when the tests run under AddressSanitizer, or on a debug build of CPython."""

import os
import sys

ASAN = "libasan" in os.environ.get("LD_PRELOAD", "")
PYDEBUG = hasattr(sys, "gettotalrefcount")
SLOWER = 5 if ASAN or PYDEBUG else 1  # how many times longer things may take

# malloc of glibc can be used in the forked child of a process with threads. AddressSanitizer's allocator, before LLVM
# 18 and GCC 14, cannot: the child waits for ever for a lock that another thread held at the fork. See forking.py.
NO_FORK_BESIDE_BUSY_THREADS = "AddressSanitizer's malloc may hang in a child that is forked beside busy threads"
