from cawait.setuptools import Extension
from setuptools import setup

setup(ext_modules=[Extension("NAME._native", ["src/NAME/native.c"])])
