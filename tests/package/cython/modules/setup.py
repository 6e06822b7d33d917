"""Builds the module for the tests."""

from cawait.setuptools import Extension
from setuptools import setup

setup(name="everything", ext_modules=[Extension("everything", ["everything.pyx"])], py_modules=[])
