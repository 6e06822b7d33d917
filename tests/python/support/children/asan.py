"""What differs where the tests run under AddressSanitizer."""

import os

ASAN = "libasan" in os.environ.get("LD_PRELOAD", "")
SLOWER = 5 if ASAN else 1  # so many times as long may things take

# glibc makes malloc usable in the child of a process with threads; AddressSanitizer's allocator, before LLVM 18 and GCC
# 14, does not: the child waits for ever for a lock that another thread held at the fork. See forking.py.
NO_FORK_BESIDE_BUSY_THREADS = "AddressSanitizer's malloc may hang in a child that is forked beside busy threads"
