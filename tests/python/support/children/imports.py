"""Which modules are imported when operations are awaited: for framework/test_detection.py."""

import sys

import _cawait_test as t

FRAMEWORKS = {"asyncio", "uvloop", "trio", "anyio", "sniffio", "outcome", "curio"}


async def await_all():
    """Await in each way: ready, suspended, failed, cancelled by hand."""
    op = t.Op("value")
    op.resolve_later(100)
    assert await op.wait() == "value"
    assert await t.ready(1) == 1
    await t.sleep(0.0001)
    try:
        await t.fail(-32)
    except BrokenPipeError:
        pass
    suspended = t.Op(on_cancel="resolves").wait()
    suspended.send(None)
    suspended.close()


def expect(*wanted, run):
    """Run, and check that of the frameworks only these are imported: those that the program imported itself."""
    before = FRAMEWORKS & set(sys.modules)
    assert before == set(wanted), before
    run()
    after = FRAMEWORKS & set(sys.modules)
    assert after == before, after - before


def await_on_asyncio():
    import asyncio

    expect("asyncio", run=lambda: asyncio.run(await_all()))


def await_on_uvloop():
    import uvloop

    expect("asyncio", "uvloop", run=lambda: uvloop.new_event_loop().run_until_complete(await_all()))


def await_on_trio():
    """trio itself needs sniffio and outcome; it does not import asyncio."""
    import trio

    assert "asyncio" not in sys.modules
    expect("trio", "sniffio", "outcome", run=lambda: trio.run(await_all))


async def native_cancellation(method):
    """The exception for a native cancellation if asyncio was never imported."""
    op = t.Op()
    op.resolve_later(100, t.errors()["CAW_ECANCELED"])
    try:
        await getattr(op, method)()
    except RuntimeError as error:
        assert "(CAW_ECANCELED)" in str(error)
    else:
        raise AssertionError


def native_cancellation_on_trio():
    import trio

    expect("trio", "sniffio", "outcome", run=lambda: trio.run(native_cancellation, "wait"))


def native_cancellation_by_an_own_error_function_on_trio():
    """The error function makes the library set asyncio's exception, which imports asyncio."""
    import trio

    assert "asyncio" not in sys.modules
    trio.run(native_cancellation, "wait_default_error")


def await_nowhere():
    expect(run=suspend_nowhere)


def trio_imported_later():
    """The library has looked for trio in vain before, and finds it once it is there."""
    import asyncio

    asyncio.run(await_all())
    assert "trio" not in sys.modules
    import trio

    trio.run(await_all)
    asyncio.run(await_all())
    trio.run(await_all)


def run_on_trio():
    import trio

    trio.run(await_all)


def run_on_asyncio():
    import asyncio

    asyncio.run(await_all())


def run_on_anyio():
    import anyio

    for backend in ("asyncio", "trio"):
        anyio.run(await_all, backend=backend)
        anyio.run(cancelled_in_a_scope, backend=backend)


async def cancelled_in_a_scope():
    """An operation that waits for its end inside a cancelled scope."""
    import anyio

    op = t.Op(on_cancel="ignored")
    async def end(scope):
        await anyio.sleep(0.001)
        scope.cancel()
        op.resolve_later(20_000)

    async with anyio.create_task_group() as group:
        with anyio.CancelScope() as scope:
            group.start_soon(end, scope)
            await op.wait()
    assert scope.cancelled_caught and op.freed == 1


def both_one_after_the_other():
    run_on_trio()
    run_on_asyncio()
    run_on_trio()


def module_that_is_not_trio():
    """One of that name, where nobody has imported outcome: then nobody does."""
    import asyncio

    sys.modules["trio"] = type(sys)("trio")
    expect("asyncio", "trio", run=lambda: asyncio.run(await_all()))


def trio_does_not_run():
    """trio is imported, and the program uses asyncio."""
    import asyncio

    import trio  # noqa: F401

    expect("asyncio", "trio", "sniffio", "outcome", run=lambda: asyncio.run(await_all()))


def other_module_named_trio():
    """A half-imported trio, or another module of that name: no framework is found, and no error is raised."""
    import asyncio

    for name in ("trio", "outcome"):
        sys.modules[name] = type(sys)(name)
    asyncio.run(await_all())
    suspend_nowhere()


def suspend_nowhere():
    try:
        t.Op(on_cancel="resolves").wait().send(None)
    except RuntimeError as error:
        assert "no running event loop" in str(error)
    else:
        raise AssertionError


if __name__ == "__main__":
    globals()[sys.argv[1]]()
