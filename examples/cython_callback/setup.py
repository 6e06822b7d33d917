"""Build the module: `pip install cawait cython setuptools`, then `python setup.py build_ext --inplace`."""

from cawait.setuptools import Extension
from setuptools import setup

setup(name="thermometer", ext_modules=[Extension("thermometer", ["thermometer.pyx", "sensor.c"])], py_modules=[])
