"""The shape of the tree, as a test: includes and calls run one way, a header declares what its own .c file defines,
the system has one place, every public function has its mark, every file says what it is, nothing is too long.

    build/venv/bin/python tools/layers.py [RULE]...            prints each problem as file:line: text
    build/venv/bin/python tools/layers.py --report [RULE]...   the same by rule and by file, with their numbers

The rules are those of RULES below, without one: all. The exit code is 1 when there is a problem.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

from common import ROOT
from shape import calls, headers, includes, prose, system
from shape.tree import Layout, Problem, Tree

# From low to high. A new file gets its place here; a name stands for the .c file and the header together. A public
# header may include those of its own string and of earlier strings. A file of src may use, by include, by call, or by
# address, files of earlier rooms and earlier files of its room.
LAYOUT = Layout(
    public=(
        "cawait/base",
        "cawait/error cawait/waker",
        "cawait/future",
        "cawait/promise cawait/stream cawait/bytes",
        "cawait/async_frame cawait/channel cawait/combine cawait/reactor",
        "cawait/async",
        "cawait/group cawait/interval cawait/pool cawait/process cawait/sync cawait/testing_tools",
        "cawait/exchange cawait/file cawait/io cawait/serial",
        "cawait/core",
        "cawait/python_api",
        "cawait/python_table",
        "cawait/python_coroutine cawait/python_await",
        "cawait/python_stream cawait/python_bytes cawait/python_run cawait/python_testing",
        "cawait/python",
        "cawait",
        "cawait_testing",
    ),
    with_python=frozenset(
        f"cawait/{name}"
        for name in "python python_api python_table python_coroutine python_await python_stream python_bytes python_run"
        " python_testing".split()
    )
    | {"cawait", "cawait_testing"},
    rooms={
        "core/os": "compiler clock mutex condition once thread thread_value processors exit fork address_lock fd pipe"
        " socket process signal errno_names",
        "core/base": "error block detail future promise wake_set",
        "core/async": "mistakes failed routine trace generator",
        "core/reactor": "timer_heap shared wake_queue wait sleep fd_table readiness epoll portable reactor",
        "core/combine": "combined many all timeout then group_room group_member group",
        "core/stream": "stream around merge channel_shared channel send from_fd",
        "core/bytes": "bytes byte_fd from_fd",
        "core/sync": "waiters mutex semaphore event condition barrier once oneshot watch broadcast",
        "core/run": "block_on exit queue running pool_base workers pool pool_exit blocking serial defer spawn"
        " channel_send",
        "core/io": "interval transfer connection addresses file process signals",
        "core/testing": "tools reactor",
        "python/base": "compat dealloc state errors instruction python_code awaitable",
        "python/function": "object code signature attributes function",
        "python/loop": "queued orphans inbox job wake_target waiter framework hub drain hub_type ref value locals"
        " scope",
        "python/framework": "anyio task asyncio_thread asyncio_attach asyncio_task asyncio trio_api trio_frame"
        " trio_task trio detect",
        "python/coroutine": "child wrapper coroutine poll held_up grace cancel result park traceback end block"
        " attributes checkpoint step trampoline iterator type",
        "python/await": "posted late_call in_place group await",
        "python/iterate": "aclose in_place posted iterate",
        "python/generator": "generator step_result given step type",
        "python/module": "module finish functions entry",
        "python/bytes": "methods in_place posted stream bytes read write object",
        "python/run": "run run_forever",
        "python/testing": "check test options report main",
    },
    apart=(frozenset({"core/stream", "core/bytes"}),),
    unit_tested=frozenset(
        {"core/base/detail.h", "core/base/promise.h", "core/reactor/timer_heap.h", "core/reactor/wake_queue.h"}
        | {"core/os/processors.h"}
        # compiled there with an allocator that fails
        | {
            f"core/combine/{name}.c"
            for name in ("all", "combined", "group", "group_member", "group_room", "many", "then", "timeout")
        }
        | {f"core/io/{name}.c" for name in "interval transfer connection addresses file process signals".split()}
        | {f"core/reactor/{name}.c" for name in ("fd_table", "readiness", "sleep", "timer_heap")}
        | {"core/bytes/byte_fd.c", "core/os/process.h", "core/os/socket.h", "core/os/thread.h"}
        | {f"core/stream/{name}.c" for name in ("channel", "from_fd", "merge", "around", "stream")}
        | {f"core/async/{name}.c" for name in ("failed", "routine", "generator")}
        | {f"core/run/{name}.c" for name in ("blocking", "exit", "pool", "pool_exit", "serial", "workers")}
        | {"core/sync/broadcast.c"}
    ),
    allowed={
        "system headers": (
            "src/core/os/",
            "src/core/reactor/epoll.c",
            "src/core/reactor/portable.c",
            "src/core/stream/from_fd.c",
            "src/core/bytes/byte_fd.c",
        ),
        "compiler": ("include/cawait/base.h", "include/cawait/async.h", "src/core/os/compiler.h"),
        "platform": ("src/core/os/",),
        "CPython": ("include/cawait/python_api.h", "src/python/base/compat.h"),
    },
)

RULES: dict[str, Callable[[Tree], Iterator[Problem]]] = {
    "places": includes.places,
    "includes": includes.includes,
    "guards": includes.guards,
    "built": includes.built,
    "headers": headers.headers,
    "public": headers.public,
    "marks": headers.marks,
    "calls": calls.calls,
    "system": system.system,
    "columns": prose.columns,
    "openings": prose.openings,
    "paths": prose.paths,
    "lengths": prose.lengths,
}


def problems(tree: Tree | None = None, rules: Iterable[str] = RULES) -> list[str]:
    """All problems of the tree's shape."""
    tree = tree or Tree(ROOT, LAYOUT)
    return [str(problem) for rule in rules for problem in RULES[rule](tree)]


def report(tree: Tree, rules: Iterable[str] = RULES) -> Iterator[str]:
    """The lines of the report: each rule with problems, and these by file."""
    for rule in rules:
        found = sorted(RULES[rule](tree), key=lambda problem: problem.name)
        if found:
            yield f"\n== {rule}: {len(found)}. {RULES[rule].__doc__}"
        for name, group in groupby(found, key=lambda problem: problem.name):
            ours = list(group)
            yield f"{name}  ({len(ours)})"
            yield from (f"    {problem.line}: {problem.text}" for problem in ours)


def main() -> int:
    """Print the problems."""
    chosen = [word for word in sys.argv[1:] if word != "--report"]
    if unknown := [word for word in chosen if word not in RULES]:
        print(f"no rule {', '.join(unknown)}; there are {', '.join(RULES)}", file=sys.stderr)
        return 2
    tree = Tree(ROOT, LAYOUT)
    lines = report(tree, chosen or RULES) if "--report" in sys.argv[1:] else problems(tree, chosen or RULES)
    text = "\n".join(lines)
    print(text or f"{len(tree.names)} files in order")
    return 1 if text else 0


if __name__ == "__main__":
    sys.exit(main())
