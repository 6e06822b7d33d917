"""Objects and buffers that native threads hold around the end of the interpreter."""

import sys
import threading
import time

import _cawait_test as t


class Value:
    """What is held."""


KEPT = [t.hold(Value()), t.hold_buffer(bytearray(8))]


def at_once():
    """Threads release from now on until after the end."""
    data = bytearray(8)
    for delay in range(0, 40_000, 400):
        t.release_in_threads(Value(), 2, delay)
        t.release_in_threads(data, 2, delay, True)
        t.release_in_threads(bytearray(8), 2, delay, True)


def after_a_thread():
    """The same, while the main thread waits for another one."""
    at_once()
    threading.Thread(target=time.sleep, args=[0.01]).start()


globals()[sys.argv[1]]()
