"""Build the module: `pip install cawait cython setuptools`, then `python setup.py build_ext --inplace`."""

from cawait.setuptools import Extension
from setuptools import setup

setup(
    name="zlib_threads", ext_modules=[Extension("zlib_threads", ["zlib_threads.pyx"], libraries=["z"])], py_modules=[]
)
