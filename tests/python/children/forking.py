"""How a script forks."""

import os
import traceback


def in_child(function, *arguments):
    """Fork; the child calls it and leaves at once, with 0 when all went well."""
    pid = os.fork()
    if pid == 0:
        try:
            function(*arguments)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    return pid


def assert_left_well(pid):
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
