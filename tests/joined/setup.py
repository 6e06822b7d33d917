"""Builds the test extension as an extension author would: with plain setuptools and the joined source."""

import os
from pathlib import Path

from setuptools import Extension, setup

ROOT = Path(__file__).resolve().parent.parent.parent
JOINED = ROOT / os.environ.get("CAWAIT_BUILD", "build") / "joined"
EXTENSION = ROOT / "tests" / "python" / "support" / "ext"

setup(
    name="cawait-test",
    version="0",
    packages=[],
    ext_modules=[
        Extension(
            "_cawait_test",
            sources=[
                str(JOINED / "cawait.c"),
                str(JOINED / "cawait_testing.c"),
                *sorted(map(str, EXTENSION.glob("*.c"))),
            ],
            include_dirs=[str(JOINED)],
            undef_macros=["NDEBUG"],  # as in the other test builds, assertions are on
            extra_compile_args=["-std=c11", "-pthread"],
            extra_link_args=["-pthread"],
        )
    ],
)
