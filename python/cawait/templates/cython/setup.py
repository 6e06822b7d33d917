from cawait.setuptools import Extension
from setuptools import setup

setup(
    ext_modules=[
        Extension("NAME._native", ["src/NAME/_native.pyx", "src/NAME/settled.c"], depends=["src/NAME/settled.h"])
    ]
)
