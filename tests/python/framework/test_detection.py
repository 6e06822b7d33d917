"""Which framework an operation waits on: that of the innermost task, however they are nested; or none."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest
import trio

import _cawait_test as t
from support.children import run_child
from support.common import no_current_task


def framework_here() -> str:
    """The framework that an operation waits on, by what it yields."""
    coroutine = t.Op(on_cancel="resolves").wait()
    yielded = type(coroutine.send(None))
    coroutine.close()
    return {"park": "asyncio", "WaitTaskRescheduled": "trio"}[yielded.__name__]


async def resolved(value: Any) -> Any:
    """A value that comes from a native thread, wherever it is awaited."""
    op = t.Op(value)
    op.resolve_later(100)
    return await op.wait()


async def native_task(value: Any) -> Any:
    """The same with the operation itself as a task, which has no Python frame."""
    op = t.Op(value)
    op.resolve_later(100)
    return await asyncio.ensure_future(op.wait())


async def native_child(value: Any) -> Any:
    """The same for trio."""
    op = t.Op(value)
    op.resolve_later(100)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(op.wait)
        nursery.start_soon(t.sleep, 0.0001)
    assert op.freed == 1
    return value


def run_asyncio(async_fn: Callable[..., Any], *args: Any) -> Any:
    """asyncio.run, which refuses to run inside a loop of asyncio: that loop is hidden from it, as some programs do."""
    outer = asyncio._get_running_loop()
    with no_current_task(outer):
        asyncio._set_running_loop(None)
        try:
            return asyncio.run(async_fn(*args))
        finally:
            asyncio._set_running_loop(outer)


RUNS = {"asyncio": run_asyncio, "trio": trio.run}
NATIVE = {"asyncio": native_task, "trio": native_child}


async def nested(kinds: list[str]) -> list[str]:
    """Run the first kind inside this task, and the next inside that one; return what each finds, before and after."""
    found = [framework_here()]
    assert await resolved("before") == "before"
    assert await NATIVE[found[0]]("native") == "native"
    if kinds:
        found += RUNS[kinds[0]](nested, kinds[1:])
    assert found[0] == framework_here()
    assert await resolved("after") == "after"
    assert await NATIVE[found[0]]("native") == "native"
    return found


# --- nested ---


@pytest.mark.parametrize(
    "kinds",
    [
        ["asyncio"],
        ["trio"],
        ["asyncio", "trio"],
        ["trio", "asyncio"],
        ["asyncio", "asyncio", "trio"],
        ["asyncio", "trio", "asyncio"],
        ["trio", "asyncio", "asyncio"],
    ],
    ids=" around ".join,
)
def test_innermost_run_is_what_an_operation_waits_on(kinds: list[str]) -> None:
    assert RUNS[kinds[0]](nested, kinds[1:]) == kinds


def test_asyncio_inside_a_task_of_a_guest_works() -> None:
    """The host is a loop of asyncio too: three nested loops, and asyncio's own task is not the innermost one."""

    async def host() -> Any:
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        trio.lowlevel.start_guest_run(
            nested,
            ["asyncio"],
            run_sync_soon_threadsafe=asyncio.get_running_loop().call_soon_threadsafe,
            done_callback=done.set_result,
            host_uses_signal_set_wakeup_fd=True,
        )
        assert framework_here() == "asyncio"
        assert await resolved("host") == "host"
        return (await done).unwrap()

    assert asyncio.run(host()) == ["trio", "asyncio"]


def test_trio_in_a_thread_of_a_program_of_asyncio() -> None:
    async def main() -> Any:
        loop = asyncio.get_running_loop()
        found = await asyncio.gather(*(loop.run_in_executor(None, trio.run, nested, []) for _ in range(3)))
        return [framework_here(), *found]

    assert asyncio.run(main()) == ["asyncio", ["trio"], ["trio"], ["trio"]]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_anyio_from_a_thread_waits_on_its_backend(backend: str) -> None:
    async def find() -> str:
        assert await resolved("value") == "value"
        return framework_here()

    def in_thread() -> str:
        with pytest.raises(RuntimeError, match="no running event loop"):
            t.Op(on_cancel="resolves").wait().send(None)
        return anyio.from_thread.run(find)

    async def main() -> list[str]:
        assert await anyio.to_thread.run_sync(t.live_futures) >= 0
        return [await find(), await anyio.to_thread.run_sync(in_thread)]

    assert anyio.run(main, backend=backend) == [backend, backend]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_anyio_portal_waits_on_its_backend(backend: str) -> None:
    async def find() -> str:
        assert await resolved("value") == "value"
        return framework_here()

    with anyio.from_thread.start_blocking_portal(backend) as portal:
        assert portal.call(find) == backend


def operation(value: Any) -> Any:
    """The coroutine of an operation that a native thread completes."""
    op = t.Op(value)
    op.resolve_later(100)
    return op.wait()


