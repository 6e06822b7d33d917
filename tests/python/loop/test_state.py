"""Whether the loop of some locals runs, stands or is closed: asked on its own thread, and on others."""

from __future__ import annotations

import asyncio
import os
import sys
import threading

import pytest
import trio

import _cawait_test as t
from support.common import settle


def asked_in_a_thread(holder):
    """The two answers, as another thread gets them."""
    answers = []
    thread = threading.Thread(target=lambda: answers.append((holder.loop_state(), holder.is_closed())))
    thread.start()
    thread.join()
    return answers[0]


def test_loop_runs_while_its_tasks_do_and_is_closed_afterwards(run):
    holders = []

    async def main():
        holder = t.Holder(object())
        holders.append(holder)
        assert (holder.loop_state(), holder.is_closed()) == ("running", False)
        assert asked_in_a_thread(holder) == ("running", False)
        await settle()
        assert holder.loop_state() == "running"

    run(main)
    assert (holders[0].loop_state(), holders[0].is_closed()) == ("closed", True)
    assert asked_in_a_thread(holders[0]) == ("closed", True)


def test_loop_that_was_left_stands_until_it_runs_again(new_loop):
    async def make():
        return t.Holder(object())

    async def ask(holder):
        return holder.loop_state()

    loop = new_loop()
    holder = loop.run_until_complete(make())
    assert (holder.loop_state(), holder.is_closed()) == ("stopped", False)
    assert asked_in_a_thread(holder) == ("stopped", False)
    assert loop.run_until_complete(ask(holder)) == "running"
    assert holder.loop_state() == "stopped"
    loop.close()
    assert (holder.loop_state(), holder.is_closed()) == ("closed", True)


def test_loop_that_is_gone_is_closed(new_loop):
    async def make():
        return t.Holder(object())

    loop = new_loop()
    holder = loop.run_until_complete(make())
    loop.close()
    del loop
    assert holder.loop_state() == "closed" and holder.is_closed()


def test_loop_that_cannot_say_is_taken_to_stand():
    def confused():
        raise LookupError

    async def make():
        return t.Holder(object())

    loop = asyncio.SelectorEventLoop()
    holder = loop.run_until_complete(make())
    loop.is_running = confused
    assert holder.loop_state() == "stopped"
    del loop.is_running
    loop.close()


def test_run_of_trio_on_another_thread_is_seen():
    async def main():
        holder = t.Holder(object())
        assert await trio.to_thread.run_sync(asked_in_a_thread, holder) == ("running", False)
        return holder

    assert trio.run(main).is_closed()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_loop_of_the_parent_is_closed_in_a_child(new_loop):
    async def make():
        return t.Holder(object())

    loop = new_loop()
    holder = loop.run_until_complete(make())
    child = os.fork()
    if child == 0:
        os._exit(0 if holder.loop_state() == "closed" and holder.is_closed() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert holder.loop_state() == "stopped" and not holder.is_closed()