class Wrapped(Coroutine[Any, Any, Any]):
    """A coroutine of another kind than Python's, like Cython's: its frame cannot be found."""

    def __init__(self, coroutine: Any) -> None:
        self.coroutine = coroutine

    def send(self, value: Any) -> Any:
        return self.coroutine.send(value)

    def throw(self, *args: Any) -> Any:
        return self.coroutine.throw(*args)

    def close(self) -> None:
        self.coroutine.close()

    def __await__(self) -> Any:
        return self.coroutine.__await__()


@pytest.mark.parametrize("make", [resolved, operation], ids=["in Python", "native"])
def test_innermost_run_is_found_though_a_task_has_no_frame(make: Callable[[Any], Any]) -> None:
    async def inner_asyncio() -> Any:
        return await asyncio.ensure_future(Wrapped(make("asyncio")))

    def inner_trio() -> Any:
        return Wrapped(make("trio"))

    async def main(inner: str) -> Any:
        assert await resolved("before") == "before"
        value = run_asyncio(inner_asyncio) if inner == "asyncio" else trio.run(inner_trio)
        assert await resolved("after") == "after"
        return value

    async def main_without_a_frame() -> Any:
        return await asyncio.ensure_future(Wrapped(main("trio")))

    assert trio.run(main, "asyncio") == "asyncio"
    assert asyncio.run(main("trio")) == "trio"
    assert asyncio.run(main_without_a_frame()) == "trio"


# --- none runs ---

MISSING = "no running event loop: .* has to be awaited inside one .asyncio, uvloop, trio, anyio."


def test_without_any_framework_the_error_names_what_is_missing() -> None:
    op = t.Op(on_cancel="resolves")
    with pytest.raises(RuntimeError, match=MISSING):
        op.wait().send(None)
    assert (op.started, op.cancelled, op.freed) == (1, 1, 1)


@pytest.mark.parametrize("run", [trio.run, lambda function: asyncio.run(function())], ids=["trio", "asyncio"])
def test_after_a_run_there_is_none_again(run: Any) -> None:
    async def main() -> Any:
        return await resolved("value")

    assert run(main) == "value"
    with pytest.raises(RuntimeError, match=MISSING):
        t.Op(on_cancel="resolves").wait().send(None)


def test_callback_of_trio_is_in_its_run() -> None:
    """Trio's own task calls it."""

    async def main() -> None:
        nonlocal called
        called = trio.Event()
        trio.lowlevel.current_trio_token().run_sync_soon(lambda: found.append(framework_here()) or called.set())
        await called.wait()

    called: Any = None
    found: list[str] = []
    trio.run(main)
    assert found == ["trio"]


def test_callback_of_asyncio_is_on_its_loop() -> None:
    async def main() -> str:
        loop = asyncio.get_running_loop()
        found: asyncio.Future[str] = loop.create_future()
        loop.call_soon(lambda: found.set_result(framework_here()))
        return await found

    assert asyncio.run(main()) == "asyncio"


def test_thread_beside_a_run_has_none() -> None:
    def in_thread() -> None:
        with pytest.raises(RuntimeError, match=MISSING):
            t.Op(on_cancel="resolves").wait().send(None)

    async def main() -> None:
        await resolved("value")
        await trio.to_thread.run_sync(in_thread)

    trio.run(main)


def test_curio_is_refused_with_an_error() -> None:
    curio = pytest.importorskip("curio", reason="curio is not installed: it is for Python before 3.12")

    async def main() -> None:
        with pytest.raises(RuntimeError, match=MISSING):
            await t.Op(on_cancel="resolves").wait()

    curio.run(main)


# --- frameworks that are not imported ---


@pytest.mark.parametrize(
    "function",
    [
        "await_on_asyncio",
        "await_on_uvloop",
        "await_on_trio",
        "native_cancellation_on_trio",
        "await_nowhere",
        "trio_does_not_run",
    ],
)
def test_nothing_is_imported_that_the_program_does_not_import(function: str) -> None:
    if function == "await_on_uvloop":
        pytest.importorskip("uvloop", reason="there is no uvloop for this Python")
    assert run_child("imports", function) == ""


@pytest.mark.parametrize("function", ["trio_imported_later", "other_module_named_trio", "module_that_is_not_trio"])
def test_trio_is_found_when_it_is_there_and_only_then(function: str) -> None:
    assert run_child("imports", function) == ""


def test_native_cancellation_is_no_exception_of_asyncio_on_trio() -> None:
    """Also where asyncio is imported only while the exception is made."""
    assert run_child("imports", "native_cancellation_by_an_own_error_function_on_trio") == ""


@pytest.mark.skipif(sys.version_info < (3, 15), reason="there are no lazy imports")
@pytest.mark.parametrize("function", ["run_on_trio", "run_on_asyncio", "run_on_anyio", "both_one_after_the_other"])
def test_framework_is_found_where_all_imports_are_lazy(function: str) -> None:
    assert run_child("imports", function, options=["-X", "lazy_imports=all"]) == ""
